// Forms are sent without leaving the page. What was typed stays until it is stored: in the form that was refused, and in
// every other form when the server draws a part of the page anew. Without this script the forms work as forms do.

const STALE = "Nothing was saved: this page is no longer valid. Copy what you typed, and reload it.";
const GONE = "Nothing was saved: this session no longer exists, or you may no longer see it. Copy what you typed.";
const UNREACHABLE =
  "The server did not answer, so this may not have been saved. What you typed is still here; try again.";

/** Sends every `form[data-desk]` within `root`. Calls `onDone(answer, form)` when it was stored, `onRefused(answer, form)`. */
export function sendForms(root, { onDone, onRefused }) {
  root.addEventListener("submit", async (event) => {
    const form = event.target;
    if (!form.matches("form[data-desk]")) return;
    event.preventDefault();
    if (form.hasAttribute("aria-busy")) return;
    const said = new FormData(form, event.submitter);
    form.setAttribute("aria-busy", "true");
    const answer = await ask(form.action, said);
    form.removeAttribute("aria-busy");
    if (answer.isDone) form.closest("details")?.removeAttribute("open");
    if (answer.parts) putParts(root, answer.parts, answer.isDone ? form : null);
    if (answer.isDone) {
      onDone(answer, form);
    } else {
      onRefused(answer, form); // first: it shows again what the server's parts hide, and a hidden field takes no focus
      const isThere = document.getElementById(form.id);
      if (isThere) refuse(isThere, answer);
    }
  });
}

/** Whether a text stands in one of the forms that was not stored. */
export function hasUnsaved(root) {
  const texts = root.querySelectorAll("form[data-desk] :is(textarea, input[type=text]:not([data-now]))");
  return [...texts].some(isTouched);
}

async function ask(url, body) {
  let answer;
  try {
    answer = await fetch(url, { method: "POST", body, headers: { Accept: "application/json" } });
  } catch {
    return { detail: UNREACHABLE };
  }
  if (!answer.headers.get("Content-Type")?.startsWith("application/json")) {
    // To the login, or 403: signed in again since, with the form of before.
    if (answer.status === 404) return { detail: GONE };
    return { detail: answer.redirected || answer.status === 403 ? STALE : UNREACHABLE };
  }
  return { ...(await answer.json()), isDone: answer.ok };
}

/** The parts of the page as the server draws them now, by name; `sent`: the form whose texts are stored, and may go. */
function putParts(root, parts, sent) {
  const typed = [...root.querySelectorAll("form[data-desk]")].filter((form) => form !== sent).flatMap(read);
  const opened = [...root.querySelectorAll("details[id][open]")].map((details) => details.id);
  const scrolled = [...root.querySelectorAll("[data-rows]")].map((box) => [box.dataset.rows, box.scrollTop]);
  for (const [name, html] of Object.entries(parts)) {
    const part = root.querySelector(`[data-part="${CSS.escape(name)}"]`);
    if (part) part.innerHTML = html;
  }
  for (const id of opened) document.getElementById(id)?.setAttribute("open", "");
  for (const [name, top] of scrolled) {
    const box = root.querySelector(`[data-rows="${CSS.escape(name)}"]`);
    if (box) box.scrollTop = top;
  }
  for (const { form, name, value } of typed) {
    const field = document.getElementById(form)?.elements.namedItem(name);
    if (field && "value" in field) field.value = value;
  }
}

/** What somebody changed in a form. Hidden fields are the server's. */
function read(form) {
  return [...form.elements]
    .filter((field) => field.name && field.type !== "hidden" && field.type !== "submit" && isTouched(field))
    .map((field) => ({ form: form.id, name: field.name, value: field.value }));
}

/** Whether somebody changed it since the server drew it. */
export function isTouched(field) {
  if (field.type === "radio") return field.checked && !field.defaultChecked;
  if (field.options) return [...field.options].some((option) => option.selected !== option.defaultSelected);
  return field.value !== field.defaultValue;
}

function refuse(form, answer) {
  const place = form.querySelector("[data-refused]");
  const lines = [answer.detail, ...Object.values(answer.fields ?? {}).flat(), ...(answer.since ?? [])];
  place.replaceChildren(
    ...lines.map((line) => {
      const item = document.createElement("p");
      item.dir = "auto";
      item.textContent = line;
      return item;
    }),
  );
  const [wrong] = Object.keys(answer.fields ?? {});
  const field = wrong ? form.elements.namedItem(wrong) : form.querySelector("textarea, input:not([type=hidden]), select");
  form.closest("details")?.setAttribute("open", "");
  if (wrong && field instanceof HTMLElement) tie(field, place);
  (field instanceof HTMLElement ? field : form.querySelector("button")).focus();
}

/** The field that is wrong says why to whoever comes to it, until it is changed. */
function tie(field, place) {
  place.id ||= `${field.form.id}-refused`;
  const others = (field.getAttribute("aria-describedby") ?? "").split(" ").filter((id) => id && id !== place.id);
  field.setAttribute("aria-invalid", "true");
  field.setAttribute("aria-describedby", [...others, place.id].join(" "));
  const untie = () => {
    field.removeAttribute("aria-invalid");
    field.setAttribute("aria-describedby", others.join(" "));
  };
  field.addEventListener("input", untie, { once: true });
}
