"""Plain values in msgpack, held to the msgpack library."""

import math

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qtw_lab.core import DataError
from qtw_lab.venues.wire.messages import pack, unpack

PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False)
    | st.text(max_size=300)
    | st.binary(max_size=300),
    lambda inner: st.lists(inner, max_size=20) | st.dictionaries(st.text(max_size=5), inner, max_size=20),
    max_leaves=30,
)


@given(PLAIN)
def test_what_is_packed_is_what_the_library_reads(value):
    assert msgpack.unpackb(pack(value), strict_map_key=False) == value
    assert unpack(pack(value)) == value


@given(PLAIN)
def test_what_the_library_packs_is_read(value):
    assert unpack(msgpack.packb(value)) == value


def test_long_texts_lists_and_maps_have_heads_of_their_own():
    for value in ("a" * 70_000, ["x"] * 70_000, {str(place): place for place in range(70_000)}, b"b" * 70_000):
        assert unpack(pack(value)) == value == msgpack.unpackb(pack(value))


def test_extensions_come_as_bytes_and_timestamps_as_nanoseconds():
    for size in (1, 2, 3, 4, 8, 12, 16, 300):
        assert unpack(msgpack.packb(msgpack.ExtType(5, b"z" * size))) == b"z" * size
    moment = msgpack.Timestamp(1_704_205_800, 123_456_789)
    assert unpack(msgpack.packb(moment)) == moment.to_unix_nano()
    assert math.isclose(unpack(msgpack.packb(1.5, use_single_float=True)), 1.5)


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(content):
    try:
        unpack(content)
    except DataError:
        return


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "too early"), (b"\xc1", "c1"), (b"\x92\x01", "too early"), (b"\x01\x02", "follow the end"),
        (b"\xa5ab", "announced"), (b"\x91" * 40 + b"\x01", "deep"), (b"\x81\x90\x01", "key"),
        (b"\xdd\xff\xff\xff\xff", "too early"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said(content, said):
    with pytest.raises(DataError, match=said):
        unpack(content)


@pytest.mark.parametrize("value", [2**64, -(2**63) - 1, object(), {1, 2}])
def test_what_has_no_form_is_refused(value):
    with pytest.raises(DataError):
        pack(value)
