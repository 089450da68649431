"""Breaks of the stream: from when to when trades may be missing, and the questions that bring them back."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

_SECOND: Final = 1_000_000_000

#: A break also swallows late reports, corrections and cancels of what traded before it. Trades are to be reported
#: within ten seconds, but not all are: so far back from a gap everything is asked for again.
REPORTED_LATE: Final = 60 * _SECOND

#: After the stream is back, wait so long before asking, so that the answer overlaps with what the stream brought.
SETTLING: Final = _SECOND // 4

#: Pauses between attempts to ask, seconds of the reader's clock; the last is repeated.
_PAUSES: Final = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0)

#: After so many attempts without an answer a gap stays a hole: that is after about ten minutes.
ATTEMPTS: Final = 24


def pause(tries: int) -> int:
    """How long to wait after so many earlier attempts, nanoseconds.

    Examples
    --------
    >>> [pause(tries) / 1e9 for tries in (0, 1, 99)]
    [0.5, 1.0, 30.0]
    """
    return int(_PAUSES[min(tries, len(_PAUSES) - 1)] * _SECOND)


@dataclass(frozen=True, slots=True)
class Gap:
    """A span of which trades may be missing.

    Parameters
    ----------
    start : int
        Event time up to which everything was heard, nanoseconds since 1970, UTC.
    reason : str
        What broke.
    end : int, optional
        Event time from which everything is heard again; None while the stream is down.
    healed_at : int
        When, on the reader's clock, the stream was back.
    due : int
        When to ask, on the reader's clock.
    question : int, optional
        The number of the question that is out.
    tries : int
        Answers that were none.
    abandoned : bool
        Whether its bars have been closed with a hole; it is still asked for.
    """

    start: int
    reason: str
    end: int | None = None
    healed_at: int = 0
    due: int = 0
    question: int | None = None
    tries: int = 0
    abandoned: bool = False

    @property
    def until(self) -> int:
        """Its end; its start while it has none."""
        return self.start if self.end is None else self.end


class Gaps:
    """All breaks that are not mended yet, oldest first.

    Parameters
    ----------
    patience : float
        Seconds of the reader's clock after the stream is back for which bars wait for their missing trades; then they
        are closed with a hole, and revised should the trades come after all.

    Examples
    --------
    >>> gaps = Gaps()
    >>> gaps.broke(5_000_000_000, "closed by the server")
    True
    >>> gaps.healed(8_000_000_000, received=0)
    >>> gaps.due(received=1_000_000_000)[0].end
    8000000000
    """

    def __init__(self, patience: float = 60.0) -> None:
        self.patience = patience
        self.open: list[Gap] = []
        self.mended = 0

    @property
    def down(self) -> bool:
        """Whether the stream is down now."""
        return bool(self.open) and self.open[-1].end is None

    @property
    def held_from(self) -> int | None:
        """From when on bars must wait: the start of the oldest gap that is not abandoned; None if there is none."""
        return min((gap.start for gap in self.open if not gap.abandoned), default=None)

    def broke(self, start: int, reason: str) -> bool:
        """The stream broke; everything up to `start` was heard. A break within a break is none: False."""
        if self.down:
            return False
        self.open.append(Gap(start, reason))
        return True

    def healed(self, end: int, received: int, horizon: int | None = None) -> Gap | None:
        """The stream is back, and confirmed to bring everything from `end` on.

        What lies more than `horizon` nanoseconds before is given up: it is given back as a gap of its own.
        """
        if not self.down:
            return None
        last = self.open.pop()
        end = max(end, last.start)
        start = last.start if horizon is None else max(last.start, end - horizon)
        self.open.append(replace(last, start=start, end=end, healed_at=received, due=received + SETTLING))
        return replace(last, end=start) if start > last.start else None

    def due(self, received: int) -> list[Gap]:
        """Those to ask about now."""
        return [gap for gap in self.open if gap.end is not None and gap.question is None and received >= gap.due]

    def asked(self, gap: Gap, number: int) -> None:
        """The question about it is out."""
        self._put(gap, replace(gap, question=number))

    def about(self, number: int) -> Gap | None:
        """The gap that a question was about."""
        return next((gap for gap in self.open if gap.question == number), None)

    def answered(self, gap: Gap) -> None:
        """Its trades are there."""
        self.open.remove(gap)
        self.mended += 1

    def failed(self, gap: Gap, received: int) -> bool:
        """There was no answer. It will be asked for again, unless it was asked for `ATTEMPTS` times: then False."""
        if gap.tries + 1 >= ATTEMPTS:
            return False
        due = received + pause(gap.tries)
        self._put(gap, replace(gap, question=None, tries=gap.tries + 1, due=due))
        return True

    def overdue(self, received: int) -> list[Gap]:
        """Those that bars should wait for no longer."""
        limit = int(self.patience * _SECOND)
        return [g for g in self.open if g.end is not None and not g.abandoned and received - g.healed_at > limit]

    def closed(self) -> list[Gap]:
        """Those that have an end."""
        return [gap for gap in self.open if gap.end is not None]

    def abandon(self, gap: Gap) -> None:
        """Its bars were closed with a hole."""
        self._put(gap, replace(gap, abandoned=True))

    def drop(self, gap: Gap) -> None:
        """It stays a hole for good."""
        self.open.remove(gap)

    def _put(self, old: Gap, new: Gap) -> None:
        self.open[self.open.index(old)] = new
