/** What a page can notice by itself, logged with the client as it happens. */

/** In whole milliseconds, of an instant of `performance.now()`. */
export function secondsSince(instant) {
  return Math.max(0, Math.round(performance.now() - instant) / 1000);
}

/** `lost` at once; when it is over `back` says in `data` how long it was: `duration_s` would begin at the return. */
function interval(client, lost, back) {
  let since = null;
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

  const network = interval(client, "network_lost", "network_back");
  on(client, "connection", ({ detail }) => network(!detail.isConnected));

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
  return () => until.abort();
}
