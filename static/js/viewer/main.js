/** The viewer's wiring: which picture of which series is shown, and everything on the page that says so. */
import { Cine } from './cine.js';
import { listen } from './gestures.js';
import { Ended, Pictures } from './pictures.js';
import { Stage } from './stage.js';

const AHEAD = 4;
const SETTLED = 500; // milliseconds of rest before a screen reader is told where we are

const element = document.querySelector('[data-viewer]');
const page = document.querySelector('main');
const [canvas, first, wait, trouble] = ['canvas', '[data-first]', '.wait', '.trouble'].map((one) => element?.querySelector(one));
const slider = page.querySelector('.seek input');
const deeds = (name) => page.querySelector(`[data-do="${name}"]`);

class Viewer {
  #series;
  #all;
  #index = 0; // from 1
  #shown = '';
  #announcing = 0;
  #stage = new Stage(canvas);
  #pictures = new Pictures((address, error) => this.#arrived(address, error));
  #cine = new Cine(() => this.#go(this.#index % this.count + 1), () => this.#shown === this.#address());

  constructor(series, id, index) {
    this.#all = series;
    this.open(id, index);
  }

  get count() {
    return this.#series.count;
  }

  get enlarged() {
    return this.#stage.enlarged;
  }

  open(id, index) {
    this.pause();
    this.#series = this.#all.find((one) => one.id === id);
    this.#stage.fit();
    page.querySelector('[data-series-title]').textContent = this.#series.title;
    for (const link of page.querySelectorAll('.strip [data-series]')) {
      if (link.dataset.series !== id) link.removeAttribute('aria-current');
      else link.setAttribute('aria-current', 'true'), link.scrollIntoView({ block: 'nearest', inline: 'nearest' });
    }
    slider.max = this.count;
    for (const tool of [slider.parentElement, deeds('play')]) tool.hidden = this.count < 2;
    this.#go(index ?? Math.ceil(this.count / 2));
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

  zoom(...how) {
    this.#stage.zoom(...how);
  }

  move(dx, dy) {
    this.#stage.move(dx, dy);
  }

  fit() {
    this.#stage.fit();
  }

  play() {
    if (this.count < 2) return;
    if (this.#cine.playing) return this.pause();
    this.#cine.play(this.#series.frame_time);
    this.#sayPlaying();
  }

  pause() {
    this.#cine.pause();
    this.#sayPlaying();
  }

  retry() {
    trouble.hidden = true;
    this.#pictures.retry();
    this.#show();
  }

  #address(index = this.#index) {
    return this.#series.pictures.replace('{n}', index);
  }

  #go(index) {
    this.#index = index;
    trouble.hidden = true;
    this.#say();
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
    wait.hidden = Boolean(picture) || !trouble.hidden;
    if (!picture) return;
    this.#shown = this.#address();
    canvas.hidden = false;
    first.hidden = true;
    this.#stage.show(picture);
  }

  #arrived(address, error) {
    if (error instanceof Ended) return location.reload(); // the server says what to do now
    if (!error) dispatchEvent(new Event('lightbox:seen'));
    if (address !== this.#address()) return;
    trouble.hidden = !error;
    if (error) this.pause();
    this.#show();
  }

  #say() {
    const { title, plane } = this.#series;
    const words = { number: this.#all.indexOf(this.#series) + 1, name: plane || title, n: this.#index, of: this.count };
    const sentence = element.dataset.say.replace(/\{(\w+)\}/g, (_, key) => words[key]);
    canvas.setAttribute('aria-label', sentence);
    page.querySelector('[data-where]').value = `${this.#index} / ${this.count}`;
    slider.value = this.#index;
    slider.setAttribute('aria-valuetext', sentence);
    deeds('previous').setAttribute('aria-disabled', String(this.#index === 1));
    deeds('next').setAttribute('aria-disabled', String(this.#index === this.count));
    this.#announce(sentence);
  }

  #announce(sentence) {
    clearTimeout(this.#announcing);
    this.#announcing = setTimeout(() => {
      if (!this.#cine.playing) page.querySelector('[data-announce]').textContent = sentence;
      history.replaceState(null, '', `?series=${this.#series.id}&image=${this.#index}`);
    }, SETTLED);
  }

  #sayPlaying() {
    const button = deeds('play');
    button.setAttribute('aria-pressed', String(this.#cine.playing));
    button.querySelector('[data-label]').textContent = this.#cine.playing ? element.dataset.pause : element.dataset.play;
  }
}

/** The link that leads on without script becomes a button with it. */
function intoButton(link) {
  const button = Object.assign(document.createElement('button'), { type: 'button', className: link.className });
  button.dataset.do = link.dataset.do;
  button.append(...link.childNodes);
  link.replaceWith(button);
}

/** Each `data-do` on the page is a deed of this name. */
function connect(viewer) {
  const does = {
    previous: () => viewer.turn(-1),
    next: () => viewer.turn(1),
    play: () => viewer.play(),
    larger: () => viewer.zoom(1.5),
    smaller: () => viewer.zoom(1 / 1.5),
    fit: () => viewer.fit(),
    retry: () => viewer.retry(),
  };
  page.addEventListener('click', (event) => {
    const deed = does[event.target.closest('[data-do]')?.dataset.do];
    const series = event.target.closest('.strip [data-series]');
    if ((!deed && !series) || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    if (deed) deed();
    else viewer.open(series.dataset.series);
  });
  slider.addEventListener('input', () => viewer.pause() ?? viewer.goTo(Number(slider.value)));
  listen(element, viewer);
}

async function start() {
  const answer = await fetch(element.dataset.manifest, { credentials: 'same-origin' });
  if (answer.redirected) return location.reload();
  const { series } = await answer.json();
  for (const tool of page.querySelectorAll('[data-live]')) tool.hidden = false;
  for (const link of page.querySelectorAll('a[data-do]')) intoButton(link);
  const viewer = new Viewer(series.filter((one) => one.count), element.dataset.series, Number(element.dataset.index));
  connect(viewer);
}

if (element) start(); // without any picture there is nothing to bring to life, and without a manifest the links still work
