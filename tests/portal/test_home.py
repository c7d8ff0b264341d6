"""My images."""

from __future__ import annotations

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from accounts.audit import Actor
from sharing import releases
from tests.cast import Cast, a_study

pytestmark = pytest.mark.django_db


def studies(cast: Cast, count: int) -> None:
    for number in range(count):
        study = a_study(cast.patient, description=f"Exam {number}", study_date=f"2026-01-{number + 1:02}")
        releases.release(study, actor=Actor.facility(cast.lakeside))


def test_the_newest_study_stands_first_under_its_year(client: Client, cast: Cast) -> None:
    studies(cast, 2)
    client.force_login(cast.maria)
    page = client.get("/").content.decode()
    assert page.index("2026") < page.index("Exam 1") < page.index("Exam 0")


def test_many_studies_cost_no_more_queries_than_few(
    client: Client, cast: Cast, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    studies(cast, 20)
    client.force_login(cast.maria)
    client.get("/")
    with django_assert_max_num_queries(16):  # whose they are, what is ahead, what opens later, whether she is proved
        client.get("/")


def test_a_visitor_learns_what_this_is(client: Client) -> None:
    page = client.get("/")
    assert page.status_code == 200
    assert b"I have a code" in page.content


def test_a_linked_facility_that_has_sent_nothing_is_named(client: Client, cast: Cast) -> None:
    releases.withdraw(cast.study, "sent in error", actor=Actor.facility(cast.lakeside))
    client.force_login(cast.maria)
    assert b"Lakeside Imaging" in client.get("/").content


def test_staff_and_borrowers_without_images_are_led_to_their_work(client: Client, cast: Cast) -> None:
    client.force_login(cast.tom)
    assert b"Go to the desk" in client.get("/").content
    client.force_login(cast.eve)
    assert b"Go to the desk" not in client.get("/").content
