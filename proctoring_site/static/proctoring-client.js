/**
 * The candidate's side of the proctoring API, for any front end: a session, its events, heartbeats and video.
 *
 * What is logged is written down in the browser (IndexedDB) before it is sent, is sent in batches until the server has
 * answered for each event, and survives a reload, a closed tab and a server that is away. The loop in words, the table
 * of statuses and an example: docs/client.md. No dependency, no build step; it imports small modules from beside it.
 */

import {
  fromServer,
  isOutcomeOf,
  isTemporary,
  mayBeAboutContent,
  NO_ANSWER,
  retryAfter,
  troubleOf,
} from "./proctoring-answer.js";
import { Clocks, instant, newId } from "./proctoring-clock.js";
import { Notebook } from "./proctoring-notebook.js";
import { sendInParts, sha256Of } from "./proctoring-upload.js";

/** @typedef {import("./proctoring-answer.js").Answer} Answer */

const LOCKS = "proctoring-client";
/** What the server takes at once, and what stays well below its limit of a body (JSON_BODY_MAX_BYTES). */
const BATCH_MAX = 500;
const BATCH_BYTES = 512 * 1024;
/** Browsers carry 64 KiB of beacons at a time. */
const BEACON_BYTES = 60 * 1024;
/** Longer than any limit of the server's, so that a request that hangs is seen as one. */
const TIMEOUT_MS = 60_000;
/** Sequences of each visit (a load of the page) begin a new million, so that tabs and reloads never share one. */
const VISIT = 1_000_000;
/** How long after its token expired a session is kept: nobody can deliver it without a new token. */
const KEPT_AFTER_EXPIRY_MS = 7 * 24 * 3600 * 1000;
/** What the server takes for the start of a recording in its session. */
const START_OFFSET_MAX_S = 7 * 24 * 3600;
/** What the next beat may be told to wait for; a longer timer would fire at once. */
const BEAT_MIN_S = 1;
const BEAT_MAX_S = 3600;
const CLOSED = new Set(["ended", "terminated", "expired"]);
/** The session takes no more: what the server says, and its status for it. */
const GONE = new Map([
  ["not_found", 404],
  ["session_closed", 409],
]);
/** A disk that failed is tried again. */
const DISK_AGAIN_MS = 1000;
/** Of a batch as a whole: the statuses that are about what is in it. */
const ABOUT_CONTENT = new Set([400, 413, 422]);
/** The server still waits for a connection that broke, or got the part by another one. */
const BUSY = new Set(["upload_busy", "wrong_offset"]);
const [DOING, DONE, CONFIRMED] = ["doing", "done", "confirmed"];
const IDLE = Symbol("nothing to do");
const PROGRESS = Symbol("something was done");

const DEFAULTS = {
  baseUrl: "",
  source: "proctoring-client 1",
  onCommand: null,
  upload: sendInParts,
  gatherMs: 250,
  firstPauseMs: 1000,
  longestPauseMs: 30_000,
};

/** A refusal: `status`, `code` and `fields` are the server's. Status 0: there was no answer of its own. */
export class ProctoringError extends Error {
  /** @param {Answer} answer */
  constructor({ status, body, retryAfterS, strangerStatus }) {
    const nobody = strangerStatus ? "Something else answered in the server's place." : "The server cannot be reached.";
    super(body?.detail ?? (status ? `The server answered ${status}.` : nobody));
    Object.assign(this, { name: "ProctoringError", status, code: body?.code ?? null, retryAfterS });
    this.fields = body?.fields ?? {};
  }
}

/** The longest beginning of `events` whose JSON has at most so many bytes, and at least one. */
function fitting(events, bytes) {
  const encoder = new TextEncoder();
  let left = bytes - 1024; // for the token and the rest round the events
  const end = events.findIndex((event) => (left -= encoder.encode(JSON.stringify(event)).length + 1) < 0);
  return end < 0 ? events : events.slice(0, Math.max(end, 1));
}

/** However it was written: a session is found again by it. */
function bare(baseUrl) {
  return baseUrl.replace(/\/$/, "");
}

/** Nobody can deliver it without a new token. Only told by this browser's clock, so first ask the server. */
function isLongExpired({ tokenExpiresAt }) {
  return Date.parse(tokenExpiresAt) + KEPT_AFTER_EXPIRY_MS < Date.now();
}

/** One at a time, across all tabs, where the browser can say so; else a resend is harmless, since events have ids. It can
 * not where it has no locks, nor where it may keep nothing for this site: who blocks all cookies blocks locks, too. */
async function inTurn(name, work) {
  let isBegun = false;
  const begin = () => work((isBegun = true));
  try {
    return await navigator.locks.request(name, begin);
  } catch (error) {
    if (isBegun) throw error;
    return work();
  }
}

/**
 * One candidate's session. It tells by events (CustomEvent, what is named here is in `detail`):
 * - `connection` {isConnected, reason}: whether the server answers, and why not: `no_answer`; `try_later`, as it or what
 *   is before it says; `stranger`: something else answers in its place, such as the login page of a network.
 * - `waiting` {count}: how many events it has not answered for yet; also as `client.waiting`.
 * - `state` {state}: running, paused, ended, terminated or expired, as the heartbeat learns it.
 * - `rejected` {event, code, detail, fields}: the server refuses this event for good; it is dropped.
 * - `stopped` {reason}: sending is over. `ended`; `token`: it expired, and the events are kept for `useToken`;
 *   `session_closed`, `not_found`: the session takes no more, and what was left (`dropped`, a number) is dropped;
 *   `forgotten`: by `forget`.
 * - `warning` {reason}: `memory_only`: nothing can be written down here just now, so a reload loses what waits.
 */
export class ProctoringClient extends EventTarget {
  waiting = 0;
  isConnected = true;
  #trouble = null;
  /** @type {string|null} As the last heartbeat said. */
  state = null;
  /** @type {string|null} Why sending is over. */
  stopped = null;

  #options;
  #notebook;
  #record;
  #isStarting = false;
  #sequence = 0;
  #clocks = new Clocks();
  /** What this visit logged and the server has not answered for, by sequence: for the beacon, and if the disk fails. */
  #unanswered = new Map();
  #unwritten = [];
  /** Whether the disk may not have what it should: then all that is unanswered is written down anew. */
  #isDiskBehind = false;
  #diskTimer;
  #isWarned = false;
  /** By sequence, those that came last at the end: at each alone something in between took offence. */
  #setAside = new Set();
  /** Whether the session is over while something still waits here. */
  #isEndTold = false;
  #written = Promise.resolve();
  #beaconed = new Set();
  #batchMax = BATCH_MAX;
  #wake = () => {};
  #finished;
  #finish;
  #signals = null;
  #beatTimer;
  #nextBeatS = 10;
  #isBeating = false;
  /** How far the page is with each command, by its id: DOING, DONE, CONFIRMED. */
  #commands = new Map();

  /**
   * @param {object} [options]
   * @param {string} [options.baseUrl] The server, when it is another than the page's: "https://proctoring.example.org".
   * @param {string} [options.source] Stored with each event: which program, which version. At most 100 characters.
   * @param {(command: {id: string, action: "pause"|"resume"|"terminate"|"message", message: string|null,
   *   reason_code: string|null}) => any} [options.onCommand] Called once for each thing that staff ask; when it has
   *   returned, and its promise is kept, the next heartbeat confirms.
   * @param {typeof sendInParts} [options.upload] Another way to send a recording.
   * @param {number} [options.gatherMs] How long events are gathered for a batch.
   * @param {number} [options.firstPauseMs] After a failure at most so long; twice that after a second one.
   * @param {number} [options.longestPauseMs]
   */
  constructor(options = {}) {
    super();
    this.#options = { ...DEFAULTS, ...options };
    this.#options.baseUrl = bare(this.#options.baseUrl);
  }

  /**
   * The session that this browser has not finished: its page was reloaded or closed, or staff ended it. It may be another
   * candidate's (`candidateName`, `startedAt`): `end` takes it off this browser. Older ones are delivered by the way.
   * @returns {Promise<ProctoringClient|null>}
   */
  static async resume(options = {}) {
    const notebook = new Notebook();
    const baseUrl = bare(options.baseUrl ?? DEFAULTS.baseUrl);
    const own = (await notebook.sessions().catch(() => [])).filter((record) => bare(record.baseUrl) === baseUrl);
    const unfinished = own.filter((record) => record.isKept || !record.isEnding);
    const current = unfinished.sort((one, other) => one.startedAt - other.startedAt).pop();
    for (const record of own.filter((record) => record !== current)) {
      const isOver = record.isEnded && (!record.isKept || isLongExpired(record));
      if (isOver) await notebook.forget(record.id).catch(() => {});
      else await new ProctoringClient({ ...options, onCommand: null }).#open(notebook, record);
    }
    const client = current ? new ProctoringClient(options) : null;
    await client?.#open(notebook, current);
    return client;
  }

  get id() {
    return this.#record?.id ?? null;
  }

  /** When the sitting began, by this browser's clock, in ms. */
  get startedAt() {
    return this.#record?.startedAt ?? null;
  }

  get candidateName() {
    return this.#record?.candidateName ?? null;
  }

  /** Whether `end` was called, in this visit or an earlier one. */
  get isEnding() {
    return this.#record?.isEnding ?? false;
  }

  /** Open a session. Not tried again by itself, since each try opens another. Rejects with a ProctoringError. */
  async start(candidateName) {
    this.#mustHaveNone();
    const isOpened = (body) => typeof body?.id === "string" && typeof body.token === "string";
    this.#isStarting = true; // whoever clicks twice opens one session all the same
    const answer = await this.#ask("/sessions", { candidate_name: candidateName }, isOpened);
    this.#isStarting = false;
    if (isTemporary(answer) || answer.status >= 300) throw new ProctoringError(answer);
    await this.adopt(answer.body);
    return answer.body;
  }

  /** Take a session that a server of yours has opened: the answer to its `POST /sessions`, at each load of the page. */
  async adopt({ id, token, token_expires_at: tokenExpiresAt, candidate_name: candidateName }) {
    if (!id || !token) throw new Error("This is not the answer to POST /sessions: it has no id, or no token.");
    const { baseUrl } = this.#options;
    const told = { id, token, tokenExpiresAt, candidateName, baseUrl };
    const own = { startedAt: Date.now(), visits: 0, followed: [], isEnding: false, isEnded: false, isKept: false };
    await this.#open(new Notebook(), { ...told, ...own });
  }

  /**
   * Note one event; it is delivered when the network allows. Before there is a session it rejects; a moment after the
   * session is over it is ignored.
   * `duration_s` runs forward from `timestamp`, which is now unless told: of what is over, tell when it began.
   * @param {string} eventType
   * @param {{message?: string, duration_s?: number, confidence?: number, timestamp?: string|Date, data?: object}} [details]
   * @returns {Promise<string|undefined>} Its id, once it is written down; nobody needs to wait for that.
   */
  async log(eventType, details = {}) {
    const [id] = await this.batch([{ event_type: eventType, ...details }]);
    return id;
  }

  /** The same for several at once. @returns {Promise<string[]>} */
  async batch(told) {
    this.#mustHaveSession();
    if (!this.#isOpen) return [];
    const events = told.map((one) => this.#event(one));
    for (const event of events) {
      this.#unanswered.set(event.sequence, event);
      this.#clocks.note(event);
    }
    this.#unwritten.push(...events);
    this.#tellWaiting(this.waiting + events.length);
    await this.#writeDown();
    this.#wake();
    return events.map((event) => event.id);
  }

  /**
   * Say every few seconds that the candidate is there, and hear what staff ask. Called again, it says the new signals.
   * @param {() => {camera?: boolean|null, microphone?: boolean|null, screen?: boolean|null, detectors?: string[]}} signals
   *   true: works, false: does not, null: not used in this exam.
   */
  async heartbeat(signals = () => ({})) {
    this.#mustHaveSession();
    this.#signals = signals;
    return this.#beat();
  }

  /**
   * Send a recording in parts, as often as it takes; the same one again goes on where it stands, also in a later visit
   * of a session that was kept. A session may have several. Rejects with a ProctoringError when the server refuses it.
   * @param {Blob} blob
   * @param {object} [options]
   * @param {"camera"|"screen"} [options.kind]
   * @param {string} [options.filename]
   * @param {number|null} [options.startOffsetS] Seconds from the session's start to the first picture.
   * @param {(part: number) => void} [options.onProgress] 0 to 1.
   * @param {AbortSignal} [options.signal]
   * @returns {Promise<{id: string}>} Of the recording, which is whole then; the server looks at it afterwards.
   */
  async upload(blob, { kind = "camera", filename = "recording.webm", startOffsetS = null, onProgress, signal } = {}) {
    this.#mustHaveSession();
    const sha256 = await sha256Of(blob);
    const key = sha256 ?? `${kind} ${filename} ${blob.size}`;
    // A clock that was set in between says nonsense, and the server would refuse the recording for it.
    const isSane = startOffsetS !== null && startOffsetS >= 0 && startOffsetS <= START_OFFSET_MAX_S;
    const offset = isSane ? startOffsetS.toFixed(3) : null;
    const metadata = { kind, filename, filetype: blob.type || null, sha256, start_offset_s: offset };
    const sent = { furthest: 0, hasMoved: false };
    const tell = (part) => {
      sent.hasMoved ||= part > sent.furthest;
      sent.furthest = Math.max(part, sent.furthest);
      onProgress?.(part);
    };
    const remember = (uploadId) => this.#remember({ uploads: { ...this.#record.uploads, [key]: uploadId } });
    const to = { url: this.#url(`${this.#path}/uploads`), metadata, remember, onProgress: tell, signal };
    return inTurn(`${LOCKS} upload ${this.id} ${key}`, async () => {
      for (let failures = 0; ; failures++) {
        signal?.throwIfAborted();
        const { token, uploads } = this.#record; // another token, perhaps, than at the last try
        const answer = await this.#options.upload(blob, { ...to, token, uploadId: uploads?.[key] ?? null });
        const isBusy = BUSY.has(answer.body?.code);
        this.#tellConnection(isBusy ? { ...answer, status: 200 } : answer);
        if (!isBusy && !isTemporary(answer)) {
          if (answer.status < 300) return answer.body;
          if (answer.status === 401 && isLongExpired(this.#record)) await this.forget();
          throw new ProctoringError(answer);
        }
        signal?.throwIfAborted();
        if (sent.hasMoved) failures = 0;
        sent.hasMoved = false;
        await this.#rest(failures, answer.retryAfterS);
      }
    });
  }

  /**
   * Deliver what waits, end the session, and forget it here. Goes on at the next visit when the page is closed before.
   * An event that something in between stops holds up no end: it waits on here, as `client.waiting` says, and is sent
   * again, also at later visits, as long as the session takes late events.
   * @param {{keep?: boolean}} [options] Keep the session for `upload`, also across a reload, until `forget`.
   * @returns {Promise<string>} Why sending is over, as in `stopped`.
   */
  async end({ keep = false } = {}) {
    this.#mustHaveSession();
    await this.#remember({ isEnding: true, isKept: keep });
    this.#wake();
    const reason = await this.#finished;
    if (!keep && this.stopped && reason !== "token") await this.forget();
    return reason;
  }

  /** Forget the session in this browser, and what of it was not delivered. */
  async forget() {
    this.#mustHaveSession();
    this.#stop("forgotten");
    this.#signals = null;
    clearTimeout(this.#beatTimer);
    await this.#notebook.forget(this.id).catch(() => {});
  }

  /** Go on after `stopped` {reason: "token"}, with a token that a server of yours got for this session. */
  async useToken(token) {
    this.#mustHaveSession();
    await this.#remember({ token });
    if (this.stopped !== "token") return;
    this.stopped = null;
    this.#begin();
    if (this.#signals) await this.#beat();
  }

  // The session and its place on disk.

  /** What was logged sooner would have no place to be written down in, and nobody would see that it is lost. */
  #mustHaveSession() {
    if (!this.#record) throw new Error("This client has no session yet: wait for start, adopt or resume.");
  }

  #mustHaveNone() {
    const hasOne = this.#notebook || this.#isStarting;
    if (hasOne) throw new Error("This client has its session, or is about to; make another one.");
  }

  async #open(notebook, record) {
    this.#mustHaveNone();
    this.#notebook = notebook;
    const { token, tokenExpiresAt } = record; // newer than what is on disk when the session was adopted once more
    const visited = (stored) => ({ ...record, ...stored, token, tokenExpiresAt, visits: (stored?.visits ?? 0) + 1 });
    const opened = await notebook.update(record.id, visited).catch(() => {
      this.#isDiskBehind = true;
      return visited(record);
    });
    notebook.addEventListener("lost", this.#onLost);
    this.waiting = await notebook.count(record.id).catch(() => 0);
    this.#record = opened; // and no sooner: what is logged from now on has sequences of this visit
    this.#sequence = (opened.visits - 1) * VISIT;
    for (const id of opened.followed) this.#commands.set(id, DONE);
    this.#begin();
  }

  /** Begins a moment later, so that a page can listen first. */
  #begin() {
    addEventListener("pagehide", this.#sendBeacons);
    document.addEventListener("visibilitychange", this.#onVisibility);
    this.#finished = new Promise((resolve) => (this.#finish = resolve));
    setTimeout(async () => {
      if (this.#isDiskBehind) await this.#writeDown();
      if (this.#record.isEnded) this.#stop("ended");
      await this.#loop();
    });
  }

  async #remember(changes) {
    Object.assign(this.#record, changes);
    const still = (stored) => stored && { ...stored, ...changes }; // another tab may have forgotten the session
    await this.#notebook.update(this.id, still).catch(() => {});
  }

  #event(told) {
    const named = { id: newId(), timestamp: instant(), source: this.#options.source, ...told };
    return JSON.parse(JSON.stringify({ ...named, sequence: ++this.#sequence })); // what is no JSON fails here, and now
  }

  /** All that was logged meanwhile in one transaction. A disk that fails loses no event while the page stays. */
  #writeDown() {
    const write = async () => {
      const [isAnew, meanwhile] = [this.#isDiskBehind && this.#isOpen, this.#unwritten.splice(0)];
      this.#isDiskBehind = false;
      if (isAnew) await this.#notebook.update(this.id, (stored) => stored ?? this.#record);
      const events = isAnew ? [...this.#unanswered.values()] : meanwhile;
      if (events.length) await this.#notebook.write(this.id, events);
      this.#isWarned = false;
    };
    const fail = () => {
      if (!this.#isWarned) this.#tell("warning", { reason: "memory_only" });
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
    this.#diskTimer = setTimeout(() => this.#record && this.#isOpen && this.#writeDown(), DISK_AGAIN_MS);
  };

  get #isOpen() {
    return !this.stopped || this.stopped === "token";
  }

  /** What may be stuck on its way comes last, so that it holds up nothing else. */
  async #waitingEvents() {
    await this.#writeDown();
    const onDisk = await this.#notebook.waiting(this.id, BATCH_MAX).catch(() => []);
    const bySequence = new Map([...onDisk.map((event) => [event.sequence, event]), ...this.#unanswered]);
    const inOrder = [...bySequence.values()].sort((one, other) => one.sequence - other.sequence);
    const free = inOrder.filter(({ sequence }) => !this.#setAside.has(sequence));
    const stuck = [...this.#setAside].map((sequence) => bySequence.get(sequence)).filter(Boolean);
    return fitting((free.length ? free : stuck).slice(0, this.#batchMax), BATCH_BYTES);
  }

  async #remove(events) {
    for (const event of events) {
      this.#unanswered.delete(event.sequence);
      this.#setAside.delete(event.sequence);
      this.#clocks.forget(event);
    }
    await this.#notebook.remove(this.id, events).catch(() => {}); // then they are sent again, which is harmless
  }

  // Sending: one loop per client, and one of them at a time per session.

  async #loop() {
    for (let failures = 0; !this.stopped; ) {
      let isWoken = false;
      let wake = () => {};
      this.#wake = () => wake((isWoken = true));
      const outcome = await inTurn(`${LOCKS} ${this.id}`, () => this.#step()).catch(() => ({ retryAfterS: 0 }));
      const onDisk = await this.#notebook.count(this.id).catch(() => 0);
      this.#tellWaiting(Math.max(onDisk, this.#unanswered.size));
      failures = outcome === PROGRESS || outcome === IDLE ? 0 : failures + 1;
      if (failures) await this.#rest(failures - 1, outcome.retryAfterS);
      if (outcome !== IDLE || this.stopped) continue;
      if (!isWoken) await new Promise((resolve) => (wake = resolve));
      await new Promise((resolve) => setTimeout(resolve, this.#options.gatherMs));
    }
    const isOver = this.#record.isEnding && !this.#record.isKept && this.stopped !== "token";
    const isHopeless = this.stopped === "token" && isLongExpired(this.#record);
    if (isOver || isHopeless) await this.forget();
  }

  /** @returns {Promise<symbol|{retryAfterS: number}>} The latter: try again after a pause. */
  async #step() {
    const waiting = await this.#waitingEvents();
    if (!waiting.length) return this.#record.isEnding ? this.#askToEnd() : IDLE;
    const { events, sentAt } = this.#clocks.together(waiting);
    const isAgain = events.every(({ sequence }) => this.#setAside.has(sequence)); // says nothing new of the connection
    const body = { sent_at: sentAt, events };
    const answer = await this.#ask(`${this.#path}/events/batch`, body, isOutcomeOf(events), { isQuiet: isAgain });
    if (isTemporary(answer)) {
      if (mayBeAboutContent(answer)) this.#isolate(events);
      return isAgain && this.#record.isEnding && !this.#isEndTold ? this.#endBefore(answer) : answer;
    }
    const { status } = answer;
    if (status < 300) return this.#settle(events, answer);
    if (this.#isRefused(answer)) return this.#giveUp(answer);
    if (!ABOUT_CONTENT.has(status)) return answer;
    if (events.length === 1) return this.#settle(events, { body: { rejected: [{ index: 0, ...answer.body }] } });
    this.#batchMax = Math.ceil(events.length / 2); // to find the one that it is about
    return PROGRESS;
  }

  async #askToEnd() {
    if (CLOSED.has(this.state)) return this.#close("session_closed"); // staff were quicker: there is nothing to ask
    const answer = await this.#sendEnd();
    if (isTemporary(answer)) return answer;
    if (answer.status < 300) return this.#close("ended");
    if (this.#isRefused(answer)) return this.#giveUp(answer);
    return answer.status === 409 ? this.#close("session_closed") : answer;
  }

  #sendEnd() {
    return this.#ask(`${this.#path}/end`, {}, (body) => body?.id === this.id);
  }

  /** Nothing is left but what is stuck on its way: for that nobody waits, and the server takes it for a while after. */
  async #endBefore(stuck) {
    const answer = CLOSED.has(this.state) ? { status: 409, body: {} } : await this.#sendEnd();
    if (isTemporary(answer)) return stuck;
    if (answer.status !== 409 && this.#isRefused(answer)) return this.#giveUp(answer);
    this.#isEndTold = true;
    this.#finish(answer.status < 300 ? "ended" : "session_closed");
    return stuck;
  }

  /** Whether it is the session that takes no more, or the token that is no longer good. */
  #isRefused({ status, body }) {
    return status === 401 || GONE.get(body.code) === status;
  }

  async #giveUp({ status, body }) {
    if (status === 401) this.#stop("token");
    else await this.#drop(body.code);
    return PROGRESS;
  }

  /** Less at once next time; and one alone waits behind all others. */
  #isolate(events) {
    if (events.length > 1) this.#batchMax = Math.ceil(events.length / 2);
    for (const { sequence } of events.length > 1 ? [] : events) {
      this.#setAside.delete(sequence);
      this.#setAside.add(sequence);
    }
  }

  /** Each event by its place in the batch. What the answer does not name, or cannot decide yet, is sent again. */
  async #settle(events, { body: { created = [], duplicate = [], rejected = [] }, retryAfterS = 0 }) {
    const refused = rejected.filter(({ code }) => code !== "try_again");
    const answered = [...created, ...duplicate, ...refused].map(({ index }) => events[index]);
    await this.#remove(answered);
    for (const { index, code, detail, fields } of refused) {
      this.#tell("rejected", { event: events[index], code, detail, fields });
    }
    this.#batchMax = Math.min(2 * this.#batchMax, BATCH_MAX);
    return answered.length === events.length ? PROGRESS : { retryAfterS };
  }

  /** The session takes no more. */
  async #drop(reason) {
    const dropped = Math.max(this.waiting, this.#unanswered.size);
    this.#unanswered.clear();
    await this.#notebook.forget(this.id, { record: false }).catch(() => {});
    await this.#close(reason, dropped);
  }

  async #close(reason, dropped = 0) {
    await this.#remember({ isEnded: true });
    this.#stop(reason, dropped);
    return PROGRESS;
  }

  #stop(reason, dropped = 0) {
    if (this.stopped) return;
    this.stopped = reason;
    removeEventListener("pagehide", this.#sendBeacons);
    document.removeEventListener("visibilitychange", this.#onVisibility);
    this.#finish(reason);
    this.#wake();
    this.#tell("stopped", { reason, dropped });
  }

  /** Whoever leaves may not come back. No answer comes, so all stays in the buffer and may be sent twice. */
  #sendBeacons = () => {
    let events = [...this.#unanswered.values()].filter((event) => !this.#beaconed.has(event.id));
    while (events.length) {
      const { events: some, sentAt } = this.#clocks.together(fitting(events.slice(0, BATCH_MAX), BEACON_BYTES));
      const body = JSON.stringify({ token: this.#record.token, sent_at: sentAt, events: some });
      const isOnItsWay = navigator.sendBeacon(this.#url(`${this.#path}/events/batch`), body);
      if (!isOnItsWay && some.length > 1) return; // 64 KiB are; one alone may be too large itself
      if (isOnItsWay) for (const event of some) this.#beaconed.add(event.id);
      events = events.slice(some.length);
    }
  };

  #onVisibility = () => {
    if (document.visibilityState === "hidden") this.#sendBeacons();
    else this.#beaconed.clear();
  };

  // Heartbeats.

  async #beat() {
    clearTimeout(this.#beatTimer);
    if (this.#isBeating || !this.#signals) return;
    const confirmed = this.#toConfirm;
    const said = { ...this.#saidSignals(), sent_at: instant(), confirmed };
    this.#isBeating = true;
    const answer = await this.#ask(`${this.#path}/heartbeat`, said, (body) => typeof body?.state === "string");
    this.#isBeating = false;
    if (isTemporary(answer)) return this.#beatAgain(Math.max(answer.retryAfterS, this.#nextBeatS));
    if (this.#isRefused(answer)) return this.#giveUp(answer);
    if (answer.status >= 300) console.error("The heartbeat was refused:", answer.body);
    else await this.#hear(answer.body, confirmed);
    const isOver = this.stopped || CLOSED.has(this.state);
    const isAsked = [...this.#commands.values()].some((stands) => stands !== CONFIRMED);
    if (!isOver || isAsked) this.#beatAgain(this.#nextBeatS);
  }

  /** What the page says. One that fails, or says what is no JSON, says nothing this time: the client is there. */
  #saidSignals() {
    try {
      return JSON.parse(JSON.stringify({ ...this.#signals() }));
    } catch (error) {
      console.error(error);
      return {};
    }
  }

  #beatAgain(inS) {
    clearTimeout(this.#beatTimer);
    this.#beatTimer = setTimeout(() => this.#beat(), inS * 1000);
  }

  /** An older or newer server may say less, or more. */
  async #hear({ state, commands, next_beat_s: nextBeatS }, confirmed) {
    if (Number.isFinite(nextBeatS)) this.#nextBeatS = Math.min(Math.max(nextBeatS, BEAT_MIN_S), BEAT_MAX_S);
    for (const id of confirmed) this.#commands.set(id, CONFIRMED);
    const isNew = state !== this.state;
    this.state = state;
    const asked = Array.isArray(commands) ? commands.filter((command) => command?.id) : [];
    for (const command of asked) this.#follow(command); // first: they say why the state is another
    if (isNew) this.#tell("state", { state });
    await this.#rememberFollowed();
  }

  async #follow(command) {
    if (!this.#options.onCommand) return;
    if (this.#commands.get(command.id) === CONFIRMED) this.#commands.set(command.id, DONE); // it was not taken
    if (this.#commands.has(command.id)) return;
    this.#commands.set(command.id, DOING);
    try {
      await this.#options.onCommand(command);
      this.#commands.set(command.id, DONE);
      await this.#rememberFollowed();
      if (CLOSED.has(this.state)) this.#beat(); // the last one: do not wait for it
    } catch (error) {
      console.error(error);
      this.#commands.delete(command.id); // it is asked again with the next beat
      if (CLOSED.has(this.state)) this.#beatAgain(this.#nextBeatS);
    }
  }

  get #toConfirm() {
    return [...this.#commands.keys()].filter((id) => this.#commands.get(id) === DONE);
  }

  #rememberFollowed() {
    const followed = this.#toConfirm;
    return followed.join() === this.#record.followed.join() ? undefined : this.#remember({ followed });
  }

  // Requests, and what the page is told.

  get #path() {
    return `/sessions/${encodeURIComponent(this.id)}`;
  }

  #url(path) {
    return this.#options.baseUrl + path;
  }

  /** @returns {Promise<Answer>} Never rejects. `isExpected` says of JSON whether it is what was asked for. */
  async #ask(path, body, isExpected, { isQuiet = false } = {}) {
    const answer = await this.#post(path, body, isExpected);
    if (!isQuiet || !isTemporary(answer)) this.#tellConnection(answer);
    return answer;
  }

  /** What is asked to go elsewhere does not: a token and a candidate's events are for this server alone. */
  async #post(path, body, isExpected) {
    const headers = { "Content-Type": "application/json" };
    if (this.#record) headers.Authorization = `Bearer ${this.#record.token}`;
    const how = { method: "POST", headers, credentials: "omit", cache: "no-store", redirect: "manual" };
    const signal = AbortSignal.timeout?.(TIMEOUT_MS); // Safari has it since 16
    try {
      const response = await fetch(this.#url(path), { ...how, body: JSON.stringify(body), signal });
      const retryAfterS = retryAfter(response.headers.get("Retry-After"));
      const answer = { status: response.status, body: await response.json().catch(() => null), retryAfterS };
      return fromServer(answer, isExpected);
    } catch {
      return NO_ANSWER; // no network, or no answer in time
    }
  }

  /** Full jitter, so that a hall of clients does not come back in step; an end of the outage is noticed at once. */
  #rest(failures, retryAfterS) {
    const { firstPauseMs, longestPauseMs } = this.#options;
    const ms = retryAfterS * 1000 + Math.random() * Math.min(firstPauseMs * 2 ** failures, longestPauseMs);
    return new Promise((resolve) => {
      const over = () => {
        clearTimeout(timer);
        removeEventListener("online", over);
        resolve();
      };
      const timer = setTimeout(over, ms);
      if (!retryAfterS) addEventListener("online", over);
    });
  }

  #tell(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }

  #tellConnection(answer) {
    const reason = isTemporary(answer) ? troubleOf(answer) : null;
    if (reason === this.#trouble) return;
    this.#trouble = reason;
    this.#tell("connection", { isConnected: (this.isConnected = reason === null), reason });
  }

  #tellWaiting(count) {
    if (count === this.waiting) return;
    this.#tell("waiting", { count: (this.waiting = count) });
  }
}
