/** The things used last, up to a weight and a number. */

export class Latest {
  #held = new Map(); // the one not used for longest first
  #weight = 0;
  #most;
  #weigh;
  #drop;
  #count;

  /** At most `most` by `weigh(thing)`, at most `count` of them; `drop(thing)` is called for each let go. */
  constructor(most, weigh, drop = () => {}, count = Infinity) {
    this.#most = most;
    this.#weigh = weigh;
    this.#drop = drop;
    this.#count = count;
  }

  /** So little room is left that only what is needed now should come. */
  get nearlyFull() {
    return this.#weight > 0.9 * this.#most;
  }

  has(key) {
    return this.#held.has(key);
  }

  get(key) {
    const thing = this.#held.get(key);
    if (thing !== undefined) {
      this.#held.delete(key);
      this.#held.set(key, thing);
    }
    return thing;
  }

  /** Keep a thing; the ones not used for longest make room, `needed` ones never. */
  put(key, thing, needed) {
    this.delete(key);
    this.#held.set(key, thing);
    this.#weight += this.#weigh(thing);
    for (const oldest of this.#held.keys()) {
      if (this.#held.size <= this.#count && this.#weight <= this.#most) break;
      if (oldest !== key && !needed.has(oldest)) this.delete(oldest);
    }
  }

  delete(key) {
    if (!this.#held.has(key)) return;
    const thing = this.#held.get(key);
    this.#held.delete(key);
    this.#weight -= this.#weigh(thing);
    this.#drop(thing);
  }

  /** Let go of everything else. */
  keepOnly(keys) {
    for (const key of [...this.#held.keys()]) if (!keys.has(key)) this.delete(key);
  }
}
