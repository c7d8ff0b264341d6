/** The page of a link: takes the secret behind the # into the form, and shows the passcode only where one is asked. */
const ASKS_PASSCODE = 'p'; // how a secret begins that has one: see sharing/links.py
const form = document.querySelector('[data-link]');
const field = form.querySelector('[data-secret]');

function takeSecret() {
  const secret = location.hash.slice(1);
  if (!secret || !field) return;
  form.elements.secret.value = secret;
  field.hidden = true;
  form.querySelector('[data-passcode]').hidden = !secret.startsWith(ASKS_PASSCODE);
  form.elements.passcode.required = secret.startsWith(ASKS_PASSCODE);
  history.replaceState(history.state, '', location.pathname);
}

addEventListener('hashchange', takeSecret);
takeSecret();
