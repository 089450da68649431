"""When a vendor rewrites history: what changed between two versions of a series, and who holds the old bars."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from qtw_lab.core import Fact, Facts
from qtw_lab.core.bars import FIELDS

FloatArray = npt.NDArray[np.float64]

#: Two raw prices, volumes or factors are the same if they differ by less than this share of the larger: room for the
#: last digits of float64 arithmetic, and for nothing a vendor would call a correction.
NOISE: Final = 1e-9

#: Vendors round adjusted prices to the cent. A factor worked out from such a close is known to half a cent over that
#: close, so a rescaling counts as uniform if its ratio is the same in every bar within what that rounding explains.
ROUNDING: Final = 0.005

#: How many single changes a stored report lists; it counts all of them.
LISTED: Final = 500

#: The adjustment factors, in the order they are compared.
FACTORS: Final = ("split_factor", "factor")


@dataclass(frozen=True, slots=True)
class Revision:
    """One value of one bar that is no longer what it was."""

    timestamp: pd.Timestamp
    field: str
    old: float
    new: float

    @property
    def change(self) -> float:
        """The relative change, as a fraction of the old value; NaN where one of them is unknown."""
        return self.new / self.old - 1.0 if self.old else float("nan")


@dataclass(frozen=True, slots=True)
class Readjustment:
    """A new dividend or split: every old bar's factor was multiplied by one ratio, so no past return changed."""

    field: str
    ratio: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """What `compare` found.

    Parameters
    ----------
    revisions : tuple of Revision
        Every changed value, in order of time.
    readjustments : tuple of Readjustment
        Uniform rescalings of a factor.
    added : int
        New bars that the old version did not have.
    inserted : int
        Those of them that lie inside the old version's span: holes filled in after the fact.
    withdrawn : int
        Old bars inside the new bars' span that the new bars lack. A merge keeps them.
    """

    revisions: tuple[Revision, ...]
    readjustments: tuple[Readjustment, ...]
    added: int
    inserted: int
    withdrawn: int

    @property
    def changed_times(self) -> pd.DatetimeIndex:
        """The bars that were revised, each once, in order."""
        return pd.DatetimeIndex([revision.timestamp for revision in self.revisions]).unique()

    @property
    def notable(self) -> bool:
        """Whether the past is not what it was: anything but bars added at the ends."""
        return bool(self.revisions or self.readjustments or self.inserted or self.withdrawn)


def compare(old: pd.DataFrame, new: pd.DataFrame, factors: bool = True) -> Comparison:
    """What newly fetched bars change in the bars stored before.

    Parameters
    ----------
    old, new : pandas.DataFrame
        Stored columns (the five fields raw, `split_factor`, `factor`) by UTC timestamp, each sorted and unique.
    factors : bool
        Whether both have real factors to compare.

    Returns
    -------
    Comparison
        Raw prices and volumes that differ by more than `NOISE` are revisions. A factor multiplied by one ratio in all
        bars that both have is a readjustment; any other change of a factor is a revision of the bars concerned.

    Examples
    --------
    >>> days = pd.date_range("2024-01-02", periods=3, tz="UTC")
    >>> old = pd.DataFrame({"open": 10.0, "high": 11.0, "low": 9.0, "close": 10.0, "volume": 5.0,
    ...                     "split_factor": 1.0, "factor": 1.0}, index=days)
    >>> new = old.assign(factor=0.5, split_factor=0.5)
    >>> compare(old, new).readjustments
    (Readjustment(field='split_factor', ratio=0.5), Readjustment(field='factor', ratio=0.5))
    >>> new.loc[days[1], "close"] = 10.5
    >>> [(r.field, r.old, r.new) for r in compare(old, new).revisions]
    [('close', 10.0, 10.5)]
    """
    both = old.index.intersection(new.index)
    before, after = old.loc[both], new.loc[both]
    found: list[Revision] = []
    readjustments = []
    for name in FIELDS:
        found += _revised(name, before, after, _differs(_values(before, name), _values(after, name)))
    for name in FACTORS if factors else ():
        ratio, wrong = _factor_change(name, before, after)
        if ratio is not None:
            readjustments.append(Readjustment(name, ratio))
        found += _revised(name, before, after, wrong)
    fresh = new.index.difference(old.index)
    span = old.index[(old.index >= new.index[0]) & (old.index <= new.index[-1])]
    return Comparison(
        revisions=tuple(sorted(found, key=lambda revision: revision.timestamp)),
        readjustments=tuple(readjustments),
        added=len(fresh),
        inserted=int(((fresh > old.index[0]) & (fresh < old.index[-1])).sum()),
        withdrawn=len(span.difference(new.index)),
    )


def _values(table: pd.DataFrame, name: str) -> FloatArray:
    return table[name].to_numpy(dtype=np.float64)


def _differs(old: FloatArray, new: FloatArray) -> npt.NDArray[np.bool_]:
    """Where two arrays differ by more than noise; two unknowns agree, a known and an unknown value do not."""
    unknown = np.isnan(old) | np.isnan(new)
    apart: npt.NDArray[np.bool_] = np.abs(new - old) > NOISE * np.maximum(np.abs(old), np.abs(new))
    return np.where(unknown, np.isnan(old) != np.isnan(new), apart)


def _factor_change(name: str, before: pd.DataFrame, after: pd.DataFrame) -> tuple[float | None, npt.NDArray[np.bool_]]:
    """The ratio of a uniform rescaling, if that is what happened, and the bars changed in any other way."""
    old, new = _values(before, name), _values(after, name)
    known = ~(np.isnan(old) | np.isnan(new))  # a split factor learnt later changes nothing that was known
    changed = _differs(old, new) & known
    if not changed.any():
        return None, changed
    ratios = new[known] / old[known]
    ratio = float(np.median(ratios))
    closes = _values(before, "close")[known] * old[known], _values(after, "close")[known] * new[known]
    allowed = NOISE + ROUNDING / closes[0] + ROUNDING / closes[1]
    if abs(ratio - 1.0) > NOISE and bool((np.abs(ratios / ratio - 1.0) <= allowed).all()):
        return ratio, np.zeros_like(changed)
    return None, changed


def _revised(name: str, before: pd.DataFrame, after: pd.DataFrame, wrong: npt.NDArray[np.bool_]) -> list[Revision]:
    places = [int(place) for place in np.flatnonzero(wrong)]
    old, new = _values(before, name), _values(after, name)
    return [Revision(before.index[i], name, float(old[i]), float(new[i])) for i in places]


@dataclass(frozen=True)
class RevisionReport:
    """What one write changed in the past of one series.

    Parameters
    ----------
    series : str
        Source, symbol and timeframe, for people and as `str` of the `SeriesKey`.
    old, new : str
        Content (SHA-256) of the version before and after.
    written_at : pandas.Timestamp
        When the new version was stored, UTC.
    changes : tuple of Revision
        The first `LISTED` changed values.
    changed : int
        How many values changed in all.
    changed_bars : int
        How many bars they belong to.
    readjustments : tuple of Readjustment
        Uniform rescalings of the past by a new dividend or split; not counted as changes.
    added, inserted, withdrawn : int
        As in `Comparison`.
    affected : tuple of str
        Contents of all earlier versions whose span covers a changed bar: results made from one of these rest on values
        the vendor has since changed.
    """

    series: str
    old: str
    new: str
    written_at: pd.Timestamp
    changes: tuple[Revision, ...] = field(repr=False)
    changed: int
    changed_bars: int
    readjustments: tuple[Readjustment, ...]
    added: int
    inserted: int
    withdrawn: int
    affected: tuple[str, ...]

    @classmethod
    def of(
        cls, series: str, found: Comparison, *, old: str, new: str, written_at: pd.Timestamp, affected: tuple[str, ...]
    ) -> RevisionReport:
        """The report of a comparison."""
        return cls(
            series=series,
            old=old,
            new=new,
            written_at=written_at,
            changes=found.revisions[:LISTED],
            changed=len(found.revisions),
            changed_bars=len(found.changed_times),
            readjustments=found.readjustments,
            added=found.added,
            inserted=found.inserted,
            withdrawn=found.withdrawn,
            affected=affected,
        )

    @property
    def alarm(self) -> bool:
        """Whether a value was revised (a readjustment, or bars added, raise no alarm)."""
        return self.changed > 0

    def table(self) -> pd.DataFrame:
        """One row a listed change: timestamp, field, old, new and the relative change (a fraction)."""
        rows = [(c.timestamp, c.field, c.old, c.new, c.change) for c in self.changes]
        return pd.DataFrame(rows, columns=["timestamp", "field", "old", "new", "change"])

    @property
    def message(self) -> str:
        """What happened, in one paragraph."""
        parts = []
        if self.changed:
            first = self.changes[0]
            parts.append(
                f"the vendor revised {self.changed:,} value(s) in {self.changed_bars:,} bar(s), first {first.field} of "
                f"{first.timestamp:%Y-%m-%d %H:%M} from {first.old:g} to {first.new:g}; results made from "
                f"{', '.join(content[:12] for content in self.affected)} rest on the old values"
            )
        parts += [
            f"a new corporate action rescaled the past {r.field.replace('_', ' ')} by {r.ratio:.6g}"
            for r in self.readjustments
        ]
        parts += [f"{self.inserted:,} bar(s) were filled into old holes"] if self.inserted else []
        parts += [f"{self.withdrawn:,} stored bar(s) are no longer given"] if self.withdrawn else []
        return f"{self.series}: {'; '.join(parts) or 'nothing in the past changed'}."

    def facts(self) -> Facts:
        """The figures of the report."""
        largest = max((abs(c.change) for c in self.changes if not np.isnan(c.change)), default=None)
        return Facts(
            f"Vendor revision of {self.series}",
            (
                Fact("changed_values", self.changed, "count"),
                Fact("changed_bars", self.changed_bars, "count"),
                Fact("largest_change", largest, "fraction", definition="largest relative change among those listed"),
                Fact("readjustments", len(self.readjustments), "count", definition="uniform rescalings of a factor"),
                Fact("added_bars", self.added, "count"),
                Fact("inserted_bars", self.inserted, "count", definition="added bars inside the old span"),
                Fact("withdrawn_bars", self.withdrawn, "count", definition="stored bars the vendor no longer gives"),
                Fact("affected_versions", len(self.affected), "count"),
            ),
            (self.message,),
        )

    def as_plain(self) -> dict[str, Any]:
        """Values ready for JSON, NaN as None."""
        return {
            **{name: getattr(self, name) for name in _PLAIN},
            "written_at": self.written_at.isoformat(),
            "changes": [[c.timestamp.isoformat(), c.field, _or_none(c.old), _or_none(c.new)] for c in self.changes],
            "readjustments": [[r.field, r.ratio] for r in self.readjustments],
            "affected": list(self.affected),
        }

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> RevisionReport:
        """The report that `as_plain` described; KeyError, TypeError or ValueError if it did not."""
        return cls(
            **{name: plain[name] for name in _PLAIN},
            written_at=pd.Timestamp(plain["written_at"]),
            changes=tuple(Revision(pd.Timestamp(at), f, _or_nan(o), _or_nan(n)) for at, f, o, n in plain["changes"]),
            readjustments=tuple(Readjustment(name, float(ratio)) for name, ratio in plain["readjustments"]),
            affected=tuple(plain["affected"]),
        )


_PLAIN: Final = ("series", "old", "new", "changed", "changed_bars", "added", "inserted", "withdrawn")


def _or_none(value: float) -> float | None:
    return None if np.isnan(value) else value


def _or_nan(value: float | None) -> float:
    return float("nan") if value is None else float(value)
