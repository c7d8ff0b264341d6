/** The canvas: draws one picture, fitted, enlarged, moved, turned and mirrored, as sharp as the screen allows. */

const LARGEST = 12;

export class Stage {
  #canvas;
  #context;
  #picture = null; // { source, width, height }: how tall and wide it is to look, whatever its pixels
  #scale = 1; // 1: the whole picture fits
  #x = 0; // of the picture's middle from the stage's, in CSS pixels
  #y = 0;
  #turns = 0; // quarter turns to the right, after mirroring
  #mirrored = false;
  #inverted = false;
  #asked = false;
  #above;

  /** `above(context, stage)` draws over the picture, in CSS pixels. */
  constructor(canvas, above) {
    this.#canvas = canvas;
    this.#context = canvas.getContext('2d', { alpha: false });
    this.#above = above;
    new ResizeObserver(() => this.draw()).observe(canvas.parentElement);
  }

  get enlarged() {
    return this.#scale > 1;
  }

  /** Pixels of the screen for one of the picture: above 1 there would be more to see. */
  get coarseness() {
    if (!this.#picture) return 0;
    return (this.#size().scale * sharpness() * this.#picture.width) / this.#picture.source.width;
  }

  get attitude() {
    return { turns: this.#turns, mirrored: this.#mirrored, inverted: this.#inverted };
  }

  show(source, width = source.width, height = source.height) {
    this.#picture = { source, width, height };
    this.draw();
  }

  /** Quarter turns to the right. */
  rotate(turns = 1) {
    this.#turns = (this.#turns + turns + 4) % 4;
    this.fit();
  }

  /** Left and right change places, as the picture stands. */
  mirror() {
    this.#turns = (4 - this.#turns) % 4;
    this.#mirrored = !this.#mirrored;
    this.draw();
  }

  invert() {
    this.#inverted = !this.#inverted;
    this.draw();
  }

  fit() {
    this.#scale = 1;
    this.#x = this.#y = 0;
    this.draw();
  }

  /** As it came. */
  reset() {
    [this.#turns, this.#mirrored, this.#inverted] = [0, false, false];
    this.fit();
  }

  move(dx, dy) {
    this.#x += dx;
    this.#y += dy;
    this.draw();
  }

  /** Enlarge by `factor` around a point of the window (default: the middle), which stays where it is. */
  zoom(factor, clientX, clientY) {
    const before = this.#scale;
    this.#scale = Math.min(LARGEST, Math.max(1, before * factor));
    const box = this.#canvas.getBoundingClientRect();
    const px = clientX === undefined ? 0 : clientX - box.left - box.width / 2;
    const py = clientY === undefined ? 0 : clientY - box.top - box.height / 2;
    const grown = this.#scale / before;
    this.#x = px - (px - this.#x) * grown;
    this.#y = py - (py - this.#y) * grown;
    this.draw();
  }

  /** From a place in the picture, [0 to 1, 0 to 1], to CSS pixels of the stage. */
  toStage([u, v]) {
    const { x, y } = this.#matrix().transformPoint({ x: u * this.#picture.width, y: v * this.#picture.height });
    return [x, y];
  }

  /** From a point of the window to a place in the picture, at most its edge. */
  toPicture(clientX, clientY) {
    const box = this.#canvas.getBoundingClientRect();
    const { x, y } = this.#matrix().inverse().transformPoint({ x: clientX - box.left, y: clientY - box.top });
    return [x / this.#picture.width, y / this.#picture.height].map((one) => Math.min(1, Math.max(0, one)));
  }

  /** At most once a frame of the screen, however often it is asked for. */
  draw() {
    if (this.#asked) return;
    this.#asked = true;
    requestAnimationFrame(() => {
      this.#asked = false;
      if (this.#picture?.source.width) this.#paint(this.#picture);
    });
  }

  #size() {
    const { clientWidth: width, clientHeight: height } = this.#canvas.parentElement;
    const sides = [this.#picture.width, this.#picture.height];
    const [across, down] = this.#turns % 2 ? sides.reverse() : sides;
    const scale = Math.min(width / across, height / down) * this.#scale;
    return { width, height, scale, across: across * scale, down: down * scale };
  }

  #matrix() {
    const { width, height, scale } = this.#size();
    return new DOMMatrix()
      .translateSelf(width / 2 + this.#x, height / 2 + this.#y)
      .rotateSelf(90 * this.#turns)
      .scaleSelf(this.#mirrored ? -scale : scale, scale)
      .translateSelf(-this.#picture.width / 2, -this.#picture.height / 2);
  }

  #paint({ source, width, height }) {
    const stage = this.#size();
    const [context, sharp] = [this.#context, sharpness()];
    this.#x = within(this.#x, (stage.across - stage.width) / 2);
    this.#y = within(this.#y, (stage.down - stage.height) / 2);
    this.#canvas.width = Math.round(stage.width * sharp); // and everything is black again
    this.#canvas.height = Math.round(stage.height * sharp);
    context.imageSmoothingQuality = 'high';
    context.setTransform(new DOMMatrix().scaleSelf(sharp).multiplySelf(this.#matrix()));
    context.drawImage(source, 0, 0, width, height);
    if (this.#inverted) {
      context.globalCompositeOperation = 'difference';
      context.fillStyle = '#fff';
      context.fillRect(0, 0, width, height);
      context.globalCompositeOperation = 'source-over';
    }
    context.setTransform(sharp, 0, 0, sharp, 0, 0);
    this.#above(context, this);
  }
}

function sharpness() {
  return Math.min(devicePixelRatio, 3);
}

/** A picture may be moved only as far as it reaches beyond the stage. */
function within(shift, beyond) {
  const most = Math.max(0, beyond);
  return Math.min(most, Math.max(-most, shift));
}
