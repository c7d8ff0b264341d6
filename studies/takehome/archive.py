"""Take a study home: one ZIP, streamed, that opens without any DICOM software.

    README.TXT  index.html           plain words; the page shows pictures and report, without any script
    REPORT/report-1.pdf  .txt  .dcm  each document, the newest version of each first
    PICTURES/S0001/P00001.jpg        every picture, series after series
    DICOMDIR  DICOM/S0001/I00001     the originals, unchanged, under names that every medium can hold
    manifest.json                    SHA-256 of everything above

Names come from our own counting, never from a tag. Where everything lies and how large it is is known before the
first byte leaves; of the pictures and originals no more than one block or one picture is in memory.
"""

from __future__ import annotations

from django.db.models import Sum

from studies import catalog, reports
from studies.models import Rendition, Report, Study
from studies.takehome.contents import contents_of
from studies.takehome.layout import lay_out
from studies.takehome.plan import Plan

# What a file costs beyond its bytes, at most: its place in the ZIP, the manifest, the page and the DICOMDIR.
COST_OF_PICTURE, COST_OF_ORIGINAL, COST_OF_REPORT, COST_OF_ALL = 800, 1000, 40_000, 12_000


def plan_of(study: Study, *, with_reports: bool = True) -> Plan:
    """Lay out the archive of a study, with its released reports, in the reader's language."""
    return lay_out(contents_of(study, with_reports=with_reports))


def size_of(study: Study, *, with_reports: bool = True) -> int:
    """How large the archive will be at most, in bytes: right to a few percent, from three short queries."""
    stacks = Rendition.objects.filter(series__study=study, size=Rendition.Size.PREVIEW)
    size, instances, images = study.size, study.instance_count, study.image_count
    if study.only_series is not None:
        stacks = stacks.filter(series__in=study.only_series)
        lengths = [one.length for one in catalog.originals(study)]
        size, instances = sum(lengths), len(lengths)
        images = sum(one.count for one in catalog.series_of(study))
    pictures = stacks.aggregate(total=Sum("stack__length"))["total"] or 0
    versions = reports.released(study) if with_reports else []
    return (
        size
        + pictures
        + sum(_most_bytes(report) for report in versions)
        + COST_OF_ORIGINAL * instances
        + COST_OF_PICTURE * images
        + COST_OF_REPORT * len(versions)
        + COST_OF_ALL
    )


def _most_bytes(report: Report) -> int:
    """Text is there twice, for it is printed; a DICOM file sent by itself, beside what was read in it."""
    if report.form == Report.Form.PDF:
        return report.body.length
    return 2 * report.body.length + (report.original.length if report.original else 0)
