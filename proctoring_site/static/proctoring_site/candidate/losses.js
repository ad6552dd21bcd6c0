/** What of camera, microphone and recording is lost: noted when it goes, and once when all of it is back. */

import * as devices from "./devices.js";
import { secondsSince } from "./watching.js";

const DEVICES = { video: "camera", audio: "microphone" };
const EVENTS = { video: "camera_lost", audio: "microphone_lost", recording: "recording_stopped" };
const NOTHING_RECORDED =
  "Nothing is being recorded. Turn the camera and microphone on again; if that does not help, please tell the staff.";
/** A device that is silent for a moment was not lost. */
const SILENT_MS = 3000;
/** A recorder gives something every two seconds, on a busy computer later. */
const RECORDER_SILENT_MS = 12_000;

export class Losses {
  /** What was there at some time of this sitting: its absence is a loss. Of it, what is missing. */
  #used = new Set();
  #lost = new Set();
  /** Since when something is missing, and since when each does not work. */
  #since = null;
  #silentSince = new Map();
  #log;
  #say;

  /**
   * @param {(type: string, details?: object) => any} log Notes an event.
   * @param {(words: string) => any} say Tells the candidate; nothing once all is well.
   */
  constructor(log, say) {
    this.#log = log;
    this.#say = say;
  }

  /** @param {"video"|"audio"|"recording"} kind */
  use(kind) {
    this.#used.add(kind);
  }

  /** As a heartbeat says it: true, false, or null for what was never used. */
  signal(stream, kind) {
    return devices.works(stream, kind) ?? (this.#used.has(kind) ? false : null);
  }

  isRecording(stream, recording) {
    const isSeenOrHeard = Object.keys(DEVICES).some((kind) => devices.works(stream, kind));
    return Boolean(recording?.isRunning) && !this.#isSilent(recording) && isSeenOrHeard;
  }

  /** What is missing now, and what is back. */
  look(stream, recording) {
    let hasChanged = false;
    for (const kind of Object.keys(EVENTS).filter((one) => this.#used.has(one))) {
      const isLost = this.#isMissing(kind, stream, recording);
      if (isLost === this.#lost.has(kind)) continue;
      if (isLost) this.note(kind);
      else this.#lost.delete(kind);
      hasChanged = true;
    }
    if (!hasChanged) return;
    if (this.#lost.size) this.tell(this.#words());
    else this.#foundAgain();
  }

  note(kind) {
    this.#lost.add(kind);
    this.#log(EVENTS[kind]);
  }

  /** The devices were turned on again. `fault`: why that did not bring all of them. */
  lookAgain(stream, fault) {
    const missing = Object.keys(DEVICES).filter((kind) => this.#used.has(kind) && devices.isGone(stream, kind));
    this.#lost = new Set(missing);
    if (stream && !missing.length) this.#foundAgain();
    else this.tell(fault ?? this.#words());
  }

  tell(words) {
    this.#since ??= performance.now();
    this.#say(words);
  }

  #words() {
    const words = Object.keys(DEVICES).filter((kind) => this.#lost.has(kind)).map((kind) => DEVICES[kind]).join(" and ");
    return words ? `The ${words} stopped working. Check that everything is plugged in and allowed.` : NOTHING_RECORDED;
  }

  #foundAgain() {
    this.#log("devices_back", { data: { away_s: secondsSince(this.#since) } });
    this.#since = null;
    this.#say("");
  }

  #isMissing(kind, stream, recording) {
    const isDevice = kind in DEVICES;
    const isSilent = isDevice ? devices.works(stream, kind) !== true : this.#isSilent(recording);
    if (!isSilent) this.#silentSince.delete(kind);
    else if (!this.#silentSince.has(kind)) this.#silentSince.set(kind, performance.now());
    const isGone = isDevice && devices.isGone(stream, kind);
    return isSilent && (isGone || performance.now() - this.#silentSince.get(kind) > SILENT_MS);
  }

  /** Of devices that are lost nothing can be recorded. */
  #isSilent(recording) {
    return recording?.silentMs > RECORDER_SILENT_MS && !Object.keys(DEVICES).some((kind) => this.#lost.has(kind));
  }
}
