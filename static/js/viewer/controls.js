/** Everything on the page around the pictures: what it is, where we are, what can be done. Speaks to one pane at a time. */

const SETTLED = 500; // milliseconds of rest before a screen reader is told where we are

export class Controls {
  #main;
  #words; // sentences of the page's language, with {holes}
  #pane;
  #settling = 0;
  #measuring = 0;
  #asked = false;

  constructor(main) {
    this.#main = main;
    this.#words = this.#find('.tools').dataset;
  }

  /** From now on it is this pane's. */
  use(pane) {
    this.#pane = pane;
  }

  /** Tell about this pane: what it waits for always, the rest as long as it is the one. */
  follow(pane) {
    const deeds = { place: this.place, playing: this.playing, here: this.here, look: this.look, length: this.length };
    for (const [name, deed] of Object.entries(deeds))
      pane.addEventListener(name, () => pane === this.#pane && deed.call(this));
    pane.addEventListener('state', () => this.#state(pane));
    pane.addEventListener('unadjustable', () => this.say(this.#words.unadjustable));
  }

  /** Another run was opened. */
  opened() {
    const { id, title, count } = this.#pane.run;
    this.#find('[data-series-title]').textContent = title;
    for (const link of this.#all(`.strip [data-at="${this.#pane.root.dataset.at}"]`)) {
      if (link.dataset.series !== id) link.removeAttribute('aria-current');
      else markCurrent(link);
    }
    this.#find('.seek input').max = count;
    for (const one of this.#all('[data-several]')) one.hidden = count < 2;
    this.place();
    this.look();
    this.playing();
  }

  place() {
    const { run, index, count, playing, series, kind } = this.#pane;
    const sentence = this.#sentence();
    const slider = this.#find('.seek input');
    slider.value = index;
    slider.setAttribute('aria-valuetext', sentence);
    this.#find('[data-where]').textContent = `${index} / ${count}`;
    this.#find('[data-do=previous]').setAttribute('aria-disabled', String(index === 1));
    this.#find('[data-do=next]').setAttribute('aria-disabled', String(index === count));
    if (run.id === 'marked') this.#find('[data-series-title]').textContent = `${run.title}: ${series.title}`;
    for (const one of this.#all('[data-adjusts]')) one.hidden = !series.pixels;
    this.here();
    this.length();
    this.#choices(series, kind);
    clearTimeout(this.#settling);
    if (!playing) this.#settling = setTimeout(() => this.#settle(sentence), SETTLED);
  }

  #sentence({ run, index, count, series, root } = this.#pane) {
    const name = run.plane || run.title;
    const date = root.dataset.date ? `${root.dataset.date}: ` : ''; // of two exams
    return date + fill(run.number ? this.#words.say : this.#words.sayMarked, { number: run.number, name, title: series.title, n: index, of: count });
  }

  /** Said aloud, and kept in the address, so that reloading comes back to the same picture. */
  #settle(sentence) {
    this.say(sentence);
    const here = new URLSearchParams(location.search);
    const { run, index, root } = this.#pane;
    here.set(root.dataset.key, run.id);
    if (root.dataset.key === 'series') here.set('image', index);
    history.replaceState(null, '', `?${here}`);
  }

  say(sentence) {
    this.#find('[data-announce]').textContent = sentence;
  }

  #state(pane) {
    const { state, root } = pane;
    root.querySelector('.wait').hidden = state !== 'wait';
    root.querySelector('.trouble').hidden = ['wait', 'picture'].includes(state);
    for (const one of root.querySelectorAll('.trouble [data-when]')) one.hidden = one.dataset.when !== state;
    const canvas = root.querySelector('canvas');
    canvas.setAttribute('aria-label', this.#sentence(pane));
    if (state !== 'picture') return;
    canvas.hidden = false;
    const first = root.querySelector('[data-first]');
    if (first) first.hidden = true;
  }

  playing() {
    const { playing } = this.#pane;
    const button = this.#find('[data-do=play]');
    button.setAttribute('aria-pressed', String(playing));
    button.querySelector('[data-label]').textContent = playing ? this.#words.pause : this.#words.play;
    if (!playing) this.place();
  }

  /** How much of the series is here, as a line in the slider; at most once a frame. */
  here() {
    if (this.#asked) return;
    this.#asked = true;
    requestAnimationFrame(() => {
      this.#asked = false;
      const [first, last] = this.#pane.here;
      const most = Math.max(1, this.#pane.count - 1);
      const style = this.#find('.seek .track').style;
      style.setProperty('--from', (first - 1) / most);
      style.setProperty('--to', (last - 1) / most);
    });
  }

  // --- brightness

  /** Brightness, contrast, and how the picture lies. */
  look() {
    const { look, attitude } = this.#pane;
    for (const input of this.#all('[data-look]')) input.value = look[input.dataset.look];
    const chosen = look.window || !(look.brightness || look.contrast) ? JSON.stringify(look.window) : '';
    for (const input of this.#all('[name=window]')) input.checked = input.value === chosen;
    this.#find('[data-do=invert]').setAttribute('aria-pressed', String(attitude.inverted));
    this.#find('[data-do=mirror]').setAttribute('aria-pressed', String(attitude.mirrored));
  }

  /** The windows to choose from: as recorded, the usual ones, and those the file names beside its first. */
  #choices(series, kind) {
    for (const one of this.#all('.chip[data-for]')) one.hidden = !this.#suits(one.dataset.for.split(' '), series);
    const named = (kind?.windows ?? []).slice(1);
    const list = this.#find('[data-windows]');
    const key = JSON.stringify(named);
    if (list.dataset.key === key) return;
    list.dataset.key = key;
    for (const old of list.querySelectorAll('.chip:not([data-for], [data-always])')) old.remove();
    for (const [at, window] of named.entries()) list.append(this.#chip(window, at + 2));
    this.look();
  }

  #suits([modality, part], series) {
    return series.modality === modality && (!part || this.#find(`.strip [data-series="${series.id}"]`)?.dataset.part === part);
  }

  #chip({ center, width, function: way, name }, number) {
    const chip = this.#find('[data-chip]').content.firstElementChild.cloneNode(true);
    chip.querySelector('input').value = JSON.stringify({ center, width, function: way });
    chip.querySelector('span').textContent = name || fill(this.#words.window, { number });
    return chip;
  }

  // --- length

  length() {
    const { kind, length } = this.#pane;
    const way = kind ? (kind.spacing ? kind.spacing_kind : 'none') : '';
    for (const one of this.#all('[data-spacing]')) one.hidden = one.dataset.spacing !== way;
    for (const one of this.#all('[data-measured]')) one.hidden = length === null;
    const words = length === null ? '' : millimetres(length);
    this.#find('[data-length]').textContent = words;
    clearTimeout(this.#measuring);
    if (words) this.#measuring = setTimeout(() => this.say(words), SETTLED);
  }

  // --- sheets: one at a time between picture and tools

  /** The name of the sheet that is open, or ''. */
  get sheet() {
    return this.#find('.drawer:not([hidden])')?.id ?? '';
  }

  /** Open a sheet, or close the one that is ('' too); the finger holds the tool of its name. */
  open(name) {
    const opened = this.sheet === name ? '' : name;
    this.#main.dataset.open = opened;
    for (const drawer of this.#all('.drawer')) drawer.hidden = drawer.id !== opened;
    for (const button of this.#all('[data-sheet]')) button.setAttribute('aria-expanded', String(button.dataset.sheet === opened));
    const measures = opened !== 'measure' || Boolean(this.#pane.kind?.spacing);
    this.#pane.take(['brightness', 'measure'].includes(opened) && measures ? opened : '');
  }

  /** Close the sheet, and give the focus back to what opened it. */
  close() {
    const button = this.#find(`[data-sheet="${this.sheet}"]`);
    this.open('');
    button?.focus();
  }

  pressed(deed, on) {
    this.#find(`[data-do=${deed}]`).setAttribute('aria-pressed', String(on));
  }

  #find(selector) {
    return this.#main.querySelector(selector);
  }

  #all(selector) {
    return this.#main.querySelectorAll(selector);
  }
}

function fill(sentence, words) {
  return sentence.replace(/\{(\w+)\}/g, (_, key) => words[key]);
}

/** "34.2 mm", "134 mm (13.4 cm)" in the page's language. */
function millimetres(length) {
  const said = (value, unit, digits) =>
    new Intl.NumberFormat(document.documentElement.lang, { style: 'unit', unit, maximumFractionDigits: digits }).format(value);
  const words = said(length, 'millimeter', length < 100 ? 1 : 0);
  return length < 10 ? words : `${words} (${said(length / 10, 'centimeter', 1)})`;
}

function markCurrent(link) {
  link.setAttribute('aria-current', 'true');
  link.scrollIntoView({ block: 'nearest', inline: 'nearest' });
}
