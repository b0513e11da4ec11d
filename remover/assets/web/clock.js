// Three videos on one clock: the last one leads, the others follow it.

const RATES = [0.125, 0.25, 0.5, 1, 2, 4];
const NORMAL = RATES.indexOf(1);
const FAR_S = 0.15; // a follower farther off is put in its place, a nearer one is hurried or slowed
const CORRECTION = 4; // by how much of its distance, each second

export class Clock {
  #videos = [];
  #fps = 1;
  #frames = 1;
  #rate = NORMAL;
  #isPlaying = true; // what the person wants; it may have to wait
  #isSeeking = false;
  #wanted = null; // the frame to go to after the one that is being sought
  #onTick;

  constructor(onTick) {
    this.#onTick = onTick;
    const tick = () => {
      this.#tick();
      requestAnimationFrame(tick);
    };
    requestAnimationFrame(tick);
  }

  get isPlaying() {
    return this.#isPlaying;
  }

  get speed() {
    return RATES[this.#rate];
  }

  get frames() {
    return this.#frames;
  }

  get frame() {
    if (this.#wanted !== null) return this.#wanted;
    const lead = this.#videos.at(-1);
    const at = lead ? Math.floor(lead.currentTime * this.#fps + 1e-3) : 0;
    return Math.min(Math.max(at, 0), this.#frames - 1);
  }

  // Whether every video has a picture to show.
  get isReady() {
    return this.#videos.length > 0 && this.#videos.every((video) => video.readyState >= 2);
  }

  // Take over these videos; those of before stop.
  hold(videos, fps, frames) {
    for (const video of this.#videos) video.pause();
    this.#videos = videos;
    this.#fps = fps;
    this.#frames = frames;
    this.#isSeeking = false;
    this.#isPlaying = true;
    this.seek(0);
  }

  toggle() {
    this.#isPlaying = !this.#isPlaying;
    if (!this.#isPlaying) this.seek(this.frame); // all on the same frame
  }

  step(by) {
    this.#isPlaying = false;
    this.seek((this.frame + by + this.#frames) % this.#frames);
  }

  still(frame) {
    this.#isPlaying = false;
    this.seek(frame);
  }

  restart() {
    this.#isPlaying = true;
    this.seek(0);
  }

  faster(by) {
    this.#rate = by === 0 ? NORMAL : Math.min(Math.max(this.#rate + by, 0), RATES.length - 1);
  }

  // Go to a frame with all videos; while that takes its time, only the latest wish counts.
  async seek(frame) {
    this.#wanted = frame;
    if (this.#isSeeking) return;
    this.#isSeeking = true;
    const videos = this.#videos;
    while (this.#wanted !== null && videos === this.#videos) {
      const goal = this.#wanted;
      for (const video of videos) video.pause();
      await Promise.all(videos.map((video) => arrived(video, (goal + 0.5) / this.#fps)));
      if (this.#wanted === goal && videos === this.#videos) this.#wanted = null;
    }
    if (videos === this.#videos) this.#isSeeking = false;
  }

  #tick() {
    this.#onTick();
    const videos = this.#videos;
    if (this.#isSeeking || !this.#isPlaying || videos.length === 0) return;
    if (videos.some((video) => video.ended)) {
      this.seek(0);
      return;
    }
    if (videos.some((video) => video.readyState < 3)) {
      for (const video of videos) video.pause(); // one has to wait, so all do
      return;
    }
    const lead = videos.at(-1);
    for (const video of videos) {
      const behind = lead.currentTime - video.currentTime;
      if (Math.abs(behind) > FAR_S * Math.max(1, this.speed)) video.currentTime = lead.currentTime;
      const nudge = Math.min(Math.max(1 + behind * CORRECTION, 0.75), 1.25);
      const rate = this.speed * (Math.abs(behind) < 0.004 ? 1 : nudge);
      if (video.playbackRate !== rate) video.playbackRate = rate;
      if (video.paused) video.play().catch(() => {}); // told to pause again before it began
    }
  }
}

// Done when a video shows the picture at a time, or cannot.
function arrived(video, time) {
  return new Promise((resolve) => {
    const events = ["seeked", "error", "emptied"];
    const finish = () => {
      for (const name of events) video.removeEventListener(name, finish);
      resolve();
    };
    if (video.error) {
      resolve();
      return;
    }
    for (const name of events) video.addEventListener(name, finish);
    if (video.readyState > 0) {
      video.currentTime = time;
    } else {
      video.addEventListener("loadedmetadata", () => (video.currentTime = time), { once: true });
    }
  });
}
