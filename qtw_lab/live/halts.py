"""Which symbols are halted, and whether the whole market is."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Final

import numpy as np

from qtw_lab.venues.conditions import LAST, effects
from qtw_lab.venues.ticks import STATUS, TICK, TRADE, Rows, packed

#: Status codes: halted ("2" on tapes A and B, "H" and the volatility pause "P" on tape C), and trading again ("3" and
#: "T"). CTS Pillar Output Specification, security status; UTP Binary Output Specification, trading action codes.
_HALTED: Final = tuple(ord(letter) for letter in "2HP")
_TRADING: Final = tuple(ord(letter) for letter in "3T")

#: Reasons of a market-wide halt: MWC0 (carried over from the day before) to MWC3 on tape C, 1 to 3 on tapes A and B.
_WIDE: Final = frozenset(packed(reason) for reason in ("MWC0", "MWC1", "MWC2", "MWC3"))
_WIDE_AB: Final = frozenset(packed(reason) for reason in ("1", "2", "3"))

#: A trade so long after a halt began is one of a market that trades again, nanoseconds.
_AFTER: Final = 1_000_000_000


class Halts:
    """Who is halted, told from statuses; and from trades, because a notice can fall into a gap of the stream.

    Examples
    --------
    >>> halts = Halts()
    >>> row = np.zeros(1, dtype=TICK)
    >>> row["kind"], row["flag"], row["conditions"], row["tape"] = STATUS, ord("H"), packed("MWC1"), ord("C")
    >>> len(halts.take(row))
    0
    >>> halts.market(focus=[0, 1])
    True
    """

    def __init__(self) -> None:
        self._since: dict[int, int] = {}
        self._wide: set[int] = set()

    def __bool__(self) -> bool:
        return bool(self._since)

    def take(self, ticks: Rows) -> Rows:
        """Learn from rows of `TICK`.

        Returns
        -------
        TICK rows
            A status "trading" for each symbol that is known to be halted and traded all the same: with a trade that
            sets a price, at least a second after the halt began. Its notice was missed.
        """
        for row in ticks[ticks["kind"] == STATUS]:
            self._status(int(row["symbol"]), int(row["flag"]), int(row["time"]), row)
        return self._missed(ticks)

    def market(self, focus: Collection[int]) -> bool:
        """Whether there is nothing to expect: a market-wide halt, or every symbol of the focus is halted."""
        return bool(self._wide) or (bool(self._since) and all(number in self._since for number in focus))

    def forget(self, numbers: Iterable[int]) -> None:
        """Symbols are not listened to any more."""
        for number in numbers:
            self._since.pop(number, None)
            self._wide.discard(number)

    def _status(self, number: int, code: int, time: int, row: Rows) -> None:
        if code in _HALTED:
            self._since[number] = max(time, self._since.get(number, time))
            if int(row["conditions"]) in (_WIDE_AB if int(row["tape"]) in (65, 66) else _WIDE):
                self._wide.add(number)
        elif code in _TRADING and time >= self._since.get(number, time):
            self.forget([number])

    def _missed(self, ticks: Rows) -> Rows:
        found = []
        for number in sorted(self._since):
            after = ticks[(ticks["symbol"] == number) & (ticks["kind"] == TRADE)]
            after = after[after["time"] >= self._since[number] + _AFTER]
            times = [int(t["time"]) for t in after if effects(t["conditions"], int(t["tape"]), True) & LAST]  # noqa: FBT003  (compiled: no names)
            if times:
                found.append((number, min(times)))
        rows = np.zeros(len(found), dtype=TICK)
        if found:
            rows["kind"], rows["flag"] = STATUS, _TRADING[1]
            rows["symbol"], rows["time"] = zip(*found, strict=True)
            self.forget([number for number, _ in found])
        return rows
