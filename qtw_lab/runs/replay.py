"""A recorded run executed again from its own record, and what came of it compared with what came then."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pandas as pd

from qtw_lab.core.clock import Clock
from qtw_lab.core.errors import DataError
from qtw_lab.core.facts import Fact, Facts
from qtw_lab.runs.likeness import Difference, cells_apart, files_apart, normal
from qtw_lab.runs.notebook import NotebookError, Watching, carry_out
from qtw_lab.runs.passport import Passport, inputs_apart
from qtw_lab.runs.preparing import Options, prepared
from qtw_lab.runs.registry import Registry
from qtw_lab.runs.run import Run

#: What the runs that repeat others are called: they are neither the last good run of that name, nor pruned with it.
_NAME: Final = "replay-{}"


@dataclass(frozen=True)
class Replay:
    """A run and its repetition.

    Parameters
    ----------
    run, again : Run
        The run, and the one that repeats it.
    inputs : tuple of Difference
        What the repetition was made from that differs; this alone does not make it another result.
    results : tuple of Difference
        What came out that differs: the way it ended, figures, cells and files.
    """

    run: Run
    again: Run
    inputs: tuple[Difference, ...] = ()
    results: tuple[Difference, ...] = field(default=())

    @property
    def identical(self) -> bool:
        """Whether the same came out, to the last byte that may be compared."""
        return not self.results

    def of(self, what: str) -> tuple[Difference, ...]:
        """The differences of one kind: "input", "status", "figure", "cell" or "file"."""
        return tuple(one for one in (*self.inputs, *self.results) if one.what == what)

    @property
    def sentence(self) -> str:
        """The answer in one sentence."""
        words = "identical"
        if not self.identical:
            first = self.results[0]
            more = f" and {len(self.of(first.what)) - 1} more" if len(self.of(first.what)) > 1 else ""
            words = f"differs: {_said(first)}{more}"
            if self.of("cell") and first.what != "cell":
                words += f"; first at {self.of('cell')[0].name}"
        if self.inputs:
            words += f"; made from other inputs: {', '.join(one.name for one in self.inputs[:5])}"
        return words

    def facts(self) -> Facts:
        """The answer in figures."""
        cells = self.of("cell")
        return Facts(
            f"Replay of {self.run.id}",
            (
                Fact("identical", "yes" if self.identical else "no", "text"),
                *(
                    Fact(f"{what}s_differing", len(self.of(what)), "count")
                    for what in ("figure", "cell", "file", "input")
                ),
                Fact("first_cell", cells[0].cell if cells else None, "count", "First cell that differs"),
                Fact("run", self.run.id, "text"),
                Fact("replay", self.again.id, "text"),
            ),
        )  # fmt: skip

    def table(self) -> pd.DataFrame:
        """One row a difference: what, name, old and new."""
        rows = [(one.what, one.name, one.old, one.new) for one in (*self.results, *self.inputs)]
        return pd.DataFrame(rows, columns=["what", "name", "old", "new"])


def replay(
    run: Run,
    *,
    root: Path,
    registry: Registry,
    clock: Clock,
    environment_lock: Path | None = None,
    watching: Watching | None = None,
) -> Replay:
    """Execute a notebook run again from its record, as a new run, and compare.

    What is executed is the copy of the notebook in the run's folder, with the parameters that were passed then; the
    notebook's own file may have changed since. Data is read anew, so a revised price shows.

    Parameters
    ----------
    run : Run
        A recorded notebook run, good or failed.
    root, registry, clock
        As of `execute`.
    environment_lock : pathlib.Path, optional
        The file that pins the environment now.
    watching : Watching, optional
        Who is told how far it is.

    Returns
    -------
    Replay
        Its `again` is on record under the name ``replay-<name>``, and its manifest says whose replay it is.

    Raises
    ------
    DataError
        If the run is of another kind, still runs, or its files are gone or changed.
    SetupError
        If the kernel or a secret that was referred to is missing.
    """
    passport = Passport.of(run)
    options = Options(
        passport.timeout, passport.kernel, _NAME.format(run.name), environment_lock, passport.origin
    )  # fmt: skip
    plan = prepared(passport.source, passport.parameters, registry.known_secrets(), options)
    try:
        again = carry_out(plan, root, registry, clock, watching)
    except NotebookError as err:
        again = err.run
    return compared(run, again)


def compared(run: Run, again: Run) -> Replay:
    """Two runs of one notebook, and how they differ."""
    results = (*_endings(run, again), *figures_apart(run, again), *_cells(run, again), *files_apart(run, again))
    return Replay(run, again, inputs_apart(run, again), results)


def figures_apart(run: Run, again: Run) -> tuple[Difference, ...]:
    """The figures that only one of the runs has, or whose values differ."""
    before, after = ({fact.name: fact for fact in _figures(one)} for one in (run, again))
    found = []
    for name in dict.fromkeys([*before, *after]):
        old, new = before.get(name), after.get(name)
        if old is None or new is None or (old.value, old.unit) != (new.value, new.unit):
            alike = old is not None and new is not None and old.shown == new.shown
            found.append(Difference("figure", name, _shown(old, exact=alike), _shown(new, exact=alike)))
    return tuple(found)


def _endings(run: Run, again: Run) -> tuple[Difference, ...]:
    before, after = (
        f"{one.status}: {normal(one.error, one, rich=False)}" if one.error else one.status for one in (run, again)
    )
    return () if before == after else (Difference("status", "ending", before, after),)


def _cells(run: Run, again: Run) -> tuple[Difference, ...]:
    if run.notebook is None or again.notebook is None:
        return ()
    old, new = ((one, json.loads(Path(one.notebook or "").read_text("utf-8"))) for one in (run, again))
    return cells_apart(old, new)


def _figures(run: Run) -> tuple[Fact, ...]:
    try:
        return tuple(run.facts())
    except DataError:
        return ()


def _shown(fact: Fact | None, *, exact: bool) -> str:
    if fact is None:
        return "none"
    return repr(fact.value) if exact else fact.shown


def _said(one: Difference) -> str:
    kind = "" if one.what == "cell" else f"{one.what} "
    return f"{kind}{one.name} {one.old} -> {one.new}"
