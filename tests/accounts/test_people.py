from __future__ import annotations

from datetime import date

import pytest
from allauth.account.models import EmailAddress

from accounts import people
from accounts.audit import Action, Actor
from accounts.errors import Conflict
from accounts.models import AuditEvent, User
from tests.cast import BORN, PASSWORD, Cast, person


def test_an_added_account_is_verified_and_has_an_empty_record(db: None) -> None:
    user = people.add_account(" New@Example.ORG", PASSWORD, provider=True, actor=Actor.operator())
    assert user.email == "new@example.org"
    assert EmailAddress.objects.get(user=user).verified
    assert (user.record.name, user.record.birth_date) == ("", None)
    assert user.provider.pk == user.pk
    assert AuditEvent.objects.filter(action=Action.ACCOUNT_ADDED, record_id=user.record.pk).exists()


def test_an_address_belongs_to_one_account(cast: Cast) -> None:
    with pytest.raises(Conflict):
        person("MARIA@example.org")


def test_a_person_has_one_record(cast: Cast) -> None:
    assert people.record_of(cast.maria) == people.record_of(User.objects.get(pk=cast.maria.pk))


def test_details_are_kept_and_written_down_without_saying_what(cast: Cast) -> None:
    people.change_details(cast.eve, name=" Eve Zebrafish ", birth_date=BORN)
    record = people.record_of(cast.eve)
    assert (record.name, record.birth_date) == ("Eve Zebrafish", date(1980, 5, 17))
    assert AuditEvent.objects.get(action=Action.DETAILS_CHANGED).detail == {}


def test_ending_sessions_changes_what_a_session_must_carry(cast: Cast) -> None:
    before = cast.maria.get_session_auth_hash()
    people.end_sessions(cast.maria)
    assert cast.maria.get_session_auth_hash() != before
    assert User.objects.get(pk=cast.maria.pk).get_session_auth_hash() == cast.maria.get_session_auth_hash()
