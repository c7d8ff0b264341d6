/** Plays a series at its own speed. Begins when a few pictures are here, and waits rather than skips. */

const USUAL = 100; // milliseconds a picture where the scanner says nothing
export const AHEAD = 6;

export class Cine {
  #step;
  #ahead;
  #each = USUAL;
  #request = 0;
  #due = 0;
  #gathers = false;

  /** `step()` turns to the next picture; `ahead()` says how many after the present one are here, up to AHEAD. */
  constructor(step, ahead) {
    this.#step = step;
    this.#ahead = ahead;
  }

  get playing() {
    return this.#request !== 0;
  }

  /** `each` milliseconds a picture, `speed` times as fast. */
  pace(each, speed) {
    this.#each = (each || USUAL) / speed;
  }

  play() {
    this.#gathers = true;
    this.#due = performance.now() + this.#each;
    this.#request = requestAnimationFrame(this.#tick);
  }

  pause() {
    cancelAnimationFrame(this.#request);
    this.#request = 0;
  }

  #tick = (now) => {
    this.#request = requestAnimationFrame(this.#tick);
    if (now < this.#due) return;
    this.#gathers = this.#ahead() < (this.#gathers ? AHEAD : 1);
    if (this.#gathers) return;
    this.#due = Math.max(this.#due + this.#each, now);
    this.#step();
  };
}
