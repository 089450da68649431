"""How a signal enters the market: at once, or by an order that waits for its price."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Integral, Real
from typing import Final, Literal

from qtw_lab.core import DataError

EntryType = Literal["market", "limit", "stop", "stop_limit"]

_TYPES: Final = ("market", "limit", "stop", "stop_limit")


@dataclass(frozen=True, slots=True)
class Entry:
    """The order that opens or turns a position when the signal says so. Build one with the class methods.

    Parameters
    ----------
    type : {"market", "limit", "stop", "stop_limit"}
        Kind of order.
    offset : float
        Distance of the order's price from the close of the decision bar, as a fraction of it: a limit lies on the
        better side, a stop on the worse.
    limit_offset : float
        Stop-limit: how far beyond the stop the limit lies, as a fraction of the stop.
    good_for : int, optional
        Bars after which an unfilled order lapses; None lets it work until the signal changes.
    day : bool
        Whether it lapses at the end of its first session instead.

    Raises
    ------
    DataError
        If a figure is out of range.

    Examples
    --------
    >>> Entry.limit(0.01, good_for=3)
    Entry(type='limit', offset=0.01, limit_offset=0.0, good_for=3, day=False)
    """

    type: EntryType = "market"
    offset: float = 0.0
    limit_offset: float = 0.0
    good_for: int | None = None
    day: bool = False

    def __post_init__(self) -> None:
        if self.type not in _TYPES:
            raise DataError(f"Entry type {self.type!r} is not known; use one of {', '.join(_TYPES)}.")
        for name in ("offset", "limit_offset"):
            value = getattr(self, name)
            if not isinstance(value, Real) or isinstance(value, bool) or not 0 <= float(value) < 1:
                raise DataError(f"Entry: {name}={value!r} must be a fraction of at least 0 and below 1, such as 0.01.")
        if self.good_for is not None and (
            isinstance(self.good_for, bool) or not isinstance(self.good_for, Integral) or self.good_for < 1
        ):
            raise DataError(f"Entry: good_for={self.good_for!r} must be a whole number of bars of at least 1, or None.")
        if self.day and self.good_for is not None:
            raise DataError("Entry: give either day=True or good_for, not both.")

    @classmethod
    def market(cls) -> Entry:
        """At once, when `execution` says."""
        return cls()

    @classmethod
    def limit(cls, offset: float, *, good_for: int | None = None, day: bool = False) -> Entry:
        """A limit order `offset` better than the decision's close: buy the dip, sell the rally."""
        return cls("limit", offset, 0.0, good_for, day)

    @classmethod
    def stop(cls, offset: float, *, good_for: int | None = None, day: bool = False) -> Entry:
        """A stop order `offset` worse than the decision's close: enter when the move goes on."""
        return cls("stop", offset, 0.0, good_for, day)

    @classmethod
    def stop_limit(cls, offset: float, limit_offset: float, *, good_for: int | None = None, day: bool = False) -> Entry:
        """As `stop`, paying at most `limit_offset` beyond the stop."""
        return cls("stop_limit", offset, limit_offset, good_for, day)

    def describe(self) -> str:
        """The entry in one line."""
        if self.type == "market":
            return "market"
        life = "day" if self.day else f"{self.good_for} bars" if self.good_for else "until the signal changes"
        beyond = f", limit {self.limit_offset:.2%} beyond" if self.type == "stop_limit" else ""
        return f"{self.type.replace('_', '-')} {self.offset:.2%} from the close{beyond}, {life}"
