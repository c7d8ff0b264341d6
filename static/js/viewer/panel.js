/** Everything on the page around the picture: what it is, where we are, what can be done. */

const SETTLED = 500; // milliseconds of rest before a screen reader is told where we are

export class Panel {
  #main;
  #stage;
  #settling = 0;

  constructor(main) {
    this.#main = main;
    this.#stage = main.querySelector('[data-viewer]');
  }

  /** Another series was opened. */
  series({ id, title, count }) {
    this.#find('[data-series-title]').textContent = title;
    for (const link of this.#main.querySelectorAll('.strip [data-series]')) {
      if (link.dataset.series !== id) link.removeAttribute('aria-current');
      else markCurrent(link);
    }
    this.#find('.seek input').max = count;
    for (const one of ['.seek', '[data-do=play]']) this.#find(one).hidden = count < 2;
  }

  /** Picture `index` of a series, the `number`th of the study. */
  place(series, number, index) {
    const { title, plane, count } = series;
    const words = { number, name: plane || title, n: index, of: count };
    const sentence = this.#stage.dataset.say.replace(/\{(\w+)\}/g, (_, key) => words[key]);
    const slider = this.#find('.seek input');
    slider.value = index;
    slider.setAttribute('aria-valuetext', sentence);
    this.#find('canvas').setAttribute('aria-label', sentence);
    this.#find('[data-where]').textContent = `${index} / ${count}`;
    this.#find('[data-do=previous]').setAttribute('aria-disabled', String(index === 1));
    this.#find('[data-do=next]').setAttribute('aria-disabled', String(index === count));
    clearTimeout(this.#settling);
    this.#settling = setTimeout(() => this.#settle(series, index, sentence), SETTLED);
  }

  playing(on) {
    const button = this.#find('[data-do=play]');
    button.setAttribute('aria-pressed', String(on));
    button.querySelector('[data-label]').textContent = on ? this.#stage.dataset.pause : this.#stage.dataset.play;
  }

  /** The picture is on its way ('wait'), did not come ('trouble'), or is there ('picture'). */
  state(name) {
    this.#find('.wait').hidden = name !== 'wait';
    this.#find('.trouble').hidden = name !== 'trouble';
    if (name !== 'picture') return;
    this.#find('canvas').hidden = false;
    this.#find('[data-first]').hidden = true;
  }

  /** Said aloud, and kept in the address, so that reloading comes back to the same picture. */
  #settle(series, index, sentence) {
    this.#find('[data-announce]').textContent = sentence;
    history.replaceState(null, '', `?series=${series.id}&image=${index}`);
  }

  #find(selector) {
    return this.#main.querySelector(selector);
  }
}

function markCurrent(link) {
  link.setAttribute('aria-current', 'true');
  link.scrollIntoView({ block: 'nearest', inline: 'nearest' });
}
