"""The rows of a synthetic day, compiled: those of any symbol in any second, from seed and tables alone."""

from __future__ import annotations

from math import exp, floor, log
from typing import Final

import numpy as np
import numpy.typing as npt

from qtw_lab.venues.compiled import compiled
from qtw_lab.venues.market import Instants
from qtw_lab.venues.simulator.synthetic_chance import keyed, mixed, poisson, rough_normal, uniform
from qtw_lab.venues.simulator.synthetic_model import TRADE_SHARE
from qtw_lab.venues.simulator.synthetic_prices import Day, middle, regular, stopped
from qtw_lab.venues.ticks import CANCEL, CORRECTION, QUOTE, TRADE, Rows, condition_mask

Ints = npt.NDArray[np.int64]

#: What a hash is for; `synthetic_prices` has 4.
_ROWS: Final = 1
_LATE: Final = 2
_WRONG: Final = 3
_ODD: Final = np.uint64(0xD1342543DE82EF95)
_THIRD: Final = np.uint64(3)
_SIXTY: Final = np.uint64(60)

#: Assumed. Of trades, how many are late, and wrong; the delay of a late one is 1 to 45
#: seconds, log-uniform; a symbol has one wrong trade a minute at most, and notice of it comes after one of five delays.
_LATE_SHARE: Final = 0.004
_WRONG_SHARE: Final = 0.001
_LONGEST: Final = 45.0
_NOTICES: Final = np.array([1, 4, 12, 30, 50], dtype=np.int64)
#: No trade of the last minutes is wrong: its notice would not come any more.
_SAFE: Final = 60
#: A trade reported later than this is out of sequence (tape rules: within 10 seconds).
_SEQUENCE: Final = 10

#: Most rows of a symbol in a second; ids have room for twice as many.
_MOST: Final = 2000
_SECOND: Final = 1_000_000_000
#: In the opening second the first trade is the opening print; all others follow it.
_AFTER_OPENING: Final = 100_000_000

_REGULAR_C: Final = np.uint64(condition_mask("@"))
_REGULAR_AB: Final = np.uint64(condition_mask(" "))
_QUOTED: Final = np.uint64(condition_mask("R"))
_ODD_LOT: Final = np.uint64(condition_mask("I"))
_SWEEP: Final = np.uint64(condition_mask("F"))
_DERIVED: Final = np.uint64(condition_mask("4"))
_FORM_T: Final = np.uint64(condition_mask("T"))
_SOLD: Final = np.uint64(condition_mask("Z"))
_SOLD_EXTENDED: Final = np.uint64(condition_mask("U"))
_TAPE_C: Final = ord("C")
_CANCELED: Final = ord("C")
_ERROR: Final = ord("E")
#: Off-exchange trades are reported through FINRA; the rest at these venues.
_FINRA: Final = ord("D")
_VENUES: Final = np.frombuffer(b"QNPZKYVXBJMU", dtype=np.uint8).copy()


@compiled
def count_of(day: Day, symbol: int, second: int) -> int:
    """How many rows the symbol has in that second, late ones and notices apart."""
    if stopped(day, symbol, second):
        return 0
    return min(_MOST, poisson(day.stocks[symbol].rate * day.curve[second], keyed(day.seed, _ROWS, symbol, second)))


@compiled
def wrong_one(day: Day, symbol: int, minute: int) -> tuple[int, int, np.uint64]:
    """The second of that minute of which a trade is wrong (-1: none), the delay of its notice, and further chance."""
    bits = keyed(day.seed, _WRONG, symbol, minute)
    if uniform(bits) >= day.stocks[symbol].rate * day.hustle[minute] * TRADE_SHARE * _WRONG_SHARE:
        return -1, 0, bits
    bits = mixed(bits)
    second = 60 * minute + int(bits % _SIXTY)
    if second >= len(day.curve) - _SAFE:
        return -1, 0, bits
    bits = mixed(bits)
    return second, _NOTICES[int(bits % np.uint64(len(_NOTICES)))], mixed(bits)


@compiled
def trades_at(day: Day, symbol: int, second: int, number: int) -> bool:
    """Whether that row is a trade."""
    return uniform(mixed(keyed(day.seed, _ROWS, symbol, second) + np.uint64(number + 1) * _ODD)) < TRADE_SHARE


@compiled
def wrong_row(day: Day, symbol: int, second: int, count: int, bits: np.uint64) -> int:
    """Which row of a second that has a wrong trade it is: the first trade from a drawn row on; -1 if there is none."""
    if count == 0:
        return -1
    first = int(bits % np.uint64(count))
    for number in range(first, count):
        if trades_at(day, symbol, second, number):
            return number
    return -1


@compiled
def size_of(day: Day, symbol: int, bits: np.uint64) -> float:
    """Shares of a trade: log-normal of unit deviation, half of the large ones in round lots."""
    size = float(day.stocks[symbol].size) * exp(rough_normal(bits) - 0.5)
    if size >= 100.0 and bits & np.uint64(1):
        return floor(size / 100.0 + 0.5) * 100.0
    return max(1.0, floor(size + 0.5))


@compiled
def price_trade(day: Day, symbol: int, second: int, price: float, bits: np.uint64, rows: Rows, place: int) -> None:
    """Exchange, conditions, price and size of a trade around that price."""
    row = rows[place]
    ticks = 100.0 if price >= 1.0 else 10_000.0
    width = max(1.0, floor(day.stocks[symbol].spread * day.widening[second] * ticks + 0.5))
    bid = max(1.0, floor(price * ticks - 0.5 * width + 0.5))
    choice = uniform(bits)
    bits = mixed(bits)
    conditions = _REGULAR_C if day.stocks[symbol].tape == _TAPE_C else _REGULAR_AB
    size = size_of(day, symbol, mixed(bits))
    traded = (bid if bits & np.uint64(1) else bid + width) / ticks
    if choice < 0.4:
        row.exchange = _FINRA
        if choice < 0.2:
            traded = floor((bid + width * uniform(bits)) * 10_000.0 / ticks + 0.5) / 10_000.0
        if choice < 0.008:
            size = floor(50_000.0 * uniform(mixed(bits)) + 1.0) / 10_000.0
        elif choice > 0.3996:
            conditions |= _DERIVED
    else:
        row.exchange = (
            day.stocks[symbol].exchange if choice < 0.65 else _VENUES[int(bits >> np.uint64(8)) % len(_VENUES)]
        )
        if choice > 0.8:
            conditions |= _SWEEP
    if regular(day, second):
        traded = min(max(traded, day.stocks[symbol].low), day.stocks[symbol].high)
    else:
        conditions |= _FORM_T
    if size < 100.0:
        conditions |= _ODD_LOT
    row.conditions, row.price, row.size = conditions, traded, size
    row.other_price = row.other_size = np.nan


@compiled
def price_quote(day: Day, symbol: int, second: int, price: float, bits: np.uint64, rows: Rows, place: int) -> None:
    """Exchanges, prices and sizes of a quote around that price."""
    row = rows[place]
    ticks = 100.0 if price >= 1.0 else 10_000.0
    width = max(
        1.0, floor(day.stocks[symbol].spread * day.widening[second] * ticks * (0.7 + 0.6 * uniform(bits)) + 0.5)
    )
    bid = max(1.0, floor(price * ticks - 0.5 * width + 0.5))
    bits = mixed(bits)
    row.exchange = _VENUES[int(bits & np.uint64(0xFF)) % len(_VENUES)]
    row.flag = _VENUES[int((bits >> np.uint64(8)) & np.uint64(0xFF)) % len(_VENUES)]
    row.conditions = _QUOTED
    row.price, row.other_price = bid / ticks, (bid + width) / ticks
    row.size = 100.0 * (1 + int((bits >> np.uint64(16)) & np.uint64(0xF)))
    row.other_size = 100.0 * (1 + int((bits >> np.uint64(20)) & np.uint64(0xF)))


@compiled
def write_row(
    day: Day, symbol: int, second: int, number: int, wrong: int, ends: tuple[float, float], rows: Rows, place: int
) -> int:
    """Write one row of a second; the instant at which it arrives.

    It arrives 0.1 to 20 milliseconds after its time, exponentially distributed, and never in another second.
    """
    bits = mixed(keyed(day.seed, _ROWS, symbol, second) + np.uint64(number + 1) * _ODD)
    start = day.begin + second * _SECOND
    fraction = uniform(mixed(bits ^ _ODD))
    earliest = 0
    if second == day.opens:
        earliest = _AFTER_OPENING
        fraction *= fraction
    arrived = earliest + int(fraction * (_SECOND - earliest))
    lag = 100_000.0 - 1e6 * log(1.0 - uniform(mixed(bits ^ _THIRD)))
    happened = max(earliest, arrived - int(min(lag, 2e7)))
    price = ends[0] + (ends[1] - ends[0]) * happened / _SECOND
    row = rows[place]
    row.symbol, row.tape, row.time = symbol, day.stocks[symbol].tape, start + happened
    row.second_id, row.id, row.flag = 0, 0, 0
    if uniform(bits) < TRADE_SHARE:
        row.kind, row.id = TRADE, second * 8192 + number + 1
        price_trade(day, symbol, second, price, mixed(bits), rows, place)
        if number == wrong and bits & np.uint64(1):
            row.price = floor(row.price * (1.03 if bits & np.uint64(2) else 0.97) * 100.0 + 1.0) / 100.0
    else:
        row.kind = QUOTE
        price_quote(day, symbol, second, price, mixed(bits), rows, place)
    return start + arrived


@compiled
def write_late(day: Day, symbol: int, second: int, number: int, bits: np.uint64, rows: Rows, place: int) -> int:
    """Write the late report that arrives in that second; when it arrives, or -1 if nothing traded so long before."""
    bits = mixed(bits)
    delay = int(exp(uniform(bits) * log(_LONGEST)))
    before = second - delay
    if before < 0 or stopped(day, symbol, before):
        return -1
    bits = mixed(bits)
    offset = _AFTER_OPENING + int(uniform(bits) * (_SECOND - _AFTER_OPENING))
    first, last = middle(day, symbol, before), middle(day, symbol, before + 1)
    row = rows[place]
    row.kind, row.symbol, row.tape, row.flag = TRADE, symbol, day.stocks[symbol].tape, 0
    row.time = day.begin + before * _SECOND + offset
    row.id, row.second_id = second * 8192 + 7000 + number, 0
    price_trade(day, symbol, before, first + (last - first) * offset / _SECOND, mixed(bits), rows, place)
    if delay >= _SEQUENCE:
        row.conditions |= _SOLD if regular(day, before) else _SOLD_EXTENDED
    return day.begin + second * _SECOND + int(uniform(mixed(bits ^ _ODD)) * _SECOND)


@compiled
def write_lates(day: Day, symbol: int, start: int, end: int, rows: Rows, arrivals: Instants, place: int) -> int:
    """Write the late reports that arrive in those seconds; the place after them."""
    for minute in range(start // 60, (end - 1) // 60 + 1):
        bits = keyed(day.seed, _LATE, symbol, minute)
        mean = day.stocks[symbol].rate * day.hustle[minute] * TRADE_SHARE * _LATE_SHARE
        for number in range(min(900, poisson(mean, bits))):
            bits = mixed(bits)
            second = 60 * minute + int(bits % _SIXTY)
            if start <= second < end:
                arrived = write_late(day, symbol, second, number, bits, rows, place)
                if arrived >= 0:
                    arrivals[place] = arrived
                    place += 1
    return place


@compiled
def write_notice(day: Day, symbol: int, before: int, delay: int, bits: np.uint64, rows: Rows, place: int) -> int:
    """Write the correction or cancel of the wrong trade of a second; when it arrives, or -1 if no trade is."""
    wrong = wrong_row(day, symbol, before, count_of(day, symbol, before), bits)
    if wrong < 0:
        return -1
    ends = (middle(day, symbol, before), middle(day, symbol, before + 1))
    write_row(day, symbol, before, wrong, wrong, ends, rows, place)
    row = rows[place]
    bits = mixed(bits)
    if bits & _THIRD == np.uint64(0):
        row.kind, row.flag = CANCEL, _CANCELED if bits & np.uint64(4) else _ERROR
    else:
        reported_price, reported_size = row.price, row.size
        write_row(day, symbol, before, wrong, -1, ends, rows, place)
        row.kind, row.second_id = CORRECTION, row.id + 2048
        row.other_price, row.other_size = reported_price, reported_size
        if reported_price == row.price:
            row.size = reported_size + 1.0
    return day.begin + (before + delay) * _SECOND + int(uniform(mixed(bits)) * _SECOND)


@compiled
def write_notices(day: Day, symbol: int, start: int, end: int, rows: Rows, arrivals: Instants, place: int) -> int:
    """Write the corrections and cancels that arrive in those seconds; the place after them."""
    for minute in range(max(0, (start - _SAFE) // 60), (end - 1) // 60 + 1):
        before, delay, bits = wrong_one(day, symbol, minute)
        if before >= 0 and start <= before + delay < end:
            arrived = write_notice(day, symbol, before, delay, bits, rows, place)
            if arrived >= 0:
                arrivals[place] = arrived
                place += 1
    return place


@compiled
def write_seconds(day: Day, numbers: Ints, start: int, end: int, quotes: bool, rows: Rows, arrivals: Instants) -> int:
    """Write what arrives in seconds `start` to before `end`, of those symbols; how many rows, -1 for want of room."""
    place = 0
    for symbol in numbers:
        if place + 1000 + (end - start) * 30 > len(rows):
            return -1
        place = write_notices(day, symbol, start, end, rows, arrivals, place)
        place = write_lates(day, symbol, start, end, rows, arrivals, place)
        minute, wrong_second, bits = -1, -1, np.uint64(0)
        for second in range(start, end):
            count = count_of(day, symbol, second)
            if count == 0:
                continue
            if place + count > len(rows):
                return -1
            if second // 60 != minute:
                minute = second // 60
                wrong_second, _, bits = wrong_one(day, symbol, minute)
            wrong = wrong_row(day, symbol, second, count, bits) if second == wrong_second else -1
            ends = (middle(day, symbol, second), middle(day, symbol, second + 1))
            for number in range(count):
                if quotes or trades_at(day, symbol, second, number):
                    arrivals[place] = write_row(day, symbol, second, number, wrong, ends, rows, place)
                    place += 1
    return place
