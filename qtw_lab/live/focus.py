"""The symbols that are listened to: the best of the universe, exchanged slowly and never without a reason."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from qtw_lab.core import DataError
from qtw_lab.live.universe import Ranked

#: Part of the focus size by which a challenger must rank better than the member it replaces.
MARGIN: Final = 0.25

_SECOND: Final = 10**9


@dataclass(frozen=True, slots=True)
class Move:
    """A symbol that entered or left, its rank (None outside the universe), and why."""

    symbol: str
    rank: int | None
    reason: str


@dataclass(frozen=True, slots=True)
class Change:
    """The focus after a refresh, and how it came about.

    Parameters
    ----------
    focus : dict of str to int
        Since when each member has been in it (nanoseconds since 1970, UTC), in order of rank.
    entered, left : tuple of Move
        In order of rank, and in the order in which they left.
    """

    focus: dict[str, int]
    entered: tuple[Move, ...]
    left: tuple[Move, ...]

    @property
    def changed(self) -> bool:
        """Whether anyone entered or left."""
        return bool(self.entered or self.left)


def refocus(
    current: Mapping[str, int], ranked: Ranked | Sequence[str], now: int, *, size: int, churn: int, residence: float
) -> Change:
    """The focus after a refresh.

    1. A member that is not in the universe any more leaves at once.
    2. If there are more members than `size` (it was made smaller), the worst leave, those still locked last.
    3. Free places go to the best symbols that are not members.
    4. A symbol that ranks within `size` replaces a member that does not, if it ranks better by more than `MARGIN` of
       `size` and the member has stayed for `residence` seconds: the best replaces the worst first. The margin keeps two
       symbols at the edge from changing places at every refresh.

    At most `churn` symbols enter at a refresh, and members that left the universe use up its replacements. Only where
    nobody is left is the focus filled at once.

    Parameters
    ----------
    current : mapping of str to int
        Members and since when they have been, in nanoseconds since 1970, UTC; empty at the start.
    ranked : Ranked or sequence of str
        The universe, best first.
    now : int
        Nanoseconds since 1970, UTC.
    size : int
        Places.
    churn : int
        Symbols that may enter at a refresh.
    residence : float
        Seconds a member is safe from replacement after it entered.

    Raises
    ------
    DataError
        If `size` is below 1, or `churn` or `residence` below 0, or the universe has a symbol twice.

    Examples
    --------
    >>> first = refocus({}, ["A", "B", "C", "D"], 0, size=2, churn=1, residence=300)
    >>> first.focus
    {'A': 0, 'B': 0}
    >>> later = refocus(first.focus, ["D", "A", "C", "B"], 400 * 10**9, size=2, churn=1, residence=300)
    >>> later.left, list(later.focus)
    ((Move(symbol='B', rank=4, reason='outranked by D (1)'),), ['D', 'A'])
    """
    ranks = _ranks(ranked)
    _check(size, churn, residence)
    left = [Move(symbol, None, "left the universe") for symbol in current if symbol not in ranks]
    members = {symbol: since for symbol, since in current.items() if symbol in ranks}
    gone = len(left)
    surplus = _surplus(members, ranks, now - round(residence * _SECOND), size)
    left += [Move(symbol, ranks[symbol], f"the focus has {size} places now") for symbol in surplus]
    members = {symbol: since for symbol, since in members.items() if symbol not in set(surplus)}
    waiting = [symbol for symbol in ranks if symbol not in members and symbol not in set(surplus)]
    reason = "free place" if members else "first fill"
    most = min(churn, size - len(members)) if members else size
    entered = [Move(symbol, ranks[symbol], reason) for symbol in waiting[:most]]
    free = members and not surplus
    swaps = min(churn - len(entered), churn - gone) if free else 0
    pairs = _replacements(members, waiting[most:], ranks, now - round(residence * _SECOND), size, swaps)
    for best, worst in pairs:
        entered.append(Move(best, ranks[best], f"outranks {worst} ({ranks[worst]})"))
        left.append(Move(worst, ranks[worst], f"outranked by {best} ({ranks[best]})"))
        del members[worst]
    members |= {move.symbol: now for move in entered}
    return Change({symbol: members[symbol] for symbol in ranks if symbol in members}, tuple(entered), tuple(left))


def _ranks(ranked: Ranked | Sequence[str]) -> dict[str, int]:
    """The rank of each symbol, from 1, best first."""
    if isinstance(ranked, Ranked):
        return ranked.places
    ranks = {symbol: rank for rank, symbol in enumerate(ranked, start=1)}
    if len(ranks) < len(ranked):
        raise DataError("The universe names a symbol twice; rank each symbol once.")
    return ranks


def _check(size: int, churn: int, residence: float) -> None:
    if size < 1 or churn < 0 or not residence >= 0:
        raise DataError(
            f"A focus needs a size from 1, churn and residence from 0, not {size}, {churn} and {residence}."
        )


def _surplus(members: Mapping[str, int], ranks: Mapping[str, int], settled: int, size: int) -> list[str]:
    """Who has to leave a focus that became smaller: the worst, those that entered after `settled` last."""
    order = sorted(members, key=lambda symbol: (members[symbol] <= settled, ranks[symbol]), reverse=True)
    return order[: max(0, len(members) - size)]


def _replacements(
    members: Mapping[str, int], waiting: Sequence[str], ranks: Mapping[str, int], settled: int, size: int, most: int
) -> list[tuple[str, str]]:
    """Pairs of who enters and who leaves for it, best against worst."""
    weak = [symbol for symbol, since in members.items() if ranks[symbol] > size and since <= settled]
    weak.sort(key=lambda symbol: -ranks[symbol])
    strong = [symbol for symbol in waiting if ranks[symbol] <= size]
    pairs = list(zip(strong, weak, strict=False))[: max(0, most)]
    return [(best, worst) for best, worst in pairs if ranks[worst] - ranks[best] > MARGIN * size]
