from __future__ import annotations

import pytest

from accounts import facilities
from accounts.audit import Action, Actor
from accounts.errors import BadRequest
from accounts.models import AuditEvent, FacilityKey
from tests.cast import Cast

OPERATOR = Actor.operator()


def test_a_key_finds_its_facility(cast: Cast) -> None:
    assert facilities.facility_for_key(cast.lakeside_key) == cast.lakeside
    assert facilities.facility_for_key(cast.hilltop_key) == cast.hilltop


def test_a_key_cannot_be_read_back(cast: Cast) -> None:
    secret = cast.lakeside_key.rpartition("_")[2].encode()
    assert all(secret not in bytes(key.digest) for key in FacilityKey.objects.all())
    assert secret.decode() not in str(list(AuditEvent.objects.values_list("detail", flat=True)))


@pytest.mark.parametrize("change", [lambda key: key[:-1], lambda key: key + "A", lambda key: key.upper(), lambda _: ""])
def test_anything_else_finds_nothing(cast: Cast, change: object) -> None:
    assert callable(change)
    assert facilities.facility_for_key(change(cast.lakeside_key)) is None


def test_one_facilitys_secret_does_not_fit_anothers_selector(cast: Cast) -> None:
    mixed = cast.lakeside_key[:16] + cast.hilltop_key[16:]
    assert mixed.startswith("lbx_")
    assert facilities.facility_for_key(mixed) is None


def test_a_revoked_key_ends_and_others_stay(cast: Cast) -> None:
    second = facilities.issue_key(cast.lakeside, actor=OPERATOR)
    facilities.revoke_key(cast.lakeside.keys.earliest("created_at"), actor=OPERATOR)
    assert facilities.facility_for_key(cast.lakeside_key) is None
    assert facilities.facility_for_key(second) == cast.lakeside
    assert AuditEvent.objects.filter(action=Action.KEY_REVOKED).count() == 1


def test_equal_names_get_different_slugs(cast: Cast) -> None:
    twin, _key = facilities.add_facility("Lakeside Imaging", actor=OPERATOR)
    assert (cast.lakeside.slug, twin.slug) == ("lakeside-imaging", "lakeside-imaging-2")


def test_a_facility_needs_a_name(db: None) -> None:
    with pytest.raises(BadRequest):
        facilities.add_facility("  ", actor=OPERATOR)


def test_staff_have_a_facility_and_others_none(cast: Cast) -> None:
    assert facilities.facility_for_staff(cast.tom) == cast.lakeside
    assert facilities.facility_for_staff(cast.maria) is None
