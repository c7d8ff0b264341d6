/** What is turned through: the pictures of one series, or those that a radiologist marked in several. */

export class Run {
  #places;
  #addresses = {};

  /** `places` are the pictures in order, each `{ series, index }`; a series as the manifest lists it, index from 1. */
  constructor({ id, title, plane, number }, places) {
    Object.assign(this, { id, title, plane, number });
    this.#places = places;
  }

  /** All of a series, the `number`th of the study. */
  static of(series, number) {
    const places = Array.from({ length: series.count }, (_, at) => ({ series, index: at + 1 }));
    return new Run({ ...series, number }, places);
  }

  /** The marked ones, whose series has pictures. */
  static marked(title, marks, all) {
    const places = marks.map((mark) => ({ series: all.find((one) => one.id === mark.series), index: mark.index }));
    const there = places.filter(({ series, index }) => series && index <= series.count);
    return new Run({ id: 'marked', title, plane: '', number: 0 }, there);
  }

  get count() {
    return this.#places.length;
  }

  /** The series that picture `index` (from 1) is of. */
  series(index) {
    return this.#places[index - 1].series;
  }

  /** Where a picture is: `kind` is pictures, full, pixels or fine (all of its pixels); '' when there is no such thing. */
  address(index, kind = 'pictures') {
    return (this.#addresses[kind] ??= this.#list(kind))[index - 1];
  }

  /** What is known of a picture, once the details of its series are here; else undefined. */
  kind(index, detailsAt) {
    const { series, index: there } = this.#places[index - 1];
    const details = series.details && detailsAt(series.details);
    return details?.kinds[details.frames[there - 1]];
  }

  #list(kind) {
    return this.#places.map(({ series, index }) => {
      const fine = series.full && series.pixels && `${series.pixels}?size=full`;
      return ((kind === 'fine' ? fine : series[kind]) || '').replace('{n}', index);
    });
  }
}
