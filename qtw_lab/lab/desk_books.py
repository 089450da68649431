"""The books of a desk, followed while it works: only what is new is read, and nobody is disturbed."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from qtw_lab.core import Settings, SetupError, SystemClock
from qtw_lab.lab.desk_places import DeskPlaces
from qtw_lab.ledger.amounts import ZERO
from qtw_lab.ledger.book import Book, Fill
from qtw_lab.live.trading.state import DeskState
from qtw_lab.venues.mirror import Mirror
from qtw_lab.venues.outbox import Outbox
from qtw_lab.venues.paper.events import Event
from qtw_lab.venues.paper.store import MemoryStore, reading
from qtw_lab.venues.refused import Refusal, refusals

#: The books, in the order in which they are read: what an order is for is written down before it is sent.
NAMES = ("desk", "outbox", "mirror", "guard")

#: Seconds to wait for one who writes to a book just now.
_PATIENCE: Final = 2.0

_Stamp = tuple[int, ...]


class Tail:
    """The end of a book: events that were added since it was looked at last.

    Parameters
    ----------
    path : Path
        The SQLite file; it may not be there yet.
    """

    def __init__(self, path: Path) -> None:
        self._path, self._wal = path, path.with_name(path.name + "-wal")
        self._read, self._stamp = 0, (0,)  # type: tuple[int, _Stamp]

    @property
    def file(self) -> int:
        """Which file it is; another number where another took its place, 0 where there is none."""
        try:
            return self._path.stat().st_ino
        except OSError:
            return 0

    def news(self) -> list[Event]:
        """Events since the last time; none, at the price of two questions to the file system, where nothing changed.

        Raises
        ------
        DataError
            If the book is damaged.
        """
        stamp = (*_stamp(self._path), *_stamp(self._wal))
        if stamp == self._stamp or not self.file:
            return []
        try:
            with reading(self._path, self._read, _PATIENCE) as events:
                found = list(events)
        except SetupError:
            return []  # somebody is making it, or writes just now: the next look finds it
        self._read, self._stamp = self._read + len(found), stamp
        return found


class Books:
    """What is known at the desk that was used last, kept up to date by `look`.

    Parameters
    ----------
    settings : Settings
        Of the machine.

    Attributes
    ----------
    places : DeskPlaces or None
        Where the desk is; None before there is one.
    state : DeskState
        Sessions and their orders.
    account : Account
        Orders and fills of the whole account.
    refused : list of Refusal
        Orders that were not sent, or that the broker refused, oldest first.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.places: DeskPlaces | None = None
        self._files: Sequence[int] = ()
        self._begin(None)

    def look(self) -> bool:
        """Take in what is new; whether anything was.

        Raises
        ------
        SetupError
            If there is no desk yet.
        DataError
            If a book is damaged.
        """
        places = DeskPlaces.current(self._settings)
        files = [Tail(places.file(name)).file for name in NAMES]
        moved = places != self.places or any(was not in (0, now) for was, now in zip(self._files, files, strict=True))
        if moved:
            self._begin(places)
        self._files = files
        found = {name: tail.news() for name, tail in self._tails.items()}
        for event in found["desk"]:
            self.state.apply(event)
        self.account.take(found["outbox"], found["mirror"])
        self.refused += refusals(found["guard"])
        return moved or any(found.values())

    def _begin(self, places: DeskPlaces | None) -> None:
        self.places, self.state, self.account = places, DeskState(), Account()
        self.refused: list[Refusal] = []
        self._files = [0] * len(NAMES)
        self._tails = {} if places is None else {name: Tail(places.file(name)) for name in NAMES}


class Account:
    """Orders and fills of an account as outbox and mirror of a desk wrote them down.

    Attributes
    ----------
    outbox, mirror : Outbox, Mirror
        What was sent, and what is known; they only read here.
    book : Book
        What the fills come to: shares, and what those still held cost.
    uncosted : set of str
        Symbols of which shares came by no fill that is known, so that nobody knows what they cost.
    """

    def __init__(self) -> None:
        self.outbox, self.mirror, self.book = _Sent(), _Mirrored(), Book(ZERO)
        self.uncosted: set[str] = set()
        self._fills = self._adjustments = 0

    def take(self, sent: Sequence[Event], known: Sequence[Event]) -> None:
        """Take in events of the outbox and of the mirror."""
        self.outbox.take(sent)
        self.mirror.take(known)
        for fill in list(self.mirror.fills.values())[self._fills :] if known else ():
            self._fills += 1
            self.book.record(
                Fill(fill.execution, fill.order_id, fill.symbol, 0, fill.side, fill.at, fill.price, fill.qty, ZERO,
                     fill.cumulative, "fill", fill.fee)
            )  # fmt: skip
        for one in list(self.mirror.adjustments.values())[self._adjustments :] if known else ():
            self._adjustments += 1
            self.uncosted.add(one.symbol)

    def entry(self, symbol: str) -> Decimal | None:
        """Average price of the shares held of a symbol, dollars; None where nobody knows."""
        holding = self.book.holdings.get(symbol)
        return None if holding is None or symbol in self.uncosted else holding.entry


class _Sent(Outbox):
    """An outbox that only reads."""

    def __init__(self) -> None:
        super().__init__(_nobody(), MemoryStore(), _now)

    def take(self, events: Sequence[Event]) -> None:
        for event in events:
            self._apply(event)


class _Mirrored(Mirror):
    """A mirror that only reads."""

    def __init__(self) -> None:
        super().__init__(_nobody(), MemoryStore(), _now)

    def take(self, events: Sequence[Event]) -> None:
        for event in events:
            self._apply(event)


def _nobody() -> Any:
    """Who is asked by those that only read: nobody."""
    return None


def _now() -> int:
    return SystemClock().now().value


def _stamp(path: Path) -> _Stamp:
    try:
        found = path.stat()
    except OSError:
        return (0, 0, 0)
    return (found.st_mtime_ns, found.st_size, found.st_ino)
