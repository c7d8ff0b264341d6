"""How a mammogram hangs: the breasts face each other, head up (IHE RAD TF-2 §4.16.4.2.2.1.1.2).

A right breast has its chest wall at the right of the picture, a left one at the left. Most detectors store them so.
"""

from __future__ import annotations

BREAST = "MG"


def flips(modality: str, side: str, rightward: str, downward: str) -> tuple[bool, bool]:
    """Whether a picture has to be flipped left to right, and top to bottom, to hang as it should.

    `rightward` and `downward` are the letters of where its rows and columns run to (PS3.3 §C.7.6.1.1.1), `side` is R
    or L. Rows of a right breast run towards the back (P), of a left one to the front (A); columns run towards the
    feet or, where the breast was pressed from above, from its outer side to its inner one.
    """
    if modality != BREAST or side not in ("R", "L"):
        return False, False
    left_right = ("A" if side == "R" else "P") in rightward
    seen_from_above = not downward.strip("RLAP")
    return left_right, (side if seen_from_above else "H") in downward
