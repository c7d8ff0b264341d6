/** Measures lengths: two taps, a stroke, or the keyboard; one length a picture. Shown in millimetres. */

const NEAR = 26; // CSS pixels from an end that is taken up again
const STEP = 0.02;
const FINE = 0.004;
const STEPS = { ArrowUp: [0, -1], ArrowDown: [0, 1], ArrowLeft: [-1, 0], ArrowRight: [1, 0] };

export class Ruler {
  #lengths = new Map(); // address → two places in the picture
  #stage;
  #spot; // what is being measured: { address, kind }
  #changed;
  #held = -1; // the end that is being moved
  #half = false; // the second end is still to come
  #moved = false;
  #before; // ends, so that a stroke can be taken back
  #cross = null; // where the keyboard is

  /** `spot()` says whose picture it is, `changed()` is called when a length changed. */
  constructor(stage, spot, changed) {
    this.#stage = stage;
    this.#spot = spot;
    this.#changed = changed;
  }

  /** Millimetres, or null. */
  get length() {
    const { address, kind } = this.#spot();
    const ends = this.#lengths.get(address);
    if (!ends || !kind?.spacing) return null;
    const [[u1, v1], [u2, v2]] = ends;
    return Math.hypot((u2 - u1) * kind.columns * kind.spacing[1], (v2 - v1) * kind.rows * kind.spacing[0]);
  }

  clear() {
    this.#lengths.delete(this.#spot().address);
    this.stop();
    this.#changed();
  }

  /** No measuring any more; what was measured stays. */
  stop() {
    this.#half = false;
    this.#cross = null;
    this.#stage.draw();
  }

  begin(clientX, clientY) {
    this.#before = this.#lengths.get(this.#spot().address);
    this.#cross = null;
    this.#moved = false;
    this.#put(this.#stage.toPicture(clientX, clientY));
  }

  drag(clientX, clientY) {
    this.#moved = true;
    this.#set(this.#stage.toPicture(clientX, clientY));
  }

  /** A finger is lifted: after a stroke the length is whole, after a first tap the other end is to come. */
  end() {
    if (this.#moved) this.#half = false;
  }

  /** It was meant for something else: as it was before. */
  cancel() {
    const { address } = this.#spot();
    if (this.#before) this.#lengths.set(address, this.#before);
    else this.#lengths.delete(address);
    this.#half = false;
    this.#changed();
    this.#stage.draw();
  }

  /** Arrows move a cross, Enter puts an end there. Answers whether the key was meant for it. */
  key(event) {
    const step = STEPS[event.key];
    if (!step && event.key !== 'Enter') return false;
    this.#cross ??= [0.5, 0.5];
    const by = event.shiftKey ? FINE : STEP;
    if (step) this.#cross = this.#cross.map((one, at) => Math.min(1, Math.max(0, one + step[at] * by)));
    else this.#put(this.#cross);
    if (step && this.#half) this.#set(this.#cross);
    this.#stage.draw();
    return true;
  }

  /** An end: near one that stands it is that one, else the second of two, else the first of a new length. */
  #put(place) {
    const { address } = this.#spot();
    const ends = this.#lengths.get(address);
    const near = ends?.findIndex((end) => distance(this.#stage.toStage(end), this.#stage.toStage(place)) < NEAR) ?? -1;
    if (this.#half) [this.#held, this.#half] = [1, false];
    else if (near >= 0 && !this.#cross) this.#held = near;
    else {
      this.#lengths.set(address, [place, place]);
      [this.#held, this.#half] = [1, true];
    }
    this.#set(place);
  }

  #set(place) {
    const { address } = this.#spot();
    const ends = this.#lengths.get(address);
    if (!ends) return;
    this.#lengths.set(address, ends.map((end, at) => (at === this.#held ? place : end)));
    this.#changed();
    this.#stage.draw();
  }

  /** Over the picture: the line, its ends, the keyboard's cross. */
  draw(context) {
    const ends = this.#lengths.get(this.#spot().address)?.map((end) => this.#stage.toStage(end));
    for (const [colour, width] of [['#000', 5], ['#ffd166', 2]]) {
      Object.assign(context, { strokeStyle: colour, lineWidth: width, lineCap: 'round' });
      context.beginPath();
      if (ends) line(context, ends);
      if (this.#cross) cross(context, this.#stage.toStage(this.#cross));
      context.stroke();
    }
  }
}

function line(context, [from, to]) {
  context.moveTo(...from);
  context.lineTo(...to);
  for (const [x, y] of [from, to]) {
    context.moveTo(x + 6, y);
    context.arc(x, y, 6, 0, 7);
  }
}

function cross(context, [x, y]) {
  for (const [dx, dy] of [[14, 0], [-14, 0], [0, 14], [0, -14]]) {
    context.moveTo(x + dx / 3, y + dy / 3);
    context.lineTo(x + dx, y + dy);
  }
}

function distance([x1, y1], [x2, y2]) {
  return Math.hypot(x2 - x1, y2 - y1);
}
