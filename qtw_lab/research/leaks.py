"""Does a function look ahead? Its values on a history cut short must be the values it gave on the whole history."""

from __future__ import annotations

import itertools
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import pandas as pd

from qtw_lab.core import Bars, DataError, Fact, Facts
from qtw_lab.research.leak_answers import Subject, Witness, World, widened
from qtw_lab.research.leak_causes import Case, Cause, Response, agreed, classified
from qtw_lab.research.leak_cuts import (
    TRUNCATED,
    FloatArray,
    Question,
    altered,
    chosen_cuts,
    closer_questions,
    hole_cuts,
    questions,
    spread_cuts,
    with_holes,
)

GIVEN: Final = "bars as given"
HOLED: Final = "a copy with a late listing and holes"

#: Fewer bars leave no room for cuts.
_FEWEST: Final = 30
#: How many cuts are spread over the history.
_CUTS: Final = 24
#: How many columns are looked at for the cause.
_COLUMNS: Final = 24
_EVIDENCE: Final = ["probe", "data", "cut", "bar", "column", "full", "prefix", "bars_changed"]


@dataclass(frozen=True, eq=False)
class LeakReport:
    """Whether a function looked ahead, where, and what in it most likely did.

    A report is true when it found a leak: ``if detect(fn, bars): ...``. No leak found is strong evidence, not proof.

    Parameters
    ----------
    name : str
        The function or strategy.
    leaking : bool
        Whether some value changed when only later bars did.
    first_bar : pandas.Timestamp or None
        The earliest bar whose value changes when the future does.
    columns : tuple
        Labels of the columns with such values.
    evidence : pandas.DataFrame
        A row a question and column: `probe` ("truncated" or how the future was replaced), `data` (on which bars), `cut`
        (time of the last bar left alone), `bar` (the earliest value that changed), `column`, `full` (that value with
        the real future), `prefix` (the value otherwise; for labels that are no numbers both are codes), and
        `bars_changed` (how many bars up to the cut changed).
    cause : Cause or None
        The likeliest operator with its meaning (`words`), a confidence from 0 to 1, and `others`.
    causes : pandas.Series
        Name of the likeliest operator by leaking column.
    warmup_sensitivity : float
        Largest relative change of the values in the last tenth of the bars when the first quarter of the history is
        left out: 0 for a finite window, tiny for an exponential mean, large for a running total, infinite if a value
        appears or goes missing, NaN if that could not be run. A property to know, not a leak.
    bars, cuts, runs : int
        How many bars there were, at how many places the history was cut, and how often the function was run.
    tolerance : float
        Share of a value, or of its column's usual size, that counts as rounding.
    notes : tuple of str
        What a reader must know, such as cuts at which the function could not be run.
    """

    name: str
    leaking: bool
    first_bar: pd.Timestamp | None
    columns: tuple[Hashable, ...]
    evidence: pd.DataFrame = field(repr=False)
    cause: Cause | None
    causes: pd.Series = field(repr=False)
    warmup_sensitivity: float
    bars: int
    cuts: int
    runs: int
    tolerance: float
    notes: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return self.leaking

    def facts(self) -> Facts:
        """The verdict as labelled figures."""
        first = None if self.first_bar is None else str(self.first_bar.date())
        cause = self.cause or Cause("none", float("nan"))
        reach = int(self.evidence["bars_changed"].max()) if self.leaking else 0
        facts = (
            Fact("leaking", "yes" if self.leaking else "no leak found", "text", "Looks ahead"),
            Fact("first_bar", first, "date", "First bar that knows the future"),
            Fact("cause", cause.name, "text", "Likeliest cause", str(cause) if self.cause else ""),
            Fact("confidence", cause.confidence, "ratio", "Fit of that cause", "From 0 to 1; not a probability."),
            Fact("leaking_columns", len(self.columns), "count", "Columns that look ahead"),
            Fact("bars_changed", reach, "bars", "Most bars a changed future moved"),
            Fact("warmup_sensitivity", self.warmup_sensitivity, "ratio", "Change without the first quarter of bars"),
            Fact("bars", self.bars, "bars", "Bars tested on"),
            Fact("cuts", self.cuts, "count", "Places the history was cut"),
            Fact("runs", self.runs, "count", "Runs of the function"),
            Fact("tolerance", f"{self.tolerance:g}", "text", "Rounding allowed", "Share of a value or column."),
        )
        return Facts(f"Does {self.name} look ahead?", facts, self.notes)

    def __repr__(self) -> str:
        if not self.leaking:
            return f"LeakReport({self.name}: no leak found at {self.cuts} cuts of {self.bars} bars, {self.runs} runs)"
        shown = ", ".join(map(str, self.columns[:4])) + (", ..." if len(self.columns) > 4 else "")
        return (
            f"LeakReport({self.name} looks ahead from {self.first_bar} in {shown}; likely cause: {self.cause}, "
            f"confidence {self.cause.confidence if self.cause else 0:.2f}; {self.runs} runs)"
        )

    def _repr_mimebundle_(self, **options: object) -> dict[str, Any]:
        return {**self.facts()._repr_mimebundle_(**options), "text/plain": repr(self)}


def detect(
    fn: Subject,
    bars: Bars,
    *,
    cuts: Iterable[int] | None = None,
    seed: int = 0,
    tolerance: float = 1e-9,
    exhaustive: bool = False,
) -> LeakReport:
    """Whether values of a function change when only the future does, with evidence and the likeliest cause.

    The function is run on the whole history and then asked again: on the first bars alone at some thirty cuts; on
    histories of full length whose future is replaced by a higher, lower, mirrored, shuffled or partly missing one; and
    on a copy in which a symbol lists late and bars are missing, where back-filling shows. What it said about the bars
    before the cut must not change, on any bar and column, missing values included. Once something changed, more
    questions narrow down the first bar and the cause. A clean function is run about 50 times, one that leaks about 110.

    Parameters
    ----------
    fn : callable or Strategy
        From `Bars` to a Series, DataFrame or array of one row a bar; a strategy stands for its decisions. A table with
        fewer rows (after ``dropna``) is read as missing elsewhere. Labels that are no numbers are compared as labels.
    bars : Bars
        T bars, 30 at least; some hundred show more.
    cuts : iterable of int, optional
        How many first bars are known at each cut, each from 1 to T - 1; chosen for you by default.
    seed : int
        Of the noise in replaced futures.
    tolerance : float
        Values are equal if they differ by no more than this share of the larger one or of the median size in their
        column, so that the rounding of running sums and matrix products raises no alarm.
    exhaustive : bool
        Cut after every bar, whatever `cuts` says, which finds the first bar for certain and takes 2 T more runs.

    Returns
    -------
    LeakReport

    Raises
    ------
    DataError
        If the bars are too few, a cut lies outside them, two runs on the same bars differ, the answer has not one row
        a bar or no value at all, or the function fails at every cut. What it raises on the whole history comes through.

    Notes
    -----
    A function that leaves its argument aside and answers from data it already holds cannot be tested; the notes say
    when an answer did not depend on prices. Without `exhaustive`, the first bar is found by bisection, which is exact
    if every bar from the first on leaks. The law "causal" of `strategies.check` is the same idea for strategies.

    Examples
    --------
    >>> days = pd.date_range("2024-01-01", periods=120, tz="UTC")
    >>> bars = Bars.from_frame(pd.DataFrame({"close": 100 + np.sin(np.arange(120.0))}, index=days), symbol="X")
    >>> report = detect(lambda bars: bars.close.pct_change().shift(-1), bars)
    >>> report.leaking, str(report.first_bar.date()), report.cause.name
    (True, '2024-01-01', 'future shift')
    >>> bool(detect(lambda bars: bars.close.rolling(10).mean(), bars))
    False
    """
    if len(bars) < _FEWEST:
        raise DataError(f"{len(bars)} bars leave no room for cuts: give at least {_FEWEST}, better some hundred.")
    if not 0 <= tolerance < 1:
        raise DataError(
            f"tolerance={tolerance!r} is a share of a value: give 0 or more, such as 1e-9, and less than 1."
        )
    chosen = None if cuts is None else chosen_cuts(cuts, len(bars))
    if exhaustive:
        chosen = list(range(1, len(bars)))
    witness = Witness(fn, tolerance)
    rng = np.random.default_rng(seed)
    worlds = [World(GIVEN, bars, witness.sworn(bars))]
    holed = with_holes(bars)
    answer = witness.ask(holed)
    if answer is not None:
        worlds.append(World(HOLED, holed, answer))
    first = chosen or spread_cuts(worlds[0].full, bars.present, _CUTS)
    second = (chosen or hole_cuts(holed.present)) if answer is not None else []
    responses = _asked(witness, worlds, questions(first, second), rng)
    if not any(response.kind == TRUNCATED for response in responses):
        raise DataError(f"{witness.name} failed at every cut, so it could not be tested: {witness.failure}.")
    causes: dict[Hashable, Cause] = {}
    for number, world in enumerate(worlds):
        if any(response.leaks for response in responses if response.data == world.label):
            responses += _closer(witness, worlds, number, responses, rng)
            causes = _causes(witness, world, responses)
            break
    else:
        witness.weigh(worlds[0], altered(bars, 0, "future shuffled", rng))
    return _report(witness, worlds, responses, causes)


def _asked(
    witness: Witness, worlds: Sequence[World], asked: Iterable[Question], rng: np.random.Generator
) -> list[Response]:
    """The responses to those questions that the function did not refuse; refusals are noted."""
    found, refused = list[Response](), dict[tuple[str, str], list[int]]()
    for question in asked:
        world = worlds[question.world]
        response = witness.respond(world, question.kind, question.cut, rng)
        if response is None:
            refused.setdefault((world.label, question.kind), []).append(question.cut)
        else:
            found.append(response)
    for (label, kind), cuts in refused.items():
        shown = ", ".join(map(str, cuts[:8])) + (", ..." if len(cuts) > 8 else "")
        witness.notes.append(
            f"could not be run on {label}, {kind} after {shown} bars, so nothing is known there ({witness.failure})"
        )
    return found


def _closer(
    witness: Witness, worlds: Sequence[World], number: int, responses: Sequence[Response], rng: np.random.Generator
) -> list[Response]:
    """More responses in the world that leaks: those that tell causes apart, and those that find the first bar."""
    here = [response for response in responses if response.data == worlds[number].label]
    short = [response.cut for response in here if response.leaks and response.kind == TRUNCATED]
    known = {(response.kind, response.cut) for response in here}
    asked = closer_questions(number, worlds[number].bars, short)
    found = _asked(witness, worlds, [q for q in asked if (q.kind, q.cut) not in known], rng)
    first = min(response.first for response in (*here, *found) if response.leaks)
    for kind in (TRUNCATED, "future higher"):  # a function may refuse short histories
        low, high = 0, first + 2
        while high - low > 1:
            middle = (low + high) // 2
            response = witness.respond(worlds[number], kind, middle, rng)
            if response is None or not response.leaks:
                low = middle
                continue
            found.append(response)
            first, high = min(first, response.first), middle
    return found


def _causes(witness: Witness, world: World, responses: Sequence[Response]) -> dict[Hashable, Cause]:
    """The likeliest cause of each leaking column, of the first two dozen."""
    here = [response for response in responses if response.data == world.label]
    echo = _echo(witness, world)
    gaps, symbols = ~world.bars.present, world.bars.symbols
    found: dict[Hashable, Cause] = {}
    for place in _leaking(here)[:_COLUMNS]:
        label = witness.columns[place]
        missing = gaps[:, symbols.index(label)] if label in symbols else np.asarray(gaps.any(axis=1))
        full = widened(world.full, len(witness.columns))[:, place]
        heard = widened(echo, len(witness.columns))[:, place]
        mine = [response.of(place) for response in here if place < response.changed.shape[1]]
        found[label] = classified(Case(full, missing, world.bars.index, mine, np.nan_to_num(heard)))
    return found


def _echo(witness: Witness, world: World) -> FloatArray:
    """The largest move of each column at each distance from a struck bar, (2 T - 1, K)."""
    length = len(world.bars)
    whole = np.flatnonzero(world.bars.present.all(axis=1))
    rows = whole if len(whole) else np.flatnonzero(world.bars.present.any(axis=1))
    found = np.zeros((2 * length - 1, len(witness.columns)))
    for share, factor in itertools.product(np.linspace(0.4, 0.8, 7), (1.4, 0.7)):
        row = int(rows[int(share * (len(rows) - 1))])
        heard = witness.echo(world, row, factor)
        if heard is not None:
            found = widened(found, len(witness.columns))
            stretch = slice(length - 1 - row, 2 * length - 1 - row)
            found[stretch] = np.fmax(found[stretch], widened(heard, found.shape[1]))
    return found


def _leaking(responses: Iterable[Response]) -> list[int]:
    """Places of the columns that changed in some response."""
    return sorted({int(place) for response in responses for place in np.flatnonzero(response.changed.any(axis=0))})


def _report(
    witness: Witness, worlds: Sequence[World], responses: Sequence[Response], causes: Mapping[Hashable, Cause]
) -> LeakReport:
    leaky = [response for response in responses if response.leaks]
    first = None
    if leaky:
        world = next(world for world in worlds if any(r.data == world.label for r in leaky))
        first = world.bars.index[min(r.first for r in leaky if r.data == world.label)]
        if world.label == HOLED:
            witness.notes.append("the leak shows only where bars are missing: the first bar is one of the holed copy")
    if len(worlds) == 1:
        witness.notes.append(f"could not be run on {HOLED}, so filling from later bars was not looked for there")
    sensitivity = _warmup_sensitivity(witness, worlds[0])
    return LeakReport(
        name=witness.name,
        leaking=bool(leaky),
        first_bar=first,
        columns=tuple(witness.columns[place] for place in _leaking(leaky)),
        evidence=_evidence(witness, worlds, leaky),
        cause=agreed(list(causes.values())) if causes else None,
        causes=pd.Series({label: cause.name for label, cause in causes.items()}, dtype=object, name="cause"),
        warmup_sensitivity=sensitivity,
        bars=len(worlds[0].bars),
        cuts=len({(r.data, r.cut) for r in responses}),
        runs=witness.runs,
        tolerance=witness.tolerance,
        notes=(*worlds[0].bars.notes, *dict.fromkeys(witness.notes)),
    )


def _evidence(witness: Witness, worlds: Sequence[World], leaky: Iterable[Response]) -> pd.DataFrame:
    """A row for each response and column that changed: its first changed bar."""
    places = {world.label: world for world in worlds}
    rows = list[tuple[Any, ...]]()
    for response in leaky:
        world = places[response.data]
        full = widened(world.full, response.changed.shape[1])
        times = world.bars.index
        for column in np.flatnonzero(response.changed.any(axis=0)):
            moved = np.flatnonzero(response.changed[:, column])
            values = full[moved[0], column], response.known[moved[0], column]
            label = witness.columns[int(column)]
            rows.append(
                (response.kind, response.data, times[response.cut - 1], times[moved[0]], label, *values, len(moved))
            )
    return pd.DataFrame(rows, columns=_EVIDENCE)


def _warmup_sensitivity(witness: Witness, world: World) -> float:
    """See `LeakReport`."""
    length = len(world.bars)
    answer = witness.ask(world.bars.tail(length - length // 4))
    if answer is None:
        return float("nan")
    full, later = witness.level(world.full, answer)
    late = max(1, length // 10)
    full, later = full[-late:], later[-late:]
    if (np.isnan(full) != np.isnan(later)).any():
        return float("inf")
    with np.errstate(invalid="ignore", divide="ignore"):
        size = np.fmax(np.fmax(np.abs(full), np.abs(later)), witness.size(world.full)[: full.shape[1]])
        change = np.where(full == later, 0.0, np.abs(full - later) / size)
    return float(np.nanmax(change, initial=0.0))
