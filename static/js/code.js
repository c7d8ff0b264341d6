/** Claim codes as people type them: 12 symbols of Crockford's 32 and a check symbol, printed 4-4-4-1. */

const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
const LOOKALIKES = { O: '0', I: '1', L: '1', U: 'V' };

export const LENGTH = 13;

/** What was meant: capitals, without spaces, hyphens and dots, look-alikes replaced. */
export function tidy(text) {
  return text
    .normalize('NFKC')
    .toUpperCase()
    .replace(/[\s.\u00ad\u2010-\u2015\u2212-]/g, '')
    .replace(/[OILU]/g, (symbol) => LOOKALIKES[symbol]);
}

/** Multiply by x in GF(32), modulo x^5 + x^2 + 1. */
function times(c) {
  return ((c << 1) ^ (c & 16 ? 0b100101 : 0)) & 31;
}

/** True when a tidied code has 13 symbols and the last one fits: catches any wrong symbol or swapped pair. */
export function isWhole(code) {
  if (code.length !== LENGTH) return false;
  let c = 0;
  for (const symbol of code) {
    const value = ALPHABET.indexOf(symbol);
    if (value < 0) return false;
    c = times(c) ^ value;
  }
  return c === 0;
}

/** K7QM2XPA09ZD4 as it is printed: K7QM-2XPA-09ZD-4. */
export function grouped(code) {
  return code.replace(/(.{4})(?=.)/g, '$1-');
}
