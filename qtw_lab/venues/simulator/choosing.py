"""Which market a simulator plays, and where in it it begins."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import pandas as pd

from qtw_lab.core import DataError
from qtw_lab.core.times import moment
from qtw_lab.venues.market import Market

#: The day that a synthetic market plays where none is named, and the one of the bundled stocks: usual, whole sessions.
SYNTHETIC_DATE: Final = "2024-01-05"
BUNDLED_DATE: Final = "2012-06-20"
#: How many symbols a synthetic market has where none are named.
SYMBOLS: Final = 1000


def chosen_market(
    *,
    symbols: int | None = None,
    bundled: bool | Sequence[str] = False,
    recorded: str | Path | None = None,
    date: Any = None,
    seed: int | None = None,
) -> Market:
    """The market that a few words describe: a synthetic one, a day of the bundled stocks, or a record.

    Parameters
    ----------
    symbols : int, optional
        A synthetic market of so many; `SYMBOLS` of them where nothing else is asked for.
    bundled : bool or sequence of str
        A real day of all bundled stocks that were traded then and the day before, or of those named.
    recorded : path-like, optional
        Trades and quotes in a Parquet or CSV file.
    date : date-like, optional
        The session, of the first two; by default `SYNTHETIC_DATE` or `BUNDLED_DATE`.
    seed : int, optional
        Of what is drawn; 0 by default.

    Raises
    ------
    DataError
        If more than one is asked for, or a date or seed for a record, which has its own; and as the markets do.

    Examples
    --------
    >>> chosen_market(symbols=3, date="2024-01-05", seed=7).symbols.names == chosen_market(symbols=3).symbols.names
    True
    """
    kinds = (("symbols", symbols is not None), ("bundled", bool(bundled)), ("recorded", recorded is not None))
    asked = [name for name, given in kinds if given]
    if len(asked) > 1:
        raise DataError(f"{' and '.join(asked)} are markets of different kinds: give one of them.")
    if recorded is not None:
        if date is not None or seed is not None:
            raise DataError(
                "A recorded market has its days and its events: leave date and seed out; start chooses a time."
            )
        from qtw_lab.venues.simulator.recorded import RecordedMarket

        return RecordedMarket(recorded)
    if bundled:
        return _bundled(bundled, BUNDLED_DATE if date is None else date, seed or 0)
    from qtw_lab.venues.simulator.synthetic import SyntheticMarket

    count = SYMBOLS if symbols is None else symbols
    return SyntheticMarket(seed or 0, SYNTHETIC_DATE if date is None else date, count)


def _bundled(bundled: bool | Sequence[str], date: Any, seed: int) -> Market:
    from qtw_lab.data.sample import SAMPLES
    from qtw_lab.venues.simulator.market_bundled import BundledMarket

    if not isinstance(bundled, bool):
        return BundledMarket(bundled, date, seed)
    day = moment(date, "date")
    closes = SAMPLES["stocks"].bars(SAMPLES["stocks"].info().symbols, adjustment="raw").close.loc[:day].iloc[-2:]
    traded = [str(symbol) for symbol in closes.columns if closes[symbol].notna().all()]
    return BundledMarket(traded or list(closes.columns), date, seed)


def beginning(market: Market, start: str | pd.Timestamp) -> int:
    """When a market is to start, in nanoseconds since 1970.

    Parameters
    ----------
    market : Market
        What is played.
    start : str or pandas.Timestamp
        "auto": when the first of its sessions opens, or its first event where that is later. Or a moment, New York's
        where it has no time zone; a time of day ("09:45") is one of the market's first day.

    Raises
    ------
    DataError
        If it is no moment.
    """
    zone = "America/New_York"
    first, end = market.span
    if isinstance(start, str) and start == "auto":
        dates = [pd.Timestamp(at, tz="UTC").tz_convert(zone).date() for at in (first, max(first, end - 1))]
        opens = [int(at.as_unit("ns").value) for at in market.sessions(*dates)["open"]]
        return next((at for at in opens if first <= at < end), first)
    try:
        timed = isinstance(start, str) and "-" not in start
        day = pd.Timestamp(first, tz="UTC").tz_convert(zone).date()
        at = pd.Timestamp(f"{day} {start}" if timed else start)
        return int((at.tz_localize(zone) if at.tzinfo is None else at).as_unit("ns").value)
    except (ValueError, TypeError) as err:
        raise DataError(f"The start {start!r} is no moment. Write auto, 09:45 or 2024-01-02T09:45 (New York).") from err
