"""Patients as facilities know them: found by patient ID and issuer, with the history of what was said of them."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import date
from enum import StrEnum

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from accounts import audit
from accounts.audit import Action, Actor
from accounts.errors import Conflict
from accounts.models import Facility
from studies import identity
from studies.identity import Said
from studies.models import Demographics, FacilityPatient
from studies.store import keys


class Source(StrEnum):
    """Who said it."""

    IMAGES = "images"
    COMMAND = "command"
    DESK = "desk"
    MESSAGES = "messages"


@dataclass(frozen=True)
class Person:
    """Somebody as a message of her facility names her; "" and None where it says nothing. `name` is a DICOM PN."""

    patient_id: str
    issuer: str = ""
    name: str = ""
    birth_date: date | None = None
    sex: str = ""


class OtherPerson(Conflict):
    """A message names somebody else under a patient's number: nothing of it may reach her."""

    code = "other_person"
    message = _("This patient ID belongs to somebody with another name, birth date or sex.")
    hint = _("Send the correction of the patient first (ADT^A08), or the number that is right.")


def correct(facility: Facility, person: Person, *, actor: Actor) -> FacilityPatient:
    """What a facility's own index says of a patient is so from now on; she is added when unknown."""
    with transaction.atomic():
        patient = find(facility, person.patient_id, person.issuer)
        if patient is None:
            patient = _add(facility, person.patient_id, person.issuer or facility.issuer, actor)
        said = learn(patient, name=person.name, birth_date=person.birth_date, sex=person.sex, source=Source.MESSAGES)
        if said:
            audit.record(Action.PATIENT_CORRECTED, actor=actor, facility_id=facility.pk, patient=str(patient.pk))
    return patient


def named(facility: Facility, person: Person, *, actor: Actor) -> FacilityPatient:
    """Whom a message is about, added when unknown. OtherPerson for what contradicts what is known of her."""
    with transaction.atomic():
        known = find(facility, person.patient_id, person.issuer)
        if known and identity.contradicts(known, Said(person.name, person.birth_date, person.sex)):
            raise OtherPerson
        return register(facility, **asdict(person), source=Source.MESSAGES, actor=actor)


def register(
    facility: Facility,
    patient_id: str,
    *,
    issuer: str = "",
    name: str = "",
    birth_date: date | None = None,
    sex: str = "",
    source: str,
    actor: Actor,
) -> FacilityPatient:
    """Return the facility's patient, added when unknown; what is newly said of her is kept with its history.

    `name` is a DICOM PN. An empty value never overwrites, and images of somebody else teach nothing: see
    `studies.identity`, which notes it when they are read. Raises `Conflict` when a person names a patient ID
    that several issuers use.
    """
    with transaction.atomic():
        by_images = source == Source.IMAGES
        patient = _of_images(facility, patient_id, issuer) if by_images else find(facility, patient_id, issuer)
        if patient is None:
            patient = _add(facility, patient_id, issuer or facility.issuer, actor)
        if not (by_images and identity.contradicts(patient, Said(name, birth_date, sex))):
            learn(patient, name=name, birth_date=birth_date, sex=sex, source=source)
    return patient


def find(facility: Facility, patient_id: str, issuer: str = "") -> FacilityPatient | None:
    """Return the patient somebody means, who mostly names no issuer: the facility's own, else the only one.

    Raises `Conflict` when that leaves several.
    """
    named = {patient.issuer: patient for patient in facility.patients.filter(patient_id=patient_id)}
    if issuer or facility.issuer in named:
        return named.get(issuer or facility.issuer)
    if len(named) > 1:
        raise Conflict(
            _("Several patients have this patient ID, each from another issuer."), hint=_("Name the issuer too.")
        )
    return next(iter(named.values()), None)


def is_same(patient: FacilityPatient, patient_id: str, issuer: str) -> bool:
    """Whether a file names this patient: an issuer that is not named contradicts nobody, one that is must be hers."""
    return patient.patient_id == patient_id and issuer in ("", patient.issuer)


def learn(
    patient: FacilityPatient, *, name: str = "", birth_date: date | None = None, sex: str = "", source: str
) -> bool:
    """Keep what is said of a patient, in the caller's transaction; tell whether any of it was new."""
    said = {"name": name[:400], "birth_date": birth_date, "sex": sex[:16]}
    news = {key: value for key, value in said.items() if value and value != getattr(patient, key)}
    if not news:
        return False
    Demographics.objects.create(patient=patient, source=source, **said)
    for key, value in news.items():
        setattr(patient, key, value)
    patient.save(update_fields=list(news))
    return True


def _of_images(facility: Facility, patient_id: str, issuer: str) -> FacilityPatient | None:
    """Return the patient that images name: never by guessing, for they may show another person's body."""
    issuer = issuer or facility.issuer
    patient = facility.patients.filter(patient_id=patient_id, issuer=issuer).first()
    return patient or _awaited(facility, patient_id, issuer)


def _awaited(facility: Facility, patient_id: str, issuer: str) -> FacilityPatient | None:
    """Return the patient registered by hand, with no issuer named, for whom nothing has arrived yet.

    Whoever prints a code before the images come cannot know which issuer they will name. The first images to
    come name it for good; from then on another issuer is another patient.
    """
    patient = facility.patients.filter(patient_id=patient_id, issuer="", studies=None).first()
    if patient:
        patient.issuer = issuer
        patient.save(update_fields=["issuer"])
    return patient


def _add(facility: Facility, patient_id: str, issuer: str, actor: Actor) -> FacilityPatient:
    patient, is_new = facility.patients.get_or_create(
        patient_id=patient_id, issuer=issuer, defaults={"wrapped_key": keys.new_patient_key()}
    )
    if is_new:
        audit.record(Action.PATIENT_REGISTERED, actor=actor, facility_id=facility.pk, patient=str(patient.pk))
    return patient
