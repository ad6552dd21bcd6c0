/** The sign of life of one session. Its answers carry what staff ask: each command is followed once, then confirmed. */

import { isTemporary } from "./proctoring-answer.js";
import { instant } from "./proctoring-clock.js";
import { TIMEOUT_MS } from "./proctoring-requests.js";
import { after } from "./proctoring-timer.js";

/** @typedef {import("./proctoring-answer.js").Answer} Answer */

/** The states in which a session takes no more. */
export const CLOSED = new Set(["ended", "terminated", "expired"]);
/** What the next beat may be told to wait for; a longer timer would fire at once. */
const BEAT_MIN_S = 1;
const BEAT_MAX_S = 3600;
/** A connection that died silently is given up before the server misses the client; where the line is slow, later. */
const BEAT_LIMIT_MS = 15_000;
const [DOING, DONE, CONFIRMED] = ["doing", "done", "confirmed"];

export class Heartbeat {
  /** @type {string|null} As the last answer said. */
  state = null;
  /** @type {number|null} How far this browser's clock is ahead, as the last answer said that has seen it. */
  clockAheadMs = null;
  #client;
  #signals = null;
  #callOff = () => {};
  #nextS = 10;
  #limitMs = BEAT_LIMIT_MS;
  #isBeating = false;
  /** How far the page is with each command, by its id: DOING, DONE, CONFIRMED. */
  #commands = new Map();

  /**
   * @param {object} client What of it a beat needs.
   * @param {(body: object, limitMs: number) => Promise<Answer>} client.ask
   * @param {() => boolean} client.isStopped
   * @param {(answer: Answer) => boolean} client.isRefused Whether session or token are over.
   * @param {(answer: Answer) => any} client.giveUp
   * @param {(state: string) => void} client.tellState Called when it is another.
   * @param {((command: object) => any)|null} client.onCommand
   * @param {(ids: string[]) => any} client.rememberFollowed Called with those that are yet to be confirmed.
   */
  constructor(client) {
    this.#client = client;
  }

  /** Say this from now on, beginning now. */
  say(signals) {
    this.#signals = signals;
    return this.beat();
  }

  /** What an earlier visit did, and could not confirm. */
  takeOver(followed) {
    for (const id of followed) this.#commands.set(id, DONE);
  }

  stop() {
    this.#signals = null;
    this.#callOff();
  }

  async beat() {
    this.#callOff();
    if (this.#isBeating || !this.#signals) return;
    const confirmed = this.#toConfirm;
    const said = { ...this.#saidSignals(), sent_at: instant(), confirmed };
    this.#isBeating = true;
    const answer = await this.#client.ask(said, this.#limitMs);
    this.#isBeating = false;
    const wasLost = answer.isSlow && answer.status === 0;
    this.#limitMs = wasLost ? Math.min(2 * this.#limitMs, TIMEOUT_MS) : BEAT_LIMIT_MS;
    if (wasLost) return this.#beatAgain(Math.max(answer.retryAfterS, BEAT_MIN_S));
    if (isTemporary(answer)) return this.#beatAgain(Math.max(answer.retryAfterS, this.#nextS));
    if (this.#client.isRefused(answer)) return this.#client.giveUp(answer);
    if (answer.status >= 300) console.error("The heartbeat was refused:", answer.body);
    else await this.#hear(answer.body, confirmed);
    const isOver = this.#client.isStopped() || CLOSED.has(this.state);
    const isAsked = [...this.#commands.values()].some((stands) => stands !== CONFIRMED);
    if (!isOver || isAsked) this.#beatAgain(this.#nextS);
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
    this.#callOff();
    this.#callOff = after(inS * 1000, () => this.beat());
  }

  /** An older or newer server may say less, or more. */
  async #hear({ state, commands, next_beat_s: nextBeatS, clock_skew_ms: clockAheadMs }, confirmed) {
    if (Number.isFinite(clockAheadMs)) this.clockAheadMs = clockAheadMs;
    if (Number.isFinite(nextBeatS)) this.#nextS = Math.min(Math.max(nextBeatS, BEAT_MIN_S), BEAT_MAX_S);
    for (const id of confirmed) this.#commands.set(id, CONFIRMED);
    const isNew = state !== this.state;
    this.state = state;
    const asked = Array.isArray(commands) ? commands.filter((command) => command?.id) : [];
    for (const command of asked) this.#follow(command); // first: they say why the state is another
    if (isNew) this.#client.tellState(state);
    await this.#client.rememberFollowed(this.#toConfirm);
  }

  async #follow(command) {
    if (!this.#client.onCommand) return;
    if (this.#commands.get(command.id) === CONFIRMED) this.#commands.set(command.id, DONE); // it was not taken
    if (this.#commands.has(command.id)) return;
    this.#commands.set(command.id, DOING);
    try {
      await this.#client.onCommand(command);
      this.#commands.set(command.id, DONE);
      await this.#client.rememberFollowed(this.#toConfirm);
      if (CLOSED.has(this.state)) this.beat(); // the last one: do not wait for it
    } catch (error) {
      console.error(error);
      this.#commands.delete(command.id); // it is asked again with the next beat
      if (CLOSED.has(this.state)) this.#beatAgain(this.#nextS);
    }
  }

  get #toConfirm() {
    return [...this.#commands.keys()].filter((id) => this.#commands.get(id) === DONE);
  }
}
