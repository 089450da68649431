"""Trades that the stream did not bring, or brought too late: which bars wait for them, and the questions for them."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Final

from qtw_lab.live.answers import Answer, void_rows
from qtw_lab.live.common import SECOND, Common
from qtw_lab.live.gaps import ATTEMPTS, REPORTED_LATE, Gap, Gaps, pause

#: Between two questions about what came too late, on the reader's clock: they must not use up the requests of a minute.
_APART: Final = SECOND

#: What has been taken back in a span this much older than a report can be is applied as well.
_YOUNG: Final = 10 * SECOND

#: Event times, start included and end excluded, nanoseconds since 1970, UTC.
Span = tuple[int, int]


class Mending:
    """Gaps, and bars that trades came too late for.

    While a gap is open its bars, and all after them, wait. When the stream is back its trades are asked for, with those
    of a minute before, which may have been reported meanwhile; when they have come, the bars close one after the
    other, each is decided on, and nothing is missing. If they do not come within `Gaps.patience`, or nobody is asked,
    the bars close with a hole, and are shown anew should the trades come later.

    Parameters
    ----------
    common : Common
        What the parts of an engine share.
    """

    def __init__(self, common: Common) -> None:
        self.gaps = Gaps()
        self._common = common
        self._late: dict[Span, set[int]] = {}
        self._doubts: dict[Span, set[int]] = {}
        self._out: tuple[int, Span, list[int], bool] | None = None
        self._due = 0
        self._tries = 0
        self._beyond = 0

    def broke(self, start: int, reason: str) -> None:
        """The stream broke; everything up to that event time was heard."""
        if self.gaps.broke(start, reason):
            self._tell("open", self.gaps.open[-1])
            self._hold()

    def healed(self, end: int, received: int) -> None:
        """The stream is back, and brings everything from that event time on."""
        lost = self.gaps.healed(end, received, self._common.horizon)
        if lost is not None:
            self._common.columns.hole(lost.start, lost.until)
            self._tell("hole", lost, note="too long ago to be fetched")
            self._tell("open", self.gaps.open[-1])
        self._hold()

    def turn(self, received: int, names: Iterable[str]) -> None:
        """Ask what is due, and wait no longer for what is overdue."""
        if self.gaps.open:
            if self._common.fetching:
                for gap in self.gaps.due(received):
                    start = gap.start - REPORTED_LATE
                    self.gaps.asked(gap, self._common.ask("trades", tuple(names), start, gap.until, urgent=True))
            self._give_up(received)
        if self._common.fetching:
            self._ask_for_late(received)

    def answered(self, answer: Answer, received: int) -> bool:
        """Take an answer in, if it is one to a question of these."""
        number = answer.question.number
        gap = self.gaps.about(number)
        if gap is not None:
            self._came(gap, answer, received)
        elif self._out is not None and number == self._out[0]:
            self._came_late(answer, received)
        else:
            return False
        return True

    def doubted(self, numbers: Collection[int], now: int, ahead: int, received: int) -> None:
        """Trades of symbols came at the venue's time `now` with times that cannot be, and were left out.

        Others that are wrong by as much may look timely: reports of what was long ago. So all bars of the last minute,
        and those as far `ahead` (nanoseconds) as a time is believed, are made anew of what the venue's history has,
        once they are closed.
        """
        if not numbers:
            return
        unit = self._common.columns.intervals[0] * SECOND
        span = (now - REPORTED_LATE) // unit * unit, ((now + ahead) // unit + 1) * unit
        self._doubts.setdefault(span, set()).update(numbers)
        self._due = max(self._due, received + 2 * _APART)

    # Gaps

    def _came(self, gap: Gap, answer: Answer, received: int) -> None:
        ticks, fault = self._common.trades(answer)
        if ticks is None:
            self._common.warn(f"A gap could not be filled yet: {fault}")
            if not self.gaps.failed(gap, received):
                self._leave(gap)
            return
        columns = self._common.columns
        columns.fill(ticks, answer.question.start, gap.until, self._numbers(answer))
        columns.add(void_rows(answer.data, self._common.symbols))
        self.gaps.answered(gap)
        self._tell("filled", gap, trades=len(ticks))
        self._hold()

    def _give_up(self, received: int) -> None:
        for gap in self.gaps.overdue(received) if self._common.fetching else self.gaps.closed():
            self._holed(gap)
            if self._common.fetching:
                self.gaps.abandon(gap)
            else:
                self.gaps.drop(gap)
            self._hold()

    def _leave(self, gap: Gap) -> None:
        """Ask no more for a gap."""
        if not gap.abandoned:
            self._holed(gap)
        self._common.warn(f"A gap stays a hole: it was asked for {ATTEMPTS} times in vain.")
        self.gaps.drop(gap)
        self._hold()

    def _holed(self, gap: Gap) -> None:
        self._common.columns.hole(gap.start, gap.until)
        self._tell("hole", gap)

    def _hold(self) -> None:
        """Let bars wait from the start of the oldest gap on that is waited for."""
        self._common.columns.release()
        held = self.gaps.held_from
        if held is not None:
            self._common.columns.hold(held)

    def _tell(self, state: str, gap: Gap, **more: object) -> None:
        content = {"state": state, "start": gap.start, "end": gap.end if state != "open" else None}
        self._common.tell("gap", {**content, "reason": gap.reason, **more})

    # What came too late

    def _ask_for_late(self, received: int) -> None:
        """Bars that a correction or a very late trade concerns are built anew from what the venue has of them.

        One question at a time, and not without a pause: what is too late already can wait.
        """
        beyond = self._common.columns.counts["beyond"]
        if beyond != self._beyond:  # looking for which they are takes longer
            self._beyond = beyond
            for number, start, end in self._common.columns.beyond().tolist():
                self._late.setdefault((start, end), set()).add(number)
        if self._out is not None or received < self._due:
            return
        sure = [span for span in self._doubts if span[1] <= self._common.columns.closed]
        kind = self._doubts if sure else self._late
        if kind:
            span = min(sure or self._late)
            numbers = sorted(kind.pop(span))
            names = tuple(self._common.symbols.names[number] for number in numbers)
            self._out = (self._common.ask("trades", names, *span), span, numbers, kind is self._doubts)

    def _came_late(self, answer: Answer, received: int) -> None:
        if self._out is None:
            return
        _, span, numbers, doubted = self._out
        self._out, self._due = None, received + _APART
        ticks, fault = self._common.trades(answer)
        columns = self._common.columns
        if ticks is not None:
            columns.fill(ticks, *span, numbers, anew=doubted)
            # Elsewhere bars may hold trades that are not remembered: a notice would add them up without these.
            if doubted and span[0] >= columns.closed - REPORTED_LATE - _YOUNG:
                columns.add(void_rows(answer.data, self._common.symbols))
            self._tries = 0
        elif self._tries + 1 < ATTEMPTS:
            (self._doubts if doubted else self._late).setdefault(span, set()).update(numbers)
            self._due, self._tries = received + pause(self._tries), self._tries + 1
        else:
            columns.hole(*span, numbers)
            self._common.warn(f"Bars that a trade came too late for stay as they are: {fault}")
            self._tries = 0

    def _numbers(self, answer: Answer) -> list[int]:
        numbers: list[int] = self._common.symbols.numbers(answer.question.symbols).tolist()
        return numbers
