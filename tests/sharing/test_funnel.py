"""How exams reach patients, in numbers."""

from __future__ import annotations

from datetime import timedelta

from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.audit import Actor
from accounts.models import Membership
from sharing import funnel, grants, notices, releases
from sharing.models import Release
from tests.cast import Cast, a_patient, a_study
from tests.reading import words_of


def looks(cast: Cast, who: str) -> None:
    client = Client()
    client.force_login(getattr(cast, who))
    client.get(reverse("study", args=[cast.study.pk]))


def test_each_step_counts_the_exams_that_took_it(cast: Cast) -> None:
    unclaimed = a_study(a_patient(cast.lakeside))
    releases.release(unclaimed, actor=Actor.system())
    releases.withdraw(a_study(cast.patient), "double", actor=Actor.system())
    (month,) = funnel.months(cast.lakeside)
    assert (month.released, month.notified, month.claimed, month.opened) == (2, 0, 1, 0)
    notices.tell_due()
    looks(cast, "tom")
    (month,) = funnel.months(cast.lakeside)
    assert (month.notified, month.opened) == (1, 0), "the facility's own looks are none of the patient's"
    looks(cast, "maria")
    end = timezone.now() + timedelta(days=1)
    hers = [cast.study.pk]
    grants.grant(cast.maria, email="lee@example.org", studies=hers, rights=["view"], expires_at=end, way="page")
    (month,) = funnel.months(cast.lakeside)
    assert (month.opened, month.lent, month.without_cd) == (1, 1, 1)
    assert funnel.months(cast.hilltop) == []


def test_months_are_those_in_which_exams_opened(cast: Cast) -> None:
    Release.objects.update(available_at=timezone.now() - timedelta(days=40))
    releases.release(a_study(cast.patient), actor=Actor.system())
    months = [one.month for one in funnel.months(cast.lakeside)]
    assert len(months) == 2
    assert months == sorted(months, reverse=True)


def test_administrators_read_it_and_take_it_as_a_table(cast: Cast) -> None:
    client = Client()
    client.force_login(cast.tom)
    assert client.get(reverse("desk_reaching")).status_code == 403
    Membership.objects.filter(user=cast.tom).update(role=Membership.Role.ADMINISTRATOR)
    assert "Without a CD" in words_of(client.get(reverse("desk_reaching")))
    lines = client.get(reverse("desk_reaching_csv")).content.decode().splitlines()
    assert lines[0] == "month,released,notified,claimed,opened,lent,without_cd"
    assert lines[1] == f"{timezone.localdate():%Y-%m},1,0,1,0,0,0"
