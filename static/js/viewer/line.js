/** The connection: addresses in the order they are wanted, a few on their way at a time, and patience when it breaks. */

const AT_ONCE = 4;
const FIRST_REST = 1000; // milliseconds, doubled each time nothing came
const LONGEST_REST = 30_000;
const SILENCE = 25_000; // milliseconds without an answer
const TRIES = 3; // of one address that the server fails on while it answers others

/** The session has ended. */
export class SignedOut extends Error {}

/** The server will not give this out (withdrawn, or not there): asking again cannot help. */
export class Refused extends Error {}

/** The server answered, but not with what was asked for; `after` milliseconds it may, if it said so. */
export class Failed extends Error {
  constructor(why, after = 0) {
    super(why);
    this.after = after;
  }
}

export class Line {
  #wanted = [];
  #running = new Map(); // address → AbortController
  #failures = new Map(); // address → how often
  #passed = new Set(); // over, for now or for good
  #first = '';
  #breaks = 0; // in a row
  #rest = 0; // the timer that ends a pause
  #has;
  #take;
  #tell;

  /**
   * `has(address)`: it is here already. `take(address, response)` reads what came. `tell(address, error)` is called
   * for each that was taken (no error) or did not come.
   */
  constructor({ has, take, tell }) {
    this.#has = has;
    this.#take = take;
    this.#tell = tell;
    addEventListener('online', () => this.#again());
    document.addEventListener('visibilitychange', () => document.hidden || this.resume());
  }

  /** These, the first of them first; what was wanted before and is not any more is let go. */
  ask(addresses) {
    this.#wanted = addresses;
    if (addresses[0] !== this.#first) this.#passed.delete(addresses[0]); // it failed while nobody was waiting for it
    this.#first = addresses[0];
    const still = new Set(addresses);
    for (const [address, control] of this.#running) if (!still.has(address)) control.abort();
    this.#next();
  }

  /** Do not wait any longer, for `address` least of all. */
  resume(address) {
    clearTimeout(this.#rest);
    this.#rest = 0;
    this.#passed.delete(address);
    this.#next();
  }

  /** What was on its way when the connection broke may never end. */
  #again() {
    for (const control of this.#running.values()) control.abort();
    this.resume();
  }

  #next() {
    if (this.#rest) return;
    for (const [place, address] of this.#wanted.entries()) {
      // Whoever waits for the first does not wait for the others.
      if (this.#running.size >= AT_ONCE + (place ? 0 : 1)) return;
      if (!this.#running.has(address) && !this.#passed.has(address) && !this.#has(address)) this.#load(address, !place);
    }
  }

  async #load(address, urgent) {
    const control = new AbortController();
    this.#running.set(address, control);
    let failure = null;
    try {
      await this.#take(address, await answerTo(address, urgent, control.signal));
      this.#breaks = 0;
      this.#failures.delete(address);
    } catch (error) {
      failure = error;
    }
    this.#running.delete(address);
    if (failure && !control.signal.aborted) this.#fail(address, failure);
    if (!control.signal.aborted) this.#tell(address, failure);
    this.#next();
  }

  /** Nothing comes: everything waits. The server has trouble with one: that one waits, and is given up in the end. */
  #fail(address, failure) {
    if (isBreak(failure)) {
      this.#rest ||= setTimeout(() => this.resume(), Math.min(LONGEST_REST, FIRST_REST * 2 ** this.#breaks++));
      return;
    }
    const times = (this.#failures.get(address) ?? 0) + 1;
    const after = failure instanceof Failed && (failure.after || (times < TRIES && FIRST_REST * 2 ** (times - 1)));
    this.#failures.set(address, times);
    this.#passed.add(address);
    if (after) setTimeout(() => this.#allow(address), after);
  }

  #allow(address) {
    this.#passed.delete(address);
    this.#next();
  }
}

/** Whether nothing came at all: fetch says so with a TypeError, and so do bodies that are cut. */
export function isBreak(failure) {
  return failure instanceof TypeError;
}

async function answerTo(address, urgent, signal) {
  const answer = await withinReason(fetch(address, { credentials: 'same-origin', priority: urgent ? 'high' : 'low', signal }));
  if (answer.redirected || answer.status === 401) throw new SignedOut();
  if ([403, 404, 410].includes(answer.status)) throw new Refused(answer.status);
  if (!answer.ok) throw new Failed(answer.status, 1000 * Number(answer.headers.get('Retry-After')));
  return answer;
}

/** A connection may be gone without a word. */
function withinReason(answer) {
  return new Promise((come, fail) => {
    const timer = setTimeout(() => fail(new TypeError('no answer')), SILENCE);
    answer.then(come, fail).finally(() => clearTimeout(timer));
  });
}
