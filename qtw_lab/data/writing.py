"""The rules of one write: what may be joined, what changed, and what is reported."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from qtw_lab.core import DataError
from qtw_lab.data.merging import Incoming
from qtw_lab.data.revisions import NOISE, Comparison, RevisionReport, compare
from qtw_lab.data.series import Pointer, SeriesKey, Version

#: How many revision reports a series keeps.
_REPORTS: Final = 50


@dataclass(frozen=True)
class WriteReport:
    """What a write did.

    Parameters
    ----------
    key : SeriesKey
        The series written.
    content : str
        SHA-256 of the version readers see now.
    previous : str or None
        The version before; equal to `content` if nothing changed, None if the series is new.
    rows : int
        Bars stored now.
    added : int
        Bars that were not there before.
    skipped : int
        Rows without a price, left out.
    first, last : pandas.Timestamp
        Span of the series now.
    revision : RevisionReport or None
        What changed in the past, if anything did.
    notes : tuple of str
        Caveats stored with the bars.
    """

    key: SeriesKey
    content: str
    previous: str | None
    rows: int
    added: int
    skipped: int
    first: pd.Timestamp
    last: pd.Timestamp
    revision: RevisionReport | None
    notes: tuple[str, ...]

    @property
    def changed(self) -> bool:
        """Whether a new version was stored."""
        return self.content != self.previous


@dataclass(frozen=True)
class Stored:
    """A series as it stands: its versions and the bars of the current one."""

    pointer: Pointer
    table: pd.DataFrame


def refuse_mismatch(stored: Stored, given: Incoming) -> None:
    """Refuse bars on another calendar, and a mixture of bars with and without adjustment factors."""
    key, now = stored.pointer.key, stored.pointer.current
    if now.calendar != given.calendar:
        raise DataError(
            f"{key} is stored on the calendar {now.calendar}, these bars on {given.calendar}. Name the right one with "
            "calendar=, or start again with afresh=True."
        )
    uncovered = bool((~stored.table.index.isin(given.table.index)).any())
    if now.factors and not given.factors:
        raise DataError(
            f"{key} is stored with adjustment factors and these bars have none, so their basis is not known. "
            "Give columns split_factor and factor (1.0 where there is nothing to adjust), or take another source."
        )
    if given.factors and not now.factors and uncovered:
        raise DataError(
            f"{key} is stored without adjustment factors and these bars have some, but they do not cover all stored "
            "bars. Give the whole history, or start again with afresh=True."
        )


def basis_note(stored: Stored | None, given: Incoming, afresh: bool) -> tuple[str, ...]:
    """A caveat where adjusted series were joined without a bar in common."""
    if stored is None or afresh or not given.factors or len(stored.table.index.intersection(given.table.index)):
        return ()
    factors = np.concatenate([stored.table["factor"].to_numpy(np.float64), given.table["factor"].to_numpy(np.float64)])
    if bool((np.abs(factors - 1.0) <= NOISE).all()):
        return ()
    return (f"parts of {stored.pointer.key} were stored without a bar in common: one adjustment basis was not checked",)


def compared(stored: Stored | None, given: Incoming) -> Comparison | None:
    """What the new bars change in the stored ones; None for a new series."""
    if stored is None:
        return None
    return compare(stored.table, given.table, factors=stored.pointer.current.factors and given.factors)


def unchanged(stored: Stored, table: pd.DataFrame, given: Incoming, caveats: tuple[str, ...]) -> bool:
    """Whether a merge left everything as it was."""
    now = stored.pointer.current
    same = (now.calendar, now.factors, now.notes) == (given.calendar, given.factors, caveats)
    return same and stored.table.equals(table)


def revision_of(
    key: SeriesKey, stored: Stored | None, version: Version, found: Comparison | None
) -> RevisionReport | None:
    """The report of a write that changed the past."""
    if stored is None or found is None or not found.notable:
        return None
    times = found.changed_times
    held = dict.fromkeys(v.content for v in stored.pointer.versions if len(times) and v.covers(times))
    return RevisionReport.of(
        str(key),
        found,
        old=stored.pointer.current.content,
        new=version.content,
        written_at=version.written_at,
        affected=tuple(held),
    )


def following(key: SeriesKey, stored: Stored | None, version: Version, revision: RevisionReport | None) -> Pointer:
    """The list of versions with one more."""
    versions = stored.pointer.versions if stored else ()
    reports = stored.pointer.revisions if stored else ()
    news = (revision,) if revision else ()
    return Pointer(key, (*versions, version), (*news, *reports)[:_REPORTS])


def written(
    key: SeriesKey,
    version: Version,
    previous: str | None,
    found: Comparison | None,
    skipped: int,
    revision: RevisionReport | None,
) -> WriteReport:
    """The report of a write that left `version` current."""
    return WriteReport(
        key=key,
        content=version.content,
        previous=previous,
        rows=version.rows,
        added=found.added if found else version.rows,
        skipped=skipped,
        first=version.first,
        last=version.last,
        revision=revision,
        notes=version.notes,
    )
