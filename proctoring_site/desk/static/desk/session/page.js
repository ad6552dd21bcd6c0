// The page of one session: puts clock, videos, timeline, incidents, forms and keys together.

import { Clock, SPEEDS } from "./clock.js";
import { hasUnsaved, isTouched, sendForms } from "./forms.js";
import { Incidents } from "./incidents.js";
import { listenForKeys } from "./keys.js";
import { Screen } from "./player.js";
import { Timeline } from "./timeline.js";

const page = document.querySelector("[data-session-page]");
const facts = JSON.parse(document.getElementById("session-facts").textContent);
const find = (selector) => page.querySelector(selector);
const live = find("[data-live]");
const clock = new Clock(facts);
page.classList.add("has-script");

// --- The videos, the clock's buttons
const screens = [...page.querySelectorAll("[data-screen]")].map(
  (figure) => new Screen(figure, facts.tracks.filter((track) => track.kind === figure.dataset.screen), clock),
);
clock.isReady = () => screens.every((screen) => screen.isReady);

const speed = find("[data-speed]");
speed.replaceChildren(...SPEEDS.map((one) => new Option(`${one}×`, one, one === 1, one === 1)));
speed.addEventListener("change", () => clock.setSpeed(Number(speed.value)));
const sound = find("[data-sound]");
sound?.addEventListener("click", () => {
  const isMuted = sound.getAttribute("aria-pressed") !== "true";
  sound.setAttribute("aria-pressed", String(isMuted));
  for (const screen of screens) screen.video.muted = isMuted;
});
const play = find("[data-do=play]");
clock.addEventListener("changed", () => {
  play.setAttribute("aria-label", clock.isPlaying ? "Pause" : "Play");
  play.classList.toggle("is-playing", clock.isPlaying);
  speed.value = clock.speed;
});
clock.addEventListener("moved", showMoment);
function showMoment() {
  find("[data-moment]").textContent = Clock.said(clock.at);
  const at = facts.start === null ? null : new Date(facts.start + clock.at * 1000);
  find("[data-moment-utc]").textContent = at ? `${at.toISOString().slice(11, 19)} UTC` : "";
}
showMoment();

// --- Incidents and the timeline
const incidents = new Incidents(find("[data-part=incidents]"), clock);
const timeline = new Timeline(find("[data-timeline]"), clock, {
  incidents: () => incidents.everywhere,
  pictureOf: (at) => {
    const isFilmed = facts.tracks.some((one) => one.has_pictures && one.from <= at && at <= (one.until ?? one.from));
    return facts.pictures && isFilmed ? `${facts.pictures}?at_s=${Math.max(0, Math.floor(at))}` : null;
  },
});
timeline.addEventListener("picked", ({ detail }) => incidents.reach(detail.key));
timeline.addEventListener("step", ({ detail }) => incidents.step(detail, { focuses: false }));
incidents.addEventListener("said", ({ detail }) => say(detail));
incidents.addEventListener("selected", ({ detail }) => {
  timeline.show(detail);
  showSelected(detail);
});
incidents.section.addEventListener("focusin", ({ target }) => {
  const row = target.closest("tr[data-key]");
  const isShown = row && target.matches(":focus-visible") && timeline.pictureOf(Number(row.dataset.at));
  if (isShown) timeline.tell(Number(row.dataset.at), row.dataset.title);
});
incidents.section.addEventListener("focusout", () => timeline.tell(null));

/** The forms that act on an incident act on this one, and offer only what is possible from where it stands. */
function showSelected(incident) {
  for (const field of page.querySelectorAll("input[name=incident]")) field.value = incident?.key ?? "";
  const none = "No incident is selected. Choose one from the list.";
  const words = incident ? `${Clock.said(incident.at)} ${incident.title}` : none;
  for (const place of page.querySelectorAll("[data-selected]")) place.textContent = words;
  for (const place of page.querySelectorAll("[data-verb]")) {
    const isRefused = isRedrawn && place.querySelector("details[open]"); // why, and what was typed, stay to be seen
    place.hidden = !incident?.moves.includes(place.dataset.verb) && !isRefused;
  }
  const severity = find("#severity [name=severity]");
  if (!severity || !incident || (isRedrawn && isTouched(severity))) return;
  for (const option of severity.options) option.selected = option.defaultSelected = option.value === incident.severity;
}

//: While the parts of the page are the server's new ones: what somebody chose in a form is there again, and stays.
let isRedrawn = false;
function redrawn(picked) {
  isRedrawn = true;
  incidents.redrawn(picked);
  isRedrawn = false;
}
incidents.redrawn(facts.asked);
if (facts.asked !== null) incidents.select(facts.asked, { jumps: true });

// --- What is sent
sendForms(page, { onDone, onRefused });
// A page that is left takes along what was typed: the browser asks first.
addEventListener("beforeunload", (event) => {
  if (hasUnsaved(page)) event.preventDefault();
});

function onRefused(answer, form) {
  if (answer.parts) redrawn(answer.picked);
  say(answer.detail);
  if (!document.getElementById(form.id)) focusBack(form); // somebody else did what it was for
}

function onDone(answer, form) {
  redrawn(answer.picked);
  say(answer.said);
  focusBack(form);
}

//: Where a key was pressed that opened a form.
let cameFrom = null;

/** To the incident, to where the key was pressed, or to the button that opened the form; never to nowhere. */
function focusBack(form) {
  const wasAtIncident = form.dataset.returns === "incidents" || cameFrom?.matches("a[data-incident]");
  const places = [
    wasAtIncident ? incidents.selected?.row.querySelector("a") : null,
    cameFrom?.isConnected ? cameFrom : null,
    document.getElementById(form.closest("details")?.id ?? "")?.querySelector("summary"),
    document.getElementById(form.id)?.querySelector("button:not([hidden])"),
    find("h1"),
  ];
  cameFrom = null;
  places.find(Boolean).focus({ preventScroll: true });
}

// --- Keys
function actOn(verb) {
  const button = find(`#incident-acts button[value=${verb}]`);
  if (button && !button.hidden) button.form.requestSubmit(button);
  else refuseKey(button, verb);
}

function open(id) {
  const details = document.getElementById(id);
  if (!details || details.hidden || details.closest("[hidden]")) return refuseKey(details, id);
  cameFrom = document.activeElement === document.body ? null : document.activeElement;
  details.open = true;
  details.querySelector("textarea, input:not([type=hidden]), select")?.focus();
}

function refuseKey(isThere, verb) {
  if (!find(".judge, #decide-form, #note")) say("You may view this session, but not decide on it.");
  else say(isThere ? `No incident that you can ${verb} is selected.` : "That is not possible now.");
}

listenForKeys(
  {
    j: () => incidents.step(1),
    k: () => incidents.step(-1),
    a: () => actOn("acknowledge"),
    c: () => actOn("confirm"),
    d: () => open("dismiss"),
    r: () => open("reopen"),
    n: () => open("note"),
    i: () => open("add-incident"),
    o: () => open("decide"),
    g: () => document.querySelector(".rp-next a")?.click(),
    " ": () => clock.toggle(),
    ",": () => clock.stepSpeed(-1),
    ".": () => clock.stepSpeed(1),
    "+": () => timeline.zoom(2),
    "-": () => timeline.zoom(0.5),
    "?": () => open("keys"),
  },
  find("[data-keys]"),
);

page.addEventListener("keydown", (event) => {
  const details = event.target.closest("details[open]");
  if (event.key !== "Escape" || !details) return;
  details.open = false;
  const form = details.querySelector("form");
  form ? focusBack(form) : details.querySelector("summary").focus();
});
page.addEventListener("click", ({ target }) => {
  const verb = target.closest("[data-do]")?.dataset.do;
  if (verb === "play") clock.toggle();
  if (verb === "previous") incidents.step(-1);
  if (verb === "next") incidents.step(1);
  if (verb === "closer") timeline.zoom(2);
  if (verb === "wider") timeline.zoom(0.5);
  const jump = target.closest("[data-jump]");
  if (jump) clock.seek(Number(jump.dataset.jump) - 2);
  for (const details of page.querySelectorAll("details[data-popup][open]")) {
    if (!details.contains(target)) details.open = false; // one at a time, as a menu
  }
});
// A form stands where there is room for it, and one about a moment or a stretch begins with where the clock stands.
page.addEventListener(
  "toggle",
  ({ target }) => {
    if (!target.open || !target.matches?.("details[data-popup]")) return;
    const form = target.querySelector("form");
    form.classList.toggle("is-below", target.getBoundingClientRect().bottom + form.offsetHeight < innerHeight);
    for (const field of target.querySelectorAll("[data-now]")) {
      if (!field.value || field.dataset.filled === field.value) field.value = field.dataset.filled = Clock.said(clock.at);
    }
  },
  true,
);

/** For those who do not see what changed; the same words twice are said twice. */
function say(words) {
  live.textContent = "";
  requestAnimationFrame(() => (live.textContent = words));
}
