"""Who is listened to: asset master, universe and focus, refreshed by the clock through questions to the venue."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from qtw_lab.core import DataError
from qtw_lab.live import universe
from qtw_lab.live.answers import About, Answer
from qtw_lab.live.focus import Change, Move, refocus
from qtw_lab.live.profile import Profile

_SECOND: Final = 1_000_000_000

#: Pause after a question that had no answer, and between two looks at the asset master, seconds of the reader's clock.
_AGAIN: Final = 5.0
_RENEWED: Final = 86_400.0

Asking = Callable[[About, tuple[str, ...]], int]


@dataclass(slots=True)
class Selection:
    """Asset master -> universe -> focus, as answers come in.

    Parameters
    ----------
    profile : Profile
        Sizes, filters and how often to look.
    focus : dict of str to int
        Who is listened to, and since when (nanoseconds on the reader's clock).
    assets : list of dict
        The asset master, if one was saved before; else it is asked for. One that was saved makes the first universe,
        and is renewed after it; from then on it is renewed once a day, and with it the volumes of the day before.
    """

    profile: Profile
    focus: dict[str, int] = field(default_factory=dict)
    assets: list[dict[str, Any]] = field(default_factory=list)
    ranked: universe.Ranked | None = None
    fault: str | None = None
    _dollars: dict[str, float] = field(default_factory=dict)
    _assets_due: int = 0
    _universe_due: int = 0
    _focus_due: int = 0
    _out: dict[int, tuple[str, tuple[str, ...]]] = field(default_factory=dict)

    def due(self, received: int, ask: Asking) -> None:
        """Ask what is to be asked now: `ask` sends a question and gives its number."""
        if self._out:
            return
        if received >= self._assets_due and (self.ranked is not None or not self.assets):
            self._out[ask("assets", ())] = ("assets", ())
            return
        if received < self._universe_due or not self.assets:
            return
        if not self._dollars and self.profile.universe.symbols is None:
            every = tuple(universe.active(self.assets))
            self._out[ask("snapshots", every)] = ("dollars", every)
            return
        some = tuple(universe.candidates(self.assets, self._dollars, self.profile.universe))
        self._out[ask("snapshots", some)] = ("universe", some)

    def answered(self, answer: Answer, received: int) -> bool:
        """Take an answer in; whether the universe is new."""
        purpose, symbols = self._out.pop(answer.question.number, ("", ()))
        if not purpose:
            return False
        self.fault = answer.error
        if purpose == "assets":
            self._renewed(answer, received)
            return False
        if answer.error is not None:
            self._universe_due = received + int(_AGAIN * _SECOND)
            return False
        self._universe_due = received + int(self.profile.engine.universe_refresh_seconds * _SECOND)
        try:
            if purpose == "dollars":
                self._dollars = universe.previous_dollars(answer.data) or {"": 0.0}
                symbols = tuple(universe.candidates(self.assets, self._dollars, self.profile.universe))
            self.ranked = universe.ranked(symbols, answer.data, self.profile.universe)
        except (DataError, AttributeError, TypeError) as err:  # what a venue says may be anything
            self.fault = f"the venue's snapshots cannot be used ({err})"
            self._universe_due = received + int(_AGAIN * _SECOND)
            return False
        return True

    def _renewed(self, answer: Answer, received: int) -> None:
        """Take a new asset master in."""
        self._assets_due = received + int((_RENEWED if answer.error is None else _AGAIN) * _SECOND)
        if answer.error is None:
            self.assets = list(answer.data)
            self._dollars = {}

    def refocused(self, received: int, *, new: bool = False) -> Change | None:
        """The focus anew, if it is time or the universe is new; None if nothing changed."""
        if self.ranked is None or not (new or received >= self._focus_due):
            return None
        rules = self.profile.focus
        self._focus_due = received + int(self.profile.engine.focus_refresh_seconds * _SECOND)
        change = refocus(
            self.focus, self.ranked, received, size=rules.size, churn=rules.max_churn_per_refresh,
            residence=rules.min_residence_seconds,
        )  # fmt: skip
        self.focus = dict(change.focus)
        return change if change.changed else None

    def fixed(self, symbols: Iterable[str], received: int) -> Change:
        """A focus given by hand, where there is nobody to ask."""
        before = dict(self.focus)
        self.focus = {symbol: before.get(symbol, received) for symbol in symbols}
        entered = tuple(Move(symbol, None, "named by the profile") for symbol in self.focus if symbol not in before)
        left = tuple(Move(symbol, None, "not named by the profile") for symbol in before if symbol not in self.focus)
        return Change(dict(self.focus), entered, left)


def reasons(moves: Iterable[Move]) -> Mapping[str, str]:
    """Why each came or went."""
    return {move.symbol: move.reason for move in moves}
