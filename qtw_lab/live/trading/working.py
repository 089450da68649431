"""A desk at work: bars come in, strategies say what they say, orders go out, fills come back."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

from qtw_lab.core import DataError, VenueError, lookup
from qtw_lab.live.sessions import Sessions
from qtw_lab.live.trading.deciding import Voice
from qtw_lab.live.trading.desk import Closed, Desk
from qtw_lab.live.trading.sleeve import Seen, Sleeve
from qtw_lab.live.trading.tap import Bars
from qtw_lab.live.trading.terms import SessionTerms
from qtw_lab.venues.guard import Guard
from qtw_lab.venues.moments import DAY, SECOND

#: Longest bars that are made of events, seconds; longer ones are daily and the vendor's.
_LONGEST: Final = 3600
_WEEK: Final = 7 * 86_400.0
#: Bars in a window of a strategy that remembers all.
_MOST: Final = 5000


@dataclass
class Working:
    """Carries a desk through time.

    Parameters
    ----------
    desk : Desk
        Sessions and their orders.
    calendar : str
        When there is trading.
    extended : bool
        Whether there is before the opening and after the close as well.
    say : callable
        Is told what people should know.
    assets : callable, optional
        Gives the symbols that the venue has, where that is known.
    guard : Guard, optional
        What judges the desk's orders; it says of an order by hand what each limit would make of it.
    prices : callable, optional
        Asks the venue for last prices, by symbol: an order by hand may be in what no session trades.
    """

    desk: Desk
    calendar: str = "XNYS"
    extended: bool = False
    say: Callable[[str], None] = print
    assets: Callable[[], Collection[str]] | None = None
    guard: Guard | None = None
    prices: Callable[[Collection[str]], Mapping[str, Seen]] | None = None
    _voices: dict[str, Voice] = field(default_factory=dict)
    _said: dict[str, str] = field(default_factory=dict)
    _recalled: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._hours = Sessions(self.calendar)

    def rows(self, *, daily: bool = False) -> dict[int, int]:
        """By length of bar in seconds, how many bars strategies are to see: of an hour or less, or of whole days."""
        found: dict[int, int] = {}
        for sleeve in self._alive(daily=daily):
            seconds = sleeve.terms.timeframe.seconds
            found[seconds] = max(found.get(seconds, 0), min(self._voice(sleeve).rows, _MOST))
        return found

    def symbols(self, *, daily: bool = False) -> tuple[str, ...]:
        """Every symbol that a session trades on bars of an hour or less, or on daily ones; each once."""
        return tuple(dict.fromkeys(symbol for sleeve in self._alive(daily=daily) for symbol in sleeve.terms.symbols))

    def check(self, terms: SessionTerms) -> None:
        """Refuse a session whose symbols nobody has, or whose bars cannot be made beside those of the others.

        Raises
        ------
        DataError
            With the symbols that were meant, or the lengths that can be.
        """
        known = dict.fromkeys(self.assets()) if self.assets is not None else {}
        for symbol in terms.symbols if known else ():
            lookup(symbol, known, "asset")
        seconds = terms.timeframe.seconds
        if seconds == DAY // SECOND:
            return
        lengths = sorted({60, seconds, *self.rows()})
        apart = any(longer % shorter for shorter, longer in pairwise(lengths))
        if seconds > _LONGEST or apart:
            raise DataError(
                f"The session {terms.name}: bars of {terms.interval} cannot be made beside those of "
                f"{', '.join(f'{length} s' for length in lengths if length != seconds)}. In real time bars last a day, "
                "or up to an hour in lengths of which each is a multiple of the shorter ones."
            )

    def turn(self, bars: Bars | None = None, seen: Mapping[str, Seen] | None = None) -> None:
        """Take in what the broker tells, and a bar that closed, if one did; prices are its own, or those that are seen.

        Raises
        ------
        VenueError
            If the broker refuses the keys for good.
        """
        self.desk.trader.turn()
        self.desk.settle()
        if bars is None:
            return
        closed = [self._closed(sleeve, bars) for sleeve in self._alive()]
        self.desk.closed([one for one in closed if one is not None])
        if self._fresh(bars) and self.desk.trade(bars.seen() if seen is None else seen, bars.now):
            self.desk.trader.turn()
            self.desk.settle()

    def _alive(self, *, daily: bool | None = None) -> list[Sleeve]:
        alive = (one for one in self.desk.state.sleeves.values() if one.status != "stopped")
        return [one for one in alive if daily is None or (one.terms.timeframe.seconds > _LONGEST) == daily]

    def _voice(self, sleeve: Sleeve) -> Voice:
        voice = self._voices.get(sleeve.name)
        if voice is None:
            seconds = sleeve.terms.timeframe.seconds
            stale = _WEEK if seconds > _LONGEST else 1.5 * seconds  # a daily bar is as old as the weekend is long
            voice = self._voices[sleeve.name] = Voice(sleeve.terms, calendar=self.calendar, stale_seconds=stale)
        return voice

    def _closed(self, sleeve: Sleeve, bars: Bars) -> Closed | None:
        """What a bar means to a session; None if it is not one of its bars, or was heard before."""
        terms = sleeve.terms
        start = int(bars.times[-1])
        if terms.timeframe.seconds != bars.seconds or start <= self.desk.state.bars.get(terms.name, -1):
            return None
        own = bars.of(terms.symbols)
        numbers = dict(zip(own.numbers.tolist(), own.names, strict=True))
        voice = self._voice(sleeve)
        if terms.name not in self._recalled:
            self._recalled.add(terms.name)
            voice.recall(sleeve.heard, {name: number for number, name in numbers.items()})
        prices = {name: close for name, close in zip(own.names, own.close[-1].tolist(), strict=True) if close > 0}
        try:
            decisions = voice.says(own, numbers, bars.now, trading=self._trading(bars))
        except DataError as err:
            self._tell(terms.name, f"The session {terms.name} decides nothing: {err}")
            decisions = {}
        return Closed(terms.name, start, bars.end, prices, decisions)

    def _trading(self, bars: Bars) -> bool:
        """Whether there was trading in the bar, and is at its end."""
        hours, start = self._hours, int(bars.times[-1])
        if bars.daily:
            return hours.trading(bars.now, extended=self.extended)
        return hours.trading(start, extended=self.extended) and hours.trading(bars.end, extended=self.extended)

    @staticmethod
    def _fresh(bars: Bars) -> bool:
        """Whether prices of a bar are still those of the market: those of the past that was fetched are not."""
        return bars.daily or bars.now - bars.end <= bars.seconds * SECOND

    def _tell(self, about: str, text: str) -> None:
        if self._said.get(about) != text:
            self._said[about] = text
            self.say(text)


def recovered(working: Working) -> None:
    """Make a desk ready after a start: what became of every order is known, and the account is reconciled.

    Raises
    ------
    VenueError
        If the broker does not answer, or what it says cannot be.
    """
    trader = working.desk.trader
    if trader.compare() is None:
        raise VenueError(f"The account cannot be reconciled, so nothing is traded: {trader.trouble}")
    working.desk.recover()
