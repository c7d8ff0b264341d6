"""What `studies` tells those above it, whom it may not call."""

from __future__ import annotations

from django.dispatch import Signal

study_ready = Signal()
"""Sent with `study_id` (UUID) when a study's pictures are committed, and again after each later publication."""

contradicted = Signal()
"""Sent with `study_id` (UUID) when files of a study are committed that are of somebody else than its patient."""

report_written = Signal()
"""Sent with `study_id` (UUID) when a version of one of its reports is committed, or one that waited has found it."""

study_shown = Signal()
"""Sent with `study_id` (UUID) when the first pictures of a new study are committed; more of it may be arriving."""

exam_moved = Signal()
"""Sent with `study_id` (UUID) when its facility's RIS has said something new of the exam, and that is committed."""

merged = Signal()
"""Sent with `merge` within the transaction in which two of a facility's patients become one person."""

parted = Signal()
"""Sent with `merge` within the transaction in which they are two again."""
