"""Sealed objects: the format to the byte, every range, and every way of tampering we could think of."""

from __future__ import annotations

import base64
from collections.abc import Callable
from hashlib import sha256
from itertools import pairwise
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from studies.store import sealing
from studies.store.sealing import (
    CHUNK_SIZE,
    HEADER_SIZE,
    SEALED_CHUNK_SIZE,
    TAG_SIZE,
    KeyRefused,
    Sealer,
    Tampered,
    derive,
    new_key,
    plain_length,
    read_master_key,
    sealed_length,
    unseal,
    unwrap,
    wrap,
)

KEY = bytes(range(32))
OBJECT = UUID(bytes=bytes(range(16)))
FACILITY = UUID(bytes=bytes(range(16, 32)))
OTHER = UUID(bytes=bytes(range(32, 48)))

PLAIN = bytes(range(256)) * 512 + b"and a chunk that is not full"
EDGES = [0, 1, CHUNK_SIZE - 1, CHUNK_SIZE, CHUNK_SIZE + 1, 2 * CHUNK_SIZE, 2 * CHUNK_SIZE + 1]


def seal(plain: bytes, key: bytes = KEY, object_id: UUID = OBJECT, facility_id: UUID = FACILITY) -> bytes:
    sealer = Sealer(key, object_id, facility_id)
    return sealer.begin() + sealer.update(plain) + sealer.finish()


def reading(sealed: bytes) -> Callable[[int, int], bytes]:
    return lambda offset, n: sealed[offset : offset + n]


def read_back(
    sealed: bytes,
    start: int = 0,
    length: int | None = None,
    *,
    size: int | None = None,
    key: bytes = KEY,
    object_id: UUID = OBJECT,
    facility_id: UUID = FACILITY,
) -> bytes:
    size = len(sealed) if size is None else size
    return b"".join(unseal(reading(sealed), size, key, object_id, facility_id, start, length))


def chunk(sealed: bytes | bytearray, number: int) -> slice:
    start = HEADER_SIZE + number * SEALED_CHUNK_SIZE
    return slice(start, min(start + SEALED_CHUNK_SIZE, len(sealed)))


class TestFormat:
    # Computed by a second implementation (PyCryptodome) from the description in the module's first lines.
    @pytest.fixture(autouse=True)
    def known_prefix(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sealing, "token_bytes", lambda n: bytes(range(0x40, 0x40 + n)))

    def test_an_empty_object_is_this(self) -> None:
        assert seal(b"").hex() == "4c4258310100010000404142434445467afa0be4c96d4e0cf6c961b08865204a"

    def test_eight_bytes_are_this(self) -> None:
        assert seal(b"LIGHTBOX").hex() == (
            "4c425831010001000040414243444546bf61b971dffebe692be789978309a6f67966d5668ef96abb"
        )

    @pytest.mark.parametrize(
        ("plain", "digest"),
        [
            (PLAIN[: 2 * CHUNK_SIZE], "22171684d6faa89c573fd3a3160247a5c1551c5265820ab686c6bf2fa01f2885"),
            (
                PLAIN[: 2 * CHUNK_SIZE] + b"!",
                "b7bdc191e5a5efd3125d13569e9b566ee4fc3d9feda34a61068176ae1824ce31",
            ),
        ],
    )
    def test_two_chunks_and_one_byte_more_are_this(self, plain: bytes, digest: str) -> None:
        assert sha256(seal(plain)).hexdigest() == digest


@pytest.mark.parametrize("size", EDGES)
def test_lengths_are_known_without_the_key(size: int) -> None:
    sealed = seal(bytes(size))
    assert len(sealed) == sealed_length(size)
    assert plain_length(len(sealed)) == size


def test_the_same_bytes_never_look_the_same_twice() -> None:
    assert seal(PLAIN)[HEADER_SIZE:] != seal(PLAIN)[HEADER_SIZE:]


@settings(max_examples=60, deadline=None)
@given(st.sampled_from([*EDGES, len(PLAIN)]), st.lists(st.integers(0, len(PLAIN)), max_size=5))
def test_pieces_of_any_size_seal_to_one_object(size: int, cuts: list[int]) -> None:
    plain, sealer = PLAIN[:size], Sealer(KEY, OBJECT, FACILITY)
    bounds = [0, *sorted(min(cut, size) for cut in cuts), size]
    sealed = sealer.begin()
    for start, stop in pairwise(bounds):
        sealed += sealer.update(plain[start:stop])
        assert sealer.length == stop
    assert read_back(sealed + sealer.finish()) == plain


@settings(max_examples=100, deadline=None)
@given(st.sampled_from([*EDGES, len(PLAIN)]), st.data())
def test_any_range_equals_the_plaintext(size: int, data: st.DataObject) -> None:
    near_edges = st.sampled_from([edge for edge in EDGES if edge <= size])
    start = data.draw(near_edges | st.integers(0, size))
    length = data.draw(st.integers(0, size - start) | st.just(size - start))
    assert read_back(seal(PLAIN[:size]), start, length) == PLAIN[start : start + length]


def test_a_range_reads_its_own_chunks_only() -> None:
    sealed, asked = seal(PLAIN), []

    def read_at(offset: int, n: int) -> bytes:
        asked.append((offset, n))
        return sealed[offset : offset + n]

    list(unseal(read_at, len(sealed), KEY, OBJECT, FACILITY, CHUNK_SIZE + 5, 10))
    assert asked == [(0, HEADER_SIZE), (HEADER_SIZE + SEALED_CHUNK_SIZE, SEALED_CHUNK_SIZE)]


def test_a_finished_sealer_seals_nothing_more() -> None:
    sealer = Sealer(KEY, OBJECT, FACILITY)
    sealer.finish()
    with pytest.raises(RuntimeError, match="finished"):
        sealer.update(b"more")
    with pytest.raises(RuntimeError, match="finished"):
        sealer.finish()


class TestTampering:
    @settings(max_examples=200, deadline=None)
    @given(st.sampled_from([0, 1, 1000, CHUNK_SIZE + 1]), st.data())
    def test_any_flipped_bit_is_noticed(self, size: int, data: st.DataObject) -> None:
        sealed = bytearray(seal(PLAIN[:size]))
        at = data.draw(st.integers(0, len(sealed) - 1) | st.integers(0, HEADER_SIZE - 1))
        sealed[at] ^= 1 << data.draw(st.integers(0, 7))
        with pytest.raises(Tampered):
            read_back(bytes(sealed))

    @settings(max_examples=100, deadline=None)
    @given(st.integers(0, sealed_length(len(PLAIN)) - 1))
    def test_any_cut_is_noticed(self, size: int) -> None:
        sealed = seal(PLAIN)
        with pytest.raises(Tampered):
            read_back(sealed[:size])
        with pytest.raises(Tampered):
            read_back(sealed[:size], size=len(sealed))

    @pytest.mark.parametrize("chunks", [1, 2])
    def test_a_cut_between_chunks_is_noticed(self, chunks: int) -> None:
        with pytest.raises(Tampered):
            read_back(seal(PLAIN)[: HEADER_SIZE + chunks * SEALED_CHUNK_SIZE])

    @pytest.mark.parametrize("tail", [b"\0", bytes(TAG_SIZE), bytes(SEALED_CHUNK_SIZE)])
    def test_a_longer_tail_is_noticed(self, tail: bytes) -> None:
        with pytest.raises(Tampered):
            read_back(seal(PLAIN[: 2 * CHUNK_SIZE]) + tail)

    def test_swapped_chunks_are_noticed(self) -> None:
        sealed = seal(PLAIN)
        head, first, second = sealed[:HEADER_SIZE], sealed[chunk(sealed, 0)], sealed[chunk(sealed, 1)]
        with pytest.raises(Tampered):
            read_back(head + second + first + sealed[chunk(sealed, 2)])

    def test_a_repeated_chunk_is_noticed(self) -> None:
        sealed = seal(PLAIN)
        first = sealed[chunk(sealed, 0)]
        with pytest.raises(Tampered):
            read_back(sealed[:HEADER_SIZE] + first + first + sealed[chunk(sealed, 2)])

    def test_a_chunk_of_another_sealing_is_noticed(self) -> None:
        old, new = seal(PLAIN), bytearray(seal(PLAIN))
        new[chunk(old, 1)] = old[chunk(old, 1)]
        with pytest.raises(Tampered):
            read_back(bytes(new))

    @pytest.mark.parametrize(
        "elsewhere",
        [{"object_id": OTHER}, {"facility_id": OTHER}, {"object_id": FACILITY, "facility_id": OBJECT}],
    )
    def test_an_object_in_the_place_of_another_is_noticed(self, elsewhere: dict[str, UUID]) -> None:
        with pytest.raises(Tampered):
            read_back(seal(PLAIN), **elsewhere)  # type: ignore[arg-type]

    def test_another_key_opens_nothing(self) -> None:
        with pytest.raises(Tampered):
            read_back(seal(PLAIN), key=new_key())

    def test_no_byte_of_a_bad_chunk_gets_out(self) -> None:
        sealed = bytearray(seal(PLAIN))
        sealed[chunk(sealed, 1).stop - 1] ^= 1
        pieces = unseal(reading(bytes(sealed)), len(sealed), KEY, OBJECT, FACILITY, 0, len(PLAIN))
        assert next(pieces) == PLAIN[:CHUNK_SIZE]
        with pytest.raises(Tampered, match="chunk 1"):
            next(pieces)

    @pytest.mark.parametrize(
        "size", [0, HEADER_SIZE, HEADER_SIZE + TAG_SIZE - 1, HEADER_SIZE + SEALED_CHUNK_SIZE + TAG_SIZE]
    )
    def test_an_impossible_size_is_noticed(self, size: int) -> None:
        with pytest.raises(Tampered, match=f"{size} bytes"):
            plain_length(size)


class TestRanges:
    def test_bytes_behind_the_end_are_refused_in_the_call_itself(self) -> None:
        sealed = seal(b"short")
        with pytest.raises(Tampered, match="holds 5"):
            unseal(reading(sealed), len(sealed), KEY, OBJECT, FACILITY, 3, 3)

    @pytest.mark.parametrize(("start", "length"), [(-1, 1), (2, -1)])
    def test_a_negative_range_is_the_callers_mistake(self, start: int, length: int) -> None:
        with pytest.raises(ValueError, match="a range cannot"):
            read_back(seal(b"short"), start, length)

    def test_a_short_key_is_refused(self) -> None:
        with pytest.raises(ValueError, match="32 bytes, not 16"):
            Sealer(bytes(16), OBJECT, FACILITY)


class TestKeys:
    def test_wrapping_is_that_of_rfc_3394(self) -> None:
        key = bytes.fromhex("00112233445566778899aabbccddeeff") + bytes(range(16))
        wrapped = wrap(key, KEY)
        # RFC 3394 §4.6
        assert wrapped.hex() == ("28c9f404c4b810f4cbccb35cfb87f8263f5786e2d80ed326cbc7f0e71a99f43bfb988b9b7a02dd21")
        assert unwrap(wrapped, KEY) == key

    def test_a_wrapped_key_opens_with_its_own_key_only(self) -> None:
        wrapped = wrap(new_key(), KEY)
        with pytest.raises(Tampered, match="MASTER_KEY"):
            unwrap(wrapped, new_key())
        with pytest.raises(Tampered):
            unwrap(wrapped[:-1] + bytes([wrapped[-1] ^ 1]), KEY)
        with pytest.raises(Tampered):
            unwrap(b"", KEY)

    def test_a_derived_key_is_that_of_rfc_5869(self) -> None:
        # HMAC(HMAC(32 zero bytes, master), "lightbox claim-code-pepper" + 01), by Python's own hmac.
        assert derive(KEY, "claim-code-pepper").hex() == (
            "6c9f3b874d37313d98193b4a574cccb6e5a757ed10b9fd72a6bc734b2e30f635"
        )

    def test_purposes_do_not_share_a_key(self) -> None:
        assert derive(KEY, "claim-code-pepper") != derive(KEY, "attempt-keys")

    def test_new_keys_differ(self) -> None:
        assert len({new_key() for _ in range(100)}) == 100

    def test_a_master_key_is_read_from_base64(self) -> None:
        assert read_master_key(f" {base64.b64encode(KEY).decode()}\n") == KEY

    @pytest.mark.parametrize(
        ("text", "why"),
        [
            ("", "holds 0 bytes"),
            ("change-me!", "not base64"),
            ("Schlüssel", "not base64"),
            (base64.b64encode(KEY[:16]).decode(), "holds 16 bytes"),
            (base64.b64encode(bytes(32)).decode(), "placeholder"),
        ],
    )
    def test_anything_else_is_refused_in_a_sentence(self, text: str, why: str) -> None:
        with pytest.raises(KeyRefused, match=why) as refused:
            read_master_key(text)
        assert "Make one with" in str(refused.value)
        assert not text or text not in str(refused.value)
