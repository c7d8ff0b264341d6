"""The demo world, made by the verbs that everybody uses: nothing here writes a row of its own.

Each step finds what an earlier, interrupted run has made, so that it can simply be made again. Passwords follow
from the master key for the same reason.
"""

from __future__ import annotations

import hmac
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django.conf import settings
from django.utils import timezone

from accounts import facilities, people
from accounts.audit import Actor
from accounts.errors import Conflict
from accounts.models import Facility, User
from portal.demo import findings, phantoms
from portal.demo.phantoms import Exam
from sharing import claims, releases
from sharing.models import Link
from studies import intake, pipeline, reports
from studies.models import FacilityPatient, Report, Study
from studies.orders import exams
from studies.orders.exams import Said
from studies.orders.states import State
from studies.patients import Person
from studies.store.sealing import derive, read_master_key

Files = Callable[[Exam], Iterator[bytes]]
Status = Report.Status

PATIENCE = 120.0  # seconds until studies that are worked on count as stuck
CAST = ("maria@example.org", "tom@example.org", "dr.lee@example.org", "eve@example.org")
CONSONANTS, VOWELS = "bdfghjklmnprstvz", "aiou"
MARIA_BORN, NOAH_BORN = date(1980, 5, 17), date(1972, 3, 9)


@dataclass(frozen=True)
class Chapter:
    """One study of somebody's history: how long ago, what of, and what was reported."""

    days_ago: int
    description: str
    files: Files
    reports: tuple[tuple[Status, bytes | str], ...] = ()


def _letter(days_ago: int) -> bytes:
    day = date.today() - timedelta(days=days_ago)
    return findings.pdf("MRI of the head", f"Lakeside Imaging, {day:%d %B %Y}", findings.MR_HEAD)


def _maria() -> list[Chapter]:
    amended = ((Status.FINAL, findings.MAMMOGRAM_FINAL), (Status.AMENDED, findings.MAMMOGRAM_AMENDED))
    return [
        Chapter(16, "CT of the chest", phantoms.ct_chest, ((Status.FINAL, findings.CT_CHEST),)),
        Chapter(160, "MRI of the head", phantoms.mr_head, ((Status.FINAL, _letter(160)),)),
        Chapter(214, "CT of the chest", phantoms.ct_chest_before, ((Status.FINAL, findings.CT_CHEST_BEFORE),)),
        Chapter(400, "Mammogram", phantoms.mammogram, amended),
        Chapter(640, "Ultrasound of the heart", phantoms.heart_ultrasound, ((Status.FINAL, findings.HEART),)),
        Chapter(1130, "Chest X-ray", phantoms.chest_xray, ((Status.FINAL, findings.CHEST_XRAY),)),
    ]


def _maria_elsewhere() -> list[Chapter]:
    return [Chapter(1480, "Ultrasound of the heart (public example)", phantoms.example_ultrasound)]


def _noah() -> list[Chapter]:
    return [
        Chapter(3, "MRI of the head", lambda exam: phantoms.mr_head(exam, slices=14)),
        Chapter(9, "Chest X-ray", phantoms.chest_xray, ((Status.FINAL, findings.CHEST_XRAY),)),
    ]


def build() -> dict[str, Any]:
    """Make the world, or what is missing of it; return what its visitors need. Its studies are ready then."""
    lakeside, key = _facility("Lakeside Imaging", phone="555 0142", hours="Monday to Friday, 8 to 18", demo=True)
    hilltop, _key = _facility("Hilltop Clinic", phone="555 0187", hours="Monday to Friday, 7 to 16")
    maria = _account("maria@example.org")
    people.change_details(maria, name="Maria Zebrafish", birth_date=MARIA_BORN)
    theirs = [
        _publish(lakeside, "LS-20417", "Zebrafish^Maria", MARIA_BORN, "F", _maria()),
        _publish(hilltop, "H-7731", "Zebrafish^Maria", MARIA_BORN, "F", _maria_elsewhere()),
    ]
    _appoint(lakeside, Person("LS-20417", name="Zebrafish^Maria"), "MRI of the head, follow-up", "MR", 12)
    noah = _publish(lakeside, "LS-20988", "Zebrafish^Noah", NOAH_BORN, "M", _noah())
    _await([*theirs, noah])
    for patient in theirs:
        _claim(maria, patient)
    _account("tom@example.org", staff_of=lakeside)
    _account("dr.lee@example.org", provider=True)
    _account("eve@example.org")
    return {
        "base_url": settings.PUBLIC_URL,
        "facility": {"name": lakeside.name, "slug": lakeside.slug, "key": key},
        "facility_staff": _sign_in("tom@example.org"),
        "patient": _sign_in("maria@example.org"),
        "new_patient": {"claim_code": _code(noah), "birth_date": str(NOAH_BORN)},
        "provider": _sign_in("dr.lee@example.org"),
        "stranger": _sign_in("eve@example.org"),
    }


def _facility(name: str, *, phone: str, hours: str, demo: bool = False) -> tuple[Facility, str]:
    """The facility and a key for it; of one that is there already, a new key."""
    known = Facility.objects.filter(name=name).first()
    if known:
        return known, facilities.issue_key(known, actor=Actor.operator())
    return facilities.add_facility(name, phone=phone, hours=hours, actor=Actor.operator(), demo=demo)


def _account(email: str, *, provider: bool = False, staff_of: Facility | None = None) -> User:
    """The account, which must be ours when it is there already."""
    known = User.objects.filter(email=email).first()
    if known is None:
        return people.add_account(email, _password(email), provider=provider, staff_of=staff_of, actor=Actor.operator())
    if not known.check_password(_password(email)):
        raise Conflict(f"{email} is somebody else's account here.", hint="Make the demo in a DATA_DIR of its own.")
    return known


def _publish(
    facility: Facility, patient_id: str, name: str, born: date, sex: str, chapters: list[Chapter]
) -> FacilityPatient:
    """Publish somebody's whole history and its reports."""
    for chapter in chapters:
        day = date.today() - timedelta(days=chapter.days_ago)
        accession = f"{facility.slug[0].upper()}{day:%y%m%d}{chapters.index(chapter)}"
        exam = Exam(patient_id, name, born, sex, day, accession, chapter.description, facility.name)
        person = Person(patient_id, name=name, birth_date=born, sex=sex)
        _tell(facility, person, exam, chapter)
        receipt = intake.publish(facility, ([file] for file in chapter.files(exam)))
        for outcome in (*receipt.failed, *receipt.quarantined):
            raise Conflict(f"The demo's {chapter.description} was not taken: {outcome.sentence}")
        for status, content in chapter.reports:
            reports.receive(facility, study_uid=exam.study_uid, status=status, content=content)
    return FacilityPatient.objects.get(facility=facility, patient_id=patient_id)


def _tell(facility: Facility, person: Person, exam: Exam, chapter: Chapter) -> None:
    """What the facility's RIS said of an exam: ordered a week before, done, and read the day after."""
    states = [(State.ORDERED, -7), (State.COMPLETED, 0)]
    states += [(State.FINAL, 1)] if any(status == Status.FINAL for status, _ in chapter.reports) else []
    for state, days in states:
        said_at = _at(exam.on + timedelta(days=days))
        exams.hear(facility, person, Said(exam.accession_number, state, said_at, exam.study_uid, chapter.description))


def _appoint(facility: Facility, person: Person, description: str, modality: str, days_ahead: int) -> None:
    """An exam that is to come."""
    when, today = _at(date.today() + timedelta(days=days_ahead)), _at(date.today() - timedelta(days=2))
    said = Said(f"{facility.slug[0].upper()}{when:%y%m%d}", State.SCHEDULED, today, "", description, modality, when)
    exams.hear(facility, person, said)


def _at(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, 12, tzinfo=timezone.get_default_timezone())


def _await(patients: list[FacilityPatient]) -> None:
    """Work until every study is ready, as a worker would; one that runs already shares the work."""
    end = time.monotonic() + PATIENCE
    waiting = Study.objects.filter(patient__in=patients).exclude(state=Study.State.READY)
    while pending := list(waiting.values_list("pk", flat=True)):
        if time.monotonic() > end:
            raise Conflict("The demo's studies do not become ready.", hint="The lines above should say why.")
        for study_id in pending:
            pipeline.advance(study_id)
        time.sleep(0.05)


def _claim(user: User, patient: FacilityPatient) -> None:
    """Claim with a code, as a letter's reader does."""
    if Link.objects.filter(patient=patient, ended_at=None).exists() or patient.birth_date is None:
        return
    claims.claim(user, _code(patient), patient.birth_date, address="127.0.0.1")


def _code(patient: FacilityPatient) -> str:
    """A new code that lives as long as one may."""
    text, _row = claims.issue(patient, actor=Actor.operator(), days=claims.MOST_DAYS)
    releases.release_ready(patient, actor=Actor.operator())
    return text


def _sign_in(email: str) -> dict[str, str]:
    return {"email": email, "password": _password(email)}


def _password(email: str) -> str:
    """Three invented words, about 54 bits: the same for the same site, another on every other."""
    key = derive(read_master_key(settings.MASTER_KEY), "demo-passwords")
    digits = int.from_bytes(hmac.digest(key, email.encode(), "sha256"))
    syllables = []
    for _ in range(9):
        digits, place = divmod(digits, len(CONSONANTS) * len(VOWELS))
        syllables.append(CONSONANTS[place // len(VOWELS)] + VOWELS[place % len(VOWELS)])
    return "-".join("".join(syllables[start : start + 3]) for start in (0, 3, 6))
