/** Which picture of which series is shown: turning, playing, and what happens when one does not come. */
import { Cine } from './cine.js';
import { Pictures, Refused, SignedOut } from './pictures.js';
import { Stage } from './stage.js';

const AHEAD = 4;

export class Viewer {
  #all;
  #panel;
  #stage;
  #pictures = new Pictures((address, error) => this.#arrived(address, error));
  #cine = new Cine(() => this.#go((this.#index % this.count) + 1), () => this.#shown === this.#address());
  #series;
  #index = 0; // from 1
  #shown = ''; // the address of the picture on the canvas
  #refused = false;

  /** `series` as the manifest lists them. */
  constructor(series, panel, canvas) {
    this.#all = series;
    this.#panel = panel;
    this.#stage = new Stage(canvas);
  }

  get count() {
    return this.#series.count;
  }

  get enlarged() {
    return this.#stage.enlarged;
  }

  /** Open a series at a picture (default: the middle one), which may be at hand already. */
  open(id, index, picture) {
    this.pause();
    this.#series = this.#all.find((one) => one.id === id);
    this.#panel.series(this.#series);
    this.#stage.fit();
    const start = index ?? Math.ceil(this.count / 2);
    if (picture) this.#pictures.keep(this.#address(start), picture);
    this.#go(start);
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

  zoom(factor, clientX, clientY) {
    this.#stage.zoom(factor, clientX, clientY);
  }

  move(dx, dy) {
    this.#stage.move(dx, dy);
  }

  fit() {
    this.#stage.fit();
  }

  /** Play, or pause when playing. */
  play() {
    if (this.#cine.playing) return this.pause();
    if (this.count < 2) return;
    this.#cine.play(this.#series.frame_time);
    this.#panel.playing(true);
  }

  pause() {
    this.#cine.pause();
    this.#panel.playing(false);
  }

  /** Ask once more; when the server has said no, let it say why on a page of its own. */
  retry() {
    if (this.#refused) return location.reload();
    this.#go(this.#index);
  }

  #address(index = this.#index) {
    return this.#series.pictures.replace('{n}', index);
  }

  #go(index) {
    this.#index = index;
    this.#panel.place(this.#series, this.#all.indexOf(this.#series) + 1, index);
    this.#pictures.want(this.#around().map((one) => this.#address(one)));
    this.#show();
  }

  /** This picture, then its neighbours, nearest first. */
  #around() {
    const wanted = [this.#index];
    for (let away = 1; away <= AHEAD; away++) wanted.push(this.#index + away, this.#index - away);
    return wanted.filter((one) => one >= 1 && one <= this.count);
  }

  #show() {
    const picture = this.#pictures.peek(this.#address());
    this.#panel.state(picture ? 'picture' : 'wait');
    if (!picture) return;
    this.#shown = this.#address();
    this.#stage.show(picture);
  }

  #arrived(address, error) {
    if (error instanceof SignedOut) return location.reload(); // the server shows where to sign in
    if (!error) dispatchEvent(new Event('lightbox:seen'));
    if (address !== this.#address()) return;
    if (!error) return this.#show();
    this.#refused = error instanceof Refused;
    this.pause();
    this.#panel.state('trouble');
  }
}
