"""The last prices that a venue knows, and how old they are."""

from __future__ import annotations

from collections.abc import Collection

from qtw_lab.live.trading.sleeve import Seen
from qtw_lab.venues.feeds import Reference
from qtw_lab.venues.moments import instant


def last_seen(venue: Reference, symbols: Collection[str]) -> dict[str, Seen]:
    """Last trades and quotes by symbol; one that was never traded is left out.

    Their age is counted on the venue's clock, whose time need not be ours.

    Raises
    ------
    VenueError
        If the venue does not answer.
    """
    if not symbols:
        return {}
    told = venue.snapshots(sorted(symbols))
    now = instant(str(venue.clock().get("timestamp")))
    found: dict[str, Seen] = {}
    for symbol, snapshot in told.items():
        trade, quote = snapshot.get("latestTrade") or {}, snapshot.get("latestQuote") or {}
        last, bid, ask = (float(value or 0) for value in (trade.get("p"), quote.get("bp"), quote.get("ap")))
        made = instant(str(trade.get("t")))
        age = None if now is None or made is None else max(0, now - made)
        if last > 0:
            found[symbol] = Seen(last, bid, ask, age) if 0 < bid <= ask else Seen.at(last, age)
    return found
