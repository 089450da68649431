"""The last prices that a venue knows, and how old they are."""

from __future__ import annotations

from collections.abc import Collection

from qtw_lab.live.trading.sleeve import Seen
from qtw_lab.venues.feeds import Reference
from qtw_lab.venues.moments import instant


def last_seen(venue: Reference, symbols: Collection[str], now: int | None = None) -> dict[str, Seen]:
    """Last trades and quotes by symbol; one that was never traded is left out.

    Parameters
    ----------
    venue : Reference
        Who knows.
    symbols : collection of str
        What.
    now : int, optional
        The venue's time, which need not be ours, in nanoseconds since 1970, UTC; without it no age is known.

    Raises
    ------
    VenueError
        If the venue does not answer.
    """
    found: dict[str, Seen] = {}
    for symbol, snapshot in (venue.snapshots(sorted(symbols)) if symbols else {}).items():
        trade, quote = snapshot.get("latestTrade") or {}, snapshot.get("latestQuote") or {}
        last, bid, ask = (float(value or 0) for value in (trade.get("p"), quote.get("bp"), quote.get("ap")))
        made = instant(str(trade.get("t")))
        age = None if now is None or made is None else max(0, now - made)
        if last > 0:
            found[symbol] = Seen(last, bid, ask, age) if 0 < bid <= ask else Seen.at(last, age)
    return found


def seen_now(venue: Reference, symbols: Collection[str]) -> dict[str, Seen]:
    """The same with ages, for which the venue is asked what time it is."""
    return last_seen(venue, symbols, instant(str(venue.clock().get("timestamp")))) if symbols else {}
