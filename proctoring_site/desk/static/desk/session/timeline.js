// The timeline under the player. The server drew the marks; here it gets its scale, its playhead, zoom, and a way to
// reach each incident by pointer or keys. Says "picked" with the incident's row, and "step" with -1 or 1.

import { Clock } from "./clock.js";

const ZOOM_MAX = 40;
const TICK_MIN_PX = 84;
const TICKS_S = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400, 604800];
//: A pointer this near to an incident means it.
const NEAR_PX = 6;
const NUDGE_S = 5;
const TIP_AFTER_MS = 120;

export class Timeline extends EventTarget {
  #zoom = 1;
  #tipTimer = null;

  /** `incidents()`: all that are drawn, each with `at`, `until`, `type`, `title`; `pictureOf(at)`: URL or null. */
  constructor(root, clock, { incidents, pictureOf }) {
    super();
    this.clock = clock;
    this.incidents = incidents;
    this.pictureOf = pictureOf;
    for (const name of ["scroll", "sheet", "ruler", "head", "picked", "tip"]) {
      this[name] = root.querySelector(`[data-timeline=${name}]`);
    }
    this.names = root.querySelector("[data-part=lanes]");
    this.marks = root.querySelector("[data-part=marks]");
    clock.addEventListener("moved", () => this.#follow());
    new ResizeObserver(() => this.#drawTicks()).observe(this.scroll);
    this.#listen();
    this.#follow();
  }

  zoom(factor) {
    const before = this.#share(this.clock.at);
    this.#zoom = Math.min(Math.max(this.#zoom * factor, 1), ZOOM_MAX);
    this.sheet.style.width = `${this.#zoom * 100}%`;
    this.#drawTicks();
    this.scroll.scrollLeft = before * this.sheet.clientWidth - this.scroll.clientWidth / 2;
  }

  /** Mark the stretch of the selected incident; null: none is. */
  show(incident) {
    this.picked.hidden = !incident;
    if (!incident) return;
    this.picked.style.left = `${this.#share(incident.at) * 100}%`;
    this.picked.style.width = `${(this.#share(incident.until) - this.#share(incident.at)) * 100}%`;
    this.#reveal(incident.at);
  }

  /** What is at a moment: its picture where there is one, and in words. null hides it. */
  tell(at, words) {
    clearTimeout(this.#tipTimer);
    if (at === null) {
      this.tip.hidden = true;
      return;
    }
    this.#tipTimer = setTimeout(() => this.#showTip(at, words), TIP_AFTER_MS);
  }

  #listen() {
    let scrubs = false;
    this.sheet.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      const incident = this.#near(event);
      if (incident) {
        this.dispatchEvent(new CustomEvent("picked", { detail: incident }));
        return;
      }
      scrubs = true;
      this.sheet.setPointerCapture(event.pointerId);
      this.clock.seek(this.#moment(event));
    });
    this.sheet.addEventListener("pointermove", (event) => {
      const at = this.#moment(event);
      if (scrubs) this.clock.seek(at);
      const incident = this.#near(event);
      this.sheet.classList.toggle("is-near", Boolean(incident));
      this.tell(at, incident ? incident.title : "");
    });
    for (const name of ["pointerup", "pointercancel"]) this.sheet.addEventListener(name, () => (scrubs = false));
    this.sheet.addEventListener("pointerleave", () => this.tell(null));
    this.sheet.addEventListener("keydown", (event) => this.#key(event));
  }

  #key(event) {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (step && event.shiftKey) this.clock.seek(this.clock.at + step * NUDGE_S);
    else if (step) this.dispatchEvent(new CustomEvent("step", { detail: step }));
    else if (event.key === "Home") this.clock.seek(this.clock.from);
    else if (event.key === "End") this.clock.seek(this.clock.until);
    else return;
    event.preventDefault();
  }

  #share(at) {
    return Math.min(Math.max((at - this.clock.from) / (this.clock.until - this.clock.from), 0), 1);
  }

  #moment(event) {
    const box = this.sheet.getBoundingClientRect();
    const share = Math.min(Math.max((event.clientX - box.left) / box.width, 0), 1);
    return this.clock.from + share * (this.clock.until - this.clock.from);
  }

  /** The incident under the pointer: on the lane of a type one of that type, on the ruler none. */
  #near(event) {
    const lanes = this.marks.getBoundingClientRect();
    if (event.clientY < lanes.top || event.clientY > lanes.bottom) return null;
    const type = this.#laneAt(event.clientY);
    const at = this.#moment(event);
    const near = (NEAR_PX / this.sheet.clientWidth) * (this.clock.until - this.clock.from);
    let best = null;
    let distance = near;
    for (const incident of this.incidents()) {
      if (type && incident.type !== type) continue;
      const away = at < incident.at ? incident.at - at : Math.max(0, at - incident.until);
      if (away < distance || (away === distance && !best)) [best, distance] = [incident, away];
    }
    return best;
  }

  /** The event type of the lane at this height; empty for all types. */
  #laneAt(y) {
    return [...this.names.querySelectorAll("[data-lane]")].find((lane) => y < lane.getBoundingClientRect().bottom)?.dataset.lane;
  }

  #follow() {
    const { at, from, until, isPlaying } = this.clock;
    this.head.style.left = `${this.#share(at) * 100}%`;
    this.sheet.setAttribute("aria-valuenow", Math.round(at));
    this.sheet.setAttribute("aria-valuetext", `${Clock.said(at)} of ${Clock.said(until)}`);
    if (isPlaying && this.#zoom > 1 && from < until) this.#reveal(at);
  }

  #reveal(at) {
    const x = this.#share(at) * this.sheet.clientWidth;
    const { scrollLeft, clientWidth } = this.scroll;
    if (x < scrollLeft || x > scrollLeft + clientWidth) this.scroll.scrollLeft = x - clientWidth * 0.2;
  }

  #drawTicks() {
    const length = this.clock.until - this.clock.from;
    const width = this.sheet.clientWidth;
    if (!width) return;
    const step = TICKS_S.find((one) => (one / length) * width >= TICK_MIN_PX) ?? TICKS_S.at(-1);
    const ticks = [];
    for (let at = Math.ceil(this.clock.from / step) * step; at <= this.clock.until; at += step) {
      const tick = document.createElement("span");
      tick.textContent = Clock.said(at);
      tick.style.left = `${this.#share(at) * 100}%`;
      if (width - this.#share(at) * width < TICK_MIN_PX / 2) tick.className = "is-last";
      ticks.push(tick);
    }
    this.ruler.replaceChildren(...ticks);
  }

  #showTip(at, words) {
    const [picture, text] = [this.tip.querySelector("img"), this.tip.querySelector("span")];
    const url = this.pictureOf(at);
    picture.hidden = !url;
    if (url) picture.src = url;
    text.textContent = words ? `${Clock.said(at)} · ${words}` : Clock.said(at);
    this.tip.hidden = false;
    const x = this.#share(at) * this.sheet.clientWidth - this.scroll.scrollLeft + this.scroll.offsetLeft;
    const room = this.tip.parentElement.clientWidth - this.tip.offsetWidth;
    this.tip.style.left = `${Math.min(Math.max(x - this.tip.offsetWidth / 2, 0), Math.max(room, 0))}px`;
  }
}
