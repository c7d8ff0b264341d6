/** Brings the viewer page to life. Until then, and without script, its links lead from picture to picture. */
import { listen } from './gestures.js';
import { Panel } from './panel.js';
import { Viewer } from './viewer.js';

const main = document.querySelector('main');
const stage = main.querySelector('[data-viewer]');

/** The link that leads on without script becomes a button with it. */
function intoButton(link) {
  const button = Object.assign(document.createElement('button'), { type: 'button', className: link.className });
  button.dataset.do = link.dataset.do;
  button.append(...link.childNodes);
  link.replaceWith(button);
}

/** Each `data-do` on the page is a deed of this name. */
function connect(viewer) {
  const deeds = {
    previous: () => viewer.turn(-1),
    next: () => viewer.turn(1),
    play: () => viewer.play(),
    larger: () => viewer.zoom(1.5),
    smaller: () => viewer.zoom(1 / 1.5),
    fit: () => viewer.fit(),
    retry: () => viewer.retry(),
  };
  main.addEventListener('click', (event) => {
    const deed = deeds[event.target.closest('[data-do]')?.dataset.do];
    const series = event.target.closest('.strip [data-series]');
    if ((!deed && !series) || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    if (deed) deed();
    else viewer.open(series.dataset.series);
  });
  main.querySelector('.seek input').addEventListener('input', (event) => {
    viewer.pause();
    viewer.goTo(Number(event.target.value));
  });
  listen(stage, viewer);
}

/** The series that have pictures, or null when the session has ended. */
async function readManifest() {
  const answer = await fetch(stage.dataset.manifest, { credentials: 'same-origin' });
  if (answer.redirected) return null;
  return (await answer.json()).series.filter((one) => one.count);
}

/** The picture that came with the page, decoded, so that it need not be fetched again; null when it did not come. */
async function readFirst() {
  const image = stage.querySelector('[data-first]');
  try {
    await image.decode();
    return await createImageBitmap(image);
  } catch {
    return null; // the viewer asks for it once more, and says so when it fails again
  }
}

async function start() {
  const [series, first] = await Promise.all([readManifest(), readFirst()]);
  if (!series) return location.reload(); // the server shows where to sign in
  for (const link of main.querySelectorAll('a[data-do]')) intoButton(link);
  for (const tool of main.querySelectorAll('[data-live]')) tool.hidden = false;
  const { series: id, index } = stage.dataset;
  const viewer = new Viewer(series, new Panel(main), stage.querySelector('canvas'));
  viewer.open(id, Number(index), first);
  connect(viewer);
}

if (stage) start();
