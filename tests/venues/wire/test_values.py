"""The careful way: msgpack held to its library, moments to pandas, rows to what they must refuse."""

import math

import msgpack
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qtw_lab.core import DataError
from qtw_lab.venues.ticks import Symbols
from qtw_lab.venues.wire.values import DEEPEST, LAST_SECOND, Nanoseconds, message_of, moment, moment_text, row_of

LAST = (LAST_SECOND + 1) * 10**9 - 1
VALUES = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(-(2**63), 2**64 - 1), st.floats(allow_nan=False), st.text(max_size=300),
        st.binary(max_size=300),
    ),
    lambda inner: st.lists(inner, max_size=20) | st.dictionaries(st.text(max_size=5), inner, max_size=20),
    max_leaves=30,
)  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(VALUES, st.binary(max_size=5))
def test_what_the_msgpack_library_writes_is_read(value, behind):
    content = msgpack.packb(value)
    assert message_of(content + behind) == (value, len(content))


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=80))
def test_noise_is_read_as_the_msgpack_library_reads_it_or_refused(content):
    try:
        found, size = message_of(content)
    except DataError:
        return
    unpacker = msgpack.Unpacker(strict_map_key=False, raw=False, unicode_errors="replace", timestamp=0)
    unpacker.feed(content)
    try:
        other = unpacker.unpack()
    except (ValueError, msgpack.UnpackException):
        return  # the library refuses some that we read: extensions of broken timestamps, keys twice
    assert unpacker.tell() == size
    if isinstance(other, (int, str, bytes, bool)):
        assert found == other


@pytest.mark.parametrize("time", [0, 1, 10**9, 1_700_000_000_123_456_789, 2**32 * 10**9, 2**32 * 10**9 + 1, LAST])
def test_a_timestamp_is_nanoseconds(time):
    found, _ = message_of(msgpack.packb(msgpack.Timestamp(*divmod(time, 10**9))))
    assert (found, type(found)) == (time, Nanoseconds)


@pytest.mark.parametrize("depth", [DEEPEST - 1, DEEPEST, DEEPEST + 1, 100_000])
def test_nesting_has_an_end(depth):
    content = b"\x91" * depth + b"\x01"
    if depth <= DEEPEST:
        assert message_of(content)[1] == len(content)
    else:
        with pytest.raises(DataError, match="nests deeper"):
            message_of(content)


@pytest.mark.parametrize("content", [b"", b"\xc1", b"\x81\x90\x01", b"\xdb\xff\xff\xff\xff", b"\xcb\x00", b"\xd6"])
def test_what_is_no_value_is_refused(content):
    with pytest.raises(DataError):
        message_of(content)


@settings(max_examples=300, deadline=None)
@given(st.integers(0, LAST))
def test_moments_keep_every_nanosecond_through_their_text(time):
    text = moment_text(time)
    assert moment(text) == time == pd.Timestamp(text).as_unit("ns").value
    assert not text.endswith("0Z") or "." not in text


@pytest.mark.parametrize(
    "text",
    [
        "2024-02-29T23:59:59.999999999Z",
        "2024-01-02t09:30:00-05:00",
        "2024-01-02 09:30:00+05:30",
        "1970-01-01T00:00:00z",
    ],
)
def test_moments_with_an_offset_are_what_pandas_says(text):
    assert moment(text) == pd.Timestamp(text.upper()).as_unit("ns").value


def test_digits_beyond_the_nanosecond_are_cut_off():
    assert moment("1970-01-01T00:00:00.0000000019Z") == 1


@pytest.mark.parametrize(
    "text",
    [
        "", "2024-01-02", "2024-01-02T09:30:00", "2024-13-02T09:30:00Z", "2023-02-29T00:00:00Z", "2024-01-02T24:00:00Z",
        "2024-01-02T09:30:60Z", "1969-12-31T23:59:59Z", "0001-01-01T00:00:00Z", "2263-01-01T00:00:00Z",
        "２024-01-02T09:30:00Z",
        "2024-01-02T09:30:00.Z",
    ],
)  # fmt: skip
def test_what_is_no_moment_is_refused(text):
    with pytest.raises(DataError, match=r"no moment|outside the years"):
        moment(text)


def test_a_row_says_which_field_is_missing_or_wrong():
    good = {"T": "t", "S": "IBM", "p": 1.5, "s": 1, "t": Nanoseconds(5)}
    assert row_of(good, Symbols())[:6] == (116, 0, 0, 0, 0, 5)
    for key in ("S", "p", "s", "t"):
        with pytest.raises(DataError, match=f"no '{key}'"):
            row_of({**good, key: None}, Symbols())
    with pytest.raises(DataError, match="no number"):
        row_of({**good, "p": math.nan}, Symbols())
    with pytest.raises(DataError, match="price is 0"):
        row_of({**good, "p": 0}, Symbols())


def test_a_message_that_is_refused_gives_its_symbol_no_number():
    symbols = Symbols()
    with pytest.raises(DataError):
        row_of({"T": "t", "S": "IBM", "p": 1.5, "s": -1, "t": Nanoseconds(5)}, symbols)
    assert len(symbols) == 0
