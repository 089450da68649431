"""What the strategy says of the last bars of every symbol, and what holds a decision back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd

from qtw_lab.core import DataError, Timeframe
from qtw_lab.live.gates import GATES, BoolArray, IntArray, Window, ages, gated, wide
from qtw_lab.live.rows import Flag, gate_text, signal_rows
from qtw_lab.strategies import Panel, Strategy
from qtw_lab.strategies.base import FloatArray


class Rules(Protocol):
    """The sections of a profile that a board reads; see `qtw_lab.live.profile.Profile`."""

    @property
    def signals(self) -> Any: ...  # noqa: D102  (the section of that name)
    @property
    def engine(self) -> Any: ...  # noqa: D102  (the section of that name)


@dataclass(frozen=True, slots=True)
class Decided:
    """What a board said of one bar, one entry a column of its window.

    Parameters
    ----------
    decisions : ndarray
        float64 (N,): what the strategy gave for the bar, as a backtest would; NaN for "keep". NaN also where its bars
        have a hole or are too few.
    wanted : ndarray
        float64 (N,): the last decision of each symbol that was one; NaN before the first.
    stances : ndarray
        float64 (N,): what holds after the gates.
    signals : ndarray
        Rows of `SIGNAL`: every stance that changed, and every one newly held back.
    """

    decisions: FloatArray
    wanted: FloatArray
    stances: FloatArray
    signals: npt.NDArray[Any]

    def table(self, names: Sequence[str]) -> pd.DataFrame:
        """The signals as a table with the columns of `SIGNAL`: times in UTC, the gate as text or None.

        Parameters
        ----------
        names : sequence of str
            The symbols by number.
        """
        rows = self.signals
        columns: dict[str, Any] = {"symbol": [names[number] for number in rows["symbol"]]}
        columns["time"] = pd.DatetimeIndex(rows["time"], tz="UTC")
        columns |= {name: rows[name] for name in ("stance", "previous", "wanted", "price")}
        columns["gate"] = pd.Series([gate_text(gate) for gate in rows["gate"].tolist()], dtype=object)
        return pd.DataFrame(columns)


class SignalBoard:
    """The stance of every symbol, decided by a strategy from the last bars of all of them at once.

    The strategy sees all bars that the window has (`engine.window` "all"), up to `bar_limit`. While the window reaches
    back to the first bar its decisions are those of a backtest over all bars, to the last bit. Later, and with
    `engine.window` "memory" always, a sliding average begins elsewhere than a backtest's does and may differ from it in
    the last bit, so that an exact tie of two averages can be judged otherwise. "memory" shows it the last `memory` bars
    only (all if it remembers everything), and more where bars are missing, so that each symbol has as many of its own:
    that is cheap enough for whole markets.

    What it wants is what a backtest over the same bars wants; NaN keeps that. The stance follows it as soon as no gate
    holds it back:

    - "closed": there is no trading;
    - "halted": the symbol was halted in the bar;
    - "hole": trades may be missing in a bar that the decision rests on. Such a decision is not taken over;
    - "warm-up": the symbol has too few whole bars. Such a decision is not taken over either;
    - "stale": nothing was heard of the symbol for longer than `stale_seconds`;
    - "spread": the last quote is wider than `max_spread_bps` of its midpoint, crossed, or not known;
    - "volume": the bar has less than `min_volume` shares.

    Parameters
    ----------
    strategy : Strategy
        Who decides.
    profile : Rules
        A `Profile`, or anything with its sections `signals` and `engine`.
    calendar : str
        For strategies that annualise.
    periods_per_year : float, optional
        For strategies that annualise; by default that of bars of the profile's length in the calendar.
    settled : bool
        Wait for `memory` bars instead of the strategy's warm-up. A backtest does not; but a decision from fewer bars
        depends on where the bars begin.

    Raises
    ------
    DataError
        If the strategy gives neither signals nor weights, or both.
    """

    def __init__(
        self, strategy: Strategy, profile: Rules, *, calendar: str = "XNYS", periods_per_year: float | None = None,
        settled: bool = False,
    ) -> None:  # fmt: skip
        self.strategy = strategy
        self.kind = strategy.kind
        self._gates, self._bars = profile.signals, profile.engine
        self._memory = strategy.memory
        length = Timeframe(self._bars.bar_aggregate_seconds, "s")
        self._periods = length.periods_per_year(calendar) if periods_per_year is None else periods_per_year
        self._needed = max(strategy.warmup + 1, (self._memory or 0) if settled else 0)
        self._wanted = np.full(1024, np.nan)
        self._stance = np.zeros(1024)
        self._told = np.zeros(1024, dtype=np.int64)
        self._target = np.full(1024, np.nan)

    @property
    def needed(self) -> int:
        """How many bars a decision rests on."""
        return max(self._needed, self._bars.bar_limit if self._memory is None else self._memory)

    @property
    def rows(self) -> int:
        """How many bars a window should have."""
        return max(self.needed, self._bars.bar_limit) if self._bars.window == "all" else self.needed

    @property
    def caveat(self) -> str | None:
        """What to tell people of a strategy that remembers everything; None of one that does not."""
        if self._memory is not None:
            return None
        return f"{self.strategy.name} remembers its whole history; here it sees the last {self.rows} bars only."

    def decide(
        self,
        window: Window,
        now: int,
        *,
        bid: FloatArray | None = None,
        ask: FloatArray | None = None,
        heard: IntArray | None = None,
        trading: bool = True,
    ) -> Decided:
        """Decide the last bar of a window.

        Parameters
        ----------
        window : Window
            The last bars of the length that decides, the newest last; columns in any order, and other ones each time.
        now : int
            Nanoseconds since 1970, UTC.
        bid, ask : ndarray, optional
            float64 (N,), the last quotes, NaN where there is none. Without them there is no gate "spread".
        heard : ndarray of int64, optional
            (N,) when each symbol was last heard of, -1 for never; without it, the end of its last bar with a trade.
        trading : bool
            Whether there is trading now.

        Raises
        ------
        DataError
            If the arrays do not fit each other; whatever the strategy raises, such as for a number of symbols it cannot
            work with.
        """
        numbers = _checked(window, bid, ask, heard)
        self._reach(numbers)
        said, hole, early = self._asked(window)
        barred = hole | early
        before, held = self._stance[numbers], self._wanted[numbers]
        wanted = np.where(np.isnan(said) | barred, held, said)
        target = np.where(np.isnan(said), np.where(np.isnan(held), before, held), said)
        age = ages(window, heard, now, self._bars.bar_aggregate_seconds)
        checks = {
            "closed": np.full(len(numbers), not trading),
            "halted": (window.flags[-1] & Flag.HALTED) != 0,
            "hole": hole,
            "warm-up": early,
            "stale": age > self._bars.stale_seconds,
            "spread": wide(bid, ask, self._gates.max_spread_bps, len(numbers)),
            "volume": (self._gates.min_volume > 0) & ~(window.volume[-1] >= self._gates.min_volume),
        }
        gate = np.select(list(checks.values()), [GATES.index(name) for name in checks], 0)
        after = gated(before, target, gate)
        told = np.where(after != target, gate, 0)
        repeated = (told == self._told[numbers]) & (target == self._target[numbers])
        shown = (after != before) | ((told > 0) & ~repeated)
        self._wanted[numbers], self._stance[numbers] = wanted, after
        self._told[numbers], self._target[numbers] = told, target
        signals = signal_rows(
            self._bars.bar_aggregate_seconds, int(window.times[-1]), numbers[shown], stances=after[shown],
            previous=before[shown], wanted=target[shown], prices=window.close[-1][shown],
            gates=[GATES[code] for code in told[shown].tolist()],
        )  # fmt: skip
        return Decided(np.where(barred, np.nan, said), wanted, after, signals)

    def restore(self, numbers: IntArray, wanted: FloatArray, stances: FloatArray) -> None:
        """Put what was decided before a restart in place again: three arrays (N,), as `Decided` gave them."""
        self._reach(numbers)
        self._wanted[numbers], self._stance[numbers] = wanted, stances
        self._told[numbers], self._target[numbers] = 0, np.nan

    def stances(self, numbers: IntArray) -> FloatArray:
        """The stance of each symbol, float64 (N,); 0 for one that never had one."""
        self._reach(numbers)
        return np.take(self._stance, numbers)

    def forget(self, numbers: IntArray) -> IntArray:
        """Symbols left the focus: their stances are 0 again. Gives the numbers of those that had another."""
        self._reach(numbers)
        ended: IntArray = numbers[self._stance[numbers] != 0]
        self.restore(numbers, np.full(len(numbers), np.nan), np.zeros(len(numbers)))
        return ended

    def _asked(self, window: Window) -> tuple[FloatArray, BoolArray, BoolArray]:
        """What the strategy says of the last bar, whose decision rests on a hole, and who has too few whole bars."""
        if not len(window.numbers):
            return np.empty(0), np.empty(0, dtype=bool), np.empty(0, dtype=bool)
        start = _start(window.close, self._memory, universe=self.strategy.scope == "universe")
        part = slice(0 if self._bars.window == "all" else start, None)
        panel = Panel(
            open=window.open[part],
            high=window.high[part],
            low=window.low[part],
            close=window.close[part],
            volume=window.volume[part],
            times=window.times[part],
            periods_per_year=self._periods,
        )
        said = self.strategy.decide(panel, copied=False)[-1].copy()
        # A decision rests on the strategy's memory alone, whatever else it is shown.
        close, flags = window.close[start:], window.flags[start:]
        seen = np.bitwise_or.reduce(flags, axis=0)
        return said, (seen & Flag.HOLE) != 0, _early(close, flags, seen, self._needed)

    def _reach(self, numbers: IntArray) -> None:
        """Have room for these symbols."""
        most = int(numbers.max(initial=-1)) + 1
        if most > len(self._wanted):
            more = max(most, 2 * len(self._wanted)) - len(self._wanted)
            self._wanted, self._target = (
                np.concatenate([old, np.full(more, np.nan)]) for old in (self._wanted, self._target)
            )
            self._stance = np.concatenate([self._stance, np.zeros(more)])
            self._told = np.concatenate([self._told, np.zeros(more, dtype=np.int64)])


def _checked(window: Window, *others: npt.NDArray[Any] | None) -> IntArray:
    """The numbers of the columns, once all arrays are known to fit."""
    shape = window.close.shape
    arrays = (window.open, window.high, window.low, window.volume, window.flags)
    fits = len(shape) == 2 and shape[0] > 0 and all(array.shape == shape for array in arrays)
    if not fits or window.times.shape != shape[:1] or window.numbers.shape != shape[1:]:
        raise DataError(
            f"A window needs prices and flags of one shape (T, N) with T from 1, times (T,) and numbers (N,); "
            f"its closes have {shape}."
        )
    if any(other is not None and other.shape != shape[1:] for other in others):
        raise DataError(f"Quotes and times of the last event are one for each of the {shape[1]} symbols of the window.")
    return np.asarray(window.numbers, dtype=np.int64)


def _start(close: FloatArray, memory: int | None, *, universe: bool) -> int:
    """Where the bars begin that a strategy is shown: `memory` back, further where a symbol that trades has no bar.

    In a universe the symbols that trade have to have that many bars together as well.
    """
    length = len(close)
    if memory is None or memory >= length:
        return 0
    start = length - max(memory, 1)
    if _complete(close[start:]):
        return start
    present = ~np.isnan(close[:, ~np.isnan(close[-1])])
    if present[start:].all():
        return start
    if universe:
        present = np.column_stack([present, present.all(axis=1)])
    counts = np.cumsum(present[::-1], axis=0)[::-1]
    first = np.where(counts[0] >= memory, (counts >= memory).sum(axis=0) - 1, present.argmax(axis=0))
    return int(min(first.min(), start))


def _complete(close: FloatArray) -> bool:
    """Whether no bar is missing; a sum is NaN if a summand is, and needs no array of its own."""
    return not np.isnan(close.sum())


def _early(close: FloatArray, flags: npt.NDArray[Any], seen: npt.NDArray[Any], needed: int) -> BoolArray:
    """Who has fewer whole bars than needed; `seen` are the flags of all bars of each symbol."""
    if len(close) >= needed and not (seen & Flag.PARTIAL).any() and _complete(close):
        return np.zeros(close.shape[1], dtype=bool)
    whole = ~np.isnan(close) & ((flags & Flag.PARTIAL) == 0)
    return np.asarray(whole.sum(axis=0) < needed)
