"""The runs page: what ran and how, one run in full, several side by side, and what the schedule holds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import pandas as pd
import panel as pn
import param

from dashboards.runs.compare import Compare
from dashboards.runs.history import History
from dashboards.runs.record import Shown
from dashboards.runs.schedule import Schedule
from dashboards.shell import Page
from qtw_lab.lab import runs_view


class Runs(Page):
    """History, one run, comparison and schedule.

    Parameters
    ----------
    wanted : Wanted
        Which runs are listed.
    chosen : str
        Id of the run that is shown in full.
    against : tuple of str
        Ids of the runs that are compared.
    """

    key: ClassVar[str] = "runs"
    period: ClassVar[int] = 500

    wanted: Any = param.Parameter(default=runs_view.Wanted(), doc="Which runs are listed.")
    chosen: Any = param.String(default="", doc="The run that is shown in full.")
    against: Any = param.Parameter(default=(), doc="The runs that are compared.")

    #: Every run; None until the registry was read.
    table: pd.DataFrame | None = None

    def __init__(self, *arguments: Any, **values: Any) -> None:
        self._stamp: Any = None
        self._loading = False
        self.history, self.shown = History(self), Shown(self)
        self.compare, self.schedule = Compare(self), Schedule(self)
        super().__init__(*arguments, **values)
        self.param.watch(lambda _: self.history.show(), ["wanted"])
        self.param.watch(self._choose, ["chosen"])
        self.param.watch(lambda _: self.compare.show(), ["against"])

    def content(self) -> Sequence[Any]:
        """The parts of the page, filled with what was read already."""
        made = [one.made() for one in (self.history, self.shown, self.compare, self.schedule)]
        for one in (self.history, self.shown, self.compare, self.schedule):
            one.show()
        return made

    def arrived(self) -> None:
        """Read the registry, once somebody looks."""
        self.refresh()

    def refresh(self) -> None:
        """Read again what changed on disk."""
        if self.busy or self._loading:
            return
        if runs_view.stamp(self.lab.settings) != self._stamp:
            self._loading = True
            pn.state.execute(self.load)
        elif self.schedule.stale():
            pn.state.execute(self.schedule.load)

    def rethemed(self) -> None:
        """Draw the accounts in other colours."""
        self.compare.draw()

    async def load(self) -> None:
        """Read the runs; then the run that is shown, in a task of its own."""
        try:
            found = await self.work(self.t("reading"), lambda: runs_view.runs_table(self.lab))
            # Opening the registry may have written to it: a run whose process is gone was marked as failed.
            self._stamp = runs_view.stamp(self.lab.settings)
            self.history.fault = "" if found is not None else self.said
            self.table = self.table if found is None else found
            await self.apply(self.history.show)
        finally:
            self._loading = False
        if self.table is not None:
            pn.state.execute(self._listed, schedule=True)
        if self.chosen:
            pn.state.execute(self.shown.load)

    def _listed(self) -> None:
        self.history.open()
        self.compare.offer()

    @property
    def said(self) -> str:
        """What the status line says."""
        return self._said[0]

    def choose(self, run: str) -> None:
        """Show a run in full."""
        self.chosen = run

    async def _choose(self, _: Any) -> None:
        await self.shown.load()
