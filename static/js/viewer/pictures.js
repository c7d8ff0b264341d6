/** Pictures by address: fetched a few at a time in the order they are wanted, decoded, the latest kept. */

const AT_ONCE = 4;
const MOST_PICTURES = 300;
const MOST_PIXELS = 48e6; // of four bytes each: what a cheap phone can hold

export class Pictures {
  #decoded = new Map(); // address → ImageBitmap, the one not seen for longest first
  #loading = new Set();
  #failed = new Set();
  #wanted = [];
  #pixels = 0;
  #tell;

  /** `tell(address, error)` is called for each picture that arrived (no error) or did not. */
  constructor(tell) {
    this.#tell = tell;
  }

  peek(address) {
    const picture = this.#decoded.get(address);
    if (picture) {
      this.#decoded.delete(address);
      this.#decoded.set(address, picture);
    }
    return picture;
  }

  /** These now, the first of them first; what was wanted before and has not begun is forgotten. */
  want(addresses) {
    this.#wanted = addresses;
    this.#failed.delete(addresses[0]); // it failed while nobody was waiting for it: one more try
    this.#next();
  }

  /** Keep a decoded picture; the ones not seen for longest make room. */
  keep(address, picture) {
    this.#decoded.set(address, picture);
    this.#pixels += picture.width * picture.height;
    for (const [oldest, old] of this.#decoded) {
      if (this.#decoded.size <= MOST_PICTURES && this.#pixels <= MOST_PIXELS) break;
      if (this.#wanted.includes(oldest)) continue;
      this.#pixels -= old.width * old.height;
      this.#decoded.delete(oldest);
      old.close();
    }
  }

  #next() {
    while (this.#loading.size < AT_ONCE) {
      const address = this.#wanted.find((one) => !this.#known(one));
      if (!address) return;
      this.#load(address);
    }
  }

  #known(address) {
    return this.#decoded.has(address) || this.#loading.has(address) || this.#failed.has(address);
  }

  async #load(address) {
    this.#loading.add(address);
    let failure = null;
    try {
      this.keep(address, await fetchPicture(address));
    } catch (error) {
      failure = error;
      this.#failed.add(address);
    }
    this.#loading.delete(address);
    this.#tell(address, failure);
    this.#next();
  }
}

/** The session has ended. */
export class SignedOut extends Error {}

/** The server will not give this picture out (withdrawn, or not there): asking again cannot help. */
export class Refused extends Error {}

async function fetchPicture(address) {
  const answer = await fetch(address, { credentials: 'same-origin' });
  if (answer.redirected || answer.status === 401) throw new SignedOut();
  if ([403, 404, 410].includes(answer.status)) throw new Refused(answer.status);
  if (!answer.ok) throw new Error(answer.status);
  return createImageBitmap(await answer.blob());
}
