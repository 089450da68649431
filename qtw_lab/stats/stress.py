"""What a portfolio did in the crises of the past, and what it would lose in one made up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from qtw_lab.core import DataError
from qtw_lab.stats.columns import FloatArray, columns, number
from qtw_lab.stats.growth import max_drawdown, total_return
from qtw_lab.stats.ratios import volatility


@dataclass(frozen=True, slots=True)
class Period:
    """A stretch of history, from its first session to its last, both included.

    Parameters
    ----------
    name : str
        What it is called.
    first, last : date
        Sessions of the first and the last return that belong to it.
    definition : str
        Why these dates.

    Raises
    ------
    DataError
        If it ends before it begins, or a date is none.
    """

    name: str
    first: date
    last: date
    definition: str

    def __post_init__(self) -> None:
        dates = all(isinstance(day, date) and not pd.isna(day) for day in (self.first, self.last))
        if not dates or pd.Timestamp(self.first) > pd.Timestamp(self.last):
            raise DataError(
                f"The period {self.name!r} from {self.first!r} to {self.last!r} must be two dates in order."
            )


_FALL: Final = "session after the S&P 500's closing high of {} to its closing low of {}"

#: Crises of the American stock market. Highs and lows are closing ones of the S&P 500, without dividends.
CRISES: Final = (
    Period("Black Monday", date(1987, 10, 19), date(1987, 10, 19), "the one session (Brady Commission report, 1988)"),
    Period("Russia and LTCM", date(1998, 7, 20), date(1998, 8, 31), _FALL.format("17 July 1998", "31 August 1998")),
    Period("Dot-com bust", date(2000, 3, 27), date(2002, 10, 9), _FALL.format("24 March 2000", "9 October 2002")),
    Period("September 11", date(2001, 9, 17), date(2001, 9, 21), "first week of trading after the attacks"),
    Period("Financial crisis", date(2007, 10, 10), date(2009, 3, 9), _FALL.format("9 October 2007", "9 March 2009")),
    Period(
        "After Lehman", date(2008, 9, 15), date(2009, 3, 9),
        "day of Lehman Brothers' filing (15 September 2008) to the S&P 500's closing low of 9 March 2009",
    ),
    Period("Flash crash", date(2010, 5, 6), date(2010, 5, 6), "the one session (report of the SEC and CFTC, 2010)"),
    Period(
        "US downgrade", date(2011, 7, 25), date(2011, 8, 8),
        "session after the S&P 500's local closing high of 22 July 2011 to its closing low of 8 August 2011, the "
        "session after Standard & Poor's downgrade",
    ),
    Period(
        "China devaluation", date(2015, 8, 18), date(2015, 8, 25),
        "session after the S&P 500's last close above 2100 (17 August 2015) to its closing low of 25 August 2015, with "
        "the opening of 24 August in it (SEC research note, December 2015)",
    ),
    Period("Volatility shock", date(2018, 1, 29), date(2018, 2, 8), _FALL.format("26 January 2018", "8 February 2018")),
    Period("End of 2018", date(2018, 9, 21), date(2018, 12, 24), _FALL.format("20 September 2018", "24 December 2018")),
    Period("Covid crash", date(2020, 2, 20), date(2020, 3, 23), _FALL.format("19 February 2020", "23 March 2020")),
    Period("Rates of 2022", date(2022, 1, 4), date(2022, 10, 12), _FALL.format("3 January 2022", "12 October 2022")),
)  # fmt: skip


def crisis_table(
    returns: pd.Series, periods: Sequence[Period] = CRISES, periods_per_year: float | None = None
) -> pd.DataFrame:
    """What the returns came to in each crisis that they cover from first to last.

    A bar belongs to the day its label has in the index's own time zone. A period is covered if the returns begin on its
    first day or before and end on its last or after; holes in between cannot be told, so that the bars are counted. Of
    a period partly covered nothing is computed: part of a crisis is another crisis.

    Parameters
    ----------
    returns : Series
        Simple returns of each bar as fractions, with a sorted DatetimeIndex, finite. Bars should be days or shorter.
    periods : sequence of Period
        Periods of the table.
    periods_per_year : float, optional
        Bars a year, for the volatility; without it the times say so.

    Returns
    -------
    pandas.DataFrame
        By name of the period: ``first``, ``last``; ``coverage``, "covered", "partly covered" or "not covered";
        ``bars``; ``return``, a fraction; ``max_drawdown``, within the period, capital before it as the first peak;
        ``volatility``, a fraction a year, NaN for one bar; ``definition`` of the dates.

    Raises
    ------
    DataError
        If the returns are not one finite Series with sorted times, or a period is none.

    Examples
    --------
    >>> r = pd.Series([-0.01, -0.035, -0.015], index=pd.to_datetime(["2010-05-05", "2010-05-06", "2010-05-07"]))
    >>> crisis_table(r).loc[["Flash crash", "Covid crash"], ["coverage", "bars", "return"]]
                    coverage  bars  return
    period
    Flash crash      covered     1  -0.035
    Covid crash  not covered     0     NaN
    """
    if not isinstance(returns, pd.Series) or not isinstance(returns.index, pd.DatetimeIndex):
        raise DataError("crisis_table needs one Series with times (a DatetimeIndex).")
    if not returns.index.is_monotonic_increasing:
        raise DataError("crisis_table needs returns in the order of time; sort them with sort_index().")
    given = columns(returns)
    yearly = given.yearly(periods_per_year)
    if not isinstance(periods, Sequence) or not all(isinstance(period, Period) for period in periods):
        raise DataError("periods must be a sequence of Period, such as CRISES.")
    days = returns.index.tz_localize(None).normalize()
    rows = [_row(given.values[:, 0], days, period, yearly) for period in periods]
    names = ["first", "last", "coverage", "bars", "return", "max_drawdown", "volatility", "definition"]
    return pd.DataFrame(rows, columns=names, index=pd.Index([p.name for p in periods], name="period"))


def historical_stress(
    weights: pd.Series, returns: pd.DataFrame, periods: Sequence[Period] = CRISES, periods_per_year: float | None = None
) -> pd.DataFrame:
    """What today's weights would have come to in each crisis, rebalanced to them at every bar, without costs.

    Parameters
    ----------
    weights : Series
        Share of the capital by symbol, negative for short; the rest is cash without interest.
    returns : DataFrame
        Simple returns of each bar by symbol, with a sorted DatetimeIndex, finite.
    periods, periods_per_year
        As for `crisis_table`.

    Returns
    -------
    pandas.DataFrame
        As of `crisis_table`.

    Raises
    ------
    DataError
        As for `crisis_table`, or if a weight is not finite or its symbol has no returns.

    Examples
    --------
    >>> r = pd.DataFrame({"X": [-0.04, 0.0], "Y": [0.02, 0.0]}, index=pd.to_datetime(["2010-05-06", "2010-05-07"]))
    >>> historical_stress(pd.Series({"X": 0.5, "Y": 0.5}), r).loc[["Flash crash"], ["coverage", "return"]]
                coverage  return
    period
    Flash crash  covered   -0.01
    """
    if not isinstance(returns, pd.DataFrame):
        raise DataError("historical_stress needs a DataFrame of returns with a column for each symbol.")
    held = _numbers("weights", weights)
    table = columns(returns)
    places = _lookup(returns.columns, held.index, "returns")
    path = pd.Series(table.values[:, places] @ held.to_numpy(), index=returns.index)
    return crisis_table(path, periods, periods_per_year)


@dataclass(frozen=True, slots=True)
class Shock:
    """What a portfolio gains or loses at once.

    Parameters
    ----------
    total : float
        Of the whole portfolio, a fraction of its capital; negative is a loss.
    parts : Series
        Of each symbol, adding up to the total.
    """

    total: float
    parts: pd.Series


def shock(weights: pd.Series, moves: pd.Series) -> Shock:
    """Gain or loss of a portfolio whose holdings move at once by what is given: ``sum(weight x move)``.

    Parameters
    ----------
    weights : Series
        Share of the capital by symbol, negative for short; the rest is cash that does not move.
    moves : Series
        Return of each symbol as a fraction, at least one for every symbol held.

    Returns
    -------
    Shock
        Total and parts by symbol.

    Raises
    ------
    DataError
        If a weight or a move is not finite, a symbol occurs twice, or a symbol held has no move: it is not taken for 0.

    Examples
    --------
    >>> round(shock(pd.Series({"X": 0.6, "Y": -0.4}), pd.Series({"X": -0.2, "Y": -0.1})).total, 4)
    -0.08
    """
    held, given = _numbers("weights", weights), _numbers("moves", moves)
    parts = held * given.to_numpy()[_lookup(given.index, held.index, "moves")]
    return Shock(float(parts.sum()), parts)


def market_shock(weights: pd.Series, betas: pd.Series, move: float) -> Shock:
    """Gain or loss of a portfolio if the market moves at once and every symbol follows by its beta.

    Betas rise in crises, and what is not the market's move is left out: the figure is a start, not a bound.

    Parameters
    ----------
    weights : Series
        As for `shock`.
    betas : Series
        Beta of each symbol, at least one for every symbol held.
    move : float
        Return of the market as a fraction, -0.2 for a fall by a fifth.

    Returns
    -------
    Shock
        Total and parts by symbol.

    Raises
    ------
    DataError
        As for `shock`.

    Examples
    --------
    >>> round(market_shock(pd.Series({"X": 0.5, "Y": 0.5}), pd.Series({"X": 1.2, "Y": 0.8}), -0.2).total, 4)
    -0.2
    """
    return shock(weights, _numbers("betas", betas) * number("move", move))


def factor_shock(weights: pd.Series, exposures: pd.DataFrame, moves: pd.Series) -> Shock:
    """Gain or loss of a portfolio if factors move at once: ``sum(weight x exposure x move)``.

    Parameters
    ----------
    weights : Series
        As for `shock`.
    exposures : DataFrame
        Exposure of each symbol (rows) to each factor (columns), at least for every symbol held.
    moves : Series
        Return of each factor as a fraction; every factor of the exposures needs one, 0 if it stands still.

    Returns
    -------
    Shock
        Total and parts by symbol.

    Raises
    ------
    DataError
        As for `shock`, or if a factor has no move or a move no factor.

    Examples
    --------
    >>> exposures = pd.DataFrame({"market": [1.0, 1.5], "value": [0.5, -0.5]}, index=["X", "Y"])
    >>> moves = pd.Series({"market": -0.1, "value": 0.02})
    >>> round(factor_shock(pd.Series({"X": 0.5, "Y": 0.5}), exposures, moves).total, 4)
    -0.125
    """
    if not isinstance(exposures, pd.DataFrame):
        raise DataError("exposures must be a DataFrame with a row for each symbol and a column for each factor.")
    given = _numbers("moves", moves)
    if surplus := sorted(set(map(str, given.index)) - set(map(str, exposures.columns))):
        raise DataError(f"moves name a factor {surplus[0]} that the exposures do not have.")
    values = given.to_numpy()[_lookup(given.index, exposures.columns, "moves")]
    return shock(weights, pd.Series(columns(exposures, "exposures").values @ values, index=exposures.index))


def _row(values: FloatArray, days: pd.DatetimeIndex, period: Period, yearly: float) -> tuple[object, ...]:
    first, last = pd.Timestamp(period.first), pd.Timestamp(period.last)
    inside = np.asarray((days >= first) & (days <= last))
    bars = int(inside.sum())
    lead, end = (period.first, period.last), (period.definition,)
    if not bars:
        return (*lead, "not covered", 0, np.nan, np.nan, np.nan, *end)
    if days[0] > first or days[-1] < last:
        return (*lead, "partly covered", bars, np.nan, np.nan, np.nan, *end)
    chosen = values[inside]
    return (*lead, "covered", bars, total_return(chosen), max_drawdown(chosen), volatility(chosen, yearly), *end)


def _numbers(name: str, given: pd.Series) -> pd.Series:
    """The numbers as floats by label, finite and each label once."""
    if not isinstance(given, pd.Series):
        raise DataError(f"{name} must be a Series with a label for each number, not {type(given).__name__}.")
    if not given.index.is_unique:
        raise DataError(f"{name} has {given.index[given.index.duplicated()][0]} twice; give each label once.")
    return pd.Series(columns(given, name).values[:, 0], index=given.index)


def _lookup(index: pd.Index, wanted: pd.Index, name: str) -> npt.NDArray[np.intp]:
    """Places of the labels wanted."""
    if not index.is_unique:
        raise DataError(f"{name} has {index[index.duplicated()][0]} twice; give each label once.")
    places = index.get_indexer(wanted)
    if (places < 0).any():
        raise DataError(
            f"{name} has nothing for {wanted[int(np.argmax(places < 0))]}; give a number for every one needed."
        )
    return np.asarray(places, dtype=np.intp)
