"""What the sandbox says of headers becomes rows, whatever it says. (That headers are read: see test_pipeline.)"""

from __future__ import annotations

from typing import Any

import pytest
from django.db import transaction

from accounts.models import Facility
from studies import facts, jobs, sandbox
from studies.documents import enclosed
from studies.models import Instance, Publication, SealedObject, Series, Study
from studies.store import objects
from tests.cast import a_patient, a_study


@pytest.fixture
def study(db: None) -> Study:
    return a_study(a_patient(Facility.objects.create(name="Lakeside", slug="lakeside")))


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What the sandbox will say, one for each instance."""
    answers: list[dict[str, Any]] = []
    monkeypatch.setattr(facts, "_ask", lambda batch: [facts._clean(answers.pop(0)) for _ in batch])
    return answers


@pytest.fixture
def unread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody reads the documents: their bytes are nowhere."""
    monkeypatch.setattr(enclosed, "take_up", lambda *_: None)


def index(study: Study, said: list[dict[str, Any]], *answers: dict[str, Any], series: str = "1.2") -> None:
    """Give the study an instance for each answer, and index it."""
    said += answers
    kept_in, _ = Series.objects.get_or_create(study=study, series_uid=series)
    publication = Publication.objects.create(facility=study.facility)
    pack = SealedObject.objects.create(facility=study.facility, kind="pack", length=1, wrapped_key=b"")
    known = Instance.objects.count()
    for number in range(known, known + len(answers)):
        Instance.objects.create(
            study=study,
            series=kept_in,
            facility=study.facility,
            publication=publication,
            sop_uid=f"1.2.3.{number}",
            sop_class_uid="1.2",
            pack=pack,
            offset=0,
            length=10,
            sha256=b"",
            crc32=0,
            transfer_syntax_uid="1.2",
        )
    with transaction.atomic():
        jobs.want(study)
    hold = jobs.take(study.pk, at_once=True)
    assert hold
    facts.index(study, hold)
    hold.give_back()
    study.refresh_from_db()


def test_the_newest_word_counts_and_an_empty_one_never(study: Study, said: list[dict[str, Any]]) -> None:
    index(study, said, {"kind": "image", "study_description": "CT", "accession_number": "A1"})
    index(study, said, {"kind": "image", "study_description": "CT chest", "accession_number": ""})
    assert (study.description, study.accession_number) == ("CT chest", "A1")


@pytest.mark.parametrize("kind", ["sr", "pdf", "document", "key objects", "presentation"])
@pytest.mark.usefixtures("unread")
def test_what_was_written_of_an_exam_does_not_rename_it(study: Study, said: list[dict[str, Any]], kind: str) -> None:
    index(study, said, {"kind": "image", "study_description": "CT chest", "study_date": "20260131"})
    later = {"study_description": "Dose report", "study_date": "20260202", "accession_number": "A1", "modality": "SR"}
    index(study, said, {"kind": kind, **later}, series="1.3")
    assert (study.description, str(study.study_date)) == ("CT chest", "2026-01-31")
    assert (study.accession_number, study.modalities) == ("A1", ["SR"]), "of what no picture says anything"


@pytest.mark.usefixtures("unread")
def test_a_document_alone_names_its_exam(study: Study, said: list[dict[str, Any]]) -> None:
    index(study, said, {"kind": "pdf", "study_description": "Letter"})
    assert study.description == "Letter"


def test_a_side_is_named_when_all_pictures_are_of_it(study: Study, said: list[dict[str, Any]]) -> None:
    left, right = ({"kind": "image", "modality": "MG", "image_laterality": side} for side in "LR")
    index(study, said, left, left, series="1.1")
    index(study, said, left, right, series="1.2")
    sides = study.series.order_by("series_uid").values_list("laterality", flat=True)
    assert list(sides) == ["L", ""]


def test_a_header_nobody_could_read_leaves_a_note(study: Study, said: list[dict[str, Any]]) -> None:
    index(study, said, {"refused": "not dicom"}, {"kind": "video"}, {"kind": "image"})
    notes = Instance.objects.order_by("pk").values_list("kind", "note")
    assert list(notes) == [("other", "not dicom"), ("video", "video"), ("image", "")]


@pytest.mark.parametrize(
    "absurd",
    [
        {"kind": "image", "study_description": "x" * 5000, "accession_number": "x" * 5000, "modality": "x" * 5000},
        {"kind": "image", "instance_number": 1 << 70, "series_number": 1 << 40, "frames": 1 << 50},
        {"kind": "image", "instance_number": "1", "series_number": 1.5, "frames": -3, "frame_time": "x"},
        {"kind": "image", "study_description": "a\0b", "image_type": {"a\0": ["\0"] * 5000}},
        {"kind": "image", "study_date": "00000000", "study_time": "***", "birth_date": "1990/01/"},
        {"kind": ["image"], "refused": {"a": "b"}, "modality": 7, "patient_name": ["x"], "sex": None},
        {"kind": "no such kind", "refused": "no such code"},
        {},
    ],
)
def test_absurd_facts_become_rows_all_the_same(
    study: Study, said: list[dict[str, Any]], absurd: dict[str, Any]
) -> None:
    index(study, said, absurd)
    assert study.instance_count == 1
    assert "\0" not in str(Instance.objects.get().facts)


@pytest.mark.parametrize("answer", [None, {}, [], [3], [{}, {}]])
def test_an_answer_that_makes_no_sense_is_no_answer(monkeypatch: pytest.MonkeyPatch, answer: Any) -> None:
    monkeypatch.setattr(sandbox, "run", lambda *_: sandbox.Result({"facts": answer}, []))
    monkeypatch.setattr(objects.Shelf, "read", lambda *_: b"")
    with pytest.raises(sandbox.SandboxDied):
        facts._ask([Instance(length=10, offset=0, pack=SealedObject())])


def test_headers_go_in_batches_of_bounded_size(
    study: Study, said: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    answer = facts._ask

    def ask(batch: list[Instance]) -> list[dict[str, Any]]:
        sizes.append(len(batch))
        return answer(batch)

    monkeypatch.setattr(facts, "_ask", ask)
    monkeypatch.setattr(facts, "BATCH_BYTES", 25)
    index(study, said, *[{"kind": "image"}] * 5)
    assert sorted(sizes) == [1, 2, 2]  # two are asked at the same time
