"""What every way of finding regimes gives back: a label a bar, how long regimes last, and what to know of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from qtw_lab import indicators as ind
from qtw_lab.core import Bars, DataError, Fact, Facts, lookup
from qtw_lab.stats.columns import ratio

FloatArray = npt.NDArray[np.float64]

#: What regimes are called that differ in volatility, the quietest first.
_BY_VOLATILITY: Final = {2: ("calm", "turbulent"), 3: ("calm", "normal", "turbulent")}


@dataclass(frozen=True, eq=False, kw_only=True)
class Regimes:
    """The regime of every bar.

    Parameters
    ----------
    labels : pandas.Series
        The regime by bar, an ordered categorical on the index of the bars; missing in the warm-up and where there is no
        bar. The label of a bar uses bars up to that one and is known at its close, unless `hindsight` is true.
    probabilities : pandas.DataFrame
        Probability of each regime by bar, (T, K), each row with sum 1; NaN where the label is missing. Rules are
        certain: theirs are 0 and 1.
    transition : pandas.DataFrame
        Probability of the next bar's regime (column) given this bar's (row), (K, K), each row with sum 1. Of rules: the
        share of labelled bars of the row followed by one of the column; NaN for a row that nothing ever followed. Of
        Markov models: the estimate of the last fit. It describes the whole sample; no label is made from it.
    method : str
        How the labels were made, in one line.
    hindsight : bool
        Whether a label may use later bars.
    notes : tuple of str
        What a reader must know with the labels.
    fits : pandas.DataFrame
        A row an estimation, for Markov models; else without rows.
    """

    labels: pd.Series
    probabilities: pd.DataFrame = field(repr=False)
    transition: pd.DataFrame = field(repr=False)
    method: str
    hindsight: bool = False
    notes: tuple[str, ...] = ()
    fits: pd.DataFrame = field(repr=False, default_factory=pd.DataFrame)

    @property
    def names(self) -> tuple[str, ...]:
        """The regimes in their order: the quietest, or the falling one, first."""
        return tuple(str(name) for name in self.labels.cat.categories)

    @cached_property
    def expected_durations(self) -> pd.Series:
        """Bars a regime is expected to last once entered, ``1 / (1 - probability of staying)``; infinite if never left.

        Hamilton, "Time Series Analysis" (1994), chapter 22: the mean of a geometric distribution.
        """
        leaving = 1.0 - np.diag(self.transition.to_numpy())
        bars = np.where(leaving <= 0.0, np.inf, ratio(1.0, leaving))
        return pd.Series(np.where(np.isnan(leaving), np.nan, bars), index=self.transition.index, name="bars")

    @cached_property
    def spells(self) -> pd.DataFrame:
        """Unbroken runs of one regime in time order: regime, start, end (both included) and length in labelled bars."""
        known = self.labels.dropna()
        codes = known.cat.codes.to_numpy()
        first = np.flatnonzero(np.diff(codes, prepend=-1) != 0)
        last = np.append(first[1:], len(codes))
        return pd.DataFrame(
            {"regime": known.iloc[first].to_numpy(), "start": known.index[first], "end": known.index[last - 1],
             "bars": last - first}
        )  # fmt: skip

    @cached_property
    def shares(self) -> pd.Series:
        """Share of the labelled bars that each regime has."""
        return self.labels.value_counts(normalize=True, sort=False).rename("share")

    def facts(self) -> Facts:
        """How much time each regime had and how long it lasts, with the present one first."""
        known = self.labels.dropna()
        counts = self.spells["regime"].value_counts()
        figures = [
            Fact("regime", str(known.iloc[-1]), "text", "Regime of the last labelled bar"),
            Fact("probability", float(self.probabilities.loc[known.index[-1], known.iloc[-1]]), "fraction",
                 "Its probability", "1 for rules, which are certain; else given parameters and bars up to that bar"),
            Fact("as_of", str(known.index[-1].date()), "date", "Last labelled bar"),
            Fact("labelled", len(known), "bars", "Bars with a label"),
            Fact("hindsight", "yes" if self.hindsight else "no", "text", "Do labels use later bars"),
        ]  # fmt: skip
        for name in self.names:
            figures += [
                Fact(f"{name}_share", float(self.shares[name]), "fraction", f"{name}: share of labelled bars"),
                Fact(f"{name}_spells", int(counts.get(name, 0)), "count", f"{name}: spells", "unbroken runs"),
                Fact(f"{name}_duration", float(self.expected_durations[name]), "ratio",
                     f"{name}: bars it is expected to last", "1 / (1 - probability of staying)"),
            ]  # fmt: skip
        return Facts("Regimes", (*figures, Fact("method", self.method, "text", "Method")), self.notes)

    def __repr__(self) -> str:
        shown = ", ".join(f"{name} {share:.0%}" for name, share in self.shares.items())
        return f"Regimes({shown} of {self.labels.notna().sum():,} labelled bars; {self.method})"

    def _repr_mimebundle_(self, **options: object) -> dict[str, Any]:
        return {**self.facts()._repr_mimebundle_(**options), "text/plain": repr(self)}


@dataclass(frozen=True, eq=False)
class Path:
    """The one price path whose regimes are sought.

    Parameters
    ----------
    prices : pandas.Series
        Closes, or the level of the equal-weight market, on its own bars alone (those that exist).
    index : pandas.DatetimeIndex
        All bars.
    name : str
        What the path is of.
    notes : tuple of str
        Caveats of the bars.
    """

    prices: pd.Series
    index: pd.DatetimeIndex
    name: str
    notes: tuple[str, ...]


def price_path(bars: Bars, symbol: str | None) -> Path:
    """The closes of `symbol`, or of the only one, or the level of the equal-weight market of all.

    Raises
    ------
    DataError
        If these are no bars, or the symbol is not among them.
    """
    if not isinstance(bars, Bars):
        raise DataError(f"Regimes are found in Bars, not in {type(bars).__name__}; see Bars.from_frame or Lab.bars.")
    if symbol is None and len(bars.symbols) > 1:
        values, name = _market_level(bars), f"the equal-weight market of {len(bars.symbols)} symbols"
    else:
        name = bars.symbols[0] if symbol is None else symbol
        place = lookup(name, {one: place for place, one in enumerate(bars.symbols)}, "symbol in these bars")
        values = bars.values["close"][:, place]
    own = np.isfinite(values)
    return Path(pd.Series(values[own], index=bars.index[own], name=name), bars.index, name, bars.notes)


def equal_weight_returns(close: FloatArray) -> FloatArray:
    """Mean simple return of the columns that have one in a bar, (T, N) to (T,); NaN where none has.

    A column's return is that over its own last bar, so that a hole delays it. The weights are made equal again at every
    bar, without costs.

    Examples
    --------
    >>> equal_weight_returns(np.array([[10.0, 20.0], [11.0, 20.0], [11.0, 26.0]])).round(3)
    array([ nan, 0.05, 0.15])
    """
    moves = ind.returns(close)
    seen = np.isfinite(moves)
    return ratio(np.where(seen, moves, 0.0).sum(axis=1), seen.sum(axis=1))


def regimes_of(
    path: Path,
    states: FloatArray,
    names: Sequence[str],
    *,
    method: str,
    probabilities: FloatArray | None = None,
    transition: FloatArray | None = None,
    hindsight: bool = False,
    notes: Iterable[str] = (),
    fits: pd.DataFrame | None = None,
) -> Regimes:
    """The regimes of states on the path's own bars, (B,), whole numbers from 0, NaN where not known.

    Probabilities (B, K) are those of the states and the transition matrix (K, K) is counted where they are not given.
    """
    known = np.isfinite(states)
    codes = np.where(known, states, -1).astype(np.int64)
    labels = pd.Series(
        pd.Categorical.from_codes(codes, categories=pd.Index(names), ordered=True), index=path.prices.index
    )
    certain = np.where(known[:, None], codes[:, None] == np.arange(len(names)), np.nan)
    chances = certain if probabilities is None else np.where(known[:, None], probabilities, np.nan)
    matrix = _counted(codes[known], len(names)) if transition is None else transition
    regimes = pd.Index(names, name="regime")
    return Regimes(
        labels=labels.reindex(path.index).rename("regime"),
        probabilities=pd.DataFrame(chances, index=path.prices.index, columns=regimes).reindex(path.index),
        transition=pd.DataFrame(matrix, index=regimes, columns=regimes.rename("next")),
        method=f"{path.name}: {method}",
        hindsight=hindsight,
        notes=(*notes, *path.notes),
        fits=pd.DataFrame() if fits is None else fits,
    )


def volatility_names(count: int) -> tuple[str, ...]:
    """What `count` regimes are called that differ in volatility, the quietest first."""
    return _BY_VOLATILITY.get(count, tuple(f"volatility {place}" for place in range(1, count + 1)))


def _market_level(bars: Bars) -> FloatArray:
    """What 1 held in equal weights since the first bar has become; NaN where no symbol has a bar."""
    moves = equal_weight_returns(bars.values["close"])
    level = np.cumprod(1.0 + np.where(np.isnan(moves), 0.0, moves))
    return np.where(bars.present.any(axis=1), level, np.nan)


def _counted(codes: npt.NDArray[np.int64], count: int) -> FloatArray:
    """Share of the bars in each state that were followed by each state."""
    pairs = np.bincount(codes[:-1] * count + codes[1:], minlength=count * count).reshape(count, count)
    return ratio(pairs, pairs.sum(axis=1, keepdims=True))
