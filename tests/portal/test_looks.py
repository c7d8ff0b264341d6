"""What a page shows of a study, and that showing it is written down."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import Settings

from accounts.audit import Action
from accounts.models import AuditEvent
from sharing import grants
from studies.models import Study
from tests.cast import Cast
from tests.portal.published import Published, publish_for


@pytest.fixture
def published(cast: Cast, tmp_path: Path, settings: Settings) -> Published:
    settings.OBJECT_STORE_URL = (tmp_path / "store").as_uri()
    return publish_for(cast)


def test_the_page_of_choices_is_a_look(client: Client, cast: Cast, published: Published) -> None:
    client.force_login(cast.maria)
    assert client.get(reverse("take_home", args=[published.study.pk])).status_code == 200
    looks = AuditEvent.objects.filter(study_id=published.study.pk, actor_id=str(cast.maria.pk))
    assert [look.action for look in looks] == [Action.VIEWED]


def test_the_large_picture_tells_how_many_the_whole_exam_has(client: Client, cast: Cast, published: Published) -> None:
    Study.objects.filter(pk=published.study.pk).update(image_count=124)
    client.force_login(cast.maria)
    page = client.get(reverse("study", args=[published.study.pk])).content.decode()
    assert "124 pictures" in page[page.index('class="cue"') :].partition("</a>")[0]


@pytest.mark.parametrize(
    ("image", "shown"), [("3", 3), ("", 2), ("0", 2), ("4", 2), ("x", 2), ("²", 2), ("9" * 5000, 2)]
)
def test_a_picture_that_is_none_leads_to_the_middle(
    client: Client, cast: Cast, published: Published, image: str, shown: int
) -> None:
    client.force_login(cast.maria)
    answer = client.get(reverse("viewer", args=[published.study.pk]), {"image": image})
    assert answer.context["first"].index == shown


@pytest.mark.parametrize("rights", [["view"], ["view", "download"]])
def test_who_may_download_may_keep_a_picture(
    client: Client, cast: Cast, published: Published, rights: list[str]
) -> None:
    tomorrow = timezone.now() + timedelta(days=1)
    grants.grant(cast.maria, studies="all", email=cast.lee.email, rights=rights, expires_at=tomorrow, way="page")
    client.force_login(cast.lee)
    page = client.get(reverse("viewer", args=[published.study.pk])).content.decode()
    assert ('data-do="keep"' in page) is ("download" in rights)
