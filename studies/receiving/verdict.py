"""What a walk over one file comes to: what the file is, and whether all of it is there."""

from __future__ import annotations

import re
from dataclasses import dataclass

from studies.frames import Frames
from studies.receiving.elements import Identity
from studies.receiving.syntaxes import REFERENCED

# SOP classes of which pixels are a mandatory part (PS3.3 §A, PS3.4 §B.5): without them something is missing.
_PICTURE = re.compile(
    r"1\.2\.840\.10008\.5\.1\.4\.1\.1\.("
    r"1|1\.[123](\.1)?|2(\.[12])?|3(\.1)?|4(\.[134])?|5|6(\.[123])?|7(\.[1-4])?|12\.[12](\.1)?|12\.3|13\.1\.[1-5]|14\.[12]"
    r"|20|30|66\.4|77\.1\.[124](\.1)?|77\.1\.[3678]|77\.1\.5\.[124]|128(\.1)?|130|481\.1)"
)


@dataclass(frozen=True)
class Facts:
    """What the walk saw. Numbers are 0 and texts "" where absent; offsets count from the file's start."""

    identity: Identity | None
    """None only when the file is truncated."""
    transfer_syntax: str
    samples: int
    rows: int
    columns: int
    bits_allocated: int
    bits_stored: int
    pixel_representation: int
    photometric: str
    number_of_frames: int
    """1 where absent."""
    instance_number: str
    has_pixels: bool
    pixel_offset: int | None
    """Of the first pixel byte; when encapsulated, of the first item, which is the Basic Offset Table. None when
    deflated: then it is no place in the file."""
    pixel_length: int
    """When encapsulated, of all items, without the closing delimiter."""
    frames: Frames
    """Empty without pixels and when frames cannot be told apart without decoding."""
    truncated: bool
    """The file ends before its last declared length. Then no numbers and texts are told."""
    trailing: int
    """Bytes after the data set that are no elements."""

    @property
    def picture_missing(self) -> bool:
        """It must be a picture, and has no pixels: what a cut between two elements leaves behind."""
        if self.has_pixels or self.truncated or self.transfer_syntax in REFERENCED:
            return False
        described = self.rows and self.columns and self.bits_allocated
        return bool(described or (self.identity and _PICTURE.fullmatch(self.identity.sop_class_uid)))

    @property
    def complete(self) -> bool:
        """Every byte the file declares is there, and a picture where there must be one.

        A cut between two elements of anything else cannot be seen by anybody: no file says how long it is.
        """
        return not (self.truncated or self.picture_missing)
