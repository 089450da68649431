"""Payloads as rows: held to rows worked out from the messages themselves, to the msgpack library, and to noise."""

import json
import math
import random
import struct
import subprocess
import sys
import textwrap

import msgpack
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qtw_lab.core import DataError
from qtw_lab.venues.ticks import BAR, TICK, Symbols, condition_mask, packed
from qtw_lab.venues.wire import columns, layout, values
from qtw_lab.venues.wire.decoding import BINARY, TEXT, Decoder
from qtw_lab.venues.wire.values import Nanoseconds

NAN = float("nan")
WHEN = 1_700_000_000_123_456_789


def payload(*contents, opcode=BINARY):
    return b"".join(len(content).to_bytes(4, "little") + bytes([opcode]) + content for content in contents)


def stamp(time):
    seconds, fraction = divmod(time, 10**9)
    return msgpack.Timestamp(seconds, fraction)


def trade(**changes):
    whole = {"T": "t", "S": "IBM", "i": 7, "x": "N", "p": 101.5, "s": 100, "c": ["@", "I"], "t": stamp(WHEN), "z": "A"}
    return {**whole, **changes}


def decoded(*messages, symbols=None):
    return Decoder(Symbols() if symbols is None else symbols).decode(payload(msgpack.packb(list(messages))))


def same(rows, others):
    """Equal to the last bit, NaN included; what lies between the columns of a `BAR` does not count."""
    names = rows.dtype.names
    return names == others.dtype.names and all(rows[name].tobytes() == others[name].tobytes() for name in names)


# What each message becomes, by hand


def test_a_trade_becomes_a_row():
    found = decoded(trade())
    assert found.ticks.tolist() == [
        pytest.approx(
            (116, 78, 65, 0, 0, WHEN, 7, 0, condition_mask("@I"), 101.5, 100.0, NAN, NAN), nan_ok=True, rel=0, abs=0
        )
    ]
    assert (found.faults, found.others, len(found.bars)) == (0, [], 0)


MESSAGES = {
    "quote": (
        {"T": "q", "S": "IBM", "bx": "Q", "bp": 9.5, "bs": 3, "ax": "P", "ap": 10, "as": 2.5, "c": ["R"],
         "t": stamp(WHEN), "z": "C"},
        (113, 81, 67, 80, 0, WHEN, 0, 0, condition_mask("R"), 9.5, 3.0, 10.0, 2.5),
    ),
    "correction": (
        {"T": "c", "S": "IBM", "x": "N", "oi": 5, "op": 9.5, "os": 3, "oc": ["@"], "ci": 6, "cp": 10.5, "cs": 4,
         "cc": ["I"], "t": stamp(WHEN), "z": "A"},
        (99, 78, 65, 0, 0, WHEN, 5, 6, condition_mask("I"), 10.5, 4.0, 9.5, 3.0),
    ),
    "cancel": (
        {"T": "x", "S": "IBM", "i": 5, "x": "N", "p": 9.5, "s": 3, "a": "C", "t": stamp(WHEN), "z": "A"},
        (120, 78, 65, 67, 0, WHEN, 5, 0, 0, 9.5, 3.0, NAN, NAN),
    ),
    "status": (
        {"T": "s", "S": "IBM", "sc": "H", "sm": "Trading Halt", "rc": "T12", "rm": "Information Requested",
         "t": stamp(WHEN), "z": "C"},
        (115, 0, 67, 72, 0, WHEN, 0, 0, packed("T12"), NAN, NAN, NAN, NAN),
    ),
    "price limits": (
        {"T": "l", "S": "IBM", "u": 11.5, "d": 9.5, "i": "B", "t": stamp(WHEN), "z": "C"},
        (108, 0, 67, 66, 0, WHEN, 0, 0, 0, 9.5, NAN, 11.5, NAN),
    ),
}  # fmt: skip


@pytest.mark.parametrize(("message", "row"), MESSAGES.values(), ids=MESSAGES)
def test_every_other_kind_becomes_a_row_too(message, row):
    assert same(decoded(message).ticks, np.array([row], dtype=TICK))


@pytest.mark.parametrize("kind", "bud")
def test_bars_go_to_rows_of_their_own(kind):
    bar = {"T": kind, "S": "IBM", "o": 1, "h": 4.5, "l": 0.5, "c": 2, "v": 100, "n": 3, "vw": 1.5, "t": stamp(0)}
    found = decoded(bar, trade(), bar)
    assert found.bars[["kind", "symbol", "time", "count"]].tolist() == [(ord(kind), 0, 0, 3)] * 2
    assert [found.bars[name][0] for name in ("open", "high", "low", "close", "volume", "vwap")] == [
        1,
        4.5,
        0.5,
        2,
        100,
        1.5,
    ]
    assert len(found.ticks) == 1


def test_a_bar_without_vwap_and_count_has_none():
    found = decoded({"T": "b", "S": "IBM", "o": 1, "h": 1, "l": 1, "c": 1, "v": 1, "t": stamp(0)})
    assert math.isnan(found.bars["vwap"][0])
    assert found.bars["count"][0] == 0


def test_control_messages_and_unknown_kinds_are_others_in_order():
    messages = [{"T": "success", "msg": "connected"}, {"T": "n", "id": 1}, {"T": "error", "code": 406, "msg": "limit"}]
    assert decoded(messages[0], trade(), *messages[1:]).others == messages
    text = Decoder(Symbols()).decode(payload(json.dumps(messages).encode(), opcode=TEXT))
    assert text.others == messages


def test_a_message_that_is_not_in_an_array_is_read():
    assert len(Decoder(Symbols()).decode(payload(msgpack.packb(trade()))).ticks) == 1


def test_rows_are_in_the_order_of_the_wire_whichever_way_they_were_read():
    messages = [trade(i=number) for number in range(6)]
    messages[1]["t"] = "2023-11-14T22:13:20.123456789Z"  # irregular in msgpack, so read the careful way
    messages[3]["S"] = "NEW"
    found = Decoder(Symbols()).decode(
        payload(msgpack.packb(messages[:4]))
        + payload(
            json.dumps([{**message, "t": "2023-11-14T22:13:20Z"} for message in messages[4:]]).encode(), opcode=TEXT
        )
    )
    assert found.ticks["id"].tolist() == [0, 1, 2, 3, 4, 5]
    assert found.ticks["symbol"].tolist() == [0, 0, 0, 1, 0, 0]
    assert found.ticks["time"].tolist() == [WHEN] * 4 + [WHEN - 123_456_789] * 2


def test_more_messages_than_the_capacity_make_it_grow():
    bar = {"T": "b", "S": "IBM", "o": 1, "h": 1, "l": 1, "c": 1, "v": 1, "t": stamp(0)}
    decoder = Decoder(Symbols(), capacity=1)
    for _ in range(2):
        found = decoder.decode(payload(msgpack.packb([trade(i=number) for number in range(100)] + [bar] * 50)))
        assert found.ticks["id"].tolist() == list(range(100))
        assert len(found.bars) == 50


def test_rows_are_a_view_until_the_next_payload():
    decoder = Decoder(Symbols())
    first = decoder.decode(payload(msgpack.packb([trade(p=1.0)]))).ticks
    decoder.decode(payload(msgpack.packb([trade(p=2.0)])))
    assert first["price"].tolist() == [2.0]


def test_a_capacity_of_nothing_is_refused():
    with pytest.raises(DataError, match="capacity=0"):
        Decoder(Symbols(), capacity=0)


# What is quarantined

BAD = {
    "no symbol": {"S": None}, "no price": {"p": None}, "no time": {"t": None}, "a price of text": {"p": "101"},
    "a price of 0": {"p": 0}, "a negative price": {"p": -1.0}, "a price of NaN": {"p": NAN},
    "an endless price": {"p": math.inf},
    "a price no share has": {"p": 2e8}, "a negative size": {"s": -1}, "a size of truth": {"s": True},
    "a symbol with a space": {"S": "I M"}, "an empty symbol": {"S": ""}, "a symbol too long": {"S": "X" * 17},
    "a symbol that is no ASCII": {"S": "é"}, "a symbol with a null": {"S": "IBM\0"}, "a symbol of bytes": {"S": b"IBM"},
    "a time of a number": {"t": WHEN}, "a time that is none": {"t": "yesterday"},
    "a time before 1970": {"t": stamp(-1)},
    "a time after 2261": {"t": stamp(2**34 * 10**9)}, "an id of half": {"i": 1.5}, "an id of 65 bits": {"i": 2**63},
    "an exchange of two letters": {"x": "NY"}, "an exchange that is no ASCII": {"x": "é"},
    "conditions of text": {"c": "@"},
    "conditions of numbers": {"c": [1]}, "a kind of a number": {"T": 116}, "no kind": {"T": None},
}  # fmt: skip


@pytest.mark.parametrize("change", BAD.values(), ids=BAD)
def test_a_bad_message_costs_itself_only(change):
    bad = {key: value for key, value in trade(**{"i": 2, "S": "BAD", **change}).items() if value is not None}
    symbols = Symbols()
    found = decoded(trade(i=1), bad, trade(i=3), symbols=symbols)
    assert (found.ticks["id"].tolist(), found.faults, found.others) == ([1, 3], 1, [])
    assert symbols.names == ["IBM"], "a message that is not believed names no symbol"


@pytest.mark.parametrize("element", [5, "text", [trade()], None, {}, {1: 2}, {"T": "t"}, {"S": "IBM"}, b"", 1.5])
def test_an_element_that_is_no_message_costs_itself_only(element):
    found = decoded(trade(i=1), element, trade(i=3))
    assert (found.ticks["id"].tolist(), found.faults) == ([1, 3], 1)


@pytest.mark.parametrize(
    "change",
    [{"i": None}, {"x": None}, {"c": None}, {"z": None}, {"x": ""}, {"c": []}, {"c": [""]}, {"c": ["AB", "é", "?"]}],
)
def test_what_may_be_missing_may_be_nil_or_empty(change):
    with_nil = decoded(trade(**change))
    without = decoded({key: value for key, value in trade(**change).items() if value is not None})
    assert with_nil.faults == without.faults == 0
    assert same(with_nil.ticks.copy(), without.ticks)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xc1",
        b"\x91",
        b"\xdd\xff\xff\xff\xff",
        b"\xdf\xff\xff\xff\xff",
        b"\xc6\xff\xff\xff\xff",
        b"\x91\xc1",
        b"\x05",
    ],
)
def test_garbage_in_one_frame_leaves_the_next_unharmed(content):
    good = msgpack.packb([trade()])
    found = Decoder(Symbols()).decode(payload(good, content, good))
    assert (len(found.ticks), found.faults) == (2, 1)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[" * 100_000, b"7", b'"text"', b"1" * 5000])
def test_garbage_in_a_frame_of_text_leaves_the_next_unharmed(content):
    found = Decoder(Symbols()).decode(payload(content, opcode=TEXT) + payload(msgpack.packb([trade()])))
    assert (len(found.ticks), found.faults) == (1, 1)


def test_numbers_that_json_cannot_mean_are_quarantined():
    text = json.dumps([{**trade(), "t": "2024-01-02T00:00:00Z", "p": price} for price in (NAN, math.inf, 10**400, 1.5)])
    found = Decoder(Symbols()).decode(payload(text.encode(), opcode=TEXT))
    assert (found.ticks["price"].tolist(), found.faults) == ([1.5], 3)


def test_bytes_after_the_array_are_a_fault_and_the_array_is_read():
    found = Decoder(Symbols()).decode(payload(msgpack.packb([trade()]) + b"\x01\x02"))
    assert (len(found.ticks), found.faults) == (1, 1)


def test_frames_of_other_opcodes_and_cut_frames_are_faults():
    good = payload(msgpack.packb([trade()]))
    assert Decoder(Symbols()).decode(payload(b"x", opcode=9) + good).faults == 1
    for cut in range(1, len(good)):
        found = Decoder(Symbols()).decode(good + good[:cut])
        assert (len(found.ticks), found.faults) == (1, 1)


def test_a_payload_of_irregular_messages_is_not_looked_at_for_ever(monkeypatch):
    from qtw_lab.venues.wire import decoding

    monkeypatch.setattr(decoding, "_LOOKS", 10)
    found = decoded(*[{"T": "z"}] * 100, trade())
    assert len(found.others) == 10
    assert found.faults >= 90


# Every form that msgpack has for the same thing


class Packer:
    """Packs a value in any of the ways the specification allows, chosen by chance."""

    def __init__(self, seed):
        self.chance = random.Random(seed)

    def pack(self, value):  # noqa: PLR0911  (one form of value a line)
        match value:
            case None:
                return b"\xc0"
            case bool():
                return b"\xc3" if value else b"\xc2"
            case Nanoseconds():
                return self.time(value)
            case int():
                return self.whole(value)
            case float():
                return self.number(value)
            case str():
                return self.text(value.encode())
            case list():
                return self.head(len(value), 0x90, 15, 0xDC) + b"".join(map(self.pack, value))
            case dict():
                pairs = list(value.items())
                self.chance.shuffle(pairs)
                content = b"".join(self.pack(key) + self.pack(inner) for key, inner in pairs)
                return self.head(len(pairs), 0x80, 15, 0xDE) + content
        raise AssertionError(value)

    def head(self, size, fixed, most, wide):
        forms = [bytes([wide]) + size.to_bytes(2), bytes([wide + 1]) + size.to_bytes(4)]
        return self.chance.choice([bytes([fixed | size])] * 6 + forms if size <= most else forms)

    def text(self, raw):
        size = len(raw)
        forms = [bytes([0xD9, size]), b"\xda" + size.to_bytes(2), b"\xdb" + size.to_bytes(4)]
        return self.chance.choice([bytes([0xA0 | size])] * 12 + forms if size < 32 else forms) + raw

    def whole(self, value):
        forms = [bytes([value & 0xFF])] if -32 <= value < 128 else []
        for tag, code in zip(range(0xCC, 0xD4), "BHIQbhiq", strict=True):
            try:
                forms.append(bytes([tag]) + struct.pack(">" + code, value))
            except struct.error:
                continue
        return self.chance.choice(forms)

    def number(self, value):
        forms = [b"\xcb" + struct.pack(">d", value)]
        if value == struct.unpack(">f", struct.pack(">f", value))[0]:
            forms.append(b"\xca" + struct.pack(">f", value))
        if value.is_integer() and abs(value) < 2**53:
            forms.append(self.whole(int(value)))
        return self.chance.choice(forms)

    def time(self, value):
        seconds, fraction = divmod(value, 10**9)
        forms = [
            b"\xc7\x0c\xff" + fraction.to_bytes(4) + seconds.to_bytes(8),
            self.text(values.moment_text(value).encode()),
        ]
        if seconds < 1 << 34:
            forms += [b"\xd7\xff" + (fraction << 34 | seconds).to_bytes(8)] * 3
        if not fraction and seconds < 1 << 32:
            forms += [b"\xd6\xff" + seconds.to_bytes(4)] * 3
        return self.chance.choice(forms)


NAMES = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=16)
PRICES = st.one_of(st.floats(0.0001, 1e8), st.integers(1, 10**8).map(float))
SIZES = st.one_of(st.integers(0, 10**12).map(float), st.floats(0, 1e12))
LETTERS = st.sampled_from(["", *"ABCNPQVXZ@279"])
OF_FORM = {
    layout.PRICE: PRICES, layout.POSITIVE: PRICES, layout.SIZE: SIZES, layout.WHOLE: st.integers(-(2**63), 2**63 - 1),
    layout.TIME: st.integers(0, 9_000_000_000 * 10**9).map(Nanoseconds), layout.SYMBOL: NAMES, layout.LETTER: LETTERS,
    layout.CONDITIONS: st.lists(st.sampled_from("ABCDEFGHIKLMNOPQRSTUVWXYZ1456789@ ?"), max_size=20),
    layout.TEXT: st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=12),
}  # fmt: skip
KEYS = {key for fields in layout.FIELDS.values() for key, *_ in fields} | {"T"}
EXTRAS = st.dictionaries(
    st.text(max_size=40).filter(lambda key: key not in KEYS),
    st.recursive(
        st.one_of(
            st.none(), st.booleans(), st.integers(-(2**63), 2**64 - 1), st.floats(allow_nan=False, width=32), st.text()
        ),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
        max_leaves=5,
    ),
    max_size=3,
)


@st.composite
def messages(draw):
    """A message of any kind, some of its fields left out or nil where they may be, some added."""
    kind = draw(st.sampled_from("tqtqcxslbud"))
    message = {"T": kind}
    for key, form, _, must in layout.FIELDS[kind]:
        if must or draw(st.integers(0, 5)):
            message[key] = draw(OF_FORM[form])
        elif draw(st.booleans()):
            message[key] = None
    return {**message, **draw(EXTRAS)}


def row(message, symbols):
    """What the table at `TICK` and `BAR` says about a message, written down without the decoder's own table."""

    def get(key, missing=0):
        return missing if message.get(key) is None else message[key]

    def letter(key):
        return ord(get(key, "") or "\0")

    head = (symbols.number(message["S"]), int(message["t"]))
    match message["T"]:
        case "b" | "u" | "d":
            prices = [get(key, NAN) for key in ("o", "h", "l", "c", "v", "vw")]
            return np.array([(ord(message["T"]), *head, *prices, get("n"))], dtype=BAR)
        case "t":
            rest = (letter("x"), 0, get("i"), 0, condition_mask(get("c", [])), get("p"), get("s"), NAN, NAN)
        case "q":
            rest = (
                letter("bx"),
                letter("ax"),
                0,
                0,
                condition_mask(get("c", [])),
                get("bp"),
                get("bs"),
                get("ap"),
                get("as"),
            )
        case "c":
            rest = (letter("x"), 0, get("oi"), get("ci"), condition_mask(get("cc", [])), get("cp"), get("cs"),
                    get("op", NAN), get("os", NAN))  # fmt: skip
        case "x":
            rest = (letter("x"), letter("a"), get("i"), 0, 0, get("p", NAN), get("s", NAN), NAN, NAN)
        case "s":
            rest = (0, letter("sc"), 0, 0, packed(get("rc", "")), NAN, NAN, NAN, NAN)
        case _:
            rest = (0, letter("i"), 0, 0, 0, get("d"), NAN, get("u"), NAN)
    exchange, flag, *others = rest
    return np.array([(ord(message["T"]), exchange, letter("z"), flag, *head, *others)], dtype=TICK)


def expected(found, symbols):
    rows = [row(message, symbols) for message in found]
    return [np.concatenate([np.zeros(0, form), *(one for one in rows if one.dtype == form)]) for form in (TICK, BAR)]


@settings(max_examples=80, deadline=None)
@given(found=st.lists(messages(), max_size=8), seed=st.integers(0, 2**32), known=st.booleans())
def test_every_way_of_writing_a_message_in_msgpack_gives_its_row(found, seed, known):
    symbols = Symbols(message["S"] for message in found) if known else Symbols()
    wanted = expected(found, Symbols(message["S"] for message in found))
    result = Decoder(symbols, capacity=2).decode(payload(Packer(seed).pack(found)))
    assert result.faults == 0
    assert same(result.ticks, wanted[0])
    assert same(result.bars, wanted[1])


@settings(max_examples=60, deadline=None)
@given(found=st.lists(messages(), max_size=8))
def test_the_same_messages_in_json_give_the_same_rows(found):
    wanted = expected(found, Symbols())
    text = json.dumps([{**message, "t": values.moment_text(message["t"])} for message in found])
    result = Decoder(Symbols()).decode(payload(text.encode(), opcode=TEXT))
    assert result.faults == 0
    assert same(result.ticks, wanted[0])
    assert same(result.bars, wanted[1])


# Noise


def careful(content, symbols):
    """Rows of an array of messages, every one of them read the careful way; None if the array cannot be read."""
    try:
        found, size = values.message_of(content)
    except DataError:
        return None
    if not isinstance(found, list) or size != len(content):
        return None
    rows = {TICK: [], BAR: []}
    for message in found:
        try:
            rows[BAR if message["T"] in layout.BARS else TICK].append(values.row_of(message, symbols))
        except (DataError, KeyError, TypeError):
            continue
    return [np.array(rows[form], dtype=form) for form in (TICK, BAR)]


@settings(max_examples=100, deadline=None)
@given(found=st.lists(messages(), min_size=1, max_size=4), seed=st.integers(0, 2**32), data=st.data())
def test_damaged_messages_are_read_as_the_careful_way_reads_them(found, seed, data):
    content = bytearray(Packer(seed).pack(found))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    wanted = careful(bytes(content), Symbols())
    names = [message["S"] for message in found]
    for symbols in (Symbols(), Symbols(names)):
        result = Decoder(symbols, capacity=1).decode(payload(bytes(content)))
        if wanted is not None:
            for rows, others in zip((result.ticks, result.bars), wanted, strict=True):
                all_but_symbol = [name for name in rows.dtype.names if name != "symbol"]
                assert same(rows[all_but_symbol], others[all_but_symbol])


@settings(max_examples=100, deadline=None)
@given(content=st.binary(max_size=300))
def test_noise_is_never_an_error_and_never_a_row_that_cannot_be(content):
    symbols = Symbols(["A"])
    for noise in (content, payload(content), payload(content, opcode=TEXT), payload(b"\x9f" + content)):
        found = Decoder(symbols).decode(noise)
        for rows in (found.ticks, found.bars):
            assert ((rows["symbol"] >= 0) & (rows["symbol"] < len(symbols))).all()
            assert (rows["time"] >= 0).all()


@settings(max_examples=25, deadline=None)
@given(found=st.lists(messages(), min_size=1, max_size=4), seed=st.integers(0, 2**32))
def test_every_truncation_gives_the_rows_before_the_cut(found, seed):
    content = Packer(seed).pack(found)
    symbols = Symbols(message["S"] for message in found)
    whole = Decoder(symbols).decode(payload(content))
    decoder = Decoder(symbols)
    for cut in range(len(content)):
        part = decoder.decode(payload(content[:cut]))
        assert part.faults >= 1
        assert same(part.ticks, whole.ticks[: len(part.ticks)].copy())
        assert same(part.bars, whole.bars[: len(part.bars)].copy())


@settings(max_examples=40, deadline=None)
@given(found=st.lists(messages(), min_size=1, max_size=3), seed=st.integers(0, 2**32), cut=st.integers(0, 400))
def test_what_stands_behind_the_payload_changes_nothing(found, seed, cut):
    content = payload(Packer(seed).pack(found))[: 5 + cut]
    content = len(content[5:]).to_bytes(4, "little") + content[4:]
    results = []
    for behind in (b"\x00", b"\xff", b"\xa1", b"\x93"):
        view = memoryview(content + 64 * behind)[: len(content)]
        found_rows = Decoder(Symbols(message["S"] for message in found)).decode(view)
        results.append(
            (repr(found_rows.ticks.tolist()), repr(found_rows.bars.tolist()), found_rows.faults, found_rows.others)
        )
    assert all(result == results[0] for result in results[1:])


GUARDED = """
    import ctypes, mmap, random, msgpack
    from qtw_lab.venues.ticks import Symbols
    from qtw_lab.venues.wire.decoding import Decoder
    page = mmap.PAGESIZE
    area = mmap.mmap(-1, 3 * page)
    start = ctypes.addressof(ctypes.c_char.from_buffer(area))
    if ctypes.CDLL(None).mprotect(ctypes.c_void_p(start + 2 * page), page, 0):
        raise SystemExit("no guard")
    time = msgpack.Timestamp(1_700_000_000, 5)
    kinds = [
        {"T": "t", "S": "IBM", "i": 7, "x": "N", "p": 101.5, "s": 100, "c": ["@", "I"], "t": time, "z": "A"},
        {"T": "q", "S": "ABCDEFGHIJKLMNOP", "bx": "Q", "bp": 9.5, "bs": 3, "ax": "P", "ap": 10, "as": 2.5, "t": time},
        {"T": "s", "S": "IBM", "sc": "H", "rc": "LUDPLUDP", "t": time, "extra": {"a": [1, 2.5, "x" * 40, b"y" * 300]}},
    ]
    chance, decoder = random.Random(5), Decoder(Symbols(["IBM"]))
    for round in range(20_000):
        content = bytearray(msgpack.packb([chance.choice(kinds)]))
        del content[chance.randrange(len(content) + 1):]
        for _ in range(chance.randrange(3)):
            if content:
                content[chance.randrange(len(content))] = chance.randrange(256)
        payload = len(content).to_bytes(4, "little") + b"\\x02" + content
        if round % 5 == 0:
            payload = payload[: chance.randrange(len(payload) + 1)]
        view = memoryview(area)[2 * page - len(payload): 2 * page]
        view[:] = payload
        decoder.decode(view)
    print("read to the last byte and no further")
"""


def test_nothing_is_read_beyond_the_payload_though_a_page_without_access_follows_it():
    found = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(GUARDED)], capture_output=True, text=True, check=False, timeout=120
    )
    assert (found.returncode, found.stdout) == (0, "read to the last byte and no further\n"), found.stderr


def test_the_compiled_loop_stops_for_an_element_that_announces_four_billion_more():
    content = b"\xdd\xff\xff\xff\xff" + msgpack.packb(trade())
    found = Decoder(Symbols()).decode(payload(content))
    assert (len(found.ticks), found.faults) == (1, 1)
    assert columns.DONE == 0
