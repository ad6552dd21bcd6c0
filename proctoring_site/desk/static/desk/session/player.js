// Camera and screen in step: each shows the recording that covers the clock's moment, or says why it shows none.

//: A video this far from the clock is put right; less would make it stutter. In seconds of the sitting at speed 1.
const DRIFT_MAX_S = 0.3;
//: A camera takes its time to begin: this long before its recording does, the first picture of it is shown.
const LEAD_IN_S = 1;
const CANNOT_BE_PLAYED =
  "This recording cannot be played: it is broken, or the server did not send it. Press Play to try again.";

/** Of several at once the one that began last, as the candidate may have gone on at another computer while the first one
 * still records; one whose end is not known may be over. */
function latest(tracks) {
  const known = tracks.filter((one) => one.until !== null);
  return known.find((one) => one.from === known.at(-1).from) ?? tracks[0];
}

/** One `<figure data-screen>` with its `<video>`; `tracks`: what was recorded of its kind, in the order of time. */
export class Screen {
  #track = null;
  #failed = new Set();
  #sought = null;

  constructor(figure, tracks, clock) {
    this.video = figure.querySelector("video");
    this.words = figure.querySelector("[data-words]");
    this.tracks = tracks;
    this.clock = clock;
    this.video.controls = false;
    this.video.addEventListener("error", () => this.#fail());
    this.video.addEventListener("loadedmetadata", () => this.follow());
    this.video.addEventListener("seeked", () => this.#goOn());
    clock.addEventListener("moved", () => this.follow());
    clock.addEventListener("changed", () => {
      if (clock.isPlaying) this.#failed.clear(); // the server may send it by now
      this.follow();
    });
    this.follow();
  }

  /** Whether the clock may run on: not while the video has yet to load what it should show. */
  get isReady() {
    if (!this.#track || this.video.ended || this.clock.at < this.#track.from) return true;
    const { seeking, readyState, currentTime, duration } = this.video;
    const enough = duration - currentTime < DRIFT_MAX_S ? HTMLMediaElement.HAVE_CURRENT_DATA : HTMLMediaElement.HAVE_FUTURE_DATA;
    return !seeking && readyState >= enough;
  }

  follow() {
    const playable = this.tracks.filter((one) => !this.#failed.has(one));
    const now = latest(playable.filter((one) => this.#covers(one)));
    const track = now ?? playable.find((one) => this.#isAboutToBegin(one)) ?? null;
    if (track !== this.#track) this.#show(track);
    this.#say();
    if (!track || this.video.readyState < HTMLMediaElement.HAVE_METADATA) return;
    const wanted = this.#wanted;
    const runs = this.clock.isPlaying && this.clock.at >= track.from;
    const tolerated = runs ? DRIFT_MAX_S * Math.max(1, this.clock.speed) : 0.02;
    if (!this.video.seeking && Math.abs(this.video.currentTime - wanted) > tolerated) {
      this.video.currentTime = this.#sought = wanted;
    }
    if (this.video.playbackRate !== this.clock.speed) this.video.playbackRate = this.clock.speed;
    if (runs && this.video.paused && !this.video.ended) this.#play(track);
    if (!runs && !this.video.paused) this.video.pause();
  }

  /** One that fails holds up nobody. */
  #play(track) {
    this.video.play().catch(() => this.#track === track && this.clock.pause());
  }

  get #wanted() {
    return Math.max(0, this.clock.at - this.#track.from);
  }

  /** The clock may have jumped while the video was still on its way to where it stood before. */
  #goOn() {
    if (this.#track && this.#sought !== this.#wanted) this.follow();
  }

  #covers(track) {
    const end = track.until ?? track.from + (this.#track === track && this.video.duration || Infinity);
    return track.src && track.from <= this.clock.at && this.clock.at <= end;
  }

  #isAboutToBegin(track) {
    return track.src && track.from > this.clock.at && track.from - this.clock.at <= LEAD_IN_S;
  }

  #show(track) {
    this.#track = track;
    this.video.hidden = !track;
    if (track) {
      this.video.src = track.src;
    } else {
      this.video.removeAttribute("src");
      this.video.load();
    }
  }

  #fail() {
    if (!this.#track || !this.video.error) return;
    this.#failed.add(this.#track);
    this.#show(null);
    this.follow();
  }

  #say() {
    const said = this.#words();
    if (this.words.textContent !== said) this.words.textContent = said;
  }

  #words() {
    if (this.#track) return "";
    if ([...this.#failed].some((track) => this.#covers(track))) return CANNOT_BE_PLAYED;
    if (this.tracks.some((track) => track.src)) return "Nothing was recorded at this moment.";
    return this.words.dataset.words;
  }
}
