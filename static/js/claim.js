/** The claim page: groups the code as it is typed, checks it before it is sent. */
import { carried, drop } from './carry-code.js';
import { LENGTH, grouped, isWhole, tidy } from './code.js';

const form = document.querySelector('[data-claim]');
const field = form.querySelector('[data-code]');
const remark = document.getElementById('code-check');

/** Regroups what stands in the field and keeps the caret behind the same symbol. */
function regroup() {
  const before = tidy(field.value.slice(0, field.selectionStart)).length;
  const code = tidy(field.value);
  field.value = grouped(code);
  const caret = before + Math.floor(Math.max(before - 1, 0) / 4);
  field.setSelectionRange(caret, caret);
}

/** Says what is wrong with the code, if anything; silent while it is still being typed. */
function check({ whileTyping = false } = {}) {
  const code = tidy(field.value);
  let why = '';
  if (code.length > LENGTH) why = remark.dataset.long;
  else if (code.length === LENGTH && !isWhole(code)) why = remark.dataset.wrong;
  else if (code.length < LENGTH && !whileTyping) why = remark.dataset.short;
  remark.textContent = why;
  field.closest('.field').classList.toggle('wrong', why !== '');
  field.setAttribute('aria-invalid', String(why !== ''));
  return why === '';
}

function fillIn(code) {
  if (code && !field.value) field.value = grouped(code);
}

field.addEventListener('input', () => {
  if (field.selectionStart === field.selectionEnd) regroup();
  check({ whileTyping: true });
});
field.addEventListener('change', () => check());
form.addEventListener('submit', (event) => {
  if (check()) return drop();
  event.preventDefault();
  field.focus();
});
addEventListener('hashchange', () => fillIn(carried()));
fillIn(carried());
