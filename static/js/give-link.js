/** Hands a link on: by whatever the device sends with, or by way of the clipboard. */
const place = document.querySelector('[data-give]');
const [share, copy] = ['[data-share]', '[data-copy]'].map((which) => place.querySelector(which));
const { url, title } = place.dataset;

share.hidden = !navigator.share;
copy.hidden = !navigator.clipboard;

share.addEventListener('click', () => navigator.share({ title, url }).catch(() => {})); // she changed her mind
copy.addEventListener('click', async () => {
  await navigator.clipboard.writeText(url);
  place.querySelector('[data-told]').textContent = copy.dataset.done;
});
