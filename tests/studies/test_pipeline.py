"""Publish real bytes, let the pipeline run (or die), look at the pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from io import BytesIO
from typing import Any
from uuid import UUID

import pytest
from django.db import OperationalError
from PIL import Image, ImageStat

from accounts.models import Facility
from studies import catalog, facts, intake, jobs, pipeline, reports, sandbox, showing, stacks, words
from studies.models import Demographics, Instance, Job, Rendition, Report, SealedObject, Study
from studies.signals import study_ready, study_shown
from studies.store import objects
from tests.at_once import at_once
from tests.conftest import Clock
from tests.factories import ct_file, ct_series, uid

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def bells(monkeypatch: pytest.MonkeyPatch) -> list[UUID]:
    """Who was rung for. No worker hears it: every message of these tests is lost."""
    rung: list[UUID] = []
    monkeypatch.setattr(pipeline, "ring", lambda study_id, **_: rung.append(study_id))
    return rung


@pytest.fixture
def ready() -> Iterator[list[UUID]]:
    """Studies that were said to be ready."""
    heard: list[UUID] = []

    def hear(study_id: UUID, **_: Any) -> None:
        heard.append(study_id)

    study_ready.connect(hear)
    yield heard
    study_ready.disconnect(hear)


@pytest.fixture
def shown() -> Iterator[list[UUID]]:
    """Studies that were said to have their first pictures."""
    heard: list[UUID] = []

    def hear(study_id: UUID, **_: Any) -> None:
        heard.append(study_id)

    study_shown.connect(hear)
    yield heard
    study_shown.disconnect(hear)


def publish(facility: Facility, *files: bytes) -> Study:
    receipt = intake.publish(facility, [[file] for file in files])
    assert not receipt.failed
    return Study.objects.get()


def publish_study(facility: Facility, number: int) -> Study:
    """One of several, with one picture."""
    assert not intake.publish(facility, [[ct_file(1, study=number)]]).failed
    return Study.objects.get(study_uid=uid(number))


def advance(study: Study) -> Study:
    pipeline.advance(study.pk, at_once=True)
    study.refresh_from_db()
    return study


def previews(study: Study) -> list[Image.Image]:
    return [Image.open(BytesIO(b"".join(one.blocks()))) for one in catalog.previews(study)]


def brightness(picture: Image.Image) -> float:
    """Of the middle, where the phantom's disc lies."""
    width, height = picture.size
    return ImageStat.Stat(picture.crop((width // 4, height // 4, width * 3 // 4, height * 3 // 4))).mean[0]


class Killed(BaseException):
    """Nothing catches it, like kill -9."""


def dying(function: Callable[..., Any], *, calls: int) -> Callable[..., Any]:
    """The function for so many calls, then death in the middle of the work."""
    left = iter(range(calls))

    def call(*args: Any, **kwargs: Any) -> Any:
        if next(left, None) is None:
            raise Killed
        return function(*args, **kwargs)

    return call


def test_a_published_study_becomes_pictures(lakeside: Facility, ready: list[UUID]) -> None:
    study = advance(publish(lakeside, *ct_series(5, WindowCenter=40, WindowWidth=400)))
    assert (study.state, study.image_count, study.ready_at is not None) == (Study.State.READY, 5, True)
    pictures = previews(study)
    assert [(one.format, one.size) for one in pictures] == [("JPEG", (64, 64))] * 5
    # Stored 1065 is 41 HU: a hair above the middle of the window.
    assert brightness(pictures[0]) == pytest.approx(127, abs=3)
    assert ready == [study.pk]
    assert not Job.objects.exists()


def test_the_thumbnail_is_the_middle_picture(lakeside: Facility) -> None:
    study = advance(publish(lakeside, *ct_series(5)))
    middle = Rendition.objects.get(size="thumbnail").pictures[0][0]
    assert Instance.objects.get(pk=middle).instance_number == 3
    small = catalog.thumbnail(study)
    assert small.media_type == "image/webp"
    assert Image.open(BytesIO(b"".join(small.blocks))).format == "WEBP"


def test_headers_become_facts_of_study_series_and_patient(lakeside: Facility) -> None:
    study = advance(publish(lakeside, ct_file(2), ct_file(1)))
    series = study.series.get()
    assert (study.description, str(study.study_date), study.accession_number) == ("CT chest", "2026-01-31", "ACC1")
    assert (study.modalities, study.series_count, study.instance_count) == (["CT"], 1, 2)
    assert (series.modality, series.number, series.plane, series.instance_count) == ("CT", 1, "axial", 2)
    assert list(series.instances.order_by("order").values_list("instance_number", flat=True)) == [1, 2]
    assert study.patient.name.startswith("ZEBRAFISH")
    assert "ZEBRAFISH" not in str(list(Instance.objects.values_list("facts", flat=True)))


def test_a_name_in_another_script_is_read_by_its_character_set(lakeside: Facility) -> None:
    named = ct_file(1, SpecificCharacterSet="ISO_IR 100", PatientName="ZEBRAFISH^Zoë")
    study = advance(publish(lakeside, named))
    study.patient.refresh_from_db()
    assert study.patient.name == "ZEBRAFISH^Zoë"
    assert Demographics.objects.latest("pk").name == "ZEBRAFISH^Zoë"


def test_an_added_instance_decodes_no_other(lakeside: Facility, monkeypatch: pytest.MonkeyPatch) -> None:
    files = ct_series(6)
    study = advance(publish(lakeside, *files[:3], *files[4:]))
    asked: list[int] = []
    ask = showing._ask

    def ask_and_tell(batch: list[showing.Asked]) -> list[showing.Shown]:
        asked.extend(one.instance.pk for one in batch)
        return ask(batch)

    monkeypatch.setattr(showing, "_ask", ask_and_tell)
    advance(publish(lakeside, files[3]))
    added = Instance.objects.get(sop_uid=uid(1, 1, 4)).pk
    assert set(asked) == {added}
    pictures = Rendition.objects.get(size="preview").pictures
    assert [row[0] for row in pictures].index(added) == 3
    assert len(pictures) == 6
    assert [one.size for one in previews(study)] == [(64, 64)] * 6


def test_a_new_version_is_shown_in_the_place_of_the_old(lakeside: Facility) -> None:
    study = advance(publish(lakeside, *ct_series(3)))
    dark = brightness(previews(study)[1])
    advance(publish(lakeside, ct_file(2, WindowCenter=-60)))
    pictures = previews(study)
    assert len(pictures) == 3
    assert brightness(pictures[1]) > dark + 50


def test_an_old_stack_leaves_with_its_key(lakeside: Facility) -> None:
    study = advance(publish(lakeside, ct_file(1)))
    old = Rendition.objects.get(size="preview").stack_id
    advance(publish(lakeside, ct_file(2)))
    (new,) = SealedObject.objects.filter(kind=SealedObject.Kind.RENDITION)
    assert new.pk == Rendition.objects.get(series__study=study, size="preview").stack_id != old


def test_running_twice_changes_nothing(lakeside: Facility, ready: list[UUID]) -> None:
    study = advance(publish(lakeside, ct_file(1)))
    before = list(Rendition.objects.values_list("stack", "pictures"))
    advance(study)
    assert list(Rendition.objects.values_list("stack", "pictures")) == before
    assert ready == [study.pk]


def test_something_of_a_new_study_is_shown_while_its_sender_is_busy(
    lakeside: Facility, clock: Clock, bells: list[UUID], shown: list[UUID], ready: list[UUID]
) -> None:
    clock.stop()
    files = [*ct_series(3), *ct_series(3, series=2)]
    study = publish(lakeside, *files[:5])
    bells.clear()
    pipeline.hear(study.pk)
    study.refresh_from_db()
    assert (study.state, study.image_count, study.instance_count) == (Study.State.STORED, 2, 5)
    assert len(previews(study)) == len({one.series_id for one in catalog.previews(study)}) == 2
    assert (shown, ready, bells) == ([study.pk], [], [study.pk])
    assert set(Instance.objects.values_list("note", flat=True)) == {""}
    publish(lakeside, files[5])
    clock.move(seconds=1.5)
    pipeline.hear(study.pk)
    study.refresh_from_db()
    assert (study.state, study.image_count, ready) == (Study.State.READY, 6, [study.pk])


def test_the_rest_waits_until_the_sender_pauses(lakeside: Facility, clock: Clock, bells: list[UUID]) -> None:
    clock.stop()
    files = ct_series(4)
    study = publish(lakeside, files[0])
    pipeline.hear(study.pk)
    for file in files[1:]:
        clock.move(seconds=0.3)
        publish(lakeside, file)
        bells.clear()
        pipeline.hear(study.pk)
        study.refresh_from_db()
        assert (study.state, study.image_count) == (Study.State.STORED, 1)
        assert bells == [study.pk]  # hung up again
    clock.move(seconds=1.5)
    pipeline.hear(study.pk)
    study.refresh_from_db()
    assert (study.state, study.image_count) == (Study.State.READY, 4)


def test_a_long_delivery_is_not_sealed_anew_for_each_request(lakeside: Facility, clock: Clock) -> None:
    made: set[UUID] = set()
    files = ct_series(40)
    study = publish(lakeside, files[0])
    for file in files[1:]:
        pipeline.hear(study.pk)
        made |= set(SealedObject.objects.filter(kind="rendition").values_list("pk", flat=True))
        clock.move(seconds=0.5)
        publish(lakeside, file)
    clock.move(seconds=10)
    pipeline.hear(study.pk)
    study.refresh_from_db()
    assert (study.state, study.image_count) == (Study.State.READY, 40)
    assert len(made) <= 3  # the first picture, then every ten seconds


def test_a_bell_for_one_study_may_serve_another_facilitys(lakeside: Facility, clock: Clock) -> None:
    hilltop = Facility.objects.create(name="Hilltop", slug="hilltop")
    flooded = [publish_study(lakeside, number) for number in range(1, 5)]
    lone = publish_study(hilltop, 9)
    clock.move(seconds=2)
    pipeline.hear(flooded[0].pk)
    pipeline.hear(flooded[1].pk)
    done = Study.objects.filter(state=Study.State.READY).values_list("pk", flat=True)
    assert lone.pk in set(done)
    assert len(done) == 2


@pytest.mark.parametrize(
    ("module", "name", "calls"),
    [
        (facts, "_ask", 0),  # before any header is read
        (facts, "_describe", 0),  # the instances are indexed, their study is not
        (stacks, "_put", 2),  # in the middle of a stack
        (stacks.Stack, "_swap", 0),  # the stack is stored, its row is not
        (pipeline, "_move", 0),
        (pipeline, "_move", 1),
        (pipeline, "_end", 0),  # everything is done, the job is still there
    ],
)
def test_killed_anywhere_the_next_worker_finishes(
    lakeside: Facility,
    clock: Clock,
    bells: list[UUID],
    monkeypatch: pytest.MonkeyPatch,
    module: Any,
    name: str,
    calls: int,
) -> None:
    study = publish(lakeside, *ct_series(4))
    bells.clear()
    with monkeypatch.context() as patch:
        patch.setattr(module, name, dying(getattr(module, name), calls=calls))
        with pytest.raises(Killed):
            advance(study)
    clock.move(seconds=jobs.HOLD.total_seconds() + 1)
    pipeline.sweep()
    assert bells == [study.pk]
    for study_id in bells:
        pipeline.advance(study_id)
    study.refresh_from_db()
    assert (study.state, study.image_count, study.instance_count) == (Study.State.READY, 4, 4)
    assert len(previews(study)) == 4
    assert SealedObject.objects.filter(kind="rendition").count() == 1
    assert not Job.objects.exists()


def test_every_message_lost_the_sweep_finds_the_work(lakeside: Facility, clock: Clock, bells: list[UUID]) -> None:
    for number in range(1, 4):
        intake.publish(lakeside, [[ct_file(1, study=number)]])
    bells.clear()
    clock.move(seconds=2)
    pipeline.sweep()
    for study_id in bells:
        pipeline.hear(study_id)
    assert set(Study.objects.values_list("state", flat=True)) == {Study.State.READY}


def test_workers_that_race_do_it_once(lakeside: Facility, ready: list[UUID]) -> None:
    study = publish(lakeside, *ct_series(3))
    assert at_once([lambda: pipeline.advance(study.pk, at_once=True)] * 4) == [None] * 4
    study.refresh_from_db()
    assert (study.state, ready) == (Study.State.READY, [study.pk])
    assert SealedObject.objects.filter(kind="rendition").count() == 1


def test_a_publication_in_the_middle_keeps_the_study_waiting(
    lakeside: Facility, bells: list[UUID], ready: list[UUID], monkeypatch: pytest.MonkeyPatch
) -> None:
    study = publish(lakeside, ct_file(1))
    render = pipeline.STEPS[Study.State.INDEXED][0]

    def render_and_receive(study: Study, hold: jobs.Hold) -> None:
        render(study, hold)
        publish(lakeside, ct_file(2))

    with monkeypatch.context() as patch:
        patch.setitem(pipeline.STEPS, Study.State.INDEXED, (render_and_receive, Study.State.READY))
        bells.clear()
        advance(study)
    assert (study.state, ready) == (Study.State.STORED, [])
    assert study.pk in bells
    advance(study)
    assert (study.state, study.image_count, ready) == (Study.State.READY, 2, [study.pk])


def test_a_listener_that_fails_is_told_again(lakeside: Facility, clock: Clock) -> None:
    deaf, name = iter([True]), "ZEBRAFISH"

    def hear(**_: Any) -> None:
        if next(deaf, False):
            raise KeyError(name)

    study_ready.connect(hear)
    study = advance(publish(lakeside, ct_file(1)))
    assert (study.state, Job.objects.get().failure) == (Study.State.READY, "KeyError")
    clock.move(seconds=60)
    pipeline.advance(study.pk)
    assert not Job.objects.exists()
    study_ready.disconnect(hear)


def test_a_database_that_is_away_is_nobodys_fault(lakeside: Facility, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise OperationalError

    study = publish(lakeside, ct_file(1))
    monkeypatch.setattr(pipeline, "_move", fail)
    advance(study)
    job = Job.objects.get()
    assert (job.attempts, job.held_until, job.failure) == (0, None, "")


def test_a_bad_instance_costs_itself_alone(lakeside: Facility) -> None:
    short = ct_file(2, PixelData=b"\0" * 100)
    study = advance(publish(lakeside, ct_file(1), short, ct_file(3)))
    assert (study.state, study.image_count, study.instance_count) == (Study.State.READY, 2, 3)
    assert Instance.objects.get(sop_uid=uid(1, 1, 2)).note in {"incomplete", "unreadable"}
    (series,) = catalog.series_of(study)
    assert series.note == words.sentence(words.SOME)


def test_one_that_kills_the_child_costs_itself_alone(lakeside: Facility, monkeypatch: pytest.MonkeyPatch) -> None:
    study = publish(lakeside, *ct_series(5))
    deadly = uid(1, 1, 2)
    ask = showing._ask

    def ask_and_die(batch: list[showing.Asked]) -> list[showing.Shown]:
        if any(one.instance.sop_uid == deadly for one in batch):
            raise sandbox.SandboxDied("it took too long")
        return ask(batch)

    monkeypatch.setattr(showing, "_ask", ask_and_die)
    advance(study)
    assert (study.state, study.image_count) == (Study.State.READY, 4)
    assert Instance.objects.get(sop_uid=deadly).note == "no preview"


def test_a_sandbox_that_does_not_start_blames_no_file(lakeside: Facility, monkeypatch: pytest.MonkeyPatch) -> None:
    def die(*_: Any, **__: Any) -> None:
        raise sandbox.SandboxDied("the zygote did not start")

    study = publish(lakeside, ct_file(1))
    monkeypatch.setattr(sandbox, "run", die)
    advance(study)
    assert Job.objects.get().failure == "SandboxDied"
    assert not Instance.objects.exclude(note="").exists()


# So long that no cipher writes them by chance.
MARKS = (b"DICM\2\0\0\0UL", b"\xff\xd8\xff\xe0\0\x10JFIF", b"WEBPVP8", b"ZEBRAFISH")


def test_what_lies_in_the_store_is_sealed(lakeside: Facility) -> None:
    advance(publish(lakeside, *ct_series(2)))
    plain = b"".join(b"".join(objects.read(sealed)) for sealed in SealedObject.objects.all())
    assert [mark for mark in MARKS if mark not in plain] == []
    for object_id in objects.store().names():
        size = objects.store().size(object_id)
        sealed = objects.store().read_at(object_id, 0, size)
        assert not any(mark in sealed for mark in MARKS)


def test_a_report_that_came_first_is_attached(lakeside: Facility) -> None:
    report, _ = reports.receive(lakeside, accession_number="ACC1", status=Report.Status.FINAL, content="All well.")
    study = advance(publish(lakeside, ct_file(1)))
    assert reports.released(study) == [report]
