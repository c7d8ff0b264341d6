/** What came for one pane, by address: pictures (their bytes, and the latest of them decoded), samples, facts. */
import { Latest } from './latest.js';
import { Failed, Line } from './line.js';
import { samplesFrom } from './grey.js';

// Together under 220 MB, so that a thousand slices leave a cheap phone its breath.
const MOST_BYTES = 48 * 2 ** 20;
const MOST_PIXELS = 32e6; // decoded, of four bytes each
const MOST_PICTURES = 300;
const MOST_SAMPLES = 32 * 2 ** 20; // bytes

export class Shelf {
  #bytes;
  #decoded;
  #samples;
  #facts = new Map();
  #decoding = new Set();
  #near = new Set();
  #tell;
  #line = new Line({
    has: (address) => this.has(address),
    take: (address, answer) => this.#take(address, answer),
    tell: (address, error) => this.#came(address, error),
  });

  /**
   * `tell(address, error)` is called for everything that is ready to be used (no error) or did not come. `room` is the
   * part of a page's memory that this shelf may take.
   */
  constructor(tell, room) {
    this.#tell = tell;
    this.#bytes = new Latest(MOST_BYTES * room, (blob) => blob.size);
    this.#decoded = new Latest(MOST_PIXELS * room, (picture) => picture.width * picture.height, (picture) => picture.close(), MOST_PICTURES * room);
    this.#samples = new Latest(MOST_SAMPLES * room, ({ samples }) => samples.byteLength);
  }

  /** Whether it need not be fetched. */
  has(address) {
    return [this.#bytes, this.#decoded, this.#samples, this.#facts].some((kind) => kind.has(address));
  }

  /** A decoded picture, the samples `{ header, samples }` or the facts at an address; undefined when not ready. */
  get(address) {
    return this.#decoded.get(address) ?? this.#samples.get(address) ?? this.#facts.get(address);
  }

  /** A picture that came by another way. */
  keep(address, picture) {
    this.#decoded.put(address, picture, this.#near);
  }

  /** `near` is wanted ready for use, the first of it first; of `rest` the bytes are enough, while there is room. */
  want(near, rest) {
    this.#near = new Set(near);
    const all = new Set([...near, ...rest]);
    if (this.#bytes.nearlyFull) this.#bytes.keepOnly(all);
    for (const address of near) this.#decode(address);
    this.#line.ask(this.#bytes.nearlyFull ? near : [...all]);
  }

  /** Ask again now, for what could not be read too. */
  again(address) {
    this.#bytes.delete(address);
    this.#line.resume(address);
  }

  async #take(address, answer) {
    const type = answer.headers.get('Content-Type') ?? '';
    if (type.startsWith('image/')) this.#bytes.put(address, await answer.blob(), this.#near);
    else if (type.startsWith('application/json')) this.#facts.set(address, await answer.json());
    else if (type.startsWith('application/octet-stream'))
      this.#samples.put(address, samplesFrom(await answer.arrayBuffer()), this.#near);
    else throw new Failed(type);
  }

  #came(address, error) {
    if (error || !this.#bytes.has(address)) return this.#tell(address, error);
    this.#tell('', null); // one more is here
    if (this.#near.has(address)) this.#decode(address);
  }

  async #decode(address) {
    const bytes = this.#bytes.get(address);
    if (!bytes || this.#decoded.has(address) || this.#decoding.has(address)) return;
    this.#decoding.add(address);
    try {
      this.keep(address, await createImageBitmap(bytes));
      this.#tell(address, null);
    } catch (error) {
      this.#tell(address, error);
    }
    this.#decoding.delete(address);
  }
}
