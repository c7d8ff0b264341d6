/** Which side of the body lies at which edge of the stage (PS3.3 §C.7.6.1.1.1: R, L, A, P, H, F). */

const EDGES = ['top', 'right', 'bottom', 'left'];

/** The letter at each edge of a picture that was mirrored and then turned to the right. */
export function letters(orientation, { turns, mirrored }) {
  if (!orientation) return {};
  const { top, right, bottom, left } = orientation;
  const around = mirrored ? [top, left, bottom, right] : [top, right, bottom, left];
  return Object.fromEntries(EDGES.map((edge, at) => [edge, around[(at - turns + 4) % 4]]));
}
