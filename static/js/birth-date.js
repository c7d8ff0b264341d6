/** Birth dates typed in three fields. */

/** The three fields as a date, or null when there is no such day. */
function birthDate(day, month, year) {
  const date = new Date(Date.UTC(year, month - 1, day));
  date.setUTCFullYear(year);
  const real = date.getUTCDate() === day && date.getUTCMonth() === month - 1 && year > 1800;
  return real ? date : null;
}

/** Repeats in words what was typed, so that a swapped day and month are seen before they are sent. */
function echo(fieldset) {
  const [day, month, year] = [...fieldset.querySelectorAll('input, select')].map((one) => Number(one.value));
  const date = birthDate(day, month, year);
  const words = date?.toLocaleDateString(document.documentElement.lang, { dateStyle: 'long', timeZone: 'UTC' });
  fieldset.querySelector('.echo').textContent = words ? fieldset.dataset.echo.replace('{date}', words) : '';
}

for (const fieldset of document.querySelectorAll('[data-birth-date]')) {
  fieldset.addEventListener('input', () => echo(fieldset));
  echo(fieldset);
}
