"""Words within the pixels: machines write names into pictures, and nobody can take them out again for sure.

What a header says of it counts; where it says nothing, some kinds of picture are known for it (PS3.15 §E.3.1 names
them for de-identification, which is not promised here).
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from django.db.models import Q

from studies.models import Instance, Study

# Ultrasound, secondary captures, visible light, scanned pages: SOP classes by what their UIDs begin with.
KNOWN_FOR_IT: Final = tuple(
    f"1.2.840.10008.5.1.4.1.1.{family}" for family in ("3.1", "6.1", "6.2", "7", "77.1.1", "77.1.2", "77.1.4")
)


def may_be_in(studies: Collection[Study]) -> bool:
    """Whether a picture of these exams carries words in its pixels, or is of a kind that often does."""
    present = Instance.objects.present().filter(study__in=studies)
    for study in studies:
        if study.only_series is not None:
            present = present.exclude(~Q(series__in=study.only_series), study=study)
    said = present.order_by().values_list("sop_class_uid", "facts__burned_in").distinct()
    return any(_may_be(sop_class_uid, str(burned_in or "").upper()) for sop_class_uid, burned_in in said)


def _may_be(sop_class_uid: str, said: str) -> bool:
    if said in ("YES", "NO"):
        return said == "YES"
    return any(sop_class_uid == root or sop_class_uid.startswith(f"{root}.") for root in KNOWN_FOR_IT)
