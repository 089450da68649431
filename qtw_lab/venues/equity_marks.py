"""What an account had when its session began, and at the highest: what losses count from, kept through restarts."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from qtw_lab.ledger.amounts import number, plain
from qtw_lab.ledger.tally import UNKNOWN
from qtw_lab.ledger.unknowns import sound
from qtw_lab.venues.brokers import AccountView
from qtw_lab.venues.paper.events import Event

#: Kinds of the events: an equity at the beginning of a session, a highest one, and a highest one given up by a person.
SESSION: Final = "session"
HIGHEST: Final = "highest"
RENEWED: Final = "renewed"


class EquityMarks:
    """Equities that losses count from. What is written down and cannot be read is unknown, and stays so.

    Examples
    --------
    >>> marks = EquityMarks()
    >>> account = AccountView("a", *[Decimal(100)] * 3, last_equity=Decimal(110), blocked=False)
    >>> for event in marks.news(account, at=5, start=1, armed=0):
    ...     marks.apply(event)
    >>> marks.opening(1), marks.opening(2), marks.highest
    (Decimal('110'), Decimal('NaN'), Decimal('100'))
    """

    def __init__(self) -> None:
        self._opening: tuple[int, Decimal] | None = None
        self._highest: Decimal | None = None
        self._armed = 0

    def opening(self, start: int | None) -> Decimal:
        """Dollars at the beginning of the session that began then; NaN if they are not known."""
        return self._opening[1] if self._opening is not None and self._opening[0] == start else UNKNOWN

    @property
    def highest(self) -> Decimal:
        """The highest equity, dollars; NaN if it is not known."""
        return UNKNOWN if self._highest is None else self._highest

    def news(self, account: AccountView, at: int, start: int | None, armed: int) -> list[Event]:
        """What has to be written down, and then applied, of an account.

        The session's equity is the one it is first seen with, or that of the close before if that was more. The highest
        begins anew when a switch is armed anew.

        Parameters
        ----------
        account : AccountView
            As it is now; without a sound equity there is nothing to be written down.
        at : int
            The present, nanoseconds since 1970, UTC.
        start : int or None
            When the session began; None if that is not known.
        armed : int
            When the kill switch was armed; 0 if there is none, or that is not known.
        """
        equity, found = sound(account.equity), list[Event]()
        if equity is None:
            return found
        if start is not None and (self._opening is None or self._opening[0] != start):
            most = max(equity, sound(account.last_equity) or equity)
            found.append(Event(SESSION, at, "", {"start": start, "equity": plain(most)}))
        armed = armed or self._armed
        known = sound(self._highest)
        anew = self._highest is None or self._armed not in (0, armed)
        if anew or (known is not None and equity > known):
            found.append(Event(HIGHEST, at, "", {"equity": plain(equity), "armed": armed}))
        return found

    def apply(self, event: Event) -> None:
        """Take in an event; those of other kinds change nothing."""
        said = event.content
        if event.kind == SESSION:
            self._opening = (said["start"], _amount(said["equity"]))
        elif event.kind == HIGHEST:
            self._highest, self._armed = _amount(said["equity"]), said["armed"]
        elif event.kind == RENEWED:
            self._highest = None


def _amount(text: str) -> Decimal:
    found = number(text)
    return UNKNOWN if found is None else found
