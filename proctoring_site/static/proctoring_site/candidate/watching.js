/** What a page can notice by itself, logged with the client as it happens. */

/** Where it is kept whose network is lost, and since when by this computer's clock: a reload may come before the return. */
const LOST = "proctoring-network-lost";

/** In whole milliseconds, of an instant of `performance.now()`. */
export function secondsSince(instant) {
  return Math.max(0, Math.round(performance.now() - instant) / 1000);
}

/** `lost` at once; when it is over `back` says in `data` how long it was: `duration_s` would begin at the return. */
function interval(client, lost, back, since = null) {
  return (isAway, details) => {
    if (isAway === (since !== null)) return;
    if (isAway) client.log(lost, details);
    else client.log(back, { data: { away_s: secondsSince(since) } });
    since = isAway ? performance.now() : null;
  };
}

/** @returns {() => void} Stops watching. */
export function watch(client) {
  const until = new AbortController();
  const on = (target, name, listener) => target.addEventListener(name, listener, { signal: until.signal });

  const focus = interval(client, "focus_lost", "focus_back");
  on(window, "blur", () => focus(true));
  on(window, "focus", () => focus(false));

  const tab = interval(client, "tab_hidden", "tab_shown");
  on(document, "visibilitychange", () => tab(document.visibilityState === "hidden"));

  const network = interval(client, "network_lost", "network_back", lostBefore(client));
  const hear = (isConnected) => {
    network(!isConnected);
    keepLost(client, !isConnected);
  };
  on(client, "connection", ({ detail }) => hear(detail.isConnected));
  on(client, "state", () => hear(true)); // the first that a page hears when its network was there from the start
  if (!client.isConnected) hear(false); // it was told before anybody watched

  let isFull = document.fullscreenElement !== null;
  on(document, "fullscreenchange", () => {
    const wasFull = isFull;
    isFull = document.fullscreenElement !== null;
    if (wasFull && !isFull) client.log("fullscreen_left"); // quick changes are told twice
  });
  // How much, never what: an exam's answers are no business of proctoring.
  on(document, "paste", ({ clipboardData }) => {
    client.log("paste", { data: { characters: clipboardData?.getData("text").length ?? 0 } });
  });
  return () => {
    until.abort();
    keepLost(client, false);
  };
}

/** As an instant of `performance.now()`; null: its network was there when this page was last seen. */
function lostBefore(client) {
  try {
    const [id, since] = localStorage.getItem(LOST)?.split(" ") ?? [];
    return id === client.id ? performance.now() - Math.max(0, Date.now() - since) : null;
  } catch {
    return null; // a browser that keeps nothing
  }
}

function keepLost(client, isLost) {
  try {
    if (!isLost) localStorage.removeItem(LOST);
    else if (lostBefore(client) === null) localStorage.setItem(LOST, `${client.id} ${Date.now()}`);
  } catch {
    // Then a reload forgets it.
  }
}
