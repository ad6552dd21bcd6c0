/**
 * The candidate's side of the proctoring API, for any front end: a session, its events, heartbeats and video.
 *
 * What is logged is written down in the browser (IndexedDB) before it is sent, is sent in batches until the server has
 * answered for each event, and survives a reload, a closed tab and a server that is away. The loop in words, the table
 * of statuses and an example: docs/client.md. No dependency, no build step; it imports small modules from beside it.
 */

import { isOutcomeOf, isTemporary, mayBeAboutContent, ProctoringError, troubleOf } from "./proctoring-answer.js";
import { instant, newId } from "./proctoring-clock.js";
import { CLOSED, Heartbeat } from "./proctoring-heartbeat.js";
import { Notebook } from "./proctoring-notebook.js";
import { Outbox } from "./proctoring-outbox.js";
import { sendRecording } from "./proctoring-recording.js";
import { Requests, rest } from "./proctoring-requests.js";
import { askToStart, forgetStartKey } from "./proctoring-start.js";
import { after } from "./proctoring-timer.js";
import { inTurn } from "./proctoring-turn.js";
import { sendInParts } from "./proctoring-upload.js";

export { ProctoringError };

/** @typedef {import("./proctoring-answer.js").Answer} Answer */

/** Sequences of each visit (a load of the page) begin a new million, so that tabs and reloads never share one. */
const VISIT = 1_000_000;
/** More visits would be sequences that the server does not take; only a clock that is far off tells of so many. */
const VISITS_MAX = 1e9;
/** How long after its token expired a session is kept: nobody can deliver it without a new token. */
const KEPT_AFTER_EXPIRY_MS = 7 * 24 * 3600 * 1000;
/** More is a clock that was set while the session ran; less may be a beat that was long on its way. */
const CLOCK_SET_MS = 60_000;
/** The session takes no more: what the server says, and its status for it. */
const GONE = new Map([
  ["not_found", 404],
  ["session_closed", 409],
]);
/** Of a batch as a whole: the statuses that are about what is in it. */
const ABOUT_CONTENT = new Set([400, 413, 422]);
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

/** However it was written: a session is found again by it. */
function bare(baseUrl) {
  return baseUrl.replace(/\/$/, "");
}

function keptUntil({ tokenExpiresAt }) {
  return Date.parse(tokenExpiresAt) + KEPT_AFTER_EXPIRY_MS;
}

/** Nobody can deliver it without a new token. Only told by this browser's clock, so first ask the server. */
function isLongExpired(record) {
  return keptUntil(record) < Date.now();
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
  /** @type {string|null} Why sending is over. */
  stopped = null;

  #options;
  #requests;
  #heartbeat;
  /** @type {Notebook|undefined} */
  #notebook;
  #record;
  /** @type {Outbox|undefined} */
  #outbox;
  #isStarting = false;
  #sequence = 0;
  /** Whether the session is over while something still waits here. */
  #isEndTold = false;
  #wake = () => {};
  #finished;
  #finish;

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
    this.#requests = new Requests({
      baseUrl: this.#options.baseUrl,
      token: () => this.#record?.token,
      onAnswer: (answer) => this.#tellConnection(answer),
    });
    this.#heartbeat = new Heartbeat({
      ask: (said, limitMs) =>
        this.#ask(`${this.#path}/heartbeat`, said, (body) => typeof body?.state === "string", { limitMs }),
      isStopped: () => this.stopped !== null,
      isRefused: (answer) => this.#isRefused(answer),
      giveUp: (answer) => this.#giveUp(answer),
      tellState: (state) => this.#tell("state", { state }),
      onCommand: this.#options.onCommand,
      rememberFollowed: (ids) => this.#rememberFollowed(ids),
    });
  }

  /**
   * The session that this browser has not finished: its page was reloaded or closed, or staff ended it. It may be another
   * candidate's (`candidateName`, `startedAt`): `end` takes it off this browser. Others are delivered by the way.
   * @param {object} [options] As for the constructor, and:
   * @param {{id: string, token: string, token_expires_at: string}} [options.renewed] A session with another token. If this
   *   browser has it, it is that one, whatever else is not finished, and the token takes the place of the old one.
   * @returns {Promise<ProctoringClient|null>}
   */
  static async resume({ renewed = null, ...options } = {}) {
    const notebook = new Notebook();
    const baseUrl = bare(options.baseUrl ?? DEFAULTS.baseUrl);
    const own = (await notebook.sessions().catch(() => [])).filter((record) => bare(record.baseUrl) === baseUrl);
    const wanted = own.find((record) => record.id === renewed?.id);
    if (wanted) {
      const { token, token_expires_at: tokenExpiresAt } = renewed;
      Object.assign(wanted, { token, tokenExpiresAt, openedAt: Date.now() });
    }
    const unfinished = own.filter((record) => record.isKept || !record.isEnding);
    const openedAt = (record) => record.openedAt ?? record.startedAt; // an earlier release kept the latter alone
    const current = wanted ?? unfinished.sort((one, other) => openedAt(one) - openedAt(other)).pop();
    for (const record of own.filter((record) => record !== current)) {
      const isOver = record.isEnded && (!record.isKept || isLongExpired(record));
      if (isOver) await notebook.forget(record.id).catch(() => {});
      else await new ProctoringClient({ ...options, onCommand: null }).#open(notebook, record);
    }
    if (!current) return null;
    const client = new ProctoringClient(options);
    await client.#open(notebook, current);
    return client;
  }

  get id() {
    return this.#record?.id ?? null;
  }

  /** @type {string|null} As the last heartbeat said. */
  get state() {
    return this.#heartbeat.state;
  }

  /** When the sitting began, in ms: by this browser's clock, or by the server's if it was opened elsewhere (`adopt`). */
  get startedAt() {
    return this.#record?.startedAt ?? null;
  }

  /** @type {number|null} Until when it is kept here, in ms, although the server does not take the token any more. */
  get keptUntil() {
    return this.#record ? keptUntil(this.#record) : null;
  }

  /** @type {number|null} How far this browser's clock is ahead of the server's, as the last heartbeat learned. */
  get clockAheadMs() {
    return this.#heartbeat.clockAheadMs;
  }

  /** Seconds from the session's start to an instant of this browser's clock, also where that was set in between. */
  secondsIn(ms = Date.now(), clockAheadMs = this.clockAheadMs) {
    this.#mustHaveSession();
    const startTime = Date.parse(this.#record.startTime);
    const byItself = ms - this.startedAt;
    const byServer = ms - (clockAheadMs ?? NaN) - startTime;
    const toleratedMs = this.startedAt === startTime ? 0 : CLOCK_SET_MS; // opened elsewhere: only the server knows when
    return (Math.abs(byServer - byItself) > toleratedMs ? byServer : byItself) / 1000;
  }

  get candidateName() {
    return this.#record?.candidateName ?? null;
  }

  /** Whether `end` was called, in this visit or an earlier one. */
  get isEnding() {
    return this.#record?.isEnding ?? false;
  }

  /**
   * Open a session. It asks once, and rejects with a ProctoringError. Called again for the same candidate after an answer
   * that was lost, also by another client or after a reload, it gets the session that was opened then.
   */
  async start(candidateName) {
    this.#mustHaveNone();
    this.#isStarting = true; // whoever clicks twice opens one session all the same
    const ask = (body, isExpected) => this.#ask("/sessions", body, isExpected);
    const { key, answer } = await askToStart(ask, this.#options.baseUrl, candidateName);
    this.#isStarting = false;
    if (isTemporary(answer) || answer.status >= 300) throw new ProctoringError(answer);
    await this.#adopt(answer.body, key);
    return answer.body;
  }

  /**
   * Take a session that a server of yours has opened: the answer to its `POST /sessions`, at each load of the page; or to
   * `POST /sessions/{id}/token`, also in another browser than before.
   */
  async adopt(session) {
    await this.#adopt(session);
  }

  async #adopt(session, key = null) {
    const { id, token, token_expires_at: tokenExpiresAt, candidate_name: candidateName, start_time: startTime } = session;
    if (!id || !token) throw new Error("This is not the answer to POST /sessions: it has no id, or no token.");
    const { baseUrl } = this.#options;
    const told = { id, token, tokenExpiresAt, candidateName, startTime, baseUrl, startKey: key };
    const now = Date.now();
    const startedAt = key ? now : Date.parse(startTime) || now;
    // Another browser may have had it until now: there are no more visits than seconds, and nobody told of them here.
    const visits = Math.min(Math.max(0, Math.floor((now - startedAt) / 1000)), VISITS_MAX);
    const own = { startedAt, openedAt: now, visits, followed: [], isEnding: false, isEnded: false, isKept: false };
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
    this.#tellWaiting(this.waiting + events.length);
    await this.#outbox.add(events);
    this.#wake();
    return events.map((event) => event.id);
  }

  /**
   * Say every few seconds that the candidate is there, and hear what staff ask. Called again, it says the new signals.
   * @param {() => {camera?: boolean|null, microphone?: boolean|null, screen?: boolean|null, recording?: boolean|null,
   *   detectors?: string[]}} signals
   *   true: works, false: does not, null: not used in this exam.
   */
  async heartbeat(signals = () => ({})) {
    this.#mustHaveSession();
    return this.#heartbeat.say(signals);
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
    const told = { kind, filename, startOffsetS, onProgress, signal };
    const answer = await sendRecording(blob, told, {
      id: this.id,
      url: this.#requests.url(`${this.#path}/uploads`),
      record: () => this.#record,
      remember: (uploads) => this.#remember({ uploads }),
      onAnswer: (answer) => this.#tellConnection(answer),
      options: this.#options,
    });
    if (answer.status < 300) return answer.body;
    if (answer.status === 401 && isLongExpired(this.#record)) await this.forget();
    throw new ProctoringError(answer);
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
    this.#heartbeat.stop();
    await this.#notebook.forget(this.id).catch(() => {});
  }

  /**
   * Go on after `stopped` {reason: "token"}, with another token of this session, or this one when it is good again.
   * @param {string} token
   * @param {string} [tokenExpiresAt] `token_expires_at` of the same answer: from then on it is kept for a week here.
   */
  async useToken(token, tokenExpiresAt = this.#record?.tokenExpiresAt) {
    this.#mustHaveSession();
    await this.#remember({ token, tokenExpiresAt });
    if (this.stopped !== "token") return;
    this.stopped = null;
    this.#begin();
    await this.#heartbeat.beat();
  }

  // The session and its place on disk.

  /** What was logged sooner would have no place to be written down in, and nobody would see that it is lost. */
  #mustHaveSession() {
    if (!this.#record) throw new Error("This client has no session yet: wait for start, adopt or resume.");
  }

  #mustHaveNone() {
    const hasOne = this.#notebook || this.#isStarting;
    if (hasOne) throw new Error("This client already has a session, or is about to; create another client.");
  }

  async #open(notebook, record) {
    this.#mustHaveNone();
    this.#notebook = notebook;
    const { token, tokenExpiresAt, openedAt } = record; // newer than on disk when the session was adopted once more
    const newer = { token, tokenExpiresAt, openedAt };
    const visited = (stored) => ({ ...record, ...stored, ...newer, visits: (stored ?? record).visits + 1 });
    const written = await notebook.update(record.id, visited).catch(() => null);
    const opened = written ?? visited(record);
    const warn = () => this.#tell("warning", { reason: "memory_only" });
    const outbox = new Outbox(notebook, opened, { isDiskBehind: !written, isOpen: () => this.#isOpen, warn });
    this.waiting = await outbox.count();
    [this.#outbox, this.#record] = [outbox, opened]; // and no sooner: what is logged now has sequences of this visit
    this.#sequence = (opened.visits - 1) * VISIT;
    forgetStartKey(this.#options.baseUrl, opened.startKey);
    this.#heartbeat.takeOver(opened.followed);
    this.#begin();
  }

  /** Begins a moment later, so that a page can listen first. */
  #begin() {
    addEventListener("pagehide", this.#sendBeacons);
    document.addEventListener("visibilitychange", this.#onVisibility);
    this.#finished = new Promise((resolve) => (this.#finish = resolve));
    setTimeout(async () => {
      await this.#outbox.catchUp();
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

  get #isOpen() {
    return !this.stopped || this.stopped === "token";
  }

  // Sending: one loop per client, and one of them at a time per session.

  async #loop() {
    for (let failures = 0; !this.stopped; ) {
      let isWoken = false;
      let wake = () => {};
      this.#wake = () => wake((isWoken = true));
      const outcome = await inTurn(this.id, () => this.#step()).catch(() => ({ retryAfterS: 0 }));
      this.#tellWaiting(await this.#outbox.count());
      failures = outcome === PROGRESS || outcome === IDLE ? 0 : failures + 1;
      if (failures) await rest(failures - 1, outcome.retryAfterS, this.#options);
      if (outcome !== IDLE || this.stopped) continue;
      if (!isWoken) await new Promise((resolve) => (wake = resolve));
      await new Promise((resolve) => after(this.#options.gatherMs, resolve));
    }
    const isOver = this.#record.isEnding && !this.#record.isKept && this.stopped !== "token";
    const isHopeless = this.stopped === "token" && isLongExpired(this.#record);
    if (isOver || isHopeless) await this.forget();
  }

  /** @returns {Promise<symbol|{retryAfterS: number}>} The latter: try again after a pause. */
  async #step() {
    const { events, sentAt, isAgain } = await this.#outbox.next();
    if (!events.length) return this.#record.isEnding ? this.#askToEnd() : IDLE;
    const body = { sent_at: sentAt, events };
    const isQuiet = isAgain; // what was refused before says nothing new of the connection
    const answer = await this.#ask(`${this.#path}/events/batch`, body, isOutcomeOf(events), { isQuiet });
    if (isTemporary(answer)) {
      if (mayBeAboutContent(answer)) this.#outbox.isolate(events);
      else if (answer.isSlow) this.#outbox.halve(events);
      return isAgain && this.#record.isEnding && !this.#isEndTold ? this.#endBefore(answer) : answer;
    }
    const { status } = answer;
    if (status < 300) return this.#settle(events, answer);
    if (this.#isRefused(answer)) return this.#giveUp(answer);
    if (!ABOUT_CONTENT.has(status)) return answer;
    if (events.length === 1) return this.#settle(events, { body: { rejected: [{ index: 0, ...answer.body }] } });
    this.#outbox.isolate(events); // to find the one that it is about
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

  /** Each event by its place in the batch. What the answer does not name, or cannot decide yet, is sent again. */
  async #settle(events, { body: { created = [], duplicate = [], rejected = [] }, retryAfterS = 0, isSlow = false }) {
    const refused = rejected.filter(({ code }) => code !== "try_again");
    const answered = [...created, ...duplicate, ...refused].map(({ index }) => events[index]);
    await this.#outbox.remove(answered, { isSlow });
    for (const { index, code, detail, fields } of refused) {
      this.#tell("rejected", { event: events[index], code, detail, fields });
    }
    return answered.length === events.length ? PROGRESS : { retryAfterS };
  }

  /** The session takes no more. */
  async #drop(reason) {
    const dropped = this.waiting;
    await this.#outbox.clear();
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

  #sendBeacons = () => {
    const url = this.#requests.url(`${this.#path}/events/batch`);
    const { token } = this.#record;
    this.#outbox.leave(({ events, sentAt }) =>
      navigator.sendBeacon(url, JSON.stringify({ token, sent_at: sentAt, events })),
    );
  };

  #onVisibility = () => {
    if (document.visibilityState === "hidden") this.#sendBeacons();
    else this.#outbox.comeBack();
  };

  #rememberFollowed(followed) {
    return followed.join() === this.#record.followed.join() ? undefined : this.#remember({ followed });
  }

  // Requests, and what the page is told.

  get #path() {
    return `/sessions/${encodeURIComponent(this.id)}`;
  }

  #ask(path, body, isExpected, options) {
    return this.#requests.ask(path, body, isExpected, options);
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
