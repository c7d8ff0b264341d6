from __future__ import annotations

import hashlib
import zlib
from io import BytesIO
from typing import Any, TypeVar
from uuid import uuid4

import numpy as np
import pytest
from django.db.models import Model
from PIL import Image
from pydicom.uid import UltrasoundMultiFrameImageStorage

from accounts.errors import NotFound
from accounts.models import Facility
from studies import catalog, intake, pipeline, stacks, words
from studies.models import Instance, SealedObject, Series, Study
from studies.refusals import SENTENCES
from tests.factories import ct_file, ct_series, ct_slice, dicom_bytes, uid
from tests.studies.documents_made import pdf_object

pytestmark = pytest.mark.django_db(transaction=True)


Row = TypeVar("Row", bound=Model)


def ready(facility: Facility, *files: bytes) -> Study:
    assert not intake.publish(facility, [[file] for file in files]).failed
    study = Study.objects.get()
    pipeline.advance(study.pk, at_once=True)
    study.refresh_from_db()
    assert study.state == Study.State.READY
    return study


def cine(frames: int, **attributes: object) -> bytes:
    """A colour recording whose frames get brighter and brighter."""
    pixels = np.stack([np.full((8, 12, 3), 10 * frame, np.uint8) for frame in range(frames)])
    said: dict[str, Any] = {
        "SOPClassUID": UltrasoundMultiFrameImageStorage,
        "Modality": "US",
        "SeriesDescription": "Heart",
        "NumberOfFrames": frames,
        "FrameTime": 40,
        "Rows": 8,
        "Columns": 12,
        "SamplesPerPixel": 3,
        "PlanarConfiguration": 0,
        "PhotometricInterpretation": "RGB",
        "BitsAllocated": 8,
        "BitsStored": 8,
        "HighBit": 7,
        "PixelData": pixels.tobytes(),
        **attributes,
    }
    return dicom_bytes(ct_slice(1, series=2, **said))


def opened(picture: catalog.Picture) -> Image.Image:
    content = b"".join(picture.blocks)
    assert len(content) == picture.length
    image = Image.open(BytesIO(content))
    assert image.size == (picture.width, picture.height)
    return image


def test_series_come_with_words_and_counts(lakeside: Facility) -> None:
    study = ready(lakeside, *ct_series(3), cine(4), pdf_object())
    scan, heart, document = catalog.series_of(study)
    assert (scan.title, scan.modality_words, scan.plane, scan.count) == ("Axial 2.5 mm", "CT scan", "axial", 3)
    assert (heart.title, heart.count, heart.instances, heart.frame_time) == ("Heart", 4, 1, 40.0)
    assert (document.count, document.thumbnail) == (0, False)
    assert document.note == SENTENCES["pdf"]
    assert study.image_count == 7


def test_pictures_are_counted_from_one_in_order(lakeside: Facility) -> None:
    study = ready(lakeside, cine(5))
    (series,) = catalog.series_of(study)
    shades = [opened(catalog.picture(study, series.id, "preview", n)).getpixel((5, 5)) for n in range(1, 6)]
    assert [round(shade[0] / 10) for shade in shades] == [0, 1, 2, 3, 4]  # type: ignore[index]
    assert opened(catalog.picture(study, series.id, "thumbnail", 1)).format == "WEBP"


def test_what_is_not_there_is_not_found(lakeside: Facility) -> None:
    study = ready(lakeside, ct_file(1), pdf_object())
    scan, document = catalog.series_of(study)
    for series_id, size, index in [
        (scan.id, "preview", 0),
        (scan.id, "preview", 2),
        (scan.id, "huge", 1),
        (document.id, "preview", 1),
        (document.id, "thumbnail", 1),
        (uuid4(), "preview", 1),
    ]:
        with pytest.raises(NotFound):
            catalog.picture(study, series_id, size, index)


def test_a_series_of_another_study_is_not_found(lakeside: Facility) -> None:
    study = ready(lakeside, ct_file(1))
    intake.publish(lakeside, [[ct_file(1, study=2)]])
    other = Study.objects.get(study_uid=uid(2))
    with pytest.raises(NotFound):
        catalog.picture(other, Series.objects.get(study=study).pk, "preview", 1)
    with pytest.raises(NotFound):
        catalog.thumbnail(other)


def test_the_longest_series_stands_for_the_study(lakeside: Facility) -> None:
    study = ready(lakeside, ct_file(1, series=1), *ct_series(3, series=2, size=32))
    assert opened(catalog.thumbnail(study)).size == (32, 32)


def test_originals_are_the_files_as_they_came(lakeside: Facility) -> None:
    files = [*ct_series(3), pdf_object()]
    study = ready(lakeside, *reversed(files))
    originals = list(catalog.originals(study))
    assert [b"".join(one.blocks()) for one in originals] == files
    assert [one.number for one in originals] == [1, 2, 3, 4]
    assert [one.sha256 for one in originals] == [hashlib.sha256(file).hexdigest() for file in files]
    assert [one.crc32 for one in originals] == [zlib.crc32(file) for file in files]
    assert [one.order for one in originals[:3]] == [0, 1, 2]


def test_a_header_ends_where_the_pixels_begin(lakeside: Facility) -> None:
    file = ct_file(1)
    (original,) = catalog.originals(ready(lakeside, file))
    header = original.header()
    assert file.startswith(header)
    assert len(file) - len(header) == 64 * 64 * 2


def test_a_replaced_instance_is_no_original_any_more(lakeside: Facility) -> None:
    ready(lakeside, ct_file(1))
    corrected = ct_file(1, StudyDescription="CT chest, corrected")
    study = ready(lakeside, corrected)
    (original,) = catalog.originals(study)
    assert b"".join(original.blocks()) == corrected
    assert catalog.title(study) == "CT chest, corrected"


def test_an_instance_moved_to_another_series_leaves_none_empty(lakeside: Facility) -> None:
    ready(lakeside, ct_file(1))
    study = ready(lakeside, ct_file(1, SeriesInstanceUID=uid(1, 7), SeriesDescription="Moved"))
    assert [(one.title, one.count) for one in catalog.series_of(study)] == [("Moved", 1)]
    assert (study.series_count, study.image_count) == (1, 1)


def test_previews_are_all_pictures_of_a_study(lakeside: Facility) -> None:
    study = ready(lakeside, *ct_series(2), cine(3))
    previews = list(catalog.previews(study))
    assert [one.index for one in previews] == [1, 2, 1, 2, 3]
    assert all(len(b"".join(one.blocks())) == one.length for one in previews)


def test_a_long_recording_shows_its_beginning_and_says_so(lakeside: Facility, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stacks, "MOST_FRAMES", 3)
    (series,) = catalog.series_of(ready(lakeside, cine(5)))
    assert (series.count, series.note) == (3, words.sentence(words.FIRST_FRAMES))


def test_a_study_of_more_packs_than_a_condition_may_have_levels_is_listed(lakeside: Facility) -> None:
    study = ready(lakeside, ct_file(1))
    instance = study.instances.select_related("pack").get()
    packs = [copied(instance.pack, id=uuid4()) for _ in range(1100)]
    SealedObject.objects.bulk_create(packs)
    Instance.objects.bulk_create(
        copied(instance, id=None, pack_id=pack.pk, sop_uid=uid(7, number)) for number, pack in enumerate(packs)
    )
    listed = list(catalog.originals(study))
    assert len({original.pack.pk for original in listed}) == 1101
    assert b"".join(listed[0].blocks()) == ct_file(1)


def copied(row: Row, **changes: object) -> Row:
    """Another row that says the same but for `changes`."""
    said = {field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields}
    return type(row)(**{**said, **changes})
