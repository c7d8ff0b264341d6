"""What may be laid beside an exam: the same person's, as far as the viewer may see it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.audit import Action, Actor
from accounts.models import AuditEvent, User
from sharing import grants, priors, releases
from sharing.access import Person, viewer_for
from sharing.models import Link
from studies.models import FacilityPatient, Study
from tests.cast import Cast
from tests.portal.published import Published, publish_for


@pytest.fixture
def published(cast: Cast) -> Published:
    return publish_for(cast)


def another(cast: Cast, patient: FacilityPatient, uid: str, *, days_before: int = 400, **said: Any) -> Study:
    """One more exam of a patient, released, of which pictures are there."""
    about = {"modalities": ["CT"], "body_part": "CHEST", "image_count": 3, "state": Study.State.READY} | said
    study = Study.objects.create(
        facility=patient.facility,
        patient=patient,
        study_uid=uid,
        study_date=timezone.localdate() - timedelta(days=days_before),
        **about,
    )
    releases.release(study, actor=Actor.facility(patient.facility))
    return study


def test_the_same_persons_exams_are_found_the_newest_first(cast: Cast, published: Published) -> None:
    old = another(cast, published.study.patient, "1.2.3", days_before=900)
    new = another(cast, published.study.patient, "1.2.4", days_before=90)
    another(cast, published.study.patient, "1.2.5", image_count=0)
    found = priors.others_of(viewer_for(cast.maria), published.study)
    assert [one for one in found if one.study_uid.startswith("1.2.")] == [new, old]
    assert published.study not in found


def test_one_record_joins_what_two_facilities_have(cast: Cast, published: Published) -> None:
    elsewhere = FacilityPatient.objects.create(facility=cast.hilltop, patient_id="H-9")
    theirs = another(cast, elsewhere, "1.2.6")
    assert theirs not in priors.others_of(viewer_for(cast.maria), published.study)
    link = Link.objects.create(patient=elsewhere, record=cast.maria.record, claimed_by=cast.maria)
    assert theirs in priors.others_of(viewer_for(cast.maria), published.study)
    Link.objects.filter(pk=link.pk).update(ended_at=timezone.now())
    assert theirs not in priors.others_of(viewer_for(cast.maria), published.study)


def test_a_borrower_finds_only_what_was_lent_to_her(cast: Cast, published: Published) -> None:
    lent, kept = (another(cast, published.study.patient, uid) for uid in ("1.2.7", "1.2.8"))
    lend(cast.maria, cast.eve, published.study, lent)
    found = priors.others_of(Person(cast.eve), published.study)
    assert lent in found
    assert kept not in found


@pytest.mark.parametrize(
    ("said", "alike"),
    [
        ({}, True),
        ({"body_part": ""}, True),
        ({"body_part": "HEAD"}, False),
        ({"modalities": ["MR"]}, False),
        ({"body_part": "", "description": "CT abdomen"}, False),
    ],
)
def test_alike_is_the_same_machine_over_the_same_place(
    cast: Cast, published: Published, said: dict[str, Any], alike: bool
) -> None:
    Study.objects.filter(pk=published.study.pk).update(body_part="CHEST", description="", modalities=["CT"])
    published.study.refresh_from_db()
    assert priors.is_alike(another(cast, published.study.patient, "1.2.9", **said), published.study) is alike


def lend(giver: User, taker: User, *studies: Study) -> None:
    grants.grant(
        giver,
        studies=[study.pk for study in studies],
        email=taker.email,
        rights=["view"],
        expires_at=timezone.now() + timedelta(days=3),
        way="page",
    )


# --- the page


def view(client: Client, published: Published, **query: str) -> int:
    return client.get(reverse("viewer", args=[published.study.pk]), query).status_code


def test_the_viewer_offers_what_is_alike_and_shows_both(client: Client, cast: Cast, published: Published) -> None:
    other = another(cast, published.study.patient, "1.2.10", body_part=published.study.body_part)
    client.force_login(cast.maria)
    page = client.get(reverse("viewer", args=[published.study.pk])).content.decode()
    assert f"?with={other.pk}" in page
    assert view(client, published, **{"with": str(other.pk)}) == 200
    looked = AuditEvent.objects.filter(action=Action.VIEWED).values_list("study_id", flat=True)
    assert set(looked) == {published.study.pk, other.pk}


@pytest.mark.parametrize("wanted", ["nonsense", "00000000-0000-0000-0000-000000000000", ""])
def test_what_is_nobodys_is_not_found(client: Client, cast: Cast, published: Published, wanted: str) -> None:
    client.force_login(cast.maria)
    assert view(client, published, **{"with": wanted}) == 404


def test_two_people_are_never_laid_side_by_side(client: Client, cast: Cast, published: Published) -> None:
    """Maria may see both, one of them lent to her. To compare them would be a mistake."""
    child = FacilityPatient.objects.create(facility=cast.lakeside, patient_id="CHILD")
    theirs = another(cast, child, "1.2.11")
    Link.objects.create(patient=child, record=cast.eve.record, claimed_by=cast.eve)
    lend(cast.eve, cast.maria, theirs)
    client.force_login(cast.maria)
    assert client.get(reverse("viewer", args=[theirs.pk])).status_code == 200
    assert view(client, published, **{"with": str(theirs.pk)}) == 404


@pytest.mark.parametrize(
    ("days_before", "said"),
    [
        (23, "23 days before this one"),
        (1, "1 day before this one"),
        (0, "on the same day"),
        (-40, "40 days after this one"),
        (93, None),
        (-93, None),
    ],
)
def test_a_similar_exam_of_lately_is_named(
    cast: Cast, published: Published, client: Client, days_before: int, said: str | None
) -> None:
    """So that nobody repeats what is there already."""
    study = published.study
    study.study_date, study.body_part = timezone.localdate() - timedelta(days=100), "CHEST"
    study.save()
    near = another(cast, study.patient, "1.2.7", days_before=100 + days_before)
    another(cast, study.patient, "1.2.8", days_before=100 + days_before, modalities=["MR"])
    client.force_login(cast.maria)
    for page in ("study", "viewer"):
        words = client.get(reverse(page, args=[study.pk])).content.decode()
        assert ("A similar exam was made" in words) == (said is not None)
        assert (said or "") in words
    if said:
        assert f"?with={near.pk}" in client.get(reverse("study", args=[study.pk])).content.decode()


def test_of_several_the_nearest_is_named(cast: Cast, published: Published) -> None:
    study = published.study
    study.study_date = timezone.localdate()
    others = [another(cast, study.patient, f"1.2.{days}", days_before=days, body_part="") for days in (60, 5, 30)]
    found = priors.lately(study, others)
    assert found
    assert (found.days, found.study) == (5, others[1])


def test_an_exam_without_a_date_was_not_lately(cast: Cast, published: Published) -> None:
    study = published.study
    study.study_date = None
    assert priors.lately(study, [another(cast, study.patient, "1.2.9", days_before=1)]) is None
