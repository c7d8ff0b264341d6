"""The operator's commands: JSON on stdout, sentences on stderr, exit 2 for what is refused."""

from __future__ import annotations

import json
from datetime import datetime
from io import StringIO
from typing import Any
from unittest.mock import patch

import pytest
from django.contrib.auth import authenticate
from django.core.mail import EmailMultiAlternatives
from django.core.management import CommandError, call_command
from django.utils import timezone

from accounts import facilities, factors, letters
from accounts.audit import Actor
from accounts.models import AuditEvent, Facility, PatientRecord, User
from portal import delivery
from sharing import access, claims, codes, disclosures
from sharing.models import ClaimCode
from studies.models import FacilityPatient
from tests import cast as stage
from tests.cast import Cast

pytestmark = pytest.mark.django_db


def answer(*arguments: str) -> Any:
    said = StringIO()
    call_command(*arguments, "--json", stdout=said)
    return json.loads(said.getvalue())


def refusal(*arguments: str) -> str:
    with pytest.raises(CommandError) as refused:
        call_command(*arguments, "--json", stdout=StringIO())
    assert refused.value.returncode == 2
    return str(refused.value)


def deeds() -> list[tuple[str, str]]:
    return list(AuditEvent.objects.order_by("pk").values_list("action", "actor_kind"))


def test_a_facility_gets_a_slug_and_a_key_that_works() -> None:
    made = answer("facility", "add", "Hilltop Radiology", "--issuer", "1.2.3")
    facility = facilities.facility_for_key(made["key"])
    assert facility is not None
    assert (str(facility.pk), facility.slug) == (made["id"], made["slug"]) == (made["id"], "hilltop-radiology")
    assert facility.issuer == "1.2.3"
    assert ("facility_added", "operator") in deeds()


def test_somebody_who_lost_every_second_factor_is_helped() -> None:
    employer, _key = facilities.add_facility("Lakeside Imaging", actor=Actor.operator())
    tom = stage.person("tom@example.org", staff_of=employer)
    assert not factors.missing(tom)
    assert answer("secondfactor", "drop", "Tom@example.org") == {"id": str(tom.pk), "email": "tom@example.org"}
    assert factors.missing(tom)
    assert "no account" in refusal("secondfactor", "drop", "nobody@example.org")


def test_letters_that_cannot_be_sent_are_listed_without_their_words() -> None:
    assert answer("letters") == {"letters": []}
    letter = letters.write("maria@example.org", "sharing/email/unlinked")
    with patch.object(EmailMultiAlternatives, "send", side_effect=ConnectionRefusedError):
        letters.deliver(letter.pk)
    said = StringIO()
    call_command("letters", stdout=said)
    assert "sharing/email/unlinked" in said.getvalue()
    assert "ConnectionRefusedError, again at" in said.getvalue()
    assert "maria" not in said.getvalue()
    (listed,) = answer("letters")["letters"]
    assert (listed["id"], listed["attempts"], listed["given_up"]) == (str(letter.pk), 1, False)


def test_a_facility_says_how_to_reach_it() -> None:
    answer("facility", "add", "Hilltop Radiology", "--phone", "555 0187", "--hours", "Always")
    assert Facility.objects.values_list("phone", "hours").get() == ("555 0187", "Always")


def test_a_facility_without_a_name_is_refused_in_a_sentence() -> None:
    assert "name" in refusal("facility", "add", "  ")
    assert not Facility.objects.exists()


def test_people_read_a_sentence_instead_of_json() -> None:
    said = StringIO()
    call_command("facility", "add", "Hilltop Radiology", stdout=said)
    assert "Hilltop Radiology (hilltop-radiology) publishes with this key: lbx_" in said.getvalue()


def test_an_account_can_sign_in_and_has_an_empty_record() -> None:
    made = answer("account", "add", "Nina@Example.org", "--password", "a quiet lake in autumn")
    user = authenticate(None, email="nina@example.org", password="a quiet lake in autumn")
    assert isinstance(user, User)
    assert (str(user.pk), user.email) == (made["id"], made["email"])
    record = PatientRecord.objects.get(user=user)
    assert (record.name, record.birth_date) == ("", None)
    assert ("account_added", "operator") in deeds()


def test_an_account_may_belong_to_a_provider_or_to_staff(cast: Cast) -> None:
    answer("account", "add", "kim@example.org", "--password", "x" * 12, "--provider")
    answer("account", "add", "sam@example.org", "--password", "x" * 12, "--staff", cast.lakeside.slug)
    assert User.objects.get(email="kim@example.org").provider is not None
    assert facilities.facility_for_staff(User.objects.get(email="sam@example.org")) == cast.lakeside


def test_an_administrator_administers_her_facility_and_no_other(cast: Cast) -> None:
    answer(
        "account", "add", "sam@example.org", "--password", "x" * 12, "--staff", cast.lakeside.slug, "--administrator"
    )
    sam = User.objects.get(email="sam@example.org")
    assert [facilities.administers(sam, one) for one in (cast.lakeside, cast.hilltop)] == [True, False]
    assert "--staff" in refusal("account", "add", "kim@example.org", "--password", "x" * 12, "--administrator")


def test_an_account_is_refused_for_a_taken_or_misspelt_address(cast: Cast) -> None:
    assert "exists already" in refusal("account", "add", "maria@example.org", "--password", "x" * 12)
    assert "no e-mail address" in refusal("account", "add", "maria at example", "--password", "x" * 12)
    assert "empty" in refusal("account", "add", "new@example.org", "--password", "")


def test_staff_of_an_unknown_facility_is_refused_before_the_account_is_made(cast: Cast) -> None:
    words = refusal("account", "add", "sam@example.org", "--password", "x" * 12, "--staff", "nowhere")
    assert "nowhere" in words
    assert cast.lakeside.slug in words
    assert not User.objects.filter(email="sam@example.org").exists()


def test_a_code_is_issued_before_anything_has_arrived(cast: Cast) -> None:
    made = answer(
        "claimcode", cast.lakeside.slug, "NEW-1", "--name", "Zebrafish^New", "--birth-date", "1990-02-28"
    )  # fmt: skip
    assert codes.is_whole(codes.tidy(made["code"]))
    assert made["birth_date"] == "1990-02-28"
    assert datetime.fromisoformat(made["expires_at"]) > timezone.now()
    patient = FacilityPatient.objects.get(patient_id="NEW-1")
    assert (patient.name, str(patient.birth_date)) == ("Zebrafish^New", "1990-02-28")
    assert {("patient_registered", "operator"), ("code_issued", "operator")} <= set(deeds())


def test_a_new_code_ends_the_one_before(cast: Cast) -> None:
    arguments = ("claimcode", cast.lakeside.slug, cast.patient.patient_id)
    first, second = answer(*arguments), answer(*arguments)
    assert first["code"] != second["code"]
    live = ClaimCode.objects.get(patient=cast.patient, revoked_at=None)
    assert codes.matches(codes.tidy(second["code"]), live.digest)


@pytest.mark.django_db(transaction=True)
def test_a_code_releases_what_is_ready_and_claims_it(cast: Cast) -> None:
    patient = stage.a_patient(cast.lakeside)
    study = stage.a_study(patient)
    made = answer("claimcode", cast.lakeside.slug, patient.patient_id)
    claims.claim(cast.eve, made["code"], stage.BORN, address="192.0.2.7")
    assert list(access.visible_to(access.viewer_for(cast.eve))) == [study]


def test_without_a_birth_date_there_is_no_code_and_no_patient(cast: Cast) -> None:
    assert "--birth-date" in refusal("claimcode", cast.lakeside.slug, "NEW-1")
    assert not FacilityPatient.objects.filter(patient_id="NEW-1").exists()


def test_a_code_of_an_unknown_facility_is_refused(cast: Cast) -> None:
    assert "nowhere" in refusal("claimcode", "nowhere", "NEW-1", "--birth-date", "1990-02-28")


def test_a_misspelt_date_is_refused_with_an_example(cast: Cast) -> None:
    with pytest.raises(CommandError, match="1980-05-17"):
        call_command("claimcode", cast.lakeside.slug, "NEW-1", "--birth-date", "28.2.1990")


def test_a_leaked_key_is_replaced_and_refused() -> None:
    made = answer("facility", "add", "Hilltop Radiology")
    newer = answer("facilitykey", "issue", made["slug"])["key"]
    assert answer("facilitykey", "revoke", made["key"]) == {"revoked": made["key"].split("_")[1]}
    assert facilities.facility_for_key(made["key"]) is None
    assert facilities.facility_for_key(newer) is not None
    assert "no such key" in refusal("facilitykey", "revoke", "nonsense")
    assert deeds()[-1] == ("key_revoked", "operator")


def test_the_accounting_of_disclosures_tells_of_itself(cast: Cast) -> None:
    delivery.admit(access.viewer_for(cast.tom), cast.study.pk, access.Right.SEE)
    (row,) = answer("disclosures", "Maria@example.org", "--since", "2020-01-01")["disclosures"]
    assert (row["who"], row["what"]) == ("Staff of Lakeside Imaging", "looked at the pictures")
    assert answer("disclosures", "maria@example.org", "--since", "2999-01-01") == {"disclosures": []}
    assert "no account" in refusal("disclosures", "nobody@example.org")
    told = disclosures.tell(disclosures.activity(cast.maria), cast.maria)
    assert [str(look.who) for look in told if look.what == "read who had looked"] == ["The operator of this site"] * 2
