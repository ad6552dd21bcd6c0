// The moment that the page shows, in seconds from the start of the sitting. There is one; the videos and the timeline
// follow it, so that it runs also where no video does.

export const SPEEDS = [0.5, 0.75, 1, 1.25, 1.5, 2, 3, 4, 6, 8, 10];
//: A frame that comes later than this was held up (another window, a computer asleep); nobody saw the time between.
const FRAME_MAX_S = 0.5;

export class Clock extends EventTarget {
  #last = null;

  /** `from` and `until`: where the timeline begins and ends; `isReady`: false while a video has yet to load. */
  constructor({ from, until }) {
    super();
    this.from = from;
    this.until = until;
    this.at = Math.min(Math.max(0, from), until);
    this.speed = 1;
    this.isPlaying = false;
    this.isReady = () => true;
    document.addEventListener("visibilitychange", () => document.hidden && this.pause());
  }

  /** Seconds that the sitting has passed at this moment, for people. */
  static said(seconds) {
    const whole = Math.floor(Math.abs(seconds) + 1e-6);
    const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
    const two = (number) => String(number).padStart(2, "0");
    const sign = seconds < 0 && whole ? "−" : "";
    return sign + (hours ? `${hours}:${two(minutes)}` : minutes) + `:${two(rest)}`;
  }

  seek(at) {
    this.at = Math.min(Math.max(at, this.from), this.until);
    this.#tell("moved");
  }

  play() {
    if (this.isPlaying) return;
    if (this.at >= this.until) this.at = this.from;
    this.isPlaying = true;
    this.#last = null;
    this.#tell("changed");
    requestAnimationFrame((now) => this.#frame(now));
  }

  pause() {
    if (!this.isPlaying) return;
    this.isPlaying = false;
    this.#tell("changed");
  }

  toggle() {
    this.isPlaying ? this.pause() : this.play();
  }

  setSpeed(speed) {
    this.speed = speed;
    this.#tell("changed");
  }

  /** The next speed of the list, faster (1) or slower (-1). */
  stepSpeed(step) {
    const place = SPEEDS.findIndex((speed) => speed >= this.speed);
    this.setSpeed(SPEEDS[Math.min(Math.max(place + step, 0), SPEEDS.length - 1)]);
  }

  #frame(now) {
    if (!this.isPlaying) return;
    const passed = this.#last === null ? 0 : (now - this.#last) / 1000;
    this.#last = now;
    if (this.isReady()) this.at = Math.min(this.at + Math.min(passed, FRAME_MAX_S) * this.speed, this.until);
    if (this.at >= this.until) this.pause();
    this.#tell("moved");
    requestAnimationFrame((next) => this.#frame(next));
  }

  #tell(what) {
    this.dispatchEvent(new Event(what));
  }
}
