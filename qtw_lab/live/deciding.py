"""When bars close, and what is decided on each: one after the other, so that no decision sees a later bar."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from qtw_lab.core import DataError
from qtw_lab.live.columns import Window
from qtw_lab.live.common import SECOND, Common
from qtw_lab.live.outcome import Stances
from qtw_lab.live.rows import signal_rows

#: What the signal says of a stance that ended because its symbol is not listened to any more.
LEFT = "focus"


class Deciding:
    """Closes bars and decides on them.

    Parameters
    ----------
    common : Common
        What the parts of an engine share.
    closing : callable
        Told the event time that bars are about to be closed up to, before they are.
    """

    def __init__(self, common: Common, closing: Callable[[int], None]) -> None:
        self._common, self._closing = common, closing
        self.undecided: int | None = None
        #: Told of each bar that closes, before later ones do: its length in seconds, its start, and now.
        self.listener: Callable[[int, int, int], None] | None = None
        self._refusal = ""

    def close(self, watermark: int, now: int) -> None:
        """Close all bars that end at or before an event time."""
        common = self._common
        self._again(now)
        while (before := common.columns.closed) >= 0:
            bound = min(watermark, (before // common.length + 1) * common.length)
            if bound > before:
                self._closing(bound)
            for rows in common.columns.advance(bound):
                common.outcome.steps.append(rows)
                if len(rows):
                    self._closed(int(rows["level"][0]), int(rows["time"][0]), now)
            if common.columns.closed in (before, -1) or common.columns.closed >= watermark:
                return

    def revise(self) -> None:
        """Show closed bars that changed anew."""
        changed = self._common.columns.revised()
        if len(changed):
            self._common.outcome.steps.append(changed)

    def left(self, numbers: Sequence[int]) -> None:
        """End the stances of symbols that leave the focus, while their last bar is still known."""
        common = self._common
        seconds = common.length // SECOND
        every = np.array(sorted(numbers), dtype=np.int64)
        before = common.board.stances(every)
        common.board.forget(every)
        ended = np.flatnonzero(before)
        window = common.columns.window(seconds, 1)
        if not len(ended) or not len(window.times):
            return
        prices = dict(zip(window.numbers.tolist(), window.close[-1].tolist(), strict=True))
        last = [prices.get(number, np.nan) for number in every[ended].tolist()]
        flat, why = np.zeros(len(ended)), [LEFT] * len(ended)
        time = int(window.times[-1])
        common.outcome.steps.append(
            signal_rows(
                seconds, time, every[ended], stances=flat, previous=before[ended], wanted=flat, prices=last, gates=why
            )
        )

    def _closed(self, seconds: int, time: int, now: int) -> None:
        if seconds * SECOND == self._common.length:
            self._decide(time, now)
        if self.listener is not None:
            self.listener(seconds, time, now)

    def _again(self, now: int) -> None:
        """Decide on the last bar of an earlier run, whose decision may not have been written down any more."""
        if self.undecided is not None:
            time, self.undecided = self.undecided, None
            self._decide(time, now)

    def _decide(self, time: int, now: int) -> None:
        common = self._common
        seconds = common.length // SECOND
        window = common.columns.window(seconds, common.board.rows)
        if not len(window.times) or window.times[-1] != time or not len(window.numbers):
            return
        if common.board.strategy.scope == "universe":
            window = _ordered(window)
        quoted = common.profile.engine.stream_quotes
        bid, ask = (window.bid, window.ask) if quoted else (None, None)
        try:
            decided = common.board.decide(window, now, bid=bid, ask=ask, trading=self._trading(time))
        except DataError as err:
            self._refused(str(err))
            return
        self._refusal = ""
        numbers = window.numbers.astype(np.int64)
        common.outcome.steps.append(Stances(seconds, time, numbers, decided.decisions, decided.stances))
        if len(decided.signals):
            common.outcome.steps.append(decided.signals)

    def _refused(self, why: str) -> None:
        """The strategy cannot decide on such bars, as one for two symbols cannot while there are three."""
        if why != self._refusal:
            self._common.warn(f"Nothing is decided: {why}")
        self._refusal = why

    def _trading(self, time: int) -> bool:
        """Whether there was trading in a bar, and is at its end: nothing can be done on the last one of a session."""
        extended = self._common.profile.engine.extended_hours
        sessions = self._common.sessions
        return sessions.trading(time, extended=extended) and sessions.trading(
            time + self._common.length, extended=extended
        )


def _ordered(window: Window) -> Window:
    """The window with its symbols in the order of their numbers, which a strategy that compares them may depend on."""
    order = np.argsort(window.numbers, kind="stable")
    if (order[1:] > order[:-1]).all():
        return window
    return replace(
        window, open=window.open[:, order], high=window.high[:, order], low=window.low[:, order],
        close=window.close[:, order], volume=window.volume[:, order], flags=window.flags[:, order],
        numbers=window.numbers[order], bid=window.bid[order], ask=window.ask[order],
    )  # fmt: skip
