// The live board: asks every few seconds what changed, shows it in place, and carries out what staff decide.
//
// The keyboard stays where it is while rows come, go and change places; a screen reader is told of what needs somebody
// and is new, at most twice a minute.

import { listenForActs, openFor } from "./live/acts.js";
import { element, nameOf, part, root } from "./live/parts.js";
import { isShown, listenForChoice, showCounts } from "./live/shown.js";

const ANNOUNCE_EVERY_MS = 30_000;
const TRY_AGAIN_MAX_MS = 30_000;

const table = part("table");
const rows = new Map();
let etag = null;
let board = null;
let shownOn = null;
let verbs = {};
let failures = 0;
let timer = null;
let isAsking = false;
let isStopped = false;
// Of what was done last: the session, and what had been asked of its client before.
let done = null;

const today = () => new Date().toISOString().slice(0, 10);

// With the day, when that is another one.
function at(instant) {
  if (!instant) return "an unknown time";
  const [day, time] = [instant.slice(0, 10), instant.slice(11, 19)];
  return day === today() ? `${time} UTC` : `${day} ${time} UTC`;
}

function list(items) {
  const made = document.createElement("ul");
  made.append(...items);
  return made;
}

async function ask() {
  if (isAsking || isStopped) return;
  isAsking = true;
  clearTimeout(timer);
  try {
    const headers = etag ? { "If-None-Match": etag } : {};
    const answer = await fetch(root.dataset.state, { headers, cache: "no-store", redirect: "manual" });
    if (answer.type === "opaqueredirect" || [401, 403, 404].includes(answer.status)) return stop();
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
    tellFreshness("The server cannot be reached; what is shown may be out of date. Trying again.", true);
  } finally {
    isAsking = false;
  }
  const pause = Number(root.dataset.refreshMs);
  timer = setTimeout(ask, failures ? Math.min(pause * 2 ** failures, TRY_AGAIN_MAX_MS) : pause);
}

// What stands here is not for this person any more, whoever comes to this screen.
function stop() {
  isStopped = true;
  const told = part("freshness");
  told.setAttribute("role", "alert");
  part("dialog")?.close();
  root.replaceChildren(told);
  tellFreshness("You are signed out, or may no longer see this. Reload the page.", true);
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
    keepKeyboard(row.node);
    row.node.remove();
    rows.delete(id);
  }
  const isFirst = rows.size === 0;
  for (const session of board.sessions) showSession(session, !isFirst);
  putInOrder(board.sessions.map((session) => rows.get(session.id).node));
  choose();
  part("empty").hidden = board.sessions.length > 0;
  part("cut").hidden = !board.is_cut;
  part("together").hidden = !board.together;
  part("together").querySelector("b").textContent = board.together;
  if (isConfirmed(done)) part("result").textContent = "";
  announce(board);
}

// Of the rows those that somebody wants to see, by a count or a name.
function choose() {
  if (!board) return;
  let shown = 0;
  for (const { node, session } of rows.values()) {
    showIf(isShown(session), node);
    if (!node.hidden) shown += 1;
  }
  table.hidden = shown === 0;
  part("none").hidden = shown > 0 || rows.size === 0;
  part("shown").textContent = shown < rows.size ? `${shown} of ${rows.size} shown.` : "";
  if (!part("all")) return;
  showIf(shown > 1, part("all"));
  part("all").textContent = `Act on all ${shown} shown`;
}

// First, for what is hidden has lost the keyboard.
function showIf(isShown, node) {
  if (!isShown) keepKeyboard(node);
  node.hidden = !isShown;
}

// What had it goes, and it stays at the table.
function keepKeyboard(node) {
  if (node.contains(document.activeElement)) document.querySelector(".live-scroll").focus();
}

// A dialog gives it back to what opened it, which may have gone meanwhile.
part("dialog")?.addEventListener("close", ({ target }) => {
  const focused = document.activeElement;
  if (focused === document.body || target.contains(focused)) document.querySelector(".live-scroll")?.focus();
});

// Then the row says so, and that it is yet to come would be wrong.
function isConfirmed(act) {
  const asked = newest(act?.session);
  return Boolean(asked?.confirmed) && asked.at !== act.before;
}

function newest(id) {
  return rows.get(id)?.session.asked.at(-1);
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
    button.addEventListener("click", () => openFor([rows.get(session.id).session], verbs));
    cell.append(button);
    row.append(cell);
  }
  return row;
}

function pointsOf(session) {
  const reasons = session.deductions.map(([type, count, points]) => element("li", `${type} × ${count}: ${points}`));
  reasons.push(...session.allowed.map(([type, count]) => element("li", `${type} × ${count}: allowed, not counted`)));
  return [element("span", session.points, { class: "live-points" }), list(reasons)];
}

function clientOf(session) {
  const items = [];
  if (session.presence !== "here") {
    const since = session.since ? ` since ${at(session.since)}` : ": never heard from";
    items.push(element("li", session.presence + since, session.presence === "missing" ? { class: "live-absent" } : {}));
  }
  if (session.signals === null) items.push(element("li", "sends no heartbeats"));
  for (const [signal, isOn] of Object.entries(session.signals ?? {})) {
    if (isOn !== null) items.push(element("li", `${signal} ${isOn ? "on" : "off"}`, isOn ? {} : { class: "live-absent" }));
  }
  for (const [type, count] of session.recording) items.push(element("li", `${type} × ${count}`, { class: "live-absent" }));
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

function announce({ counts, together }) {
  const most = together ? ` ${together} clients fell silent at the same time.` : "";
  const { weighed, missing, off, paused } = counts;
  const needs = `${weighed} with points, ${missing} missing, ${off} with a problem, ${paused} paused.${most}`;
  if (needs === announced || performance.now() - announcedAt < ANNOUNCE_EVERY_MS) return;
  part("said").textContent = needs;
  announced = needs;
  announcedAt = performance.now();
}

listenForActs({
  before: (session) => newest(session.id)?.at,
  onDone: (act) => {
    done = act;
    ask();
  },
});
listenForChoice(() => {
  choose();
  part("said").textContent = part("shown").textContent || "All are shown.";
});
part("all")?.addEventListener("click", () => openFor(board.sessions.filter(isShown), verbs, { isMany: true }));
document.addEventListener("visibilitychange", () => {
  if (document.hidden) clearTimeout(timer);
  else ask();
});
ask();
