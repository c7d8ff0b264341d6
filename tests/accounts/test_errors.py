from __future__ import annotations

import pytest

from accounts import errors
from accounts.errors import PortalError

FAMILY = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, PortalError)]


@pytest.mark.parametrize("kind", FAMILY)
def test_every_refusal_has_words_and_a_next_step(kind: type[PortalError]) -> None:
    refusal = kind()
    assert str(refusal.message)
    assert str(refusal.hint)
    assert refusal.code.isidentifier()


def test_codes_tell_refusals_apart() -> None:
    assert len({kind.code for kind in FAMILY}) == len(FAMILY)


def test_an_instance_may_say_it_better_but_not_in_tracebacks() -> None:
    refusal = errors.NotFound("No study of ZEBRAFISH.", hint="Look elsewhere.")
    assert str(refusal.message) == "No study of ZEBRAFISH."
    assert str(refusal) == "not_found"
