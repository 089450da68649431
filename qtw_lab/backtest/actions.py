"""Splits and dividends as events on bars, so that a test can trade the prices that were really paid."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from qtw_lab.backtest.factors import Levels, dividend_of, guessed_split, meant_ratio
from qtw_lab.core import Bars, DataError

FloatArray = npt.NDArray[np.float64]

_DAY: Final = 86_400


@dataclass(frozen=True, eq=False)
class Actions:
    """Splits and cash dividends of N symbols on T bars.

    At the start of bar t, before anything trades, an account holding a symbol multiplies its shares by ``split[t]``,
    divides the prices it remembers by it, and then receives ``dividend[t]`` in cash for each share it now has (a short
    position pays it). Build one with the class methods, or from a table of your own.

    Parameters
    ----------
    index : pandas.DatetimeIndex
        Length T, UTC, strictly increasing: the bars' own.
    symbols : tuple of str
        Length N.
    split : ndarray
        (T, N): new shares for one old, before the open of the bar; 1 where there is no split, 0.1 for 1 new for 10 old.
    dividend : ndarray
        (T, N): cash for a share held after that split, in the currency of the prices and before tax; 0 where there is
        none. The bar is that of the ex-date.

    Raises
    ------
    DataError
        If the shapes differ, a split is not a positive number, or a dividend is negative or not a number.

    Examples
    --------
    >>> days = pd.date_range("2024-01-02", periods=3, tz="UTC")
    >>> Actions(days, ("X",), np.array([[1.0], [2.0], [1.0]]), np.array([[0.0], [0.0], [0.5]])).table()
                   timestamp symbol      kind  amount
    0 2024-01-03 00:00:00+00:00      X     split     2.0
    1 2024-01-04 00:00:00+00:00      X  dividend     0.5
    """

    index: pd.DatetimeIndex
    symbols: tuple[str, ...]
    split: FloatArray = field(repr=False)
    dividend: FloatArray = field(repr=False)

    def __post_init__(self) -> None:
        if not isinstance(self.index, pd.DatetimeIndex) or self.index.tz is None:
            raise DataError("Actions: the index must be a DatetimeIndex with a time zone, such as bars.index.")
        if not (self.index.is_monotonic_increasing and self.index.is_unique):
            raise DataError("Actions: the times must increase, each coming once; sort them and add up what doubles.")
        shape = (len(self.index), len(self.symbols))
        for name, low in (("split", "above 0 (1 for none)"), ("dividend", "of 0 or more (0 for none)")):
            array = np.array(getattr(self, name), dtype=np.float64, order="C")
            if array.shape != shape:
                raise DataError(f"Actions: {name} has shape {array.shape}, but index and symbols call for {shape}.")
            wrong = ~np.isfinite(array) | (array < 0) | ((array == 0) & (name == "split"))
            if wrong.any():
                row, column = np.argwhere(wrong)[0]
                raise DataError(
                    f"Actions: the {name} of {self.symbols[column]} on {self.index[row].date()} is "
                    f"{array[row, column]:g}, and must be a finite number {low}."
                )
            array.flags.writeable = False
            object.__setattr__(self, name, array)

    @classmethod
    def none(cls, bars: Bars) -> Actions:
        """No splits and no dividends on those bars."""
        return cls(bars.index, bars.symbols, np.ones(bars.shape), np.zeros(bars.shape))

    @classmethod
    def from_prices(cls, raw: Bars, split: Bars | None, everything: Bars, *, tick: float | None = None) -> Actions:
        """The actions between three adjustments of the same prices.

        Parameters
        ----------
        raw : Bars
            Prices as traded.
        split : Bars or None
            The same adjusted for splits only; None if nobody has them, see `from_factors`.
        everything : Bars
            The same adjusted for splits and dividends.
        tick : float, optional
            As in `from_factors`.

        Raises
        ------
        DataError
            If the three do not have the same times, symbols and holes, or as `from_factors`.
        """
        for other in (split, everything):
            if other is not None and (other.symbols != raw.symbols or not other.index.equals(raw.index)):
                raise DataError(
                    f"Actions: raw and adjusted bars must have the same times and symbols, but one is {raw!r} and the "
                    f"other {other!r}. Ask for them with the same symbols, start and end."
                )
            if other is not None and not np.array_equal(other.present, raw.present):
                raise DataError("Actions: raw and adjusted bars have their holes at different times; fetch both anew.")
        closes = raw.values["close"]
        by_split = None if split is None else split.values["close"] / closes
        return cls.from_factors(raw, by_split, everything.values["close"] / closes, tick=tick)

    @classmethod
    def from_factors(
        cls, bars: Bars, split_factor: npt.ArrayLike | None, factor: npt.ArrayLike, *, tick: float | None = None
    ) -> Actions:
        """The actions behind the factors by which raw prices are multiplied.

        With F the factor for splits and dividends, c the last close before and s the split of bar t,
        ``F[t-1] / F[t] = (1 - dividend * s / c) / s`` (the rule of the Center for Research in Security Prices and of
        Yahoo), solved for the dividend. Adjusted prices rounded to a tick make factors noisy: each bar then only says
        that its factor lies within half a tick over the raw close. A factor is taken as constant for as long as one
        value fits all bars since the last step; only what no value fits is a step, and a change within what remains
        unknown on both sides of it is no dividend. So no event is invented, but one smaller than the rounding (a
        tick over the adjusted price) is missed or found some bars late.

        Parameters
        ----------
        bars : Bars
            Raw prices.
        split_factor : array_like or None
            (T, N), adjusted for splits over raw. None where it is not known: a step of a fifth or more, or downwards,
            is then taken for a split of a usual ratio with at most a small dividend beside it. A dividend above a sixth
            of the price can be mistaken for a split so; reinvested, both leave the account equally rich.
        factor : array_like
            (T, N), adjusted for splits and dividends over raw; NaN where there is no bar.
        tick : float, optional
            To what the adjusted closes were rounded, 0 for not at all; found from them by default.

        Raises
        ------
        DataError
            If the bars are not raw or longer than a day, a factor is missing or not positive, a split factor is
            unknown in part, or the factors fit no split and dividend.

        Examples
        --------
        >>> days = pd.date_range("2024-01-02", periods=4, tz="UTC", name="timestamp")
        >>> bars = Bars.from_frame(pd.DataFrame({"Close": [100.0, 50.0, 50.0, 49.0]}, index=days), "X")
        >>> split = np.array([[0.5], [1.0], [1.0], [1.0]])
        >>> both = split * np.array([[0.98], [0.98], [0.98], [1.0]])
        >>> Actions.from_factors(bars, split, both, tick=0.0).dividend.round(6).ravel().tolist()
        [0.0, 0.0, 0.0, 1.0]
        """
        _refuse_unfit(bars)
        total = _checked(factor, bars, "factor")
        splits = None if split_factor is None else _checked(split_factor, bars, "split factor")
        split, dividend = np.ones(bars.shape), np.zeros(bars.shape)
        for column, symbol in enumerate(bars.symbols):
            rows = np.flatnonzero(bars.present[:, column])
            closes = bars.values["close"][rows, column]
            levels = Levels.of(total[rows, column], closes, tick)
            known = None if splits is None else Levels.of(splits[rows, column], closes, tick)
            for place in levels.steps if known is None else sorted({*levels.steps, *known.steps}):
                label = f"{symbol} on {bars.index[rows[place]].date()}"
                step, error = levels.step(place)
                ratio = guessed_split(step, error, label) if known is None else meant_ratio(*known.step(place))
                if ratio != 1.0 and place not in levels.steps:
                    raise DataError(
                        f"Actions: the split factor of {label} steps by {ratio:.6g}, but the factor for splits and "
                        "dividends does not, which must contain it. Fetch both adjustments anew, on the same day."
                    )
                split[rows[place], column] = ratio
                dividend[rows[place], column] = dividend_of(ratio, step, error, closes[place - 1], label)
        return cls(bars.index, bars.symbols, split, dividend)

    @property
    def empty(self) -> bool:
        """Whether nothing happens at all."""
        return bool((self.split == 1.0).all() and (self.dividend == 0.0).all())

    def check(self, bars: Bars) -> None:
        """Refuse bars that these actions cannot be applied to as they stand, row by row.

        Raises
        ------
        DataError
            If the bars have other times or symbols, an event falls where its symbol has no bar, the bars are adjusted
            already or longer than a day, or a dividend is not below the price.
        """
        if self.symbols != bars.symbols or not self.index.equals(bars.index):
            raise DataError(f"{self!r} belong to other bars than {bars!r}. Fit them with actions.for_bars(bars).")
        if self.empty:
            return
        _refuse_unfit(bars)
        held = np.zeros(
            bars.shape, dtype=bool
        )  # whether anybody can hold it: not before the symbol's first bar is over
        held[1:] = np.logical_or.accumulate(bars.present)[:-1]
        stray = ((self.split != 1.0) | (self.dividend != 0.0)) & ~(bars.present & held)
        if stray.any():
            row, column = np.argwhere(stray)[0]
            raise DataError(
                f"Actions: {self.symbols[column]} has an event on {self.index[row].date()}, where it has no bar or no "
                "earlier one. Move such events to the next bar and drop those before the first with "
                "actions.for_bars(bars)."
            )
        self._refuse_dividends_above_price(bars)

    def for_bars(self, bars: Bars) -> Actions:
        """These actions on other raw bars: a part of the dates, some of the symbols, or shorter bars.

        What falls between two bars, or into a hole, counts on the symbol's next bar; what falls on or before its first
        bar, or after its last, is left out, for nobody holds it then.

        Raises
        ------
        DataError
            If a symbol is not among these, the bars are adjusted already or longer than a day, or a dividend is not
            below the price.
        """
        missing = [symbol for symbol in bars.symbols if symbol not in self.symbols]
        if missing:
            raise DataError(f"Actions: nothing is known of {', '.join(missing[:5])}; they cover {self._covered()}.")
        split, dividend = np.ones(bars.shape), np.zeros(bars.shape)
        for column, symbol in enumerate(bars.symbols):
            rows = np.flatnonzero(bars.present[:, column])
            for time, ratio, cash in self._events(self.symbols.index(symbol)):
                place = int(bars.index[rows].searchsorted(time)) if len(rows) else 0
                if 0 < place < len(rows):
                    row = rows[place]
                    split[row, column] *= ratio
                    dividend[row, column] = dividend[row, column] / ratio + cash  # for a share after the later split
        moved = Actions(bars.index, bars.symbols, split, dividend)
        moved.check(bars)
        return moved

    def adjusted(self, raw: Bars) -> Bars:
        """The raw bars adjusted for these splits and dividends, the last bar of each symbol left as it is.

        The inverse of `from_factors`: prices times the factor, volume over the factor of splits alone. A vendor's
        prices adjusted for later events too differ from these by one constant a symbol.

        Raises
        ------
        DataError
            As `for_bars`.
        """
        here = self.for_bars(raw)
        values = {name: array.copy() for name, array in raw.values.items()}
        for column in range(len(raw.symbols)):
            rows = np.flatnonzero(raw.present[:, column])
            closes, split = raw.values["close"][rows, column], here.split[rows, column]
            before = np.concatenate([[np.inf], closes[:-1]])  # nothing comes before the first bar
            kept = 1.0 - here.dividend[rows, column] * split / before
            by_split, factor = _backwards(1.0 / split), _backwards(kept / split)
            for name in ("open", "high", "low", "close"):
                values[name][rows, column] *= factor
            values["volume"][rows, column] /= by_split
        return replace(raw, values=values, adjustment="all")

    def table(self) -> pd.DataFrame:
        """Every event, for people: timestamp, symbol, kind (split or dividend) and amount, in order of time."""
        events = [
            (time, symbol, kind, amount)
            for column, symbol in enumerate(self.symbols)
            for time, ratio, cash in self._events(column)
            for kind, amount, none in (("split", ratio, 1.0), ("dividend", cash, 0.0))
            if amount != none
        ]
        table = pd.DataFrame(events, columns=["timestamp", "symbol", "kind", "amount"])
        kinds = {"timestamp": self.index.dtype, "symbol": "str", "kind": "str", "amount": np.float64}
        return table.astype(kinds).sort_values(["timestamp", "symbol"], kind="stable", ignore_index=True)

    def __repr__(self) -> str:
        splits, dividends = int((self.split != 1).sum()), int((self.dividend != 0).sum())
        return f"Actions({self._covered()}: {splits} splits, {dividends} dividends)"

    def _covered(self) -> str:
        more = f" and {len(self.symbols) - 6} more" if len(self.symbols) > 6 else ""
        return ", ".join(self.symbols[:6]) + more

    def _events(self, column: int) -> Iterator[tuple[pd.Timestamp, float, float]]:
        for row in np.flatnonzero((self.split[:, column] != 1.0) | (self.dividend[:, column] != 0.0)):
            yield self.index[int(row)], float(self.split[row, column]), float(self.dividend[row, column])

    def _refuse_dividends_above_price(self, bars: Bars) -> None:
        for row, column in np.argwhere(self.dividend > 0):
            closes = bars.values["close"][:row, column]
            before = closes[np.isfinite(closes)][-1] / self.split[row, column]
            if self.dividend[row, column] >= before:
                raise DataError(
                    f"Actions: the dividend of {bars.symbols[column]} on {bars.index[row].date()} is "
                    f"{self.dividend[row, column]:g} a share, but the share closed at {before:g} before (counted after "
                    "the split of that day). Check the amount, and whether it is for a share before or after splits."
                )


def _checked(given: npt.ArrayLike, bars: Bars, name: str) -> FloatArray:
    array = np.asarray(given, dtype=np.float64)
    if array.shape != bars.shape:
        raise DataError(f"Actions: the {name} has shape {array.shape}, but the bars have {bars.shape}.")
    wrong = bars.present & ~((array > 0) & np.isfinite(array))
    if wrong.any():
        row, column = np.argwhere(wrong)[0]
        raise DataError(
            f"Actions: the {name} of {bars.symbols[column]} on {bars.index[row].date()} is {array[row, column]:g}, and "
            "must be positive on every bar. Where splits are not known apart from dividends, pass None for the split "
            "factor."
        )
    return array


def _refuse_unfit(bars: Bars) -> None:
    if bars.adjustment != "raw":
        raise DataError(
            f"Actions go with prices as traded, but these bars are adjusted already (adjustment {bars.adjustment!r}): "
            "each event would count twice. Ask for bars with adjustment='raw', or leave the actions out."
        )
    if bars.timeframe.seconds > _DAY:
        raise DataError(
            f"Actions go with bars of a day or less: a raw bar of {bars.timeframe} mixes prices from before and after "
            "a split. Use daily bars, or longer ones that are adjusted, without actions."
        )


def _backwards(steps: FloatArray) -> FloatArray:
    """The factor of each bar from the step into each bar; 1 at the last."""
    return np.append(np.cumprod(steps[:0:-1])[::-1], 1.0)
