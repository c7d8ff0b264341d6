/** The report beside the pictures: fetched when it is opened, for to open it is to read it, and that is written down. */

const CLOSED = 'report-closed';

export class ReportBeside {
  #button;
  #aside;

  constructor(button, aside) {
    this.#button = button;
    this.#aside = aside;
  }

  /** Where there is room it stands open, unless it was closed before. */
  begin() {
    const roomy = matchMedia('(min-width: 72rem)').matches;
    if (roomy && !sessionStorage.getItem(CLOSED)) this.toggle();
  }

  async toggle() {
    const open = this.#aside.hidden;
    this.#aside.hidden = !open;
    this.#button.setAttribute('aria-expanded', String(open));
    sessionStorage.setItem(CLOSED, open ? '' : 'yes');
    if (open && !this.#aside.dataset.here) await this.#fetch();
  }

  async #fetch() {
    const { from, page } = this.#aside.dataset;
    const answer = await fetch(from, { credentials: 'same-origin' }).catch(() => null);
    if (!answer?.ok || answer.redirected) return location.assign(page); // says what is the matter
    this.#aside.querySelector('[data-words]').innerHTML = await answer.text(); // our own page, under its own policy
    this.#aside.dataset.here = 'yes';
  }
}
