/** Plays a series at its own speed; waits rather than skips when the next picture is not there yet. */

const USUAL = 100; // milliseconds a picture where the scanner says nothing

export class Cine {
  #step;
  #ready;
  #each = USUAL;
  #request = 0;
  #due = 0;

  /** `step()` turns to the next picture; `ready()` says whether the present one is on the screen. */
  constructor(step, ready) {
    this.#step = step;
    this.#ready = ready;
  }

  get playing() {
    return this.#request !== 0;
  }

  play(each) {
    this.#each = each || USUAL;
    this.#due = performance.now() + this.#each;
    this.#request = requestAnimationFrame(this.#tick);
  }

  pause() {
    cancelAnimationFrame(this.#request);
    this.#request = 0;
  }

  #tick = (now) => {
    this.#request = requestAnimationFrame(this.#tick);
    if (now < this.#due || !this.#ready()) return;
    this.#due = Math.max(this.#due + this.#each, now);
    this.#step();
  };
}
