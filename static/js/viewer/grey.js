/** Stored 16-bit values to brightness, as the server does it: rescale, window, inversion, padding (PS3.3 §C.11.2). */

const BLACK = 0xff000000; // a pixel of a canvas read as one little-endian word: alpha, blue, green, red
const DARKEST = 0.005; // of all values: where no window is given, what most of them lie within
const LOOKED_AT = 20_000;

const CURVES = {
  LINEAR: (value, center, width) =>
    width > 1 ? (value - (center - 0.5)) / (width - 1) + 0.5 : Number(value > center - 0.5),
  LINEAR_EXACT: (value, center, width) => (value - center) / width + 0.5,
  SIGMOID: (value, center, width) => 1 / (1 + Math.exp((-4 * (value - center)) / width)),
};

/** Reads what the server sends: the length of a header, the header, the samples. */
export function samplesFrom(buffer) {
  const length = new DataView(buffer).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
  const samples = new Uint16Array(buffer, 4 + length, header.rows * header.columns);
  return { header, samples };
}

/** The window these samples are shown in as they were recorded. */
export function recorded({ header, samples }) {
  return (header.window ??= header.windows[0] ?? span(header, samples));
}

/** A window made brighter and harder, each from -100 to 100; 0 leaves it. */
export function adjusted(window, { brightness, contrast }, inverted) {
  const width = window.width * 10 ** (-contrast / 100);
  const shift = ((inverted ? brightness : -brightness) / 100) * window.width;
  return { ...window, center: window.center + shift, width: window.function === 'LINEAR' ? Math.max(1, width) : width };
}

/** Draws samples in a window into a canvas of their size. */
export function paint({ header, samples }, window, canvas) {
  const { rows, columns } = header;
  if (canvas.width !== columns || canvas.height !== rows) Object.assign(canvas, { width: columns, height: rows });
  const context = canvas.getContext('2d');
  const image = context.createImageData(columns, rows);
  const words = new Uint32Array(image.data.buffer);
  const shades = shadesOf(header, window);
  for (let at = 0; at < words.length; at++) words[at] = shades[samples[at]];
  context.putImageData(image, 0, 0);
}

let kept = {};

/** The pixel for each of the 65,536 patterns; the last table is kept, for slices mostly go the same way. */
export function shadesOf(header, window) {
  const { signed, slope, intercept, invert, padding } = header;
  const key = JSON.stringify([signed, slope, intercept, invert, padding, window]);
  if (kept.key === key) return kept.shades;
  const curve = CURVES[window.function] ?? CURVES.LINEAR;
  const shades = new Uint32Array(65536);
  for (let bits = 0; bits < 65536; bits++) {
    const stored = meaning(bits, signed);
    const light = Math.min(1, Math.max(0, curve(stored * slope + intercept, window.center, window.width)));
    const grey = Math.floor((invert ? 1 - light : light) * 255 + 0.5);
    shades[bits] = BLACK | (isPadding(stored, padding) ? 0 : grey * 0x010101);
  }
  kept = { key, shades };
  return shades;
}

function meaning(bits, signed) {
  return signed && bits > 0x7fff ? bits - 0x10000 : bits;
}

function isPadding(stored, padding) {
  return Boolean(padding) && stored >= padding[0] && stored <= padding[1];
}

function span({ signed, slope, intercept, padding }, samples) {
  const values = [];
  for (let at = 0; at < samples.length; at += Math.ceil(samples.length / LOOKED_AT)) {
    const stored = meaning(samples[at], signed);
    if (!isPadding(stored, padding)) values.push(stored * slope + intercept);
  }
  values.sort((one, other) => one - other);
  const low = values[Math.floor(values.length * DARKEST)] ?? 0;
  const high = values[Math.floor((values.length - 1) * (1 - DARKEST))] ?? 1;
  return { center: (low + high) / 2, width: Math.max(high - low, 1e-6), function: 'LINEAR_EXACT' };
}
