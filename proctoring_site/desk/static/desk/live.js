// The live board: asks every few seconds what changed, shows it in place, and carries out what staff decide.
//
// The keyboard stays where it is while rows come, go and change places; a screen reader is told of what needs somebody
// and is new, at most twice a minute.

const ANNOUNCE_EVERY_MS = 30_000;
const TRY_AGAIN_MAX_MS = 30_000;
const STALE = "Nothing was done: this page is not valid any more. Load it again.";

const root = document.getElementById("live");
const part = (name) => document.getElementById(`live-${name}`);
const table = part("table");
const rows = new Map();
let etag = null;
let board = null;
let shownOn = null;
let verbs = {};
let failures = 0;
let timer = null;
let isAsking = false;
// Of what was done last: the session, and what had been asked of its client before.
let done = null;

const today = () => new Date().toISOString().slice(0, 10);

// With the day, when that is another one.
function at(instant) {
  if (!instant) return "an unknown time";
  const [day, time] = [instant.slice(0, 10), instant.slice(11, 19)];
  return day === today() ? `${time} UTC` : `${day} ${time} UTC`;
}

// For people: an adopted session may have none, or blanks alone.
const nameOf = (session) => String(session.name || "").trim();

function element(name, text = "", attributes = {}) {
  const made = document.createElement(name);
  made.textContent = text;
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

function list(items) {
  const made = document.createElement("ul");
  made.append(...items);
  return made;
}

async function ask() {
  if (isAsking) return;
  isAsking = true;
  clearTimeout(timer);
  try {
    const headers = etag ? { "If-None-Match": etag } : {};
    const answer = await fetch(root.dataset.state, { headers, cache: "no-store", redirect: "manual" });
    if (answer.type === "opaqueredirect" || answer.status === 404) return stop();
    if (answer.status === 200) {
      etag = answer.headers.get("ETag");
      board = await answer.json();
    } else if (answer.status !== 304) {
      throw new Error(`status ${answer.status}`);
    }
    if (answer.status === 200 || shownOn !== today()) show(); // on another day the same times are said with theirs
    failures = 0;
    tellFreshness(`Refreshed at ${at(new Date().toISOString())}.`);
  } catch {
    failures += 1;
    tellFreshness("The server cannot be reached; what stands here may be old. Trying again.", true);
  } finally {
    isAsking = false;
  }
  const pause = Number(root.dataset.refreshMs);
  timer = setTimeout(ask, failures ? Math.min(pause * 2 ** failures, TRY_AGAIN_MAX_MS) : pause);
}

function stop() {
  tellFreshness("You are signed out, or may not see this any more. Load the page again.", true);
}

function tellFreshness(sentence, isStale = false) {
  const told = part("freshness");
  if (told.textContent !== sentence) told.textContent = sentence;
  told.classList.toggle("is-stale", isStale);
}

function show() {
  verbs = board.verbs;
  shownOn = today();
  showCounts(board.counts);
  const ids = new Set(board.sessions.map((session) => session.id));
  for (const [id, row] of rows) {
    if (ids.has(id)) continue;
    if (row.node.contains(document.activeElement)) part("empty").parentElement.querySelector(".live-scroll").focus();
    row.node.remove();
    rows.delete(id);
  }
  const isFirst = rows.size === 0;
  for (const session of board.sessions) showSession(session, !isFirst);
  putInOrder(board.sessions.map((session) => rows.get(session.id).node));
  table.hidden = board.sessions.length === 0;
  part("empty").hidden = board.sessions.length > 0;
  part("cut").hidden = !board.is_cut;
  if (isConfirmed(done)) part("result").textContent = "";
  announce(board.counts);
}

// Then the row says so, and that it is yet to come would be wrong.
function isConfirmed(act) {
  const asked = newest(act?.session);
  return Boolean(asked?.confirmed) && asked.at !== act.before;
}

function newest(id) {
  return rows.get(id)?.session.asked.at(-1);
}

function showCounts(counts) {
  const said = { running: "running", paused: "paused", weighed: "with points", missing: "missing", silent: "silent" };
  part("counts").replaceChildren(
    ...Object.entries(said).map(([name, words]) => {
      const item = document.createElement("li");
      item.append(element("b", counts[name]), words);
      return item;
    }),
  );
}

function showSession(session, isNew) {
  const said = shownOn + JSON.stringify(session);
  let row = rows.get(session.id);
  if (row?.said === said) return;
  if (!row) {
    row = { node: newRow(session), said: null };
    if (isNew) row.node.classList.add("live-is-new");
    rows.set(session.id, row);
  }
  row.said = said;
  const [, state, points, client, asked] = row.node.children;
  state.replaceChildren(session.state);
  points.replaceChildren(...pointsOf(session));
  client.replaceChildren(...clientOf(session));
  asked.replaceChildren(...askedOf(session));
  const button = row.node.querySelector("button");
  if (button) button.hidden = !(verbs[session.state] ?? []).length;
  row.session = session;
}

function newRow(session) {
  const row = document.createElement("tr");
  const name = element("th", "", { scope: "row" });
  const link = element("a", nameOf(session) || "(no name)", { href: `${root.dataset.sessions}${session.key}/change/` });
  link.dir = "auto";
  name.append(link);
  row.append(name, ...Array.from({ length: 4 }, () => document.createElement("td")));
  if (part("dialog")) {
    const cell = document.createElement("td");
    const button = element("button", "Act", { type: "button", class: "button" });
    button.append(element("span", ` on ${nameOf(session) || "this session"}`, { class: "desk-visually-hidden" }));
    button.addEventListener("click", () => openDialog(rows.get(session.id).session));
    cell.append(button);
    row.append(cell);
  }
  return row;
}

function pointsOf(session) {
  const reasons = session.deductions.map(([type, count, points]) => element("li", `${type} × ${count}: ${points}`));
  reasons.push(...session.allowed.map(([type, count]) => element("li", `${type} × ${count}: allowed, out of the points`)));
  return [element("span", session.points, { class: "live-points" }), list(reasons)];
}

function clientOf(session) {
  const items = [];
  if (session.presence !== "here") {
    const said = session.since ? `${session.presence} since ${at(session.since)}` : `${session.presence}: never heard of`;
    items.push(element("li", said, session.presence === "missing" ? { class: "live-absent" } : {}));
  }
  if (session.signals === null) items.push(element("li", "sends no heartbeats"));
  for (const [signal, isOn] of Object.entries(session.signals ?? {})) {
    if (isOn !== null) items.push(element("li", `${signal} ${isOn ? "on" : "off"}`, isOn ? {} : { class: "live-absent" }));
  }
  return [list(items)];
}

function askedOf(session) {
  const items = session.asked.toReversed().map((command) => {
    const asked = `${command.action} at ${at(command.at)}${command.by ? ` by ${command.by}` : ""}`;
    const said = command.confirmed ? `confirmed at ${at(command.confirmed)}` : "not confirmed yet";
    const item = element("li", `${asked}: `);
    item.append(element("span", said, command.confirmed ? {} : { class: "live-unconfirmed" }));
    return item;
  });
  return [list(items)];
}

// A node that is moved loses the keyboard: so the row that has it stays, and the others move around it.
function putInOrder(wanted) {
  const body = table.tBodies[0];
  const kept = wanted.find((node) => node.contains(document.activeElement));
  const before = kept ? wanted.slice(0, wanted.indexOf(kept)) : [];
  const after = kept ? wanted.slice(wanted.indexOf(kept) + 1) : wanted;
  let next = kept ?? null;
  for (const node of before.toReversed()) {
    if (node.nextSibling !== next || node.parentNode !== body) body.insertBefore(node, next);
    next = node;
  }
  let last = kept ?? null;
  for (const node of after) {
    const follows = last ? last.nextSibling : body.firstChild;
    if (follows !== node) body.insertBefore(node, follows);
    last = node;
  }
}

let announced = null;
let announcedAt = -Infinity;

function announce(counts) {
  const needs = `${counts.weighed} with points, ${counts.missing} missing, ${counts.paused} paused.`;
  if (needs === announced || performance.now() - announcedAt < ANNOUNCE_EVERY_MS) return;
  part("said").textContent = needs;
  announced = needs;
  announcedAt = performance.now();
}

const dialog = part("dialog");

function openDialog(session) {
  const form = part("form");
  form.reset();
  form.elements.session.value = session.id;
  part("dialog-title").textContent = `Act on ${nameOf(session) || "a session without a name"}`;
  part("fault").textContent = "";
  part("verbs").replaceChildren(
    ...(verbs[session.state] ?? []).map((verb, index) => {
      const label = document.createElement("label");
      const choice = element("input", "", { type: "radio", name: "verb", value: verb });
      choice.checked = index === 0;
      label.append(choice, ` ${verb}`);
      return label;
    }),
  );
  showFields();
  dialog.showModal();
}

function showFields() {
  const verb = part("form").elements.verb.value;
  for (const field of dialog.querySelectorAll(".live-field")) {
    const isWanted = field.dataset.for.split(" ").includes(verb);
    field.hidden = !isWanted;
    for (const input of field.querySelectorAll("input, select")) input.disabled = !isWanted;
  }
  part("reason-code").required = verb === "terminate";
  part("message").required = true;
}

// Before anything is done: whoever signed out is sent to do that again, and who signed in again sends an old form.
function isRefusedByPage(answer) {
  const isJson = answer.headers.get("Content-Type")?.startsWith("application/json");
  return answer.type === "opaqueredirect" || (!isJson && answer.status >= 400 && answer.status < 500);
}

async function carryOut(event) {
  event.preventDefault();
  const form = part("form");
  const session = form.elements.session.value;
  const before = newest(session)?.at;
  part("do").disabled = true;
  try {
    const answer = await fetch(root.dataset.act, { method: "POST", body: new FormData(form), redirect: "manual" });
    const { detail } = isRefusedByPage(answer) ? { detail: STALE } : await answer.json();
    if (answer.ok) {
      dialog.close();
      part("result").textContent = detail;
      done = { session, before };
      ask();
    } else {
      part("fault").textContent = detail;
    }
  } catch {
    part("fault").textContent = "The server did not say what became of it. Whether it was done, the board will show.";
  } finally {
    part("do").disabled = false;
  }
}

if (dialog) {
  part("form").addEventListener("submit", carryOut);
  part("verbs").addEventListener("change", showFields);
  part("cancel").addEventListener("click", () => dialog.close());
}
document.addEventListener("visibilitychange", () => {
  if (document.hidden) clearTimeout(timer);
  else ask();
});
ask();
