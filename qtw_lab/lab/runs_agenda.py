"""The schedule as a page shows it: its entries, what is due next, and what became of what was due."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import pandas as pd

from qtw_lab.lab import scheduling

if TYPE_CHECKING:
    from qtw_lab.lab.front import Lab

#: States of an occurrence that nobody executed when it was due.
MISSED: Final = ("missed", "skipped")

_COMING: Final = 12
_PAST: Final = 200


@dataclass(frozen=True)
class Agenda:
    """What runs when.

    Parameters
    ----------
    entries : DataFrame
        One row an entry: entry, trigger, next, last_due, status, missed, running and reason.
    coming : DataFrame
        What is due next: entry, due (UTC), there (on the clocks of its zone) and zone.
    past : DataFrame
        What was due, newest first: due (UTC), entry, state, attempts, run and reason.
    attendants : DataFrame
        Who keeps time and who works now; see `scheduling.attendants`.
    """

    entries: pd.DataFrame
    coming: pd.DataFrame
    past: pd.DataFrame
    attendants: pd.DataFrame

    @property
    def kept(self) -> bool:
        """Whether somebody keeps time, without whom nothing becomes due."""
        return bool(self.attendants["task"].str.contains("keeps time", regex=False).any())


def agenda(lab: Lab) -> Agenda:
    """The schedule of this machine, as it stands now.

    Raises
    ------
    DataError
        If the schedule's file has faults; all are named.
    """
    settings, now = lab.settings, lab.clock.now()
    table = scheduling.schedule_table(settings, now=now)
    shown = table.assign(
        trigger=table["trigger"].where(table["enabled"], table["trigger"] + " (off)"),
        running=[_running(row) for row in table.itertuples(index=False)],
    )
    past = scheduling.occurrences(settings, limit=_PAST)
    return Agenda(
        shown[["entry", "trigger", "next", "last_due", "status", "missed", "running", "reason"]],
        scheduling.coming(settings, count=_COMING, now=now)[["entry", "due", "there", "zone"]],
        past[["due", "entry", "state", "attempts", "run", "reason"]],
        scheduling.attendants(settings),
    )


def _running(row: object) -> str:
    since, progress = getattr(row, "running_since", pd.NaT), getattr(row, "progress", None)
    return "" if pd.isna(since) else f"{since:%H:%M:%S} UTC {progress or ''}".strip()
