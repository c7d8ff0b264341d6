/** Two panes side by side: where one goes the other follows, as far into its own series. */

export class Pair {
  linked = true;
  #shift = 0; // how much further the second is, as a part of the whole

  /** Whatever moves the pane that `active()` gives moves the other of the two. */
  constructor(panes, active) {
    for (const [at, pane] of panes.entries())
      pane.addEventListener('place', () => this.linked && pane === active() && this.#follow(pane, panes[1 - at], at ? -1 : 1));
  }

  /** Each on its own; or together again, from where they stand now. */
  link(on, [first, second]) {
    this.linked = on;
    if (on) this.#shift = share(second) - share(first);
  }

  #follow(from, to, sign) {
    if (to.run) to.goTo(1 + Math.round((share(from) + sign * this.#shift) * (to.count - 1)));
  }
}

/** How far into its series a pane is, from 0 to 1. */
function share(pane) {
  return pane.count > 1 ? (pane.index - 1) / (pane.count - 1) : 0;
}
