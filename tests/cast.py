"""The people of the tests, and rows to give them.

Maria owns a study that Lakeside published. Dr Lee is a physician. Eve has an account and nothing else. Tom works at
Lakeside, Ana at Hilltop. All synthetic patients are called ZEBRAFISH (see the tripwire in conftest).
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import date
from typing import Any

from allauth.mfa.adapter import get_adapter
from allauth.mfa.models import Authenticator

from accounts import facilities, people
from accounts.audit import Actor
from accounts.models import Facility, User
from sharing import releases
from sharing.models import Link
from studies.models import FacilityPatient, Study
from studies.store import keys

PASSWORD = "a quiet lake in autumn"
BORN = date(1980, 5, 17)
SEED = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"  # of every authenticator app on the stage


@dataclass(frozen=True)
class Cast:
    """Who is who."""

    lakeside: Facility
    hilltop: Facility
    lakeside_key: str
    hilltop_key: str
    maria: User
    lee: User
    eve: User
    tom: User
    ana: User
    patient: FacilityPatient
    study: Study


def assemble() -> Cast:
    """Everybody on the stage."""
    lakeside, lakeside_key = facilities.add_facility("Lakeside Imaging", actor=Actor.operator())
    hilltop, hilltop_key = facilities.add_facility("Hilltop Radiology", actor=Actor.operator())
    maria = person("maria@example.org")
    patient = a_patient(lakeside)
    study = a_study(patient)
    Link.objects.create(patient=patient, record=people.record_of(maria), claimed_by=maria)
    releases.release(study, actor=Actor.facility(lakeside))
    return Cast(
        lakeside=lakeside,
        hilltop=hilltop,
        lakeside_key=lakeside_key,
        hilltop_key=hilltop_key,
        maria=maria,
        lee=person("lee@example.org", provider=True),
        eve=person("eve@example.org"),
        tom=person("tom@example.org", staff_of=lakeside),
        ana=person("ana@example.org", staff_of=hilltop),
        patient=patient,
        study=study,
    )


def person(email: str, **more: Any) -> User:
    """Somebody with a verified account; staff and providers have their second factor, as the site demands."""
    user = people.add_account(email, PASSWORD, actor=Actor.operator(), **more)
    if more:
        an_app(user)
    return user


def an_app(user: User, seed: str = SEED) -> Authenticator:
    """An authenticator app that shows the codes of a seed."""
    sealed = {"secret": get_adapter().encrypt(seed)}
    return Authenticator.objects.create(user=user, type=Authenticator.Type.TOTP, data=sealed)


def a_patient(facility: Facility, **values: Any) -> FacilityPatient:
    """A patient of a facility: her row, with a key of her own."""
    values = {"patient_id": secrets.token_hex(4), "name": "ZEBRAFISH^MARIA", "birth_date": BORN, **values}
    return FacilityPatient.objects.create(facility=facility, wrapped_key=keys.new_patient_key(), **values)


def a_study(patient: FacilityPatient, **values: Any) -> Study:
    """A study that is ready: its row only, without pictures."""
    values = {"study_uid": f"2.25.{secrets.randbits(100)}", "state": Study.State.READY, **values}
    return Study.objects.create(facility=patient.facility, patient=patient, **values)
