"""What the parts of an engine have in common: the profile, the bars, the board, and what has been concluded so far."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from qtw_lab.live.answers import About, Answer, Question, trade_rows
from qtw_lab.live.bars import BarColumns
from qtw_lab.live.outcome import Event, Outcome
from qtw_lab.live.profile import Profile
from qtw_lab.live.sessions import Sessions
from qtw_lab.live.signals import SignalBoard
from qtw_lab.venues.ticks import Rows, Symbols

SECOND: Final = 1_000_000_000

#: Trades are fetched back to a day before at most.
_DAY: Final = 86_400 * SECOND

#: And to ten minutes before at least, however short the windows are.
_TEN_MINUTES: Final = 600 * SECOND


@dataclass
class Common:
    """What the parts of an engine share.

    Parameters
    ----------
    profile : Profile
        What to watch and how to decide.
    asking : bool
        Whether anybody answers questions.
    symbols : Symbols
        Numbers of symbols.
    columns : BarColumns
        The bars.
    board : SignalBoard
        The stances.
    sessions : Sessions
        When there is trading.
    outcome : Outcome
        What has been concluded and not been taken yet.
    """

    profile: Profile
    asking: bool
    symbols: Symbols
    columns: BarColumns
    board: SignalBoard
    sessions: Sessions
    outcome: Outcome = field(default_factory=Outcome)
    numbered: int = 0

    @property
    def length(self) -> int:
        """Length of the bars that decisions are made on, nanoseconds."""
        return self.profile.engine.bar_aggregate_seconds * SECOND

    @property
    def fetching(self) -> bool:
        """Whether trades that the stream did not bring are fetched."""
        return self.asking and self.profile.engine.backfill

    @property
    def horizon(self) -> int:
        """How far back the trades of a gap are fetched, nanoseconds: what a window shows, from 10 minutes to a day."""
        return min(max(self.profile.engine.bar_limit * self.length, _TEN_MINUTES), _DAY)

    @property
    def past(self) -> int:
        """How far before its first bar a symbol's trades are fetched, nanoseconds: the bars a decision rests on."""
        return min((min(self.board.needed, self.profile.engine.bar_limit) + 1) * self.length, _DAY)

    def ask(self, about: About, symbols: tuple[str, ...], start: int = 0, end: int = 0, *, urgent: bool = False) -> int:
        """Put a question; its number."""
        self.numbered += 1
        self.outcome.questions.append(Question(self.numbered, about, symbols, start, end, urgent))
        return self.numbered

    def tell(self, kind: str, content: Mapping[str, Any]) -> None:
        """Say what happened; see `outcome.Event`."""
        self.outcome.steps.append(Event(kind, dict(content)))

    def warn(self, message: str) -> None:
        """Say what a person should know."""
        self.tell("warning", {"message": message})

    def trades(self, answer: Answer) -> tuple[Rows | None, str]:
        """The trades of an answer; none and the reason where there are none, or they cannot be read."""
        if answer.error is not None:
            return None, answer.error
        try:
            return trade_rows(answer.data, self.symbols), ""
        except (ValueError, AttributeError, TypeError) as err:  # a DataError is a ValueError
            return None, str(err)
