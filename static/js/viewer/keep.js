/** A picture to keep: as it is shown, with the letters that say which way it faces. */

/** Give the visitor the picture of a stage as a file of this name. */
export async function keep(root, name) {
  const picture = await drawn(root);
  const link = Object.assign(document.createElement('a'), { href: URL.createObjectURL(picture), download: `${name}.jpg` });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000); // long after the browser has read it
}

function drawn(root) {
  const shown = root.querySelector('canvas');
  const { width, height } = shown;
  const canvas = Object.assign(document.createElement('canvas'), { width, height });
  const context = canvas.getContext('2d', { alpha: false });
  context.drawImage(shown, 0, 0);
  const box = shown.getBoundingClientRect();
  context.scale(width / box.width, height / box.height);
  Object.assign(context, { textAlign: 'center', textBaseline: 'middle', fillStyle: '#fff', strokeStyle: '#000', lineWidth: 3, lineJoin: 'round' });
  for (const letter of root.querySelectorAll('[data-edge], [data-side]:not([hidden])')) {
    const at = letter.getBoundingClientRect();
    const [x, y] = [at.left + at.width / 2 - box.left, at.top + at.height / 2 - box.top];
    context.font = getComputedStyle(letter).font;
    context.strokeText(letter.textContent, x, y);
    context.fillText(letter.textContent, x, y);
  }
  return new Promise((done) => canvas.toBlob(done, 'image/jpeg', 0.92));
}
