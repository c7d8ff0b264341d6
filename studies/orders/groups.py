"""Who is one person: patients of a facility, joined by the merges in force."""

from __future__ import annotations

from django.db.models import Q

from studies.models import FacilityPatient, Merge


def group(patient: FacilityPatient) -> list[FacilityPatient]:
    """All that are one person with this patient, herself first; nearly always she alone."""
    known = {patient.pk: patient}
    frontier = {patient.pk}
    while frontier:
        near = Merge.objects.filter(Q(survivor__in=frontier) | Q(merged__in=frontier), reversed_at=None)
        ends = {end.pk: end for one in near.select_related("survivor", "merged") for end in (one.survivor, one.merged)}
        frontier = ends.keys() - known.keys()
        known |= {pk: ends[pk] for pk in frontier}
    return list(known.values())
