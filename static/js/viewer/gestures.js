/** Fingers, mouse, wheel and keys on the stage, told as `turn(steps)`, `zoom`, `move`, `fit` and `play`. */

const WHEEL_STEP = 60; // pixels of wheel or trackpad to the next picture
const DOUBLE_TAP = 300; // milliseconds
const TURNS = { ArrowUp: -1, ArrowLeft: -1, ArrowDown: 1, ArrowRight: 1, PageUp: -10, PageDown: 10, Home: -Infinity, End: Infinity };

export function listen(element, viewer) {
  pointers(element, viewer);
  wheel(element, viewer);
  keys(element, viewer);
}

/** Gathers movement and answers how many whole steps it makes, keeping the rest. */
function counter() {
  let rest = 0;
  return (moved, step) => {
    rest += moved;
    const steps = Math.trunc(rest / step);
    rest -= steps * step;
    return steps;
  };
}

function pointers(element, viewer) {
  const down = new Map(); // pointer id → last event
  let steps = counter();
  let tapped = 0;
  let travelled = 0;

  element.addEventListener('pointerdown', (event) => {
    if (event.button || event.target.closest('button')) return;
    element.setPointerCapture(event.pointerId);
    down.set(event.pointerId, event);
    steps = counter();
    travelled = 0;
  });

  element.addEventListener('pointermove', (event) => {
    const last = down.get(event.pointerId);
    if (!last) return;
    const others = [...down].filter(([id]) => id !== event.pointerId).map(([, other]) => other);
    down.set(event.pointerId, event);
    const [dx, dy] = [event.clientX - last.clientX, event.clientY - last.clientY];
    travelled += Math.abs(dx) + Math.abs(dy);
    if (others.length) pinch(viewer, last, event, others[0]);
    else if (viewer.enlarged) viewer.move(dx, dy);
    else viewer.turn(steps(onward(event, dx, dy), stepFor(element, viewer)));
  });

  function up(event) {
    if (!down.delete(event.pointerId) || event.type === 'pointercancel' || travelled > 10) return;
    if (event.timeStamp - tapped < DOUBLE_TAP) viewer.enlarged ? viewer.fit() : viewer.zoom(2.5, event.clientX, event.clientY);
    tapped = event.timeStamp;
  }
  element.addEventListener('pointerup', up);
  element.addEventListener('pointercancel', up);
}

/** How far a stroke goes towards the next picture: a mouse pulls it down, a finger pushes up or to the side. */
function onward(event, dx, dy) {
  if (Math.abs(dx) > Math.abs(dy)) return -dx;
  return event.pointerType === 'mouse' ? dy : -dy;
}

/** One finger moved from `last` to `now` while `other` stood: enlarge around their middle, and move with it. */
function pinch(viewer, last, now, other) {
  const span = (one) => Math.hypot(one.clientX - other.clientX, one.clientY - other.clientY);
  const middle = [(now.clientX + other.clientX) / 2, (now.clientY + other.clientY) / 2];
  if (span(last)) viewer.zoom(span(now) / span(last), ...middle);
  viewer.move((now.clientX - last.clientX) / 2, (now.clientY - last.clientY) / 2);
}

/** A stroke over most of the stage turns through a whole series, but never so fine that a finger slips. */
function stepFor(element, viewer) {
  return Math.min(48, Math.max(5, (element.clientHeight * 0.8) / viewer.count));
}

function wheel(element, viewer) {
  const steps = counter();
  element.addEventListener(
    'wheel',
    (event) => {
      event.preventDefault();
      const pixels = event.deltaY * (event.deltaMode ? 40 : 1);
      if (event.ctrlKey) viewer.zoom(Math.exp(-pixels / 200), event.clientX, event.clientY);
      else viewer.turn(Math.abs(pixels) >= WHEEL_STEP ? Math.sign(pixels) : steps(pixels, WHEEL_STEP));
    },
    { passive: false },
  );
}

/** Arrow keys work anywhere on the page but in the slider, which has its own; single letters on the stage only. */
function keys(element, viewer) {
  const single = {
    '+': () => viewer.zoom(1.25),
    '=': () => viewer.zoom(1.25),
    '-': () => viewer.zoom(0.8),
    0: () => viewer.fit(),
    ' ': () => viewer.play(),
  };
  addEventListener('keydown', (event) => {
    if (event.altKey || event.ctrlKey || event.metaKey || event.target.matches('input') || document.querySelector('dialog[open]')) return;
    const act = event.key in TURNS ? () => viewer.turn(TURNS[event.key]) : document.activeElement === element && single[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  });
}
