/** Fingers, mouse, wheel and keys on a stage, told to its pane; or to the tool that the pane's finger holds. */

const WHEEL_STEP = 60; // pixels of wheel or trackpad to the next picture
const DOUBLE_TAP = 300; // milliseconds
const STILL = 10; // pixels that a tap may slip
const TURNS = { ArrowUp: -1, ArrowLeft: -1, ArrowDown: 1, ArrowRight: 1, PageUp: -10, PageDown: 10, Home: -Infinity, End: Infinity };

export function listen(element, pane) {
  pointers(element, pane);
  wheel(element, pane);
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

function pointers(element, pane) {
  const down = new Map(); // pointer id → last event
  let steps = counter();
  let tapped = -Infinity;
  let travelled = 0;
  let most = 0; // fingers at once since the first came down

  element.addEventListener('pointerdown', (event) => {
    if (event.button || event.target.closest('button, a')) return;
    element.setPointerCapture(event.pointerId);
    down.set(event.pointerId, event);
    most = Math.max(most, down.size);
    if (down.size > 1) return pane.tool && down.size === 2 && pane.cancel();
    steps = counter();
    [travelled, most] = [0, 1];
    if (pane.tool) pane.begin(event.clientX, event.clientY);
  });

  element.addEventListener('pointermove', (event) => {
    const last = down.get(event.pointerId);
    if (!last) return;
    const others = [...down].filter(([id]) => id !== event.pointerId).map(([, other]) => other);
    down.set(event.pointerId, event);
    const [dx, dy] = [event.clientX - last.clientX, event.clientY - last.clientY];
    travelled += Math.abs(dx) + Math.abs(dy);
    if (others.length) pinch(pane, last, event, others[0]);
    else if (most > 1) pane.move(dx, dy); // the finger that is left after a pinch
    else if (pane.tool) travelled > STILL && pane.drag(dx, dy, event.clientX, event.clientY);
    else if (pane.enlarged) pane.move(dx, dy);
    else pane.turn(steps(onward(event, dx, dy), stepFor(element, pane)));
  });

  function up(event) {
    if (!down.delete(event.pointerId) || most > 1) return;
    if (pane.tool) return event.type === 'pointercancel' ? pane.cancel() : pane.end();
    if (event.type === 'pointercancel' || travelled > STILL) return;
    const twice = event.timeStamp - tapped < DOUBLE_TAP;
    tapped = twice ? -Infinity : event.timeStamp;
    if (twice) pane.enlarged ? pane.fit() : pane.zoom(2.5, event.clientX, event.clientY);
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
function pinch(pane, last, now, other) {
  const span = (one) => Math.hypot(one.clientX - other.clientX, one.clientY - other.clientY);
  const middle = [(now.clientX + other.clientX) / 2, (now.clientY + other.clientY) / 2];
  if (span(last)) pane.zoom(span(now) / span(last), ...middle);
  pane.move((now.clientX - last.clientX) / 2, (now.clientY - last.clientY) / 2);
}

/** A stroke over most of the stage turns through a whole series, but never so fine that a finger slips. */
function stepFor(element, pane) {
  return Math.min(48, Math.max(5, (element.clientHeight * 0.8) / pane.count));
}

/** Turns; enlarges with Ctrl, as a trackpad's pinch says, and where there is nothing to turn to. */
function wheel(element, pane) {
  const steps = counter();
  element.addEventListener(
    'wheel',
    (event) => {
      event.preventDefault();
      const pixels = event.deltaY * (event.deltaMode ? 40 : 1);
      if (event.ctrlKey || pane.count < 2) pane.zoom(Math.exp(-pixels / (event.ctrlKey ? 200 : 600)), event.clientX, event.clientY);
      else pane.turn(Math.abs(pixels) >= WHEEL_STEP ? Math.sign(pixels) : steps(pixels, WHEEL_STEP));
    },
    { passive: false },
  );
}

/**
 * Arrow keys work anywhere on the page but in fields and lists of their own, on the pane that `active()` gives; the
 * single keys of `deeds` on the stage only, so that nobody who dictates sets them off.
 */
export function listenToKeys(active, deeds) {
  addEventListener('keydown', (event) => {
    if (event.altKey || event.ctrlKey || event.metaKey || document.querySelector('dialog[open]')) return;
    if (event.target.matches('input, select') || event.target.closest('[data-own-keys]')) return;
    const onStage = Boolean(event.target.closest('[data-pane]')) && !event.target.matches('button');
    const turns = TURNS[event.key];
    if (onStage && active().key(event)) event.preventDefault();
    else if (turns) {
      event.preventDefault();
      active().turn(turns);
    } else if (onStage && deeds[event.key]) {
      event.preventDefault();
      deeds[event.key]();
    }
  });
}
