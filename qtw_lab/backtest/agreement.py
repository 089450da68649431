"""Two engines on one case: whether they agree, and where they first part."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from qtw_lab.backtest.case import Agreement

if TYPE_CHECKING:
    from qtw_lab.backtest.result import Result

#: Largest difference between two engines that counts as none, relative to prices, amounts and equity.
TOLERANCE: Final = 1e-9

_PATHS: Final = ("equity", "cash", "positions")


def compare(result: Result, other: Result) -> Agreement:
    """Whether two results are the same to `TOLERANCE`: fill by fill, then equity, cash and positions bar by bar.

    A fill is its time, symbol, signed quantity, price, commission and reason. Quantities may differ by `TOLERANCE` of
    the symbol's largest position too, money by `TOLERANCE` of the largest amount there was, for both are sums in which
    larger figures cancel.

    Parameters
    ----------
    result, other : Result
        The result under test, and what it is held against.

    Examples
    --------
    >>> import pandas as pd, qtw_lab as qtw
    >>> df = pd.DataFrame({"close": [10.0, 11.0, 12.0]}, index=pd.date_range("2024-01-02", periods=3))
    >>> bars = qtw.Bars.from_frame(df, symbol="X")
    >>> kernel, slow = (qtw.backtest("buy_and_hold", bars, engine=engine) for engine in ("kernel", "reference"))
    >>> compare(kernel, slow).text
    'agrees with the reference engine on the only fill'
    """
    first = _first_fill(result, other) or _first_bar(result, other)
    fills = len(result.orders)
    name = f"the {other.engine} engine"
    if first is None:
        count = {0: "that nothing is traded", 1: "on the only fill"}.get(fills, f"on all {fills} fills")
        return Agreement(agrees=True, fills=fills, text=f"agrees with {name} {count}")
    return Agreement(agrees=False, fills=fills, text=f"differs from {name}: {first}", first=first)


def check(result: Result) -> Agreement:
    """Whether the reference engine gives the same result for the same case.

    Examples
    --------
    >>> import pandas as pd, qtw_lab as qtw
    >>> df = pd.DataFrame({"close": [10.0, 11.0, 12.0]}, index=pd.date_range("2024-01-02", periods=3))
    >>> check(qtw.backtest("buy_and_hold", qtw.Bars.from_frame(df, symbol="X"))).agrees
    True
    """
    from qtw_lab.backtest import reference

    return compare(result, reference.run(result.case))


def _first_fill(result: Result, other: Result) -> str | None:
    """The first fill that is not the same, in words."""
    ours, theirs = _fills(result.orders), _fills(other.orders)
    largest = _largest_positions(result, other)
    for place, (one, two) in enumerate(zip(ours, theirs, strict=False), start=1):
        if one[:2] != two[:2] or one[5] != two[5] or not _near(one[2:5], two[2:5], (largest[one[1]], 0.0, 0.0)):
            return f"fill {place} is {_words(one)} ({result.engine}) against {_words(two)} ({other.engine})"
    if len(ours) != len(theirs):
        longer, owner, missing = (ours, result, other) if len(ours) > len(theirs) else (theirs, other, result)
        place = min(len(ours), len(theirs))
        return f"fill {place + 1} is {_words(longer[place])} ({owner.engine}) against none ({missing.engine})"
    return None


def _first_bar(result: Result, other: Result) -> str | None:
    """The first bar whose equity, cash or positions are not the same, in words."""
    gross = (other.positions * other.bars.close.ffill()).abs().fillna(0.0).sum(axis=1)
    money = max(float(amounts.abs().max()) for amounts in (gross, other.cash, other.equity))
    shares = np.array([_largest_positions(result, other)[symbol] for symbol in other.bars.symbols])
    for name in _PATHS:
        one, two = (np.asarray(getattr(r, name), dtype=float).reshape(len(r.bars), -1) for r in (result, other))
        room = TOLERANCE * (shares if name == "positions" else money)
        apart = ~(np.abs(one - two) <= room + TOLERANCE * np.abs(two))
        if apart.any():
            t, j = (int(place) for place in np.argwhere(apart)[0])
            what = f"{other.bars.symbols[j]} position" if name == "positions" else name
            return (
                f"{what} on {_when(other.bars.index[t])} is {one[t, j]:.12g} ({result.engine}) against "
                f"{two[t, j]:.12g} ({other.engine})"
            )
    return None


_FillRow = tuple[pd.Timestamp, str, float, float, float, str]


def _fills(orders: pd.DataFrame) -> list[_FillRow]:
    """Time, symbol, signed quantity, price, commission and reason of every fill."""
    signed = np.where(orders["side"] == "buy", 1.0, -1.0) * orders["quantity"].to_numpy()
    names = ("price", "commission", "reason")
    return list(zip(orders["time"], orders["symbol"], signed, *(orders[name] for name in names), strict=True))


def _near(one: Sequence[float], two: Sequence[float], room: Sequence[float]) -> bool:
    pairs = zip(one, two, room, strict=True)
    return all(abs(a - b) <= TOLERANCE * max(abs(a), abs(b), spare) + 1e-12 for a, b, spare in pairs)


def _largest_positions(*results: Result) -> dict[str, float]:
    """Per symbol, the most shares ever held or traded."""
    held = [result.positions.abs().max() for result in results]
    traded = [result.orders.groupby("symbol")["quantity"].max() for result in results]
    most = pd.concat([*held, *traded], axis=1).max(axis=1)
    return {symbol: float(most.get(symbol, 0.0)) for symbol in results[0].bars.symbols}


def _words(fill: _FillRow) -> str:
    time, symbol, quantity, price, commission, reason = fill
    side = "buy" if quantity > 0 else "sell"
    fee = f" with commission {commission:.9g}" if commission else ""
    return f"{_when(time)} {symbol} {side} {abs(quantity):.9g} at {price:.9g}{fee} ({reason})"


def _when(time: pd.Timestamp) -> str:
    return f"{time:%Y-%m-%d}" if time == time.normalize() else f"{time:%Y-%m-%d %H:%M}"
