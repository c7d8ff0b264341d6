from __future__ import annotations

import base64
import hmac
import json
from pathlib import Path
from secrets import token_bytes

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pytest_django.fixtures import Settings

from sharing import codes
from sharing.codes import ALPHABET
from studies.store import sealing

VECTORS = json.loads((Path(__file__).parent / "code_vectors.json").read_text(encoding="utf-8"))
twelve = st.text(ALPHABET, min_size=12, max_size=12)
whole = twelve.map(lambda symbols: symbols + codes.check_symbol(symbols))


def test_a_new_code_is_whole_and_printed_in_groups() -> None:
    text = codes.make()
    assert [len(group) for group in text.split("-")] == [4, 4, 4, 1]
    assert codes.is_whole(codes.tidy(text))


def test_new_codes_differ() -> None:
    assert len({codes.make() for _ in range(50)}) == 50


@given(whole, st.integers(0, 12), st.sampled_from(ALPHABET))
def test_every_single_wrong_symbol_is_caught(code: str, place: int, symbol: str) -> None:
    wrong = code[:place] + symbol + code[place + 1 :]
    assert codes.is_whole(wrong) == (wrong == code)


@given(whole, st.integers(0, 11))
def test_every_swap_of_neighbours_is_caught(code: str, place: int) -> None:
    wrong = code[:place] + code[place + 1] + code[place] + code[place + 2 :]
    assert codes.is_whole(wrong) == (wrong == code)


def test_every_wrong_symbol_and_swap_of_one_code_is_caught() -> None:
    code = codes.tidy(codes.make())
    singles = {code[:n] + symbol + code[n + 1 :] for n in range(13) for symbol in ALPHABET}
    swaps = {code[:n] + code[n + 1] + code[n] + code[n + 2 :] for n in range(12)}
    assert [wrong for wrong in (singles | swaps) - {code} if codes.is_whole(wrong)] == []


@given(st.text(max_size=40))
def test_any_text_can_be_tidied_and_judged(text: str) -> None:
    assert codes.is_whole(codes.tidy(text)) in (True, False)


@given(whole)
def test_a_code_is_read_as_it_is_printed(code: str) -> None:
    assert codes.tidy(codes.grouped(code)) == codes.tidy(codes.grouped(code).lower()) == code


@pytest.mark.parametrize("vector", VECTORS["tidy"])
def test_text_is_tidied_as_in_the_browser(vector: dict[str, str]) -> None:
    assert codes.tidy(vector["text"]) == vector["symbols"]


@pytest.mark.parametrize("vector", VECTORS["whole"])
def test_codes_are_judged_as_in_the_browser(vector: dict[str, object]) -> None:
    assert codes.is_whole(str(vector["symbols"])) is vector["whole"]


def test_a_digest_fits_its_code_only() -> None:
    code, other = codes.tidy(codes.make()), codes.tidy(codes.make())
    stored = codes.digest(code)
    assert "argon2id" in (codes._opened(stored) or "")
    assert len(stored) <= 200  # its column
    assert codes.matches(code, stored)
    assert not codes.matches(other, stored)
    assert not codes.matches(code, codes.dummy_digest())


def test_a_digest_needs_the_master_key(settings: Settings) -> None:
    code = codes.tidy(codes.make())
    stored = codes.digest(code)
    settings.MASTER_KEY = another_key()
    assert not codes.matches(code, stored)
    assert codes.resealed(stored) is None


def test_a_digest_is_sealed_anew_under_another_master_key(settings: Settings) -> None:
    code = codes.tidy(codes.make())
    stored, former = codes.digest(code), settings.MASTER_KEY
    settings.MASTER_KEY, settings.MASTER_KEY_FALLBACKS = another_key(), [former]
    assert codes.matches(code, stored)
    assert not codes.is_present(stored)
    anew = codes.resealed(stored)
    assert anew is not None
    settings.MASTER_KEY_FALLBACKS = []
    assert codes.is_present(anew)
    assert codes.matches(code, anew)
    assert not codes.matches(code, stored)


def test_a_keyed_digest_of_an_earlier_version_still_matches(settings: Settings) -> None:
    code = codes.tidy(codes.make())
    pepper = sealing.derive(sealing.read_master_key(settings.MASTER_KEY), "claim-code-pepper")
    stored = codes._HASHER.hash(hmac.digest(pepper, code[4:12].encode(), "sha256"))
    assert codes.is_of_old(stored)
    assert codes.matches(code, stored)
    assert not codes.matches(codes.tidy(codes.make()), stored)
    assert codes.resealed(stored) is None


def another_key() -> str:
    return base64.b64encode(token_bytes(32)).decode()
