// The list of incidents: one of them is selected, by pointer, keys or the timeline. The rows come from the server.

import { Clock } from "./clock.js";

//: Where a jump to an incident lands before it, so that one sees how it began.
const LEAD_S = 2;
//: In this tab: the session of which only those to judge are shown, on each page of its incidents.
const ONLY_OPEN = "desk-only-open";
//: What a click within a row may mean instead of the row.
const CONTROLS = "a, button, input, label, select, summary";

export class Incidents extends EventTarget {
  #key = null;
  #onlyOpen = isOnlyOpen();
  #elsewhere = [];

  constructor(section, clock) {
    super();
    this.section = section;
    this.clock = clock;
    section.addEventListener("click", (event) => {
      const row = event.target.closest("tr[data-key]");
      const control = event.target.closest(CONTROLS);
      if (!row || (control && !control.matches("a[data-incident]"))) return;
      event.preventDefault();
      this.select(row.dataset.key, { jumps: true, focuses: true });
    });
    section.addEventListener("keydown", (event) => this.#arrow(event));
    section.addEventListener("change", (event) => event.target.matches("[name=only_open]") && this.#remember());
  }

  /** Those that are shown, in the order of time. */
  get all() {
    return [...this.section.querySelectorAll("tr[data-key]:not([hidden])")].map((row) => this.#read(row));
  }

  /** All of the session: those that are hidden, and those of other pages, too. */
  get everywhere() {
    return [...this.section.querySelectorAll("tr[data-key]")].map((row) => this.#read(row)).concat(this.#elsewhere);
  }

  get selected() {
    const row = this.#row();
    return row && this.#read(row);
  }

  /**
   * After the server sent the rows anew: the same one stays selected, or the one that was just judged or added. None is
   * when that is gone, or is another by now: the next key is not meant for one that nobody chose.
   */
  redrawn(picked = null) {
    this.#key = picked ?? this.#key;
    if (!this.#row()) this.#key = null;
    this.#elsewhere = this.#readElsewhere();
    const box = this.section.querySelector("[name=only_open]");
    if (box) box.checked = this.#onlyOpen;
    this.select(this.#key, {});
  }

  /** The next (1) or previous (-1) of those that are shown. */
  step(by, { focuses = true } = {}) {
    const all = this.all;
    if (!all.length) return;
    const place = all.findIndex((one) => one.key === this.#key);
    const next = place < 0 ? this.#nearest(all, by) : place + by;
    const further = this.section.querySelector(by > 0 ? "a[rel=next]" : "a[rel=prev]");
    if ((next < 0 || next >= all.length) && further) further.click();
    else if (next < 0 || next >= all.length) this.#say(by > 0 ? "That was the last incident." : "That was the first incident.");
    else this.select(all[next].key, { jumps: true, focuses });
  }

  /** Select it wherever it is: on this page also a hidden one, else on the page that holds it. */
  reach(key) {
    if (this.#row(key)) return this.select(key, { jumps: true });
    const asked = new URLSearchParams(location.search);
    asked.set("incident", key);
    location.assign(`?${asked}`);
  }

  select(key, { jumps = false, focuses = false }) {
    this.#key = key;
    this.#filter();
    for (const row of this.section.querySelectorAll("tr[data-key]")) {
      const link = row.querySelector("a[data-incident]");
      const isSelected = row.dataset.key === key;
      row.classList.toggle("is-selected", isSelected);
      link.tabIndex = isSelected ? 0 : -1;
      isSelected ? link.setAttribute("aria-current", "true") : link.removeAttribute("aria-current");
      if (isSelected && focuses) link.focus({ preventScroll: true });
      if (isSelected && focuses) link.scrollIntoView({ block: "nearest" }); // on a small screen the list is further down
      if (isSelected) scrollWithin(this.section.querySelector("[data-rows]"), row);
    }
    const incident = this.selected;
    if (!incident) this.section.querySelector("a[data-incident]")?.setAttribute("tabindex", "0");
    if (incident && jumps) {
      this.clock.seek(incident.at - LEAD_S);
      this.#say(`${incident.title}, at ${Clock.said(incident.at)}, ${incident.state}.`);
    }
    this.dispatchEvent(new CustomEvent("selected", { detail: incident }));
  }

  #arrow(event) {
    const by = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    if (!by || event.ctrlKey || event.altKey || event.metaKey || !event.target.matches("a[data-incident]")) return;
    event.preventDefault();
    this.step(by);
  }

  #remember() {
    this.#filter();
    setOnlyOpen(this.#onlyOpen);
  }

  #filter() {
    this.#onlyOpen = this.section.querySelector("[name=only_open]")?.checked ?? false;
    for (const row of this.section.querySelectorAll("tr[data-key]")) {
      row.hidden = this.#onlyOpen && "isSettled" in row.dataset && row.dataset.key !== this.#key;
    }
    this.dispatchEvent(new Event("filtered"));
  }

  #nearest(all, by) {
    const later = all.findIndex((one) => one.at >= this.clock.at);
    if (by > 0) return later < 0 ? all.length - 1 : later;
    return later < 0 ? all.length - 1 : Math.max(later - 1, 0);
  }

  #row(key = this.#key) {
    return key === null ? null : this.section.querySelector(`tr[data-key="${CSS.escape(key)}"]`);
  }

  #read(row) {
    const { key, type, title, state, moves = "", severity = "" } = row.dataset;
    const [at, until] = [Number(row.dataset.at), Number(row.dataset.until)];
    return { key, type, title, state, severity, at, until, moves: moves.split(" ").filter(Boolean), row };
  }

  /** As the server tells them, for the timeline: key, begin, end, type. */
  #readElsewhere() {
    const told = this.section.querySelector("#incidents-elsewhere");
    const rows = told ? JSON.parse(told.textContent) : [];
    return rows.map(([key, at, until, type]) => ({ key, at, until, type, title: type || "(no type)" }));
  }

  #say(words) {
    this.dispatchEvent(new CustomEvent("said", { detail: words }));
  }
}

// A browser that keeps nothing for us is no reason to fail.
function isOnlyOpen() {
  try {
    return sessionStorage.getItem(ONLY_OPEN) === location.pathname;
  } catch {
    return false;
  }
}

function setOnlyOpen(on) {
  try {
    sessionStorage.setItem(ONLY_OPEN, on ? location.pathname : "");
  } catch {
    // It lasts for this page, then.
  }
}

/** Without moving the page, as scrollIntoView would. */
function scrollWithin(box, row) {
  if (!box) return;
  const [outer, inner] = [box.getBoundingClientRect(), row.getBoundingClientRect()];
  const header = box.querySelector("thead")?.offsetHeight ?? 0;
  if (inner.top < outer.top + header) box.scrollTop -= outer.top + header - inner.top;
  if (inner.bottom > outer.bottom) box.scrollTop += inner.bottom - outer.bottom;
}
