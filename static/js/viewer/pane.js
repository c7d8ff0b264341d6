/**
 * One picture after another in one part of the page. Owns its stage, what came for it, its brightness, its cine and
 * its ruler; knows nothing of the page around. Tells what happened as events: `place` (another picture), `state`
 * (see `state`), `here` (more has come), `playing`, `look` (brightness, attitude), `unadjustable`, `length`, `signedout`.
 */
import { AHEAD, Cine } from './cine.js';
import { letters } from './edges.js';
import { adjusted, paint, recorded } from './grey.js';
import { Refused, SignedOut, isBreak } from './line.js';
import { Ruler } from './ruler.js';
import { Shelf } from './shelf.js';
import { Stage } from './stage.js';

const NEAR = 6; // pictures kept ready on the side that is turned to, half as many on the other
const ENOUGH = 1.25; // pixels of the screen for one of the picture, beyond which the full one is wanted
const SETTLED = 250; // milliseconds on one picture
const AS_RECORDED = { window: null, brightness: 0, contrast: 0 };

export class Pane extends EventTarget {
  tool = ''; // what one finger does: '' (turn, or move when enlarged), 'brightness', 'measure'
  state = 'wait'; // the present picture is on its way; 'picture' there; 'lost', 'failed', 'refused' did not come
  speed = 1;
  #root;
  #shelf;
  #cine = new Cine(() => this.#go((this.#index % this.count) + 1), () => this.#ahead());
  #stage;
  #ruler;
  #run;
  #index = 0; // from 1
  #direction = 1;
  #settling = 0;
  #rests = false;
  #saving = false;
  #look = AS_RECORDED;
  #painted = document.createElement('canvas');
  #trouble = {}; // the address that did not come, and the state that makes

  /** `root` holds the canvas and what lies over it; `room` is the part of the page's memory it may take. */
  constructor(root, room = 1) {
    super();
    this.#root = root;
    this.#shelf = new Shelf((address, error) => this.#came(address, error), room);
    this.#stage = new Stage(root.querySelector('canvas'), (context) => this.#ruler.draw(context));
    this.#ruler = new Ruler(this.#stage, () => ({ address: this.#run.address(this.#index), kind: this.kind }), () => this.#tell('length'));
  }

  // --- what is shown

  get root() {
    return this.#root;
  }

  get run() {
    return this.#run;
  }

  get index() {
    return this.#index;
  }

  get count() {
    return this.#run.count;
  }

  get series() {
    return this.#run.series(this.#index);
  }

  /** What the server knows of the present picture (size, spacing, windows, letters); undefined until it has said. */
  get kind() {
    return this.#run.kind(this.#index, (address) => this.#shelf.get(address));
  }

  get enlarged() {
    return this.#stage.enlarged;
  }

  /** The first and the last picture of those around the present one that have come. */
  get here() {
    const has = (index) => this.#shelf.has(this.#run.address(index));
    let [first, last] = [this.#index, this.#index];
    while (first > 1 && has(first - 1)) first--;
    while (last < this.count && has(last + 1)) last++;
    return [first, last];
  }

  /** Open a run at a picture (default: the middle one), which may be at hand already. */
  open(run, index = Math.ceil(run.count / 2), picture = null) {
    this.pause();
    if (run.series(index) !== this.#run?.series(this.#index)) this.#look = AS_RECORDED;
    this.#run = run;
    this.#stage.reset();
    this.#ruler.stop();
    if (picture) this.#shelf.keep(run.address(index), picture);
    this.#go(index);
    this.#tell('look');
  }

  turn(steps) {
    if (!steps) return;
    this.pause();
    this.goTo(this.#index + steps);
  }

  goTo(index) {
    const to = Math.min(this.count, Math.max(1, index));
    if (to !== this.#index) this.#go(to);
  }

  /** Ask once more, now. */
  retry() {
    this.#trouble = {};
    this.#shelf.again(this.#needed()[0]);
    this.#go(this.#index);
  }

  /** Fetch only what is looked at. */
  set saving(on) {
    this.#saving = on;
    if (this.#run) this.#want();
  }

  // --- cine

  get playing() {
    return this.#cine.playing;
  }

  play() {
    if (this.playing || this.count < 2) return;
    this.#direction = 1;
    this.#cine.pace(this.series.frame_time, this.speed);
    this.#cine.play();
    this.#want();
    this.#tell('playing');
  }

  pause() {
    if (!this.playing) return;
    this.#cine.pause();
    this.#go(this.#index);
    this.#tell('playing');
  }

  /** How many times as fast as it was recorded. */
  pace(speed) {
    this.speed = speed;
    this.#cine.pace(this.series.frame_time, speed);
  }

  // --- how it lies on the stage

  zoom(factor, clientX, clientY) {
    this.#stage.zoom(factor, clientX, clientY);
    this.#want();
    this.#show();
  }

  move(dx, dy) {
    this.#stage.move(dx, dy);
  }

  fit() {
    this.#stage.fit();
  }

  rotate() {
    this.#stage.rotate();
    this.#changed();
  }

  mirror() {
    this.#stage.mirror();
    this.#changed();
  }

  invert() {
    this.#stage.invert();
    this.#changed();
  }

  /** Quarter turns to the right, mirrored, inverted. */
  get attitude() {
    return this.#stage.attitude;
  }

  // --- brightness

  /** `window` (null: as recorded), and how much brighter and harder, from -100 to 100. */
  get look() {
    return this.#look;
  }

  adjust(change) {
    const within = (value) => Math.round(Math.min(100, Math.max(-100, value)));
    const { window, brightness, contrast } = { ...this.#look, ...change };
    this.#look = { window, brightness: within(brightness), contrast: within(contrast) };
    this.#want();
    this.#show();
    this.#tell('look');
  }

  // --- one finger, when a tool has it

  begin(clientX, clientY) {
    if (this.tool === 'measure') this.#ruler.begin(clientX, clientY);
  }

  drag(dx, dy, clientX, clientY) {
    if (this.tool === 'measure') return this.#ruler.drag(clientX, clientY);
    const { brightness, contrast } = this.#look;
    this.adjust({ brightness: brightness - dy / 2, contrast: contrast + dx / 2 });
  }

  end() {
    if (this.tool === 'measure') this.#ruler.end();
  }

  cancel() {
    if (this.tool === 'measure') this.#ruler.cancel();
  }

  key(event) {
    return this.tool === 'measure' && this.#ruler.key(event);
  }

  get length() {
    return this.#ruler.length;
  }

  clearLength() {
    this.#ruler.clear();
  }

  /** What a finger does from now on. */
  take(tool) {
    if (tool !== 'measure') this.#ruler.stop();
    this.tool = tool;
    this.#root.dataset.tool = tool;
  }

  // --- inside

  get #adjusts() {
    const { window, brightness, contrast } = this.#look;
    return Boolean((window || brightness || contrast) && this.series.pixels);
  }

  /** How many pictures ahead are kept ready while playing. */
  get #reach() {
    return this.#adjusts ? 3 : AHEAD + 2;
  }

  #go(index) {
    if (index !== this.#index) this.#direction = Math.sign(index - this.#index);
    this.#index = index;
    this.#ruler.stop();
    this.#rests = false;
    clearTimeout(this.#settling);
    if (!this.playing) this.#settling = setTimeout(() => this.#settle(), SETTLED);
    this.#want();
    this.#tell('place');
    this.#show();
  }

  /** Nobody turns on: there is time for the finer picture. */
  #settle() {
    this.#rests = true;
    this.#show();
  }

  /** The addresses of a picture, the one that comes first first; the last is the best. */
  #needed(index = this.#index) {
    const [quick, best] = this.#adjusts ? ['pixels', 'fine'] : ['pictures', 'full'];
    const addresses = [this.#run.address(index, quick)];
    const finer = index === this.#index && this.#rests && this.#run.address(index, best);
    if (finer && this.#stage.coarseness > ENOUGH) addresses.push(finer);
    return addresses;
  }

  /** This picture, what is known of it, then its neighbours; when there is time, the whole series. */
  #want() {
    const near = this.#around().flatMap((index) => this.#needed(index));
    const rest = this.#saving ? [] : this.#outwards().map((index) => this.#run.address(index));
    const [now, ...more] = near;
    this.#shelf.want([now, this.series.details, ...more].filter(Boolean), rest);
  }

  #around() {
    const wanted = [this.#index];
    if (this.playing) for (let away = 1; away <= this.#reach; away++) wanted.push(((this.#index + away - 1) % this.count) + 1);
    else {
      const most = this.#saving || this.#adjusts ? 1 : NEAR; // samples are large, and made when asked for
      for (let away = 1; away <= most; away++) {
        wanted.push(this.#index + away * this.#direction);
        if (away * 2 <= most + 1) wanted.push(this.#index - away * this.#direction);
      }
    }
    return [...new Set(wanted.filter((one) => one >= 1 && one <= this.count))];
  }

  /** Every picture, the nearest first; while playing, as they will be seen. */
  #outwards() {
    const all = Array.from({ length: this.count }, (_, at) => at + 1);
    const ahead = (index) => (index - this.#index + this.count) % this.count;
    const away = (index) => Math.abs(index - this.#index);
    const far = this.playing ? ahead : away;
    return all.sort((one, other) => far(one) - far(other));
  }

  /** How many of the next pictures are here; none unless this one is shown and the next can be at once. */
  #ahead() {
    const at = (away) => this.#needed(((this.#index + away - 1) % this.count) + 1)[0];
    if (this.state !== 'picture' || !this.#shelf.get(at(1))) return 0;
    const most = Math.min(this.#reach, this.count - 1);
    let here = 1;
    while (here < most && this.#shelf.has(at(here + 1))) here++;
    return here === most ? AHEAD : here;
  }

  #show() {
    const best = this.#needed().findLast((address) => this.#shelf.get(address));
    if (!best) return this.#become(this.#trouble.address === this.#needed()[0] ? this.#trouble.state : 'wait');
    this.#draw(this.#shelf.get(best));
    this.#label();
    this.#become('picture');
    if (this.#needed().at(-1) !== best) this.#want(); // only now it is known how coarse it is
  }

  #draw(thing) {
    if (!thing.samples) return this.#stage.show(thing);
    const { rows, columns, aspect, invert } = thing.header;
    const { window } = this.#look;
    paint(thing, adjusted(window ?? recorded(thing), this.#look, invert), this.#painted);
    this.#stage.show(this.#painted, columns, rows * (aspect || 1));
  }

  /** The letters at the edges, and which side of the body it is. */
  #label() {
    const { kind, attitude } = this;
    const around = letters(kind?.orientation, attitude);
    for (const edge of this.#root.querySelectorAll('[data-edge]')) edge.textContent = around[edge.dataset.edge] ?? '';
    for (const side of this.#root.querySelectorAll('[data-side]')) side.hidden = side.dataset.side !== kind?.laterality;
  }

  #become(state) {
    this.state = state;
    this.#tell('state');
  }

  #changed() {
    this.#label();
    this.#tell('look');
  }

  /** What came is shown when it is waited for; what did not is said when nothing else can be shown. */
  #came(address, error) {
    if (error instanceof SignedOut) return this.#tell('signedout');
    const needed = this.#needed();
    if (error && address === needed[0] && this.#adjusts && !isBreak(error)) return this.#unadjusted();
    if (error && (address === needed[0] || isBreak(error))) this.#trouble = { address: needed[0], state: stateOf(error) };
    if (!error) this.#tell('here');
    if (error || needed.includes(address)) this.#show();
    else if (address === this.series.details) this.#detailed();
  }

  #detailed() {
    this.#label();
    this.#tell('place');
  }

  /** The picture is there, but not its samples. */
  #unadjusted() {
    this.#look = AS_RECORDED;
    this.#go(this.#index);
    this.#tell('unadjustable');
    this.#tell('look');
  }

  #tell(name) {
    this.dispatchEvent(new Event(name));
  }
}

function stateOf(error) {
  if (error instanceof Refused) return 'refused';
  return isBreak(error) ? 'lost' : 'failed';
}
