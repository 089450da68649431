"""What a session's strategy says as its bars close: the live engine's own board, asked bar by bar."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from qtw_lab.live.gates import Window
from qtw_lab.live.signals import SignalBoard
from qtw_lab.live.trading.terms import SessionTerms

_EVER: Final = 1e18


@dataclass(frozen=True, slots=True)
class _Gates:
    """Thresholds of the gates; by default nothing is held back for its spread or volume."""

    max_spread_bps: float = _EVER
    min_volume: float = 0.0


@dataclass(frozen=True, slots=True)
class _Bars:
    """The bars that are decided on."""

    bar_aggregate_seconds: int
    stale_seconds: float = _EVER
    bar_limit: int = 5000
    window: str = "all"


@dataclass(frozen=True, slots=True)
class _Rules:
    """What a board reads of a profile."""

    signals: _Gates
    engine: _Bars


class Voice:
    """The decisions of one session, bar by bar.

    Parameters
    ----------
    terms : SessionTerms
        Whose strategy it is.
    calendar : str
        For strategies that annualise.
    stale_seconds : float
        How long after a symbol's last bar with a trade its decisions count.
    """

    def __init__(self, terms: SessionTerms, *, calendar: str = "XNYS", stale_seconds: float = _EVER) -> None:
        frame = terms.timeframe
        rules = _Rules(_Gates(), _Bars(frame.seconds, stale_seconds))
        self._terms = terms
        self.board = SignalBoard(
            terms.strategy, rules, calendar=calendar, periods_per_year=frame.periods_per_year(calendar)
        )

    @property
    def rows(self) -> int:
        """How many bars a window should have."""
        return self.board.rows

    def says(self, window: Window, names: Mapping[int, str], now: int, *, trading: bool = True) -> dict[str, float]:
        """The decision on the last bar of a window, of each symbol that has one.

        Parameters
        ----------
        window : Window
            The last bars, the newest last; its columns are the session's symbols.
        names : mapping of int to str
            The symbols by number.
        now : int
            Nanoseconds since 1970, UTC.
        trading : bool
            Whether there is trading.

        Raises
        ------
        DataError
            If the strategy cannot decide on such bars.
        """
        decided = self.board.decide(window, now, trading=trading)
        through = ~np.isnan(decided.decisions) & (decided.decisions == decided.stances)
        if self._terms.strategy.kind == "signals":  # a stance that was held back counts once it is free
            through = ~np.isnan(decided.wanted)
        numbers = window.numbers[through].tolist()
        return dict(zip([names[number] for number in numbers], decided.stances[through].tolist(), strict=True))

    def recall(self, heard: Mapping[str, float], numbers: Mapping[str, int]) -> None:
        """Put what was decided before a restart in place again."""
        known = [symbol for symbol in heard if symbol in numbers]
        stances = np.array([heard[symbol] for symbol in known], dtype=np.float64)
        self.board.restore(np.array([numbers[symbol] for symbol in known], dtype=np.int64), stances, stances)
