// Camera and screen in step: each shows the recording that covers the clock's moment, or says why it shows none.

//: A video this far from the clock is put right; less would make it stutter. In seconds of the sitting at speed 1.
const DRIFT_MAX_S = 0.3;
//: A camera takes its time to begin: this long before its recording does, the first picture of it is shown.
const LEAD_IN_S = 1;

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
    clock.addEventListener("changed", () => this.follow());
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
    const track = this.tracks.find((one) => this.#covers(one)) ?? this.tracks.find((one) => this.#isAboutToBegin(one));
    if (track !== this.#track) this.#show(track ?? null);
    if (!track || this.video.readyState < HTMLMediaElement.HAVE_METADATA) return;
    const wanted = this.#wanted;
    const runs = this.clock.isPlaying && this.clock.at >= track.from;
    const tolerated = runs ? DRIFT_MAX_S * Math.max(1, this.clock.speed) : 0.02;
    if (!this.video.seeking && Math.abs(this.video.currentTime - wanted) > tolerated) {
      this.video.currentTime = this.#sought = wanted;
    }
    if (this.video.playbackRate !== this.clock.speed) this.video.playbackRate = this.clock.speed;
    if (runs && this.video.paused && !this.video.ended) this.video.play().catch(() => this.clock.pause());
    if (!runs && !this.video.paused) this.video.pause();
  }

  get #wanted() {
    return Math.max(0, this.clock.at - this.#track.from);
  }

  /** The clock may have jumped while the video was still on its way to where it stood before. */
  #goOn() {
    if (this.#track && this.#sought !== this.#wanted) this.follow();
  }

  #covers(track) {
    if (!this.#canShow(track)) return false;
    const end = track.until ?? track.from + (this.#track === track && this.video.duration || Infinity);
    return track.from <= this.clock.at && this.clock.at <= end;
  }

  #isAboutToBegin(track) {
    return this.#canShow(track) && track.from > this.clock.at && track.from - this.clock.at <= LEAD_IN_S;
  }

  #canShow(track) {
    return track.src && !this.#failed.has(track);
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
    this.#say();
  }

  #fail() {
    if (!this.#track || !this.video.error) return;
    this.#failed.add(this.#track);
    this.#show(null);
    this.follow();
  }

  #say() {
    if (this.#track) this.words.textContent = "";
    else if (this.#failed.size) this.words.textContent = "This recording cannot be played: it is broken, or the server did not send it.";
    else if (this.tracks.some((track) => track.src)) this.words.textContent = "Nothing was recorded at this moment.";
    else this.words.textContent = this.words.dataset.words;
  }
}
