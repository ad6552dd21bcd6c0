// What a proctor does to one session, or to all that are shown: the form, and carrying out what it says.

import { element, nameOf, part, root } from "./parts.js";

const STALE = "Nothing was done: this page is no longer valid. Reload it.";
const UNKNOWN = "The server did not confirm it. The board will show whether it was done.";
// What can be taken back; a sitting is terminated by itself.
const FOR_MANY = ["message", "pause", "resume"];
const AT_ONCE = 4;
const NAMED_MAX = 5;

const dialog = part("dialog");
let sessions = [];
let isMany = false;
let verbs = {};
let waiting = [];

/** `before` says what had been asked of a session's client last; `onDone` gets that and the session, null after an act
 * on several. */
export function listenForActs({ before, onDone }) {
  if (!dialog) return;
  part("form").addEventListener("submit", (event) => {
    event.preventDefault();
    carryOut(before, onDone);
  });
  part("verbs").addEventListener("change", showFields);
  part("cancel").addEventListener("click", () => dialog.close());
  dialog.addEventListener("close", () => (waiting = [])); // who leaves in the middle has the rest left alone
}

/** `verbsByState`: what may be asked of a session in each state. */
export function openFor(chosen, verbsByState, options = {}) {
  [sessions, verbs, isMany] = [chosen, verbsByState, Boolean(options.isMany)];
  part("form").reset();
  const name = nameOf(chosen[0]) || "a session without a name";
  part("dialog-title").textContent = `Act on ${isMany ? `all ${chosen.length} sessions shown` : name}`;
  part("fault").textContent = "";
  part("progress").textContent = "";
  const possible = isMany ? FOR_MANY.filter((verb) => among(verb).length) : (verbs[chosen[0].state] ?? []);
  part("verbs").replaceChildren(...possible.map(choiceOf));
  showFields();
  dialog.showModal();
}

const among = (verb) => sessions.filter((session) => verbs[session.state]?.includes(verb));

// Nothing is chosen beforehand, so that no press too many has anybody wait.
function choiceOf(verb) {
  const label = document.createElement("label");
  const choice = element("input", "", { type: "radio", name: "verb", value: verb, required: "" });
  label.append(choice, isMany ? ` ${verb} (${among(verb).length})` : ` ${verb}`);
  return label;
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

async function carryOut(before, onDone) {
  const [form, chosen, isForMany] = [new FormData(part("form")), sessions, isMany];
  const wanted = isForMany ? among(form.get("verb")) : chosen;
  const act = isForMany ? null : { session: chosen[0].id, before: before(chosen[0]) };
  const isHere = () => dialog.open && sessions === chosen; // not left meanwhile, and perhaps opened for others
  part("do").disabled = true;
  const answers = await askAll(wanted, form, (told) => isHere() && (part("progress").textContent = told));
  if (!dialog.isConnected) return; // the board is empty meanwhile, for somebody who may not see it any more
  part("do").disabled = false;
  if (isHere()) {
    if (!isForMany && !answers[0].isDone) {
      part("fault").textContent = answers[0].detail;
      return;
    }
    dialog.close();
  }
  part("result").textContent = isForMany ? summary(wanted.length, answers) : answers[0].detail;
  onDone(act);
}

/** A few at a time. Answers with what became of each that was asked for. */
async function askAll(wanted, form, tell) {
  waiting = [...wanted];
  const answers = [];
  const work = async () => {
    while (waiting.length) {
      answers.push(await ask(waiting.shift(), form));
      if (wanted.length > 1) tell(`${answers.length} of ${wanted.length} …`);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return answers;
}

async function ask(session, form) {
  const body = new FormData();
  for (const [name, value] of form) body.append(name, value);
  body.set("session", session.id);
  try {
    const answer = await fetch(root.dataset.act, { method: "POST", body, redirect: "manual" });
    if (isRefusedByPage(answer)) return { session, detail: STALE };
    return { session, isDone: answer.ok, detail: (await answer.json()).detail };
  } catch {
    return { session, detail: UNKNOWN };
  }
}

// Before anything is done: whoever signed out is sent to do that again, and who signed in again sends an old form.
function isRefusedByPage(answer) {
  const isJson = answer.headers.get("Content-Type")?.startsWith("application/json");
  return answer.type === "opaqueredirect" || (!isJson && answer.status >= 400 && answer.status < 500);
}

function summary(count, answers) {
  const refused = answers.filter(({ isDone }) => !isDone);
  const told = [`Done for ${answers.length - refused.length} of ${count} sessions.`];
  for (const { session, detail } of refused.slice(0, NAMED_MAX)) told.push(`${nameOf(session) || "(no name)"}: ${detail}`);
  if (refused.length > NAMED_MAX) told.push(`And ${refused.length - NAMED_MAX} more.`);
  return told.join(" ");
}
