"""Rows as messages: read back by our decoder, by the msgpack library and by the vendor's own client models."""

import json

import msgpack
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qtw_lab.core import DataError
from qtw_lab.venues.ticks import BAR, LONGEST, OTHER_BIT, TICK, Symbols, condition_bit, condition_mask, packed
from qtw_lab.venues.wire.decoding import BINARY, TEXT, Decoder
from qtw_lab.venues.wire.encoding import TEXTS, encode, encode_bars, plain

NAMES = ["IBM", "BRK.B", "A" * LONGEST]
WHEN = 1_700_000_000_123_456_789
NAN = float("nan")
BITS = [*(condition_bit(letter) for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789@ "), OTHER_BIT]
PRICES = st.floats(0.0001, 1e8)
SIZES = st.one_of(st.integers(0, 10**12).map(float), st.floats(0, 1e12))
IDS = st.one_of(st.integers(-(2**63), 2**63 - 1), st.integers(0, 300))
TIMES = st.one_of(
    st.integers(0, 9_000_000_000 * 10**9), st.integers(0, 9_000_000_000).map(lambda second: second * 10**9)
)
LETTERS = st.sampled_from([0, *b"ABCNPQVXZ@279"])
MASKS = st.sets(st.sampled_from(BITS)).map(lambda bits: sum(1 << bit for bit in bits))


def payload(content, opcode=BINARY):
    return len(content).to_bytes(4, "little") + bytes([opcode]) + content


@st.composite
def tick(draw):
    kind = draw(st.sampled_from("tqcxsl"))
    head = [draw(st.integers(0, len(NAMES) - 1)), draw(TIMES)]
    exchange, tape, flag = draw(LETTERS), draw(LETTERS), draw(LETTERS)
    match kind:
        case "t":
            rest = (draw(IDS), 0, draw(MASKS), draw(PRICES), draw(SIZES), NAN, NAN)
            flag = 0
        case "q":
            rest = (0, 0, draw(MASKS), draw(PRICES | st.just(0.0)), draw(SIZES), draw(PRICES), draw(SIZES))
        case "c":
            rest = (
                draw(IDS),
                draw(IDS),
                draw(MASKS),
                draw(PRICES),
                draw(SIZES),
                draw(PRICES | st.just(NAN)),
                draw(SIZES),
            )
            flag = 0
        case "x":
            rest = (draw(IDS), 0, 0, draw(PRICES | st.just(NAN)), draw(SIZES | st.just(NAN)), NAN, NAN)
        case "s":
            rest = (0, 0, packed(draw(st.sampled_from(["", "T1", "LUDP", "ABCDEFGH"]))), NAN, NAN, NAN, NAN)
            exchange, flag = 0, draw(st.sampled_from(b"HTPQ2D"))
        case _:
            rest = (0, 0, 0, draw(PRICES), NAN, draw(PRICES), NAN)
            exchange = 0
    return (ord(kind), exchange, tape, flag, *head, *rest)


@st.composite
def bar(draw):
    prices = [draw(PRICES) for _ in range(4)]
    numbers = (draw(SIZES), draw(PRICES | st.just(NAN)), draw(st.integers(0, 10**9)))
    return (draw(st.sampled_from(b"bud")), draw(st.integers(0, len(NAMES) - 1)), draw(TIMES), *prices, *numbers)


def same(rows, others):
    """Equal to the last bit, NaN included; what lies between the columns of a `BAR` does not count."""
    return all(rows[name].tobytes() == others[name].tobytes() for name in rows.dtype.names)


@settings(max_examples=150, deadline=None)
@given(st.lists(tick(), max_size=20))
def test_encoded_ticks_are_decoded_to_themselves(rows):
    ticks, symbols = np.array(rows, dtype=TICK), Symbols(NAMES)
    found = Decoder(symbols).decode(payload(encode(ticks, symbols)))
    assert (found.faults, found.others) == (0, [])
    assert same(found.ticks, ticks)


@settings(max_examples=60, deadline=None)
@given(st.lists(bar(), max_size=20))
def test_encoded_bars_are_decoded_to_themselves(rows):
    bars, symbols = np.array(rows, dtype=BAR), Symbols(NAMES)
    found = Decoder(symbols).decode(payload(encode_bars(bars, symbols)))
    assert found.faults == 0
    assert same(found.bars, bars)


def stamps(messages):
    """Messages of `plain` with their moments as the msgpack library gives them."""
    from qtw_lab.venues.wire.values import moment

    return [{**message, "t": msgpack.Timestamp(*divmod(moment(message["t"]), 10**9))} for message in messages]


@settings(max_examples=100, deadline=None)
@given(st.lists(tick(), max_size=20), st.lists(bar(), max_size=5))
def test_the_msgpack_library_reads_what_plain_says(ticks, bars):
    symbols = Symbols(NAMES)
    ticks, bars = np.array(ticks, dtype=TICK), np.array(bars, dtype=BAR)
    assert msgpack.unpackb(encode(ticks, symbols)) == stamps(plain(ticks, symbols))
    assert msgpack.unpackb(encode_bars(bars, symbols)) == stamps(plain(bars, symbols))


@settings(max_examples=60, deadline=None)
@given(st.lists(tick(), max_size=20))
def test_plain_ticks_go_through_json_unchanged(rows):
    ticks, symbols = np.array(rows, dtype=TICK), Symbols(NAMES)
    found = Decoder(symbols).decode(payload(json.dumps(plain(ticks, symbols)).encode(), opcode=TEXT))
    assert found.faults == 0
    assert same(found.ticks, ticks)


@pytest.mark.parametrize("count", [0, 1, 15, 16, 65_535, 65_536])
def test_an_array_of_any_length_says_its_length(count):
    ticks, symbols = np.zeros(count, dtype=TICK), Symbols(["IBM"])
    ticks["kind"], ticks["price"] = ord("t"), 1.0
    assert len(msgpack.unpackb(encode(ticks, symbols))) == count


def one(kind, **columns):
    rows = np.zeros(1, dtype=BAR if kind in "bud" else TICK)
    rows["kind"] = ord(kind)
    for name, value in columns.items():
        rows[name] = value
    return rows


@pytest.mark.filterwarnings("ignore:websockets.legacy is deprecated:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:websockets.client:DeprecationWarning")
def test_the_vendors_client_reads_every_kind():
    # alpaca-py's own classes, as its StockDataStream makes them from the messages of a frame
    from alpaca.data.models import Bar, Quote, Trade, TradeCancel, TradeCorrection, TradingStatus

    symbols = Symbols(["IBM"])
    common = {"time": WHEN, "tape": ord("A"), "exchange": ord("N"), "price": 101.5, "size": 100.0}
    rows = np.concatenate(
        [
            one("t", **common, id=7, conditions=condition_mask("I@")),
            one("q", **common, flag=ord("Q"), other_price=101.75, other_size=2.5, conditions=condition_mask("R")),
            one("c", **common, id=7, second_id=8, other_price=99.5, other_size=1.0),
            one("x", **common, id=7, flag=ord("C")),
            one("s", time=WHEN, tape=ord("A"), flag=ord("H"), conditions=packed("T1")),
        ]
    )
    messages = msgpack.unpackb(encode(rows, symbols))
    messages += msgpack.unpackb(
        encode_bars(one("b", open=1.0, high=2.0, low=0.5, close=1.5, volume=10, count=2), symbols)
    )
    for message in messages:
        message["t"] = message["t"].to_datetime()
    models = (Trade, Quote, TradeCorrection, TradeCancel, TradingStatus, Bar)
    trade, quote, correction, cancel, status, minute = (
        model("IBM", message) for model, message in zip(models, messages, strict=True)
    )
    assert (trade.price, trade.size, trade.id, trade.conditions, trade.tape) == (101.5, 100, 7, ["I", "@"], "A")
    assert (quote.bid_price, quote.ask_price, quote.ask_size, str(quote.ask_exchange)) == (101.5, 101.75, 2.5, "Q")
    assert (correction.original_id, correction.corrected_id, correction.original_price) == (7, 8, 99.5)
    assert (cancel.id, cancel.action) == (7, "C")
    assert (status.status_code, status.status_message, status.reason_code) == ("H", TEXTS["H"], "T1")
    assert (minute.open, minute.high, minute.volume, minute.trade_count) == (1.0, 2.0, 10, 2)


def test_words_of_ones_own_replace_those_of_a_status():
    rows = one("s", time=WHEN, flag=ord("H"), conditions=packed("T99"))
    message = plain(rows, Symbols(["IBM"]), {"H": "stopped"})[0]
    assert (message["sm"], message["rc"], message["rm"]) == ("stopped", "T99", "T99")
    assert msgpack.unpackb(encode(rows, Symbols(["IBM"]), {"H": "stopped"}))[0]["sm"] == "stopped"


def test_conditions_beyond_those_that_have_bits_are_left_out():
    rows = one("t", price=1.0, conditions=np.uint64(1 << 40 | condition_mask("@")))
    assert plain(rows, Symbols(["IBM"]))[0]["c"] == ["@"]
    assert msgpack.unpackb(encode(rows, Symbols(["IBM"])))[0]["c"] == ["@"]


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (one("b"), "Rows of TICK"),
        (one("t").reshape(1, 1), "one dimension"),
        ([1], "Rows of TICK"),
        (one("z"), "Row 0 has a kind"),
        (one("t", symbol=1), "none of the 1"),
        (one("t", symbol=-1), "none of the 1"),
        (one("t", time=-1), "before 1970"),
    ],
)
def test_rows_that_are_no_messages_are_refused(rows, said):
    with pytest.raises(DataError, match=said):
        encode(rows, Symbols(["IBM"]))


def test_rows_of_a_strided_view_are_encoded_like_their_copy():
    rows = np.concatenate([one("t", price=float(number), time=number) for number in range(1, 9)])
    symbols = Symbols(["IBM"])
    assert encode(rows[::2], symbols) == encode(rows[::2].copy(), symbols)
