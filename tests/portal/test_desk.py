"""The desk's pages: for one facility's staff, by POST, without identity in an address, and a code is seen once."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.audit import Action
from accounts.models import AuditEvent, Facility, Membership
from sharing import claims, codes, desk, releases
from sharing.models import ClaimCode, Release
from studies.models import FacilityPatient, Job, Report, SealedObject, Study
from tests import cast as stage
from tests.at_once import at_once
from tests.cast import Cast, a_patient, a_study

pytestmark = pytest.mark.django_db

BORN = {"birth_day": "17", "birth_month": "5", "birth_year": "1980"}
CODE = re.compile(r"(?<![\w-])[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z](?![\w-])")  # no part of a UUID


@pytest.fixture
def tom(client: Client, cast: Cast) -> Client:
    """Lakeside's desk."""
    client.force_login(cast.tom)
    return client


def at(name: str, *ids: Any) -> str:
    return reverse(name, args=ids)


def deeds(action: Action) -> list[AuditEvent]:
    return list(AuditEvent.objects.filter(action=action).order_by("pk"))


def words(answer: Any) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", answer.content.decode()).split())


def handed_out(client: Client, patient: FacilityPatient, **changes: str) -> Any:
    """Open the page as a clerk does, and print."""
    form = client.get(at("desk_code", patient.pk)).context["form"]
    fields = {"document": "passport", "language": "en", "replacing": str(form["replacing"].value() or ""), **changes}
    return client.post(at("desk_code", patient.pk), fields)


# --- Search


def test_several_who_fit_are_listed_by_what_tells_them_apart(tom: Client, cast: Cast) -> None:
    twin = a_patient(cast.lakeside, patient_id="LS-2", name="ZEBRAFISH^MARIANNE", birth_date=None)
    answer = tom.post(at("desk"), {"text": "zebrafish mar"})
    said = words(answer)
    assert "2 people" in said
    assert "ZEBRAFISH, MARIA born May 17, 1980" in said
    assert "ZEBRAFISH, MARIANNE date of birth not known MRN LS-2" in said
    assert at("desk_patient", twin.pk) in answer.content.decode()


def test_the_only_one_who_fits_is_opened_at_once(tom: Client, cast: Cast) -> None:
    answer = tom.post(at("desk"), {"text": cast.patient.patient_id})
    assert (answer.status_code, answer["Location"]) == (303, at("desk_patient", cast.patient.pk))


def test_a_search_is_written_down_without_its_terms(tom: Client, cast: Cast) -> None:
    tom.post(at("desk"), {"text": "zebrafish"})
    (event,) = deeds(Action.DESK_SEARCHED)
    assert (event.actor_id, event.facility_id, event.detail) == (str(cast.tom.pk), cast.lakeside.pk, {"found": 1})


def test_nobody_found_leads_to_registering(tom: Client) -> None:
    assert at("desk_register") in tom.post(at("desk"), {"text": "nobody"}).content.decode()


@pytest.mark.parametrize("typed", ["", " ", "z", "-z-"])
def test_too_little_to_go_by_is_refused_and_searches_nothing(tom: Client, typed: str) -> None:
    assert tom.post(at("desk"), {"text": typed}).status_code == 422
    assert deeds(Action.DESK_SEARCHED) == []


def test_a_search_by_address_finds_nothing(tom: Client) -> None:
    answer = tom.get(at("desk"), {"text": "zebrafish"})
    assert "ZEBRAFISH" not in answer.content.decode()
    assert deeds(Action.DESK_SEARCHED) == []


def test_a_long_list_is_cut_and_says_so(tom: Client, monkeypatch: pytest.MonkeyPatch, cast: Cast) -> None:
    monkeypatch.setattr(desk, "MOST_FOUND", 1)
    a_patient(cast.lakeside, name="ZEBRAFISH^LUZ")
    answer = tom.post(at("desk"), {"text": "zebrafish"})
    assert "More than 1 person" in words(answer)
    assert len(answer.context["found"]) == 1


def test_whoever_leafs_through_the_patients_is_stopped(tom: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(desk, "SEARCHES_AN_HOUR", 1)
    assert tom.post(at("desk"), {"text": "zebrafish"}).status_code == 303
    assert tom.post(at("desk"), {"text": "zebrafish"}).status_code == 429
    assert tom.post(at("desk_register"), NEW).status_code == 429


# --- One patient


def test_the_patients_page_says_what_became_of_each_exam(tom: Client, cast: Cast) -> None:
    Study.objects.update(description="Chest")
    a_study(cast.patient, description="Arriving", state=Study.State.STORED)
    a_study(cast.patient, description="Waiting")
    stuck = a_study(cast.patient, description="Stuck", state=Study.State.STORED)
    Job.objects.create(study=stuck, dead_at=timezone.now())
    releases.withdraw(a_study(cast.patient, description="Wrong"), "another side", actor=desk.staff_for(cast.tom).actor)
    said = words(tom.get(at("desk_patient", cast.patient.pk)))
    for sentence in (
        "In the patient's account since",
        "Chest Released",
        "Arriving Receiving",
        "Waiting Ready, not released",
        "Stuck Stuck: tell your operator",
        "Wrong Withdrawn",
        "Reason: another side",
    ):
        assert sentence in said.replace("&#x27;", "'")


def test_an_exam_of_which_no_file_was_read_is_called_neither_document_nor_without_pictures(
    tom: Client, cast: Cast
) -> None:
    Study.objects.filter(pk=cast.study.pk).update(state=Study.State.STORED, modalities=[], description="")
    told = words(tom.get(at("desk_patient", cast.patient.pk)))
    assert "An exam that is arriving Receiving" in told
    assert "No pictures to show here" not in told
    assert "Document" not in told


def test_a_look_at_a_patient_is_written_down_once_for_her(tom: Client, cast: Cast) -> None:
    for _ in range(2):
        tom.get(at("desk_patient", cast.patient.pk))
    (event,) = deeds(Action.PATIENT_VIEWED)
    assert (event.record_id, event.actor_kind) == (cast.maria.record.pk, "staff")


def test_the_patient_reads_what_was_done_at_the_desk(tom: Client, cast: Cast) -> None:
    handed_out(tom, cast.patient)
    tom.force_login(cast.maria)
    said = words(tom.get(reverse("activity")))
    for deed in ("looked up name and birth date at the desk", "checked an identity document", "made a code"):
        assert deed in said
    assert "Staff of Lakeside Imaging" in said


@pytest.mark.parametrize(
    ("status", "sentence"),
    [("final", "Report: Final"), ("preliminary", "Report: preliminary, not shown to the patient")],
)
def test_the_state_of_the_report_is_told(tom: Client, cast: Cast, status: str, sentence: str) -> None:
    body = SealedObject.objects.create(facility=cast.lakeside, kind="report", length=1, wrapped_key=b"-")
    Report.objects.create(
        facility=cast.lakeside,
        study=cast.study,
        study_uid=cast.study.study_uid,
        status=status,
        form=Report.Form.TEXT,
        body=body,
        sha256=b"-",
    )
    assert sentence in words(tom.get(at("desk_patient", cast.patient.pk)))


def test_details_are_corrected_and_written_down(tom: Client, cast: Cast) -> None:
    page = at("desk_details", cast.patient.pk)
    assert tom.get(page).context["form"].initial["family"] == "ZEBRAFISH"
    answer = tom.post(page, {"family": "Zebrafish", "given": "Mária", **BORN, "birth_day": "18"})
    assert (answer.status_code, answer["Location"]) == (303, at("desk_patient", cast.patient.pk))
    cast.patient.refresh_from_db()
    assert (cast.patient.name, str(cast.patient.birth_date)) == ("Zebrafish^Mária", "1980-05-18")
    (event,) = deeds(Action.PATIENT_CORRECTED)
    assert event.detail == {"patient": str(cast.patient.pk)}


# --- Register


NEW = {"patient_id": "00417", "family": "Zebrafish", "given": "Noah", **BORN}


def test_a_patient_is_registered_before_her_images_and_goes_on_to_the_code(tom: Client, cast: Cast) -> None:
    answer = tom.post(at("desk_register"), NEW)
    noah = FacilityPatient.objects.get(facility=cast.lakeside, patient_id="00417")
    assert (answer.status_code, answer["Location"]) == (303, at("desk_code", noah.pk))
    assert (noah.name, noah.birth_date, noah.issuer) == ("Zebrafish^Noah", stage.BORN, cast.lakeside.issuer)
    (event,) = deeds(Action.PATIENT_REGISTERED)
    assert event.actor_id == str(cast.tom.pk)


@pytest.mark.parametrize(
    ("field", "value"), [("patient_id", "a\\b"), ("patient_id", ""), ("family", ""), ("birth_day", "32")]
)
def test_what_cannot_be_is_told_at_its_field(tom: Client, field: str, value: str) -> None:
    answer = tom.post(at("desk_register"), {**NEW, field: value})
    assert answer.status_code == 422
    assert list(answer.context["form"].errors) == [field]


def test_whoever_comes_to_see_a_patient_by_a_refusal_is_written_down(tom: Client, cast: Cast) -> None:
    noah = a_patient(cast.lakeside, patient_id="00417", name="ZEBRAFISH^OTHER")
    tom.post(at("desk_register"), NEW)
    tom.post(at("desk_withdraw", cast.study.pk), {"reason": ""})
    seen = [event.detail["patient"] for event in deeds(Action.PATIENT_VIEWED)]
    assert seen == [str(noah.pk), str(cast.patient.pk)]


@pytest.mark.parametrize("other", [{"family": "Other"}, {"birth_year": "1981"}])
def test_somebody_elses_mrn_is_refused_and_changes_nothing(tom: Client, cast: Cast, other: dict[str, str]) -> None:
    a_patient(cast.lakeside, patient_id="00417", name="ZEBRAFISH^NOAH")
    answer = tom.post(at("desk_register"), {**NEW, **other})
    assert answer.status_code == 409
    known = FacilityPatient.objects.get(facility=cast.lakeside, patient_id="00417")
    assert at("desk_patient", known.pk) in answer.content.decode()
    assert (known.name, known.birth_date) == ("ZEBRAFISH^NOAH", stage.BORN)


def test_who_is_known_already_is_left_as_she_is_and_completed(tom: Client, cast: Cast) -> None:
    known = a_patient(cast.lakeside, patient_id="00417", name="ZEBRAFISH^NOAH^JAMES", birth_date=None)
    assert tom.post(at("desk_register"), NEW)["Location"] == at("desk_code", known.pk)
    known.refresh_from_db()
    assert (known.name, known.birth_date) == ("ZEBRAFISH^NOAH^JAMES", stage.BORN)


def test_the_same_mrn_at_another_facility_is_another_person(tom: Client, cast: Cast) -> None:
    theirs = a_patient(cast.hilltop, patient_id="00417", name="ZEBRAFISH^OTHER")
    assert tom.post(at("desk_register"), NEW).status_code == 303
    assert FacilityPatient.objects.filter(patient_id="00417").exclude(pk=theirs.pk).count() == 1


# --- The code


def test_a_code_is_shown_once_and_claims(tom: Client, cast: Cast, transactional_db: None) -> None:
    noah = a_patient(cast.lakeside)
    study = a_study(noah)
    answer = handed_out(tom, noah)
    assert answer.status_code == 200
    (code,) = set(CODE.findall(answer.content.decode()))
    assert codes.is_whole(codes.tidy(code))
    assert Release.objects.filter(study=study, withdrawn_at=None).exists()
    again = tom.get(at("desk_code", noah.pk))
    assert code not in again.content.decode()
    assert "cannot be shown again" in words(again)
    claims.claim(cast.eve, code, stage.BORN, address="192.0.2.7")


def test_handing_out_says_what_it_also_releases(tom: Client, cast: Cast) -> None:
    newcomer = a_patient(cast.lakeside)
    page = at("desk_code", newcomer.pk)
    assert "also releases" not in words(tom.get(page))
    a_study(newcomer)
    assert "The code also releases 1 exam that is ready." in words(tom.get(page))


def test_the_sheet_holds_neither_name_nor_birth_date(tom: Client, cast: Cast) -> None:
    printed = handed_out(tom, cast.patient).context["sheet"]
    said = " ".join(re.sub(r"<[^>]+>", " ", printed).split())
    assert "For M. Z." in said
    assert "1980" not in said
    assert "ZEBRAFISH" not in said.upper()


def test_the_identity_seen_is_written_down(tom: Client, cast: Cast) -> None:
    handed_out(tom, cast.patient, document="driving_licence")
    (event,) = deeds(Action.IDENTITY_CONFIRMED)
    assert (event.detail["document"], event.record_id) == ("driving_licence", cast.maria.record.pk)
    assert len(deeds(Action.CODE_ISSUED)) == 1


@pytest.mark.parametrize("changes", [{"document": ""}, {"document": "a smile"}, {"language": "xx"}])
def test_without_an_identity_there_is_no_code(tom: Client, cast: Cast, changes: dict[str, str]) -> None:
    assert handed_out(tom, cast.patient, **changes).status_code == 422
    assert not ClaimCode.objects.exists()


def test_a_page_loaded_again_ends_no_code(tom: Client, cast: Cast) -> None:
    noah = a_patient(cast.lakeside)
    handed_out(tom, noah)
    again = tom.post(at("desk_code", noah.pk), {"document": "passport", "language": "en", "replacing": ""})
    assert again.status_code == 409
    assert not CODE.search(again.content.decode())
    assert ClaimCode.objects.get(patient=noah).revoked_at is None
    assert len(deeds(Action.IDENTITY_CONFIRMED)) == 1


@pytest.mark.django_db(transaction=True)
def test_two_taps_at_once_hand_out_one_code(cast: Cast) -> None:
    noah, staff = a_patient(cast.lakeside), desk.staff_for(cast.tom)
    calls = [lambda: desk.hand_out(staff, noah, desk.Document.PASSPORT, replacing=None)] * 4
    outcomes = at_once(calls)
    assert sum(isinstance(outcome, desk.HandedOut) for outcome in outcomes) == 3
    assert ClaimCode.objects.get().revoked_at is None


def test_a_new_code_ends_the_one_before(tom: Client, cast: Cast) -> None:
    noah = a_patient(cast.lakeside)
    for _ in range(2):
        assert handed_out(tom, noah).status_code == 200
    assert [code.revoked_at is None for code in ClaimCode.objects.order_by("issued_at")] == [False, True]


def test_without_a_birth_date_it_is_asked_for_first(tom: Client, cast: Cast) -> None:
    noah = a_patient(cast.lakeside, birth_date=None)
    assert tom.get(at("desk_code", noah.pk))["Location"] == at("desk_details", noah.pk)


def test_a_claimed_patients_new_code_warns(tom: Client, cast: Cast) -> None:
    assert "moves the images to the account" in words(tom.get(at("desk_code", cast.patient.pk)))


def test_a_locked_code_is_told(tom: Client, cast: Cast) -> None:
    noah = a_patient(cast.lakeside)
    handed_out(tom, noah)
    ClaimCode.objects.update(wrong_tries=claims.LIFETIME_CAP)
    assert "locked after too many wrong tries" in words(tom.get(at("desk_patient", noah.pk)))


# --- Release and withdraw


def test_exams_are_released_one_or_all(tom: Client, cast: Cast) -> None:
    noah = a_patient(cast.lakeside)
    first, *rest = (a_study(noah) for _ in range(3))
    assert tom.post(at("desk_release", first.pk))["Location"] == at("desk_patient", noah.pk)
    assert list(Release.objects.filter(study__patient=noah).values_list("study", flat=True)) == [first.pk]
    said = words(tom.post(at("desk_release_all", noah.pk), follow=True))
    assert "2 exams released." in said
    assert Release.objects.filter(study__in=rest).count() == 2


def test_an_exam_that_is_still_arriving_is_not_released(tom: Client, cast: Cast) -> None:
    study = a_study(cast.patient, state=Study.State.INDEXED)
    assert tom.post(at("desk_release", study.pk)).status_code == 409
    assert not Release.objects.filter(study=study).exists()


def test_an_exam_is_withdrawn_with_a_reason_and_released_again(tom: Client, cast: Cast) -> None:
    page = at("desk_withdraw", cast.study.pk)
    wrong = tom.post(page, {"reason": "  "})
    assert wrong.status_code == 422
    assert Release.objects.get(study=cast.study).withdrawn_at is None
    assert tom.post(page, {"reason": "the wrong side"}).status_code == 303
    assert Release.objects.get(study=cast.study).withdrawn_reason == "the wrong side"
    tom.post(at("desk_release", cast.study.pk))
    assert Release.objects.get(study=cast.study).withdrawn_at is None


@pytest.mark.parametrize("name", ["desk_release", "desk_withdraw", "desk_release_all"])
def test_nothing_is_done_by_get(tom: Client, cast: Cast, name: str) -> None:
    assert tom.get(at(name, cast.study.pk)).status_code == 405


# --- Whose desk it is


def routes(patient: FacilityPatient, study: Study) -> list[str]:
    of_patient = [at(f"desk_{page}", patient.pk) for page in ("patient", "details", "code", "release_all")]
    return [*of_patient, *(at(f"desk_{deed}", study.pk) for deed in ("release", "withdraw"))]


def test_another_facilitys_patients_do_not_exist(client: Client, cast: Cast) -> None:
    client.force_login(cast.ana)
    before = AuditEvent.objects.count()
    for address in routes(cast.patient, cast.study):
        answer = client.post(
            address, {"reason": "mine", "document": "passport", "language": "en", **BORN, "family": "X"}
        )
        assert answer.status_code in (404, 405), address
    assert client.get(at("desk_patient", cast.patient.pk)).status_code == 404
    assert AuditEvent.objects.count() == before
    assert not ClaimCode.objects.exists()


def test_for_everybody_else_there_is_no_desk(client: Client, cast: Cast) -> None:
    for person in (cast.maria, cast.eve):
        client.force_login(person)
        for address in (at("desk"), at("desk_register"), at("desk_facility"), *routes(cast.patient, cast.study)):
            assert client.get(address).status_code == 404
            assert client.post(address).status_code == 404


def test_staff_are_asked_to_sign_in(client: Client, cast: Cast) -> None:
    assert client.get(at("desk"))["Location"] == f"/accounts/login/?next={at('desk')}"


def test_phone_and_hours_are_an_administrators_affair(tom: Client, cast: Cast) -> None:
    page = at("desk_facility")
    contact = {"phone": " 555 0142 ", "hours": "Always"}
    assert tom.post(page, contact).status_code == 403
    Membership.objects.filter(user=cast.tom).update(role=Membership.Role.ADMINISTRATOR)
    assert page in tom.get(at("desk")).content.decode()
    assert "How patients reach Lakeside Imaging." in tom.get(page).content.decode()
    for _ in range(2):
        assert tom.post(page, contact)["Location"] == at("desk")
    assert Facility.objects.values_list("phone", "hours").get(pk=cast.lakeside.pk) == ("555 0142", "Always")
    assert len(deeds(Action.FACILITY_CHANGED)) == 1
    assert "555 0142" in handed_out(tom, a_patient(cast.lakeside)).context["sheet"]
