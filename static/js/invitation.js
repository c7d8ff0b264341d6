/** The invitation page: takes the secret behind the # into the form, so that opening is one click. */
const form = document.querySelector('[data-invitation]');
const secret = location.hash.slice(1);

if (secret) {
  form.elements.token.value = secret;
  form.querySelector('[data-token]').hidden = true;
  history.replaceState(history.state, '', location.pathname);
}
