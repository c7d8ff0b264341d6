/** Brings the viewer page to life. Until then, and without script, its links lead from picture to picture. */
import { Controls } from './controls.js';
import { listen, listenToKeys } from './gestures.js';
import { Pane } from './pane.js';
import { ReportBeside } from './report.js';
import { Run } from './run.js';

const SAVING = 'saves-data';

const main = document.querySelector('main');
const stage = main.querySelector('[data-pane]');
const still = matchMedia('(prefers-reduced-motion: reduce)');

/** The link that leads on without script becomes a button with it. */
function intoButton(link) {
  const button = Object.assign(document.createElement('button'), { type: 'button', className: link.className });
  for (const { name, value } of link.attributes) if (/^(data|aria)-/.test(name)) button.setAttribute(name, value);
  button.append(...link.childNodes);
  link.replaceWith(button);
}

/** The series that have pictures as runs, the marked ones first; null when the session has ended. */
async function readRuns() {
  const answer = await fetch(stage.dataset.manifest, { credentials: 'same-origin' });
  if (answer.redirected) return null;
  const { series, marked = [] } = await answer.json();
  const shown = series.filter((one) => one.count);
  const runs = shown.map((one, at) => Run.of(one, at + 1));
  const chosen = Run.marked(main.querySelector('.tools').dataset.marked, marked, shown);
  return chosen.count ? [chosen, ...runs] : runs;
}

/** The picture that came with the page, decoded, so that it need not be fetched again; null when it did not come. */
async function readFirst() {
  const image = stage.querySelector('[data-first]');
  try {
    await image.decode();
    return await createImageBitmap(image);
  } catch {
    return null; // the pane asks for it once more, and says so when it fails again
  }
}

/** The page with its pane. */
class Page {
  #runs;
  #pane = new Pane(stage);
  #controls = new Controls(main);
  #report = null;
  #saving = Boolean(navigator.connection?.saveData || localStorage.getItem(SAVING));

  constructor(runs) {
    this.#runs = runs;
    this.#pane.saving = this.#saving;
    this.#controls.use(this.#pane);
    this.#controls.follow(this.#pane);
    this.#pane.addEventListener('here', () => dispatchEvent(new Event('lightbox:seen')));
    this.#pane.addEventListener('signedout', () => location.reload()); // the server shows where to sign in
  }

  /** Open a run at a picture, or where it says; moving pictures move by themselves where that is welcome. */
  open(id, index, picture) {
    const run = this.#runs.find((one) => one.id === id) ?? this.#runs[0];
    this.#pane.open(run, index, picture);
    this.#controls.opened();
    if (this.#pane.series.autoplay && !this.#saving && !still.matches) this.#pane.play();
  }

  connect() {
    const aside = main.querySelector('.beside');
    if (aside) this.#report = new ReportBeside(main.querySelector('[data-do=report]'), aside);
    this.#report?.begin();
    this.#controls.pressed('saver', this.#saving);
    main.addEventListener('click', (event) => this.#click(event));
    main.addEventListener('input', (event) => this.#input(event.target));
    document.addEventListener('fullscreenchange', () => this.#filled(Boolean(document.fullscreenElement)));
    addEventListener('keydown', (event) => event.key === 'Escape' && this.#escape());
    listen(stage, this.#pane);
    listenToKeys(() => this.#pane, this.#keys);
  }

  /** Each `data-do` on the page is a deed of this name. */
  #deeds = {
    previous: () => this.#pane.turn(-1),
    next: () => this.#pane.turn(1),
    play: () => (this.#pane.playing ? this.#pane.pause() : this.#pane.play()),
    larger: () => this.#pane.zoom(1.5),
    smaller: () => this.#pane.zoom(1 / 1.5),
    fit: () => this.#pane.fit(),
    rotate: () => this.#pane.rotate(),
    mirror: () => this.#pane.mirror(),
    invert: () => this.#pane.invert(),
    clear: () => this.#pane.clearLength(),
    close: () => this.#controls.close(),
    retry: () => (this.#pane.state === 'refused' ? location.reload() : this.#pane.retry()),
    full: () => this.#fill(),
    series: () => this.#strip(),
    saver: () => this.#save(!this.#saving),
    report: () => this.#report.toggle(),
    keys: () => main.querySelector('#keys').showModal(),
  };

  #keys = {
    '+': () => this.#pane.zoom(1.25),
    '=': () => this.#pane.zoom(1.25),
    '-': () => this.#pane.zoom(0.8),
    0: this.#deeds.fit,
    ' ': this.#deeds.play,
    b: () => this.#pane.series.pixels && this.#controls.open('brightness'),
    m: () => this.#controls.open('measure'),
    r: this.#deeds.rotate,
    h: this.#deeds.mirror,
    i: this.#deeds.invert,
    f: this.#deeds.full,
    '?': this.#deeds.keys,
  };

  #click(event) {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    const { do: name, sheet } = event.target.closest('[data-do], [data-sheet]')?.dataset ?? {};
    const series = event.target.closest('.strip [data-series]');
    if (!name && !sheet && !series) return;
    event.preventDefault();
    if (sheet) this.#controls.open(sheet);
    else if (name) this.#deeds[name]();
    else this.open(series.dataset.series);
  }

  #input({ name, value, dataset }) {
    if (name === 'image') {
      this.#pane.pause();
      this.#pane.goTo(Number(value));
    } else if (name === 'window') this.#pane.adjust({ window: JSON.parse(value), brightness: 0, contrast: 0 });
    else if (name === 'speed') this.#pane.pace(Number(value));
    else if (dataset.look) this.#pane.adjust({ [dataset.look]: Number(value) });
  }

  /** The whole screen; where a browser does not give it, the whole window. */
  #fill() {
    if (document.fullscreenElement) return document.exitFullscreen();
    this.#filled(!main.classList.contains('full'));
    if (main.classList.contains('full')) document.documentElement.requestFullscreen?.().catch(() => {});
  }

  #filled(on) {
    main.classList.toggle('full', on);
    this.#controls.pressed('full', on);
  }

  #escape() {
    if (document.querySelector('dialog[open]')) return;
    if (this.#controls.sheet) this.#controls.close();
    else if (main.classList.contains('full')) this.#filled(false);
  }

  #strip() {
    const open = getComputedStyle(main.querySelector('.strip')).display === 'none';
    main.dataset.strip = open ? 'open' : 'closed';
    main.querySelector('[data-do=series]').setAttribute('aria-expanded', String(open));
  }

  #save(on) {
    this.#saving = this.#pane.saving = on;
    localStorage.setItem(SAVING, on ? 'yes' : '');
    this.#controls.pressed('saver', on);
  }
}

async function start() {
  const [runs, first] = await Promise.all([readRuns(), readFirst()]);
  if (!runs) return location.reload(); // the server shows where to sign in
  for (const link of main.querySelectorAll('a[data-do]')) intoButton(link);
  for (const tool of main.querySelectorAll('[data-live]')) tool.hidden = false;
  const page = new Page(runs);
  page.open(stage.dataset.series, Number(stage.dataset.index), first);
  page.connect();
}

if (stage) start();
