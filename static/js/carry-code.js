/**
 * A scanned code arrives behind the # of /claim/#CODE and browsers keep it through the redirect to sign-in.
 * It moves from the address bar into this tab's storage, so it survives sign-in and sign-up and is never sent
 * in an address. The claim page takes it out again.
 */
import { isWhole, tidy } from './code.js';

const KEY = 'claim-code';
const HALF_AN_HOUR = 30 * 60 * 1000;

function keepFromAddress() {
  let code = '';
  try {
    code = tidy(decodeURIComponent(location.hash.slice(1)));
  } catch {
    return; // not a code: a broken escape in the address
  }
  if (!isWhole(code)) return;
  sessionStorage.setItem(KEY, JSON.stringify({ code, at: Date.now() }));
  history.replaceState(history.state, '', location.pathname + location.search);
}

/** The carried code, or '' when there is none or it has waited too long (somebody else may sit here now). */
export function carried() {
  const { code = '', at = 0 } = JSON.parse(sessionStorage.getItem(KEY) ?? '{}');
  if (Date.now() - at < HALF_AN_HOUR) return code;
  drop();
  return '';
}

export function drop() {
  sessionStorage.removeItem(KEY);
}

keepFromAddress();
addEventListener('hashchange', keepFromAddress);
