/** The canvas: draws one picture, fitted, enlarged and moved, as sharp as the screen allows. */

const LARGEST = 12;

export class Stage {
  #canvas;
  #context;
  #picture = null;
  #scale = 1; // 1: the whole picture fits
  #x = 0; // of the picture's middle from the stage's, in CSS pixels
  #y = 0;
  #asked = false;

  constructor(canvas) {
    this.#canvas = canvas;
    this.#context = canvas.getContext('2d', { alpha: false });
    new ResizeObserver(() => this.#draw()).observe(canvas.parentElement);
  }

  get enlarged() {
    return this.#scale > 1;
  }

  show(picture) {
    this.#picture = picture;
    this.#draw();
  }

  fit() {
    this.#scale = 1;
    this.#x = this.#y = 0;
    this.#draw();
  }

  move(dx, dy) {
    this.#x += dx;
    this.#y += dy;
    this.#draw();
  }

  /** Enlarge by `factor` around a point of the window (default: the middle), which stays where it is. */
  zoom(factor, clientX, clientY) {
    const before = this.#scale;
    this.#scale = Math.min(LARGEST, Math.max(1, before * factor));
    const box = this.#canvas.getBoundingClientRect();
    const px = (clientX ?? box.left + box.width / 2) - box.left - box.width / 2;
    const py = (clientY ?? box.top + box.height / 2) - box.top - box.height / 2;
    const grown = this.#scale / before;
    this.#x = px - (px - this.#x) * grown;
    this.#y = py - (py - this.#y) * grown;
    this.#draw();
  }

  /** At most once a frame of the screen, however often it is asked for. */
  #draw() {
    if (this.#asked) return;
    this.#asked = true;
    requestAnimationFrame(() => {
      this.#asked = false;
      if (this.#picture?.width) this.#paint(this.#picture);
    });
  }

  #paint(picture) {
    const { clientWidth: width, clientHeight: height } = this.#canvas.parentElement;
    const sharp = Math.min(devicePixelRatio, 3);
    this.#canvas.width = Math.round(width * sharp);
    this.#canvas.height = Math.round(height * sharp);
    const scale = Math.min(width / picture.width, height / picture.height) * this.#scale;
    const [w, h] = [picture.width * scale, picture.height * scale];
    this.#x = within(this.#x, (w - width) / 2);
    this.#y = within(this.#y, (h - height) / 2);
    this.#context.imageSmoothingQuality = 'high';
    this.#context.scale(sharp, sharp);
    this.#context.drawImage(picture, (width - w) / 2 + this.#x, (height - h) / 2 + this.#y, w, h);
  }
}

/** A picture may be moved only as far as it reaches beyond the stage. */
function within(shift, beyond) {
  const most = Math.max(0, beyond);
  return Math.min(most, Math.max(-most, shift));
}
