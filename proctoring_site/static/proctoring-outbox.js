/**
 * What one session logged and the server has not answered for: in memory, and written down as far as the disk works.
 * A reload finds it again; a disk that fails loses nothing while the page stays.
 */

import { Clocks } from "./proctoring-clock.js";

/** What the server takes at once, and what stays well below its limit of a body (JSON_BODY_MAX_BYTES). */
const BATCH_MAX = 500;
const BATCH_BYTES = 512 * 1024;
/** Browsers carry 64 KiB of beacons at a time. */
const BEACON_BYTES = 60 * 1024;
/** A disk that failed is tried again. */
const DISK_AGAIN_MS = 1000;

/** The longest beginning of `events` whose JSON has at most so many bytes, and at least one. */
function fitting(events, bytes) {
  const encoder = new TextEncoder();
  let left = bytes - 1024; // for the token and the rest round the events
  const end = events.findIndex((event) => (left -= encoder.encode(JSON.stringify(event)).length + 1) < 0);
  return end < 0 ? events : events.slice(0, Math.max(end, 1));
}

export class Outbox {
  #notebook;
  #record;
  #client;
  #clocks = new Clocks();
  /** What this visit logged and the server has not answered for, by sequence: for the beacon, and if the disk fails. */
  #unanswered = new Map();
  #unwritten = [];
  /** Whether the disk may not have what it should: then all that is unanswered is written down anew. */
  #isDiskBehind;
  #diskTimer;
  #isWarned = false;
  /** By sequence, those that came last at the end: at each alone something in between took offence. */
  #setAside = new Set();
  #written = Promise.resolve();
  #beaconed = new Set();
  #batchMax = BATCH_MAX;

  /**
   * @param {import("./proctoring-notebook.js").Notebook} notebook
   * @param {{id: string}} record The session's in it, which is written down anew with the events where it is lost.
   * @param {object} client
   * @param {boolean} client.isDiskBehind Whether the record itself could not be written down.
   * @param {() => boolean} client.isOpen Whether there is anything left to deliver for.
   * @param {() => void} client.warn Called when nothing can be written down just now.
   */
  constructor(notebook, record, { isDiskBehind, ...client }) {
    this.#notebook = notebook;
    this.#record = record;
    this.#isDiskBehind = isDiskBehind;
    this.#client = client;
    notebook.addEventListener("lost", this.#onLost);
  }

  /** How many there are, with those of earlier visits. */
  async count() {
    const onDisk = await this.#notebook.count(this.#record.id).catch(() => 0);
    return Math.max(onDisk, this.#unanswered.size);
  }

  /** Kept from now on, and on disk when the promise is. */
  add(events) {
    for (const event of events) {
      this.#unanswered.set(event.sequence, event);
      this.#clocks.note(event);
    }
    this.#unwritten.push(...events);
    return this.#writeDown();
  }

  /** A disk that did not take the session when it was opened is tried once more. */
  async catchUp() {
    if (this.#isDiskBehind) await this.#writeDown();
  }

  /** All that was logged meanwhile in one transaction. A disk that fails loses no event while the page stays. */
  #writeDown() {
    const { id } = this.#record;
    const write = async () => {
      const [isAnew, meanwhile] = [this.#isDiskBehind && this.#client.isOpen(), this.#unwritten.splice(0)];
      this.#isDiskBehind = false;
      if (isAnew) await this.#notebook.update(id, (stored) => stored ?? this.#record);
      const events = isAnew ? [...this.#unanswered.values()] : meanwhile;
      if (events.length) await this.#notebook.write(id, events);
      this.#isWarned = false;
    };
    const fail = () => {
      if (!this.#isWarned) this.#client.warn();
      this.#isWarned = true;
      this.#onLost();
    };
    this.#written = this.#written.then(write).catch(fail);
    return this.#written;
  }

  /** The disk failed, or was taken away: what is known here is written down once more, and then until it is. */
  #onLost = () => {
    this.#isDiskBehind = true;
    clearTimeout(this.#diskTimer);
    this.#diskTimer = setTimeout(() => this.#client.isOpen() && this.#writeDown(), DISK_AGAIN_MS);
  };

  /**
   * What to send next, all logged by one clock. What may be stuck on its way comes last, so that it holds up nothing else.
   * @returns {Promise<{events: object[], sentAt?: string, isAgain?: boolean}>} `isAgain`: all of it was set aside.
   */
  async next() {
    await this.#writeDown();
    const onDisk = await this.#notebook.waiting(this.#record.id, BATCH_MAX).catch(() => []);
    const bySequence = new Map([...onDisk.map((event) => [event.sequence, event]), ...this.#unanswered]);
    const inOrder = [...bySequence.values()].sort((one, other) => one.sequence - other.sequence);
    const free = inOrder.filter(({ sequence }) => !this.#setAside.has(sequence));
    const stuck = [...this.#setAside].map((sequence) => bySequence.get(sequence)).filter(Boolean);
    const waiting = fitting((free.length ? free : stuck).slice(0, this.#batchMax), BATCH_BYTES);
    if (!waiting.length) return { events: [] };
    return { ...this.#clocks.together(waiting), isAgain: !free.length };
  }

  /** It may be about one of these: less at once next time; and one alone waits behind all others. */
  isolate(events) {
    if (events.length > 1) return this.halve(events);
    for (const { sequence } of events) {
      this.#setAside.delete(sequence);
      this.#setAside.add(sequence);
    }
  }

  /** So much was too much at once. */
  halve(events) {
    this.#batchMax = Math.ceil(events.length / 2);
  }

  /** The server has answered for these; unless it took long, more may come through at once again. */
  async remove(events, { isSlow = false } = {}) {
    if (!isSlow) this.#batchMax = Math.min(2 * this.#batchMax, BATCH_MAX);
    for (const event of events) {
      this.#unanswered.delete(event.sequence);
      this.#setAside.delete(event.sequence);
      this.#clocks.forget(event);
    }
    await this.#notebook.remove(this.#record.id, events).catch(() => {}); // then they are sent again, which is harmless
  }

  /** Nobody wants them any more. */
  async clear() {
    this.#unanswered.clear();
    await this.#notebook.forget(this.#record.id, { record: false }).catch(() => {});
  }

  /**
   * Whoever leaves may not come back. No answer comes, so all stays here and may be sent twice.
   * @param {(batch: {events: object[], sentAt?: string}) => boolean} beacon Whether the browser took it.
   */
  leave(beacon) {
    let events = [...this.#unanswered.values()].filter((event) => !this.#beaconed.has(event.id));
    while (events.length) {
      const batch = this.#clocks.together(fitting(events.slice(0, BATCH_MAX), BEACON_BYTES));
      const isOnItsWay = beacon(batch);
      if (!isOnItsWay && batch.events.length > 1) return; // 64 KiB are; one alone may be too large itself
      if (isOnItsWay) for (const event of batch.events) this.#beaconed.add(event.id);
      events = events.slice(batch.events.length);
    }
  }

  comeBack() {
    this.#beaconed.clear();
  }
}
