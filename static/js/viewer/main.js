/** Brings the viewer page to life. Until then, and without script, its links lead from picture to picture. */
import { Controls } from './controls.js';
import { listen, listenToKeys } from './gestures.js';
import { keep } from './keep.js';
import { Pair } from './pair.js';
import { Pane } from './pane.js';
import { ReportBeside } from './report.js';
import { Run } from './run.js';

const SAVING = 'saves-data';

const main = document.querySelector('main');
const stages = [...main.querySelectorAll('[data-pane]')]; // one, or two that are compared
const still = matchMedia('(prefers-reduced-motion: reduce)');

/** The link that leads on without script becomes a button with it. */
function intoButton(link) {
  const button = Object.assign(document.createElement('button'), { type: 'button', className: link.className });
  for (const { name, value } of link.attributes) if (/^(data|aria)-/.test(name)) button.setAttribute(name, value);
  button.append(...link.childNodes);
  link.replaceWith(button);
}

/** The series that have pictures as runs, the marked ones first; null when the session has ended. */
async function readRuns(stage) {
  const answer = await fetch(stage.dataset.manifest, { credentials: 'same-origin' });
  if (answer.redirected) return null;
  const { series, marked = [] } = await answer.json();
  const shown = series.filter((one) => one.count);
  const runs = shown.map((one, at) => Run.of(one, at + 1));
  const chosen = Run.marked(main.querySelector('.tools').dataset.marked, marked, shown);
  return chosen.count ? [chosen, ...runs] : runs;
}

/** The picture that came with the page, decoded, so that it need not be fetched again; null when it did not come. */
async function readFirst(stage) {
  const image = stage.querySelector('[data-first]');
  try {
    await image.decode();
    return await createImageBitmap(image);
  } catch {
    return null; // the pane asks for it once more, and says so when it fails again
  }
}

/** The page with its panes: tools and keys are those of the one that was touched last. */
class Page {
  #sides; // of each pane what can be opened in it
  #panes;
  #pane;
  #pair;
  #controls = new Controls(main);
  #report = null;
  #saving = Boolean(navigator.connection?.saveData || localStorage.getItem(SAVING));

  constructor(sides) {
    this.#sides = sides;
    this.#panes = stages.map((stage) => new Pane(stage, 1 / stages.length));
    for (const pane of this.#panes) {
      pane.saving = this.#saving;
      this.#controls.follow(pane);
      pane.addEventListener('here', () => dispatchEvent(new Event('lightbox:seen')));
      pane.addEventListener('signedout', () => location.reload()); // the server shows where to sign in
    }
    if (this.#panes.length > 1) this.#pair = new Pair(this.#panes, () => this.#pane);
  }

  /** Open a run at a picture, or where it says; moving pictures move by themselves where that is welcome. */
  open(at, id, index, picture) {
    const pane = this.#panes[at];
    pane.open(this.#sides[at].find((one) => one.id === id) ?? this.#sides[at][0], index, picture);
    this.#use(at);
    this.#controls.opened();
    if (!this.#pair && pane.series.autoplay && !this.#saving && !still.matches) pane.play();
  }

  #use(at) {
    if (this.#panes[at] === this.#pane) return;
    if (this.#pane) this.#controls.open('');
    this.#pane = this.#panes[at];
    for (const [place, stage] of stages.entries()) stage.toggleAttribute('data-active', place === at);
    this.#controls.use(this.#pane);
  }

  connect() {
    const aside = main.querySelector('.beside');
    if (aside) this.#report = new ReportBeside(main.querySelector('[data-do=report]'), aside);
    if (!this.#pair) this.#report?.begin();
    this.#controls.pressed('saver', this.#saving);
    main.addEventListener('click', (event) => this.#click(event));
    main.addEventListener('input', (event) => this.#input(event.target));
    document.addEventListener('fullscreenchange', () => this.#filled(Boolean(document.fullscreenElement)));
    addEventListener('keydown', (event) => event.key === 'Escape' && this.#escape());
    for (const [at, stage] of stages.entries()) {
      listen(stage, this.#panes[at]);
      for (const kind of ['pointerdown', 'focusin', 'wheel']) stage.addEventListener(kind, () => this.#turnTo(at), { capture: true, passive: true });
    }
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
    link: () => this.#link(),
    keep: () => keep(this.#pane.root, `${main.querySelector('h1').textContent}, ${this.#pane.series.title}, ${this.#pane.index}`),
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
    else this.open(Number(series.dataset.at), series.dataset.series);
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

  /** Another of the two is touched: its own series, place and brightness stand in the tools. */
  #turnTo(at) {
    if (this.#panes[at] === this.#pane) return;
    this.#pane.pause();
    this.#use(at);
    this.#controls.opened();
  }

  #link() {
    this.#pair.link(!this.#pair.linked, this.#panes);
    this.#controls.pressed('link', this.#pair.linked);
  }

  #save(on) {
    this.#saving = on;
    for (const pane of this.#panes) pane.saving = on;
    localStorage.setItem(SAVING, on ? 'yes' : '');
    this.#controls.pressed('saver', on);
  }
}

async function start() {
  const [sides, firsts] = await Promise.all([readRuns, readFirst].map((read) => Promise.all(stages.map(read))));
  if (sides.includes(null)) return location.reload(); // the server shows where to sign in
  for (const link of main.querySelectorAll('a[data-do]')) intoButton(link);
  for (const tool of main.querySelectorAll('[data-live]')) tool.hidden = false;
  const page = new Page(sides);
  for (const [at, { dataset }] of [...stages.entries()].reverse()) page.open(at, dataset.series, Number(dataset.index), firsts[at]);
  page.connect();
}

if (stages.length) start();
