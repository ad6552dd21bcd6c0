/** The browser's clock, which may be wrong, and may be set while events wait. */

/** Less is what clocks differ by on their own. */
const SLACK_MS = 1000;

let madeAt = 0;
let made = 0;

/** As the API wants it; undefined for a clock so wrong that the server would refuse it. */
export function instant(ms = Date.now()) {
  const at = new Date(ms);
  return at.getUTCFullYear() >= 2000 && at.getUTCFullYear() < 2100 ? at.toISOString() : undefined;
}

/**
 * A UUID of version 7 (RFC 9562): milliseconds, a count of those made in the same one, 62 random bits. Events with the
 * same instant stay in their order by it, and the server keeps ids that grow in a third of the room.
 */
export function newId() {
  const now = Math.max(0, Date.now());
  made = now === madeAt ? (made + 1) & 0xfff : 0;
  madeAt = now;
  const random = crypto.getRandomValues(new Uint8Array(8));
  random[0] = (random[0] & 0x3f) | 0x80;
  const hex =
    now.toString(16).padStart(12, "0").slice(-12) +
    (0x7000 | made).toString(16) +
    Array.from(random, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}

/**
 * By which clock each event was logged. The server learns from `sent_at` how far off the clock is by which an event was
 * told, so it has to be that clock's. One that was set back shows: less of its time went by than of `performance.now`.
 * One that was set forward looks like a computer that slept, and is taken for that.
 */
export class Clocks {
  /** By sequence: what the clock said when the page began, had it run as it does now. */
  #beganAt = new Map();

  note({ sequence }) {
    this.#beganAt.set(sequence, Date.now() - performance.now());
  }

  forget({ sequence }) {
    this.#beganAt.delete(sequence);
  }

  /** Those of the first events that were logged by one clock, and what that says now. */
  together(events) {
    const now = Date.now();
    const says = ({ sequence }) => Math.max(now, (this.#beganAt.get(sequence) ?? 0) + performance.now());
    const sentAt = says(events[0]);
    const end = events.findIndex((event) => Math.abs(says(event) - sentAt) > SLACK_MS);
    const isNow = sentAt - now < SLACK_MS;
    return { events: end < 0 ? events : events.slice(0, end), sentAt: instant(isNow ? now : sentAt) };
  }
}
