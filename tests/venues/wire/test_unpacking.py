"""Compiled readers of single values, called one by one, and the table of fields behind them."""

import msgpack
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qtw_lab.core import DataError
from qtw_lab.indicators.compiled import compiled
from qtw_lab.venues.ticks import BAR, TICK, slot_of
from qtw_lab.venues.wire import layout, unpacking
from qtw_lab.venues.wire.memory import big_eight_at, big_four_at, byte_at, copy, eight_at, four_at, put_byte, put_eight
from qtw_lab.venues.wire.values import message_of


@compiled
def _loaded(data):
    start = data.ctypes.data
    return byte_at(start, 1), four_at(start, 1), eight_at(start, 1), big_four_at(start, 1), big_eight_at(start, 1)


@compiled
def _stored(data, value):
    start = data.ctypes.data
    put_byte(start, 0, value)
    put_eight(start, 1, value)
    copy(start + 9, start, 9)


@compiled
def _slot(low, high):
    return unpacking.slot_of(low, high)


def skipped(content):
    data = np.frombuffer(content + b"\0", dtype=np.uint8)
    return unpacking.skipped(data.ctypes.data, 0, len(content))


@given(st.binary(min_size=9, max_size=9))
def test_loads_have_the_bytes_in_both_orders(content):
    data = np.frombuffer(content, dtype=np.uint8)
    low, high = int.from_bytes(content[1:5], "little"), int.from_bytes(content[1:5])
    assert _loaded(data)[:2] == (content[1], low)
    assert _loaded(data)[3] == high
    assert _loaded(data)[2] == int.from_bytes(content[1:], "little", signed=True)
    assert _loaded(data)[4] == int.from_bytes(content[1:], signed=True)


@given(st.integers(-(2**63), 2**63 - 1))
def test_stores_and_copies_write_what_they_are_given_and_no_more(value):
    data = np.full(20, 7, dtype=np.uint8)
    _stored(data, value)
    written = bytes([value & 255]) + value.to_bytes(8, "little", signed=True)
    assert data.tobytes() == 2 * written + b"\x07\x07"


@given(st.integers(0, 2**63 - 1), st.integers(0, 2**63 - 1))
def test_compiled_code_begins_the_search_for_a_symbol_where_python_put_it(low, high):
    assert _slot(low, high) & 0xFFFFFFFFFFFFFFFF == slot_of(low, high)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=60))
def test_a_value_is_skipped_to_where_the_careful_way_ends_it(content):
    try:
        size = message_of(content)[1]
    except DataError:
        return  # what one refuses may still have an end: keys that are arrays
    assert skipped(content) == size


@pytest.mark.parametrize("size", [0, 1, 15, 16, 31, 32, 255, 256, 65_535, 65_536])
@pytest.mark.parametrize("form", [str, bytes, list, dict, "ext"])
def test_values_of_every_length_are_skipped_whole_and_never_cut(size, form):
    value = {
        str: "x" * size,
        bytes: bytes(size),
        list: [1] * size,
        dict: {str(number): number for number in range(size)},
        "ext": msgpack.ExtType(5, bytes(size)),
    }[form]
    content = msgpack.packb(value)
    assert skipped(content) == len(content)
    assert skipped(content[:-1]) == -1


def test_every_field_stands_where_the_plan_says_and_no_two_share_a_slot():
    plan = layout.plan()
    for kind, fields in layout.FIELDS.items():
        slots = set()
        for key, form, place, must in fields:
            first, second = ord(key[0]), ord(key[1]) if len(key) > 1 else 0
            slots.add(layout.key_slot(first, second))
            entry = int(plan.fields[ord(kind), layout.key_slot(first, second)])
            assert (entry & 0xFFFF, entry >> 16 & 15, entry >> 20) == (first | second << 8, form, place)
            assert bool(plan.wanted[ord(kind)] & layout.place_bit(form, place)) == must
        assert len(slots) == len(fields)


def test_places_are_the_columns_of_the_rows():
    ticks = {"time": layout.MOMENT, "id": layout.ID, "second_id": layout.SECOND_ID, "conditions": layout.BITS,
             "price": layout.FIRST_PRICE, "size": layout.FIRST_SIZE, "other_price": layout.OTHER_PRICE,
             "other_size": layout.OTHER_SIZE}  # fmt: skip
    bars = {"time": layout.MOMENT, "open": layout.OPEN, "high": layout.HIGH, "low": layout.LOW, "close": layout.LAST,
            "volume": layout.VOLUME, "vwap": layout.VWAP, "count": layout.COUNT}  # fmt: skip
    for form, places in ((TICK, ticks), (BAR, bars)):
        assert {name: form.fields[name][1] for name in places} == {name: 8 * place for name, place in places.items()}
        assert form.itemsize == 8 * layout.WORDS
        assert form.fields["symbol"][1] == layout.NUMBER // 8
    heads = {"exchange": layout.EXCHANGE, "tape": layout.TAPE, "flag": layout.FLAG}
    assert {name: 8 * TICK.fields[name][1] for name in heads} == heads
