"""The laws behind `contract.check`: each looks at one trial and gives a verdict with a sentence of evidence."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from qtw_lab.core import Bars, DataError
from qtw_lab.strategies.base import FloatArray, Panel, Strategy

#: A verdict (None: not tested) and its evidence.
Judgement = tuple[bool | None, str]

#: Two decisions closer than this are the same.
TOLERANCE: Final = 1e-9

_ARRAYS: Final = ("open", "high", "low", "close", "volume")
#: What code that was written for one number raises when it is given an array instead.
_REFUSALS: Final = (TypeError, ValueError, LookupError, AttributeError, ArithmeticError, NotImplementedError)


@dataclass(frozen=True)
class Trial:
    """A strategy on one panel, with its decisions there.

    Parameters
    ----------
    strategy : Strategy
        Who decides.
    panel : Panel
        The bars, as given or damaged.
    bars : Bars
        Where names and times come from.
    label : str
        What the panel is, for the evidence.
    raw : ndarray
        (T, N), what the rule gives before bars that do not exist are masked.
    cuts : list of int or None
        Numbers of first bars to cut at, if the caller chose them.
    """

    strategy: Strategy
    panel: Panel
    bars: Bars
    label: str
    raw: FloatArray
    cuts: list[int] | None

    @classmethod
    def of(cls, strategy: Strategy, panel: Panel, bars: Bars, label: str, cuts: list[int] | None) -> Trial:
        """The trial of `strategy` on `panel`."""
        return cls(strategy, panel, bars, label, decided(strategy, panel, f"on {label}"), cuts)

    @property
    def decisions(self) -> FloatArray:
        """The decisions (T, N), NaN where a symbol has no bar."""
        return _masked(self.raw, self.panel)

    @property
    def present(self) -> npt.NDArray[np.bool_]:
        """Boolean (T, N): whether the symbol has a bar."""
        return np.isfinite(self.panel.close)

    @property
    def length(self) -> int:
        """How many bars there are."""
        return int(self.panel.close.shape[0])

    def at(self, row: int, column: int) -> str:
        """A bar in words."""
        return f"{self.bars.symbols[column]} at {self.bars.index[row]} (bar {row} of {self.label})"

    def first_bars(self) -> list[int]:
        """Numbers of first bars to cut at: in the warm-up, around gaps, where decisions change, evenly, and late."""
        if self.cuts is not None:
            return self.cuts
        warmup, length = self.strategy.warmup, self.length
        found = {1, 2, warmup // 2, warmup, warmup + 1, warmup + 2, length - 5, length - 2, length - 1}
        found |= {int(cut) for cut in np.linspace(warmup + 1, length - 1, 24)}
        found |= {row + 1 for row in _some(_changes(self.raw), 24)}
        edges = _some(_changes(self.present.astype(np.float64)), 12)
        for before, edge in zip([0, *edges], edges, strict=False):
            found |= {edge + step for step in (-1, 0, 1, 2, warmup // 2, warmup + 1)} | {(before + edge) // 2}
        return sorted(cut for cut in found if 1 <= cut <= length)


def damaged(panel: Panel, warmup: int) -> Panel:
    """The panel with a late listing and a hole in the last column, and another hole in the first."""
    length = panel.close.shape[0]
    gone = np.zeros(panel.close.shape, dtype=bool)
    gone[: max(2, min(length // 3, (length - warmup) // 2)), -1] = True
    gone[length * 6 // 10 : length * 6 // 10 + 3, 0] = True
    gone[length * 8 // 10, -1] = True
    arrays: dict[str, Any] = {name: np.where(gone, np.nan, getattr(panel, name)) for name in _ARRAYS}
    return replace(panel, **arrays)


def decided(strategy: Strategy, panel: Panel, occasion: str) -> FloatArray:
    """What the rule gives on a copy of `panel`, before bars that do not exist are masked."""
    return np.array(_ruled(strategy, _rows(panel, 0, panel.close.shape[0]), occasion), dtype=np.float64)


def shape(strategy: Strategy, panel: Panel) -> Judgement:
    """One decision a bar and symbol."""
    rows, width = panel.close.shape
    given = decided(strategy, panel, "on the bars as given").shape
    if given == (rows, width):
        return True, f"{rows} bars of {width} symbol(s) gave as many decisions"
    return False, f"prices of shape ({rows}, {width}) gave decisions of shape {given}"


def _unmodified(trial: Trial) -> Judgement:
    copy = _rows(trial.panel, 0, trial.length)
    _ruled(trial.strategy, copy, f"on {trial.label}")
    for name in _ARRAYS:
        place = _difference(getattr(copy, name), getattr(trial.panel, name), 0.0)
        if place is not None:
            return False, f"the strategy wrote into prices.{name}, first for {trial.at(*place)}; work on a copy"
    return True, "the prices are the same before and after"


def _deterministic(trial: Trial) -> Judgement:
    again = decided(trial.strategy, trial.panel, f"on {trial.label}, a second time")
    place = _difference(trial.raw, again, 0.0)
    if place is None:
        return True, "two runs gave the same decisions"
    return False, f"{trial.at(*place)} was {trial.raw[place]:g} in one run and {again[place]:g} in the next"


def _exposure(trial: Trial) -> Judgement:
    limit = trial.strategy.exposure
    size = np.abs(np.where(np.isnan(trial.raw), 0.0, trial.raw))
    beyond = size > limit + 1e-12
    if not beyond.any():
        return True, f"the largest decision is {size.max():g}, the limit {limit:g}"
    place = _first(beyond)
    return False, f"{trial.at(*place)} is {trial.raw[place]:g}, beyond the stated exposure of {limit:g}"


def _warmup(trial: Trial) -> Judgement:
    """NaN while there are too few bars; finite once a symbol (in a universe: all of them) has a full run of them."""
    warmup, known = trial.strategy.warmup, np.isfinite(trial.decisions)
    seen = np.cumsum(trial.present, axis=0)
    alone = trial.strategy.scope == "symbol"
    early = known & ((seen if alone else np.arange(1, trial.length + 1)[:, None]) <= warmup)
    if early.any():
        return (
            False,
            f"{trial.at(*_first(early))} is decided within the {warmup} bars of warm-up: state a shorter warmup",
        )
    if not known.any():
        return None, f"the strategy decided nothing on {trial.label}"
    if trial.strategy.holds:
        return True, f"nothing is decided in the first {warmup} bars; later NaN means keep"
    ready = _run_length(trial.present) > warmup
    if not alone:
        ready &= (ready | (seen == 0)).all(axis=1, keepdims=True)
    late = ready & ~known
    if late.any():
        return False, (
            f"{trial.at(*_first(late))} is NaN after the {warmup} bars of warm-up: state a longer warmup, or "
            "holds = True if NaN is meant as 'keep the stance'"
        )
    return True, f"NaN in the first {warmup} bars, finite in the {int(ready.sum())} after them on {trial.label}"


def _causal(trial: Trial) -> Judgement:
    cuts = trial.first_bars()
    for cut in cuts:
        known = decided(trial.strategy, _rows(trial.panel, 0, cut), f"on the first {cut} bars of {trial.label}")
        if known.shape != trial.raw[:cut].shape:
            return False, f"the first {cut} bars of {trial.label} gave decisions of shape {known.shape}"
        place = _difference(trial.raw[:cut], known, TOLERANCE)
        if place is not None:
            return False, (
                f"{trial.at(*place)} is {trial.raw[place]:g} when all bars are known but {known[place]:g} when only "
                f"the first {cut} are, so it looks ahead; usual causes are shift(-1), bfill, a centred window, and a "
                "mean, rank or maximum over the whole sample"
            )
    return True, f"decisions did not change at {len(cuts)} cuts of {trial.label}"


def _window_invariant(trial: Trial) -> Judgement:
    memory = trial.strategy.memory
    if memory is None:
        return None, "the strategy remembers the whole history (memory is None): live it needs a stated first bar"
    tested = 0
    for cut in trial.first_bars():
        row = cut - 1
        start = _window_start(trial, row, max(memory, 1))
        if start <= 0:
            continue
        tested += 1
        window = _rows(trial.panel, start, cut)
        last = _masked(decided(trial.strategy, window, f"on bars {start} to {row} of {trial.label}"), window)[-1:]
        place = _difference(trial.decisions[row:cut], last, TOLERANCE)
        if place is not None:
            column = place[1]
            return False, (
                f"{trial.at(row, column)} is {trial.decisions[row, column]:g} from the whole history but "
                f"{last[place]:g} from the last {memory} bars: state a longer memory, or None if it has no end"
            )
    if tested == 0:
        return None, f"the memory is {memory} bars, and {trial.length} bars are too few to test it"
    return True, f"the last {memory} bars decided like the whole history at {tested} bars of {trial.label}"


def _window_start(trial: Trial, row: int, memory: int) -> int:
    """Where a window ending at `row` starts so that each symbol has `memory` bars in it, or all it ever had.

    In a universe so have the symbols that trade at `row`, taken together; where symbols do not meet, those that do not
    trade at `row` do not matter.
    """
    present = trial.present[: row + 1]
    if trial.strategy.scope == "symbol":
        counted = present[:, present[row]]
    else:
        counted = np.column_stack((present, present[:, present[row]].all(axis=1)))
    start = row - memory + 1
    for column in counted.T:
        there = np.flatnonzero(column)
        if len(there):
            start = min(start, int(there[-memory] if len(there) >= memory else there[0]))
    return start


def _apart(trial: Trial) -> Judgement:
    width = trial.panel.close.shape[1]
    if trial.strategy.scope == "universe":
        return None, "the strategy compares symbols (scope 'universe')"
    if width == 1:
        return None, "one symbol cannot show whether symbols mix: give two or more"
    for column in range(width):
        alone = decided(trial.strategy, trial.panel.columns(column, column + 1), f"on one symbol of {trial.label}")
        if alone.shape != (trial.length, 1):
            return False, f"{trial.bars.symbols[column]} alone gave decisions of shape {alone.shape}"
        place = _difference(trial.raw[:, [column]], alone, TOLERANCE)
        if place is not None:
            return False, (
                f"{trial.at(place[0], column)} is {trial.raw[place[0], column]:g} among {width} symbols but "
                f"{alone[place]:g} alone: declare scope = 'universe' if symbols are meant to be compared"
            )
    return True, f"each of {width} symbols decided alone as it did among the others"


def _parameter_columns(trial: Trial) -> Judgement:
    if trial.strategy.scope == "universe":
        return None, "a strategy that compares symbols is swept one parameter set at a time"
    singles = [trial.strategy, *_neighbours(trial.strategy)]
    if len(singles) == 1:
        return None, "the strategy has no parameters to vary"
    panel = trial.panel.columns(0, 1)
    names = [name for name, value in trial.strategy.parameters.items() if isinstance(value, (bool, int, float))]
    columns = {name: np.array([getattr(single, name) for single in singles]) for name in names}
    slow = "so a sweep evaluates one parameter set at a time, which is right but slower"
    try:
        together = decided(trial.strategy.with_columns(columns), panel, "on arrays of parameters")
    except _REFUSALS as err:
        return None, f"the rule does not take arrays of parameters ({type(err).__name__}), {slow}"
    if together.shape != (trial.length, len(singles)):
        return None, f"arrays of {len(singles)} parameter sets gave decisions of shape {together.shape}, {slow}"
    for k, single in enumerate(singles):
        alone = decided(single, panel, f"with {single!r}")
        place = _difference(_masked(alone, panel), _masked(together[:, [k]], panel), TOLERANCE)
        if place is not None:
            return False, (
                f"{trial.at(*place)} is {alone[place]:g} with {single!r} alone but {together[place[0], k]:g} as one "
                f"column of {len(singles)}: a sweep would be wrong"
            )
    return True, f"{len(singles)} parameter sets at once decided as each did alone"


#: Every law after the shape, in the order of the report.
LAWS: Final[dict[str, Callable[[Trial], Judgement]]] = {
    "bars unmodified": _unmodified,
    "deterministic": _deterministic,
    "exposure": _exposure,
    "warmup": _warmup,
    "causal": _causal,
    "window-invariant": _window_invariant,
    "symbols apart": _apart,
    "parameter columns": _parameter_columns,
}


def _neighbours(strategy: Strategy) -> Iterator[Strategy]:
    """The strategy with one numeric parameter moved at a time, as far as its bounds and its `check` allow."""
    for name, value in strategy.parameters.items():
        moves: tuple[Any, ...] = ()
        if isinstance(value, bool):
            moves = (not value,)
        elif isinstance(value, int):
            moves = (value + 3, value - 1, value * 2)
        elif isinstance(value, float):
            moves = (value * 1.25, value * 0.8, value + 0.5)
        for moved in moves:
            try:
                yield type(strategy)(**{**strategy.parameters, name: moved})
            except DataError:
                continue  # out of bounds, or does not fit the other parameters


def _changes(values: FloatArray) -> list[int]:
    """Rows in which some column differs from the row before, NaN being equal to NaN."""
    same = (values[1:] == values[:-1]) | (np.isnan(values[1:]) & np.isnan(values[:-1]))
    return [int(row) + 1 for row in np.flatnonzero(~same.all(axis=1))]


def _some(rows: list[int], count: int) -> list[int]:
    """At most about `count` of the rows, evenly spread."""
    return rows[:: max(1, len(rows) // count)]


def _rows(panel: Panel, start: int, stop: int) -> Panel:
    """Bars `start` up to `stop` as fresh arrays that may be written to, so that writing shows."""
    arrays: dict[str, Any] = {name: getattr(panel, name)[start:stop].copy() for name in (*_ARRAYS, "times")}
    return replace(panel, **arrays)


def _ruled(strategy: Strategy, panel: Panel, occasion: str) -> Any:
    """What the rule gives; what it raises is told the occasion."""
    rule = strategy.signals if strategy.kind == "signals" else strategy.weights
    try:
        return rule(panel)
    except Exception as err:
        err.add_note(f"Raised by {strategy.name} {occasion}, while its contract was checked.")
        raise


def _masked(raw: FloatArray, panel: Panel) -> FloatArray:
    return np.where(np.isnan(panel.close), np.nan, raw)


def _run_length(present: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    """How many bars in a row each symbol has had, this one included; 0 in a gap."""
    rows = np.arange(1, len(present) + 1)[:, None]
    return rows - np.maximum.accumulate(np.where(present, 0, rows), axis=0)


def _difference(first: FloatArray, second: FloatArray, tolerance: float) -> tuple[int, int] | None:
    """The first place where two arrays differ, NaN being equal to NaN."""
    with np.errstate(invalid="ignore"):
        same = (np.abs(first - second) <= tolerance) | (first == second) | (np.isnan(first) & np.isnan(second))
    return None if same.all() else _first(~same)


def _first(where: npt.NDArray[np.bool_]) -> tuple[int, int]:
    row, column = (int(place) for place in np.argwhere(where)[0])
    return row, column
