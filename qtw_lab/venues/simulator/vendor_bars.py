"""The vendor's own bars, made from trades by sorting and adding: slow, plain, and apart from the engine."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from qtw_lab.venues.conditions import LAST, ONLY_FIRST, RANGE, VOLUME, daily_effects, effects
from qtw_lab.venues.market import CANCELED, CORRECTED, INCORRECT, Arrivals, Instants
from qtw_lab.venues.ticks import BAR, CANCEL, CORRECTION, DAILY_BAR, TICK, TRADE, Rows

Mask = npt.NDArray[np.bool_]

#: Shares and dollars are added as whole millionths, so that a sum does not depend on its order.
_MILLION: Final = 1_000_000
_DAY: Final = 86_400 * 10**9
#: No trade is reported between 20:00 and 04:00 in New York, so days cut at 06:00 UTC hold whole trading days.
_NIGHT: Final = 6 * 3600 * 10**9


#: What a bar is made of: `first` is the earliest price that may open it, `last` the latest that may close it whatever
#: came before, both NaN if there is none; shares that count, and, in millionths, those that weigh in the vwap and their
#: dollars.
SUM: Final = np.dtype(
    [
        ("symbol", "i4"), ("time", "i8"), ("first", "f8"), ("last", "f8"), ("high", "f8"), ("low", "f8"),
        ("shares", "i8"), ("weight", "i8"), ("dollars", "i8"), ("count", "i8"),
    ],
    align=True,
)  # fmt: skip


class Effects(NamedTuple):
    """Whether each trade may set a bar's open and close, only as the first one, its high and low, and adds volume."""

    last: Mask
    only_first: Mask
    extremes: Mask
    volume: Mask


def standing(arrivals: Arrivals, now: int) -> Rows:
    """The trades among what had arrived by `now`, with what became of them, by symbol, time and id.

    Parameters
    ----------
    arrivals : Arrivals
        Trades, corrections and cancels; other rows are passed over.
    now : int
        Nanoseconds since 1970, UTC.

    Returns
    -------
    TICK rows
        Flag `CANCELED` or `INCORRECT` where a trade no longer stands, `CORRECTED` on the row that took an incorrect
        one's place; its id is the corrected one, its time the original's. A correction of an unknown trade changes
        nothing.

    Examples
    --------
    >>> rows = np.zeros(2, dtype=TICK)
    >>> rows["kind"], rows["id"], rows["price"] = [TRADE, CORRECTION], 7, [10.0, 10.5]
    >>> rows["second_id"] = [0, 8]
    >>> standing(Arrivals(rows, np.array([1, 5])), now=9)[["id", "price", "flag"]].tolist()
    [(7, 10.0, 105), (8, 10.5, 99)]
    """
    rows = arrivals.rows[: np.searchsorted(arrivals.times, now, side="right")]
    trades = rows[rows["kind"] == TRADE]
    notices = rows[(rows["kind"] == CORRECTION) | (rows["kind"] == CANCEL)]
    if len(notices):
        trades = _amended(trades, notices)
    ordered: Rows = trades[np.lexsort((trades["id"], trades["time"], trades["symbol"]))]
    return ordered


def effects_of(trades: Rows, kind: int) -> Effects:
    """What each trade may do to a bar of that kind, by the vendor's table in `qtw_lab.venues.conditions`.

    Parameters
    ----------
    trades : TICK rows
        As `standing` gives them; those that no longer stand do nothing.
    kind : int
        `DAILY_BAR`, in which Form T trades set no price, or another, in which they do.

    Examples
    --------
    >>> from qtw_lab.venues.ticks import MINUTE_BAR, condition_mask
    >>> rows = np.zeros(2, dtype=TICK)
    >>> rows["kind"], rows["tape"], rows["conditions"] = TRADE, ord("A"), [0, condition_mask("T")]
    >>> effects_of(rows, DAILY_BAR).last.tolist(), effects_of(rows, MINUTE_BAR).last.tolist()
    ([True, False], [True, True])
    """
    bits = np.zeros(len(trades), dtype=np.int64)
    for tape in np.unique(trades["tape"]):
        at = np.flatnonzero(trades["tape"] == tape)
        distinct, which = np.unique(trades["conditions"][at], return_inverse=True)
        known = [
            daily_effects(conditions, tape) if kind == DAILY_BAR else effects(conditions, tape, True)  # noqa: FBT003  (compiled functions take arguments by place)
            for conditions in distinct
        ]
        bits[at] = np.array(known, dtype=np.int64)[which]
    bits[(trades["flag"] == CANCELED) | (trades["flag"] == INCORRECT)] = 0
    return Effects(*((bits & bit) != 0 for bit in (LAST, ONLY_FIRST, RANGE, VOLUME)))


def bars_of(trades: Rows, starts: Instants, kind: int) -> Rows:
    """Bars of trades that were put into spans of time, by symbol and start.

    Parameters
    ----------
    trades : TICK rows
        As `standing` gives them.
    starts : int64 array (N,)
        Start of the bar that each trade belongs to.
    kind : int
        Of the rows: `MINUTE_BAR`, `UPDATED_BAR` or `DAILY_BAR`.

    Returns
    -------
    BAR rows
        Open and close are those of the first and last trade by time and id that may set them, high and low those of all
        that may set those, `count` and `volume` of all whose volume counts, and `vwap` the mean price by volume of
        those that do both. There is no bar where one of them would be missing. Shares and dollars are rounded to
        millionths, trade by trade, before they are added.

    Examples
    --------
    >>> from qtw_lab.venues.ticks import MINUTE_BAR
    >>> rows = np.zeros(3, dtype=TICK)
    >>> rows["kind"], rows["time"], rows["price"], rows["size"] = TRADE, [1, 2, 61], [10.0, 10.5, 11.0], 100
    >>> made = bars_of(rows, rows["time"] // 60 * 60, MINUTE_BAR)
    >>> made[["time", "open", "high", "close", "volume", "vwap"]].tolist()
    [(0, 10.0, 10.5, 10.5, 200.0, 10.25), (60, 11.0, 11.0, 11.0, 100.0, 11.0)]
    """
    return finished(sums_of(trades, starts, kind), kind)


def sums_of(trades: Rows, starts: Instants, kind: int) -> Rows:
    """What bars are made of, as `SUM` rows by symbol and start; arguments as of `bars_of`."""
    if not len(trades):
        return np.zeros(0, dtype=SUM)
    order = np.lexsort((trades["id"], trades["time"], starts, trades["symbol"]))
    rows, begin = trades[order], starts[order]
    last, only_first, extremes, volume = effects_of(rows, kind)
    cuts = _cuts(rows["symbol"], begin)
    places, price = np.arange(len(rows)), rows["price"]
    padded = np.append(price, np.nan)  # a place that was not found, at either end, is NaN
    made = np.zeros(len(cuts), dtype=SUM)
    made["symbol"], made["time"] = rows["symbol"][cuts], begin[cuts]
    made["first"] = padded[np.minimum.reduceat(np.where(last, places, len(rows)), cuts)]
    made["last"] = padded[np.maximum.reduceat(np.where(last & ~only_first, places, -1), cuts)]
    made["high"] = np.maximum.reduceat(np.where(extremes, price, -np.inf), cuts)
    made["low"] = np.minimum.reduceat(np.where(extremes, price, np.inf), cuts)
    shares = np.where(volume, np.rint(rows["size"] * _MILLION), 0.0).astype(np.int64)
    weighed = np.where(extremes, shares, 0)
    dollars = np.where(weighed > 0, np.rint(rows["size"] * price * _MILLION), 0.0).astype(np.int64)
    for name, values in (("shares", shares), ("weight", weighed), ("dollars", dollars), ("count", volume * 1)):
        made[name] = np.add.reduceat(values, cuts)
    return made


def added(sums: Rows, starts: Instants) -> Rows:
    """Sums of consecutive spans, by symbol and time, as those of the longer spans that begin at `starts`."""
    if not len(sums):
        return sums.copy()
    order = np.lexsort((sums["time"], sums["symbol"]))
    rows, begin = sums[order], starts[order]
    cuts = _cuts(rows["symbol"], begin)
    places = np.arange(len(rows))
    made = rows[cuts].copy()
    made["time"] = begin[cuts]
    first = np.where(np.isfinite(rows["first"]), places, len(rows))
    made["first"] = np.append(rows["first"], np.nan)[np.minimum.reduceat(first, cuts)]
    made["last"] = np.append(rows["last"], np.nan)[
        np.maximum.reduceat(np.where(np.isfinite(rows["last"]), places, -1), cuts)
    ]
    made["high"] = np.maximum.reduceat(rows["high"], cuts)
    made["low"] = np.minimum.reduceat(rows["low"], cuts)
    for name in ("shares", "weight", "dollars", "count"):
        made[name] = np.add.reduceat(rows[name], cuts)
    return made


def finished(sums: Rows, kind: int) -> Rows:
    """Bars of sums; none where a price is missing."""
    rows = sums[np.isfinite(sums["first"]) & (sums["weight"] > 0)]
    made = np.zeros(len(rows), dtype=BAR)
    made["kind"] = kind
    for name in ("symbol", "time", "high", "low", "count"):
        made[name] = rows[name]
    made["open"] = rows["first"]
    made["close"] = np.where(np.isfinite(rows["last"]), rows["last"], rows["first"])
    made["volume"] = rows["shares"] / _MILLION
    made["vwap"] = rows["dollars"] / rows["weight"]
    return made


def _cuts(symbols: npt.NDArray[np.int32], starts: Instants) -> npt.NDArray[np.intp]:
    """Where a new symbol or span begins."""
    new = (symbols[1:] != symbols[:-1]) | (starts[1:] != starts[:-1])
    return np.concatenate([[0], np.flatnonzero(new) + 1]).astype(np.intp)


def _key(row: Any, number: int) -> tuple[int, int, int, int]:
    """What tells a trade from others: symbol, exchange, trading day and id."""
    return int(row["symbol"]), int(row["exchange"]), int(row["time"] - _NIGHT) // _DAY, number


def _mark(rows: Rows, name: str) -> npt.NDArray[np.int64]:
    """A number that two trades share only by chance, to look for few among many."""
    marks: npt.NDArray[np.int64] = rows[name] * 1_000_003 + rows["symbol"]
    return marks


def _amended(trades: Rows, notices: Rows) -> Rows:
    """The trades after corrections and cancels, each applied in order of arrival."""
    named = np.concatenate([_mark(notices, "id"), _mark(notices, "second_id")])
    table: list[Any] = [trades]
    meant = np.flatnonzero(np.isin(_mark(trades, "id"), named))
    places = {_key(trades[place], int(trades["id"][place])): (0, int(place)) for place in meant}
    for notice in notices:
        found = places.get(_key(notice, int(notice["id"])))
        if found is None:
            continue
        part, place = found
        if notice["kind"] == CANCEL:
            table[part]["flag"][place] = CANCELED
            continue
        row = _replacement(table[part][place : place + 1], notice)
        table[part]["flag"][place] = INCORRECT
        table.append(row)
        places[_key(row[0], int(notice["second_id"]))] = (len(table) - 1, 0)
    return np.concatenate(table)


def _replacement(original: Rows, notice: Any) -> Rows:
    """The trade that takes an incorrect one's place."""
    row = np.asarray(original, dtype=TICK).copy()
    row["id"], row["flag"] = notice["second_id"], CORRECTED
    for name in ("conditions", "price", "size"):
        row[name] = notice[name]
    return row
