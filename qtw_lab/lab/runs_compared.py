"""Runs side by side: figures, what they were given differently, and how their accounts grew."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from qtw_lab import plots
from qtw_lab.core import DataError, LabError
from qtw_lab.lab.runs_view import parameters_of

if TYPE_CHECKING:
    from qtw_lab.lab.front import Lab
    from qtw_lab.runs import Run

#: Files in a run's folder that hold its account, as `Lab.export` writes them; the first that is there counts.
EQUITY_FILES: Final = ("equity.csv", "equity.parquet", "result.csv", "result.parquet")


@dataclass(frozen=True)
class SideBySide:
    """Two or more runs.

    Parameters
    ----------
    labels : tuple of str
        One for each run: its name, and as much of its id as tells it apart.
    figures, parameters : DataFrame
        Column "figure" or "parameter", then one for each run, in words; of parameters those that differ.
    growth : DataFrame
        What one unit of money became, a column for each run whose account is known; empty if none is.
    unknown : mapping of str to str
        Why the account of the others is not, by label.
    """

    labels: tuple[str, ...]
    figures: pd.DataFrame
    parameters: pd.DataFrame
    growth: pd.DataFrame = field(repr=False)
    unknown: Mapping[str, str] = field(default_factory=dict)


def compared(lab: Lab, ids: Sequence[str]) -> SideBySide:
    """Runs side by side. A recorded backtest or sweep is made again from its record, which takes a while.

    Raises
    ------
    DataError
        If there are fewer than two different runs, or one is not on record.
    """
    runs = list({one.id: one for one in (lab.registry.get(given) for given in ids)}.values())
    if len(runs) < 2:
        raise DataError("Comparing needs two different runs at least.")
    labels = _labels(runs)
    growth, unknown = _growths(lab, dict(zip(labels, runs, strict=True)))
    return SideBySide(labels, _figures(labels, runs), _parameters(labels, runs), growth, unknown)


def equity_of(lab: Lab, run: Run) -> pd.Series:
    """The account of a run: of a backtest, or the best row of a sweep, made again; of a notebook, from its folder.

    Raises
    ------
    DataError
        If the run left none, or it cannot be made again.
    """
    if run.kind in ("backtest", "sweep"):
        again: Any = lab.made_again(run.id)
        best = again.result(again.best().index[0]) if run.kind == "sweep" else again
        found: pd.Series = best.equity
        return found
    path = next((run.folder / name for name in EQUITY_FILES if run.folder and (run.folder / name).is_file()), None)
    if path is None:
        raise DataError(
            f"A run of the kind {run.kind} keeps no account of its own. A notebook leaves one by "
            f"lab.export(result, f'{{run_folder}}/{EQUITY_FILES[0]}')."
        )
    return _read(path)


def growth_picture(found: SideBySide, theme: str = "light") -> plots.Picture:
    """What one unit of money became in each run."""
    title = "Growth of 1"
    return plots.Picture(
        plots.lines(found.growth, title, theme, above=True), f"{title}: {', '.join(map(str, found.growth))}"
    )


def _read(path: Path) -> pd.Series:
    """The account in a file that `Lab.export` wrote."""
    try:
        table = pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path)
        table = table.reset_index() if "time" not in table.columns else table
        values = table["equity"].astype("float64").to_numpy()
        times = pd.DatetimeIndex(pd.to_datetime(table["time"], utc=True))
    except (OSError, ValueError, KeyError, TypeError) as err:
        raise DataError(f"{path.name} holds no account as lab.export writes it ({type(err).__name__}: {err}).") from err
    return pd.Series(values, index=times, name="equity")


def _growths(lab: Lab, runs: Mapping[str, Run]) -> tuple[pd.DataFrame, dict[str, str]]:
    curves, unknown = {}, {}
    for label, run in runs.items():
        try:
            curve = equity_of(lab, run).dropna()
            if curve.empty or curve.iloc[0] <= 0:
                raise DataError("Its account does not begin above zero.")
        except LabError as err:
            unknown[label] = str(err)
        else:
            times = pd.DatetimeIndex(pd.to_datetime(curve.index, utc=True))
            curves[label] = pd.Series((curve / curve.iloc[0]).to_numpy(), index=times)
    return pd.DataFrame(curves).sort_index(), unknown


def _labels(runs: Sequence[Run]) -> tuple[str, ...]:
    """Names; where several runs have one, with the time of their start, or the whole id where that is one too."""
    timed = [f"{run.name} {run.started:%Y-%m-%d %H:%M:%S}" for run in runs]
    return tuple(
        label if timed.count(label) == 1 else f"{run.name} {run.id}" for label, run in zip(timed, runs, strict=True)
    )


def _figures(labels: Sequence[str], runs: Sequence[Run]) -> pd.DataFrame:
    columns: dict[str, dict[str, str]] = {}
    for label, run in zip(labels, runs, strict=True):
        try:
            columns[label] = {fact.title: fact.shown for fact in run.facts()}
        except (DataError, OSError):
            columns[label] = {}
    return _table("figure", columns)


def _parameters(labels: Sequence[str], runs: Sequence[Run]) -> pd.DataFrame:
    made: dict[str, dict[str, Any]] = {
        label: {**parameters_of(run), "data": ", ".join(_data(run))} for label, run in zip(labels, runs, strict=True)
    }
    table = _table("parameter", made)
    return table[table[list(labels)].nunique(axis=1) > 1].reset_index(drop=True)


def _data(run: Run) -> list[str]:
    """The beginnings of the fingerprints of what a run read."""
    return [use["fingerprint"][:12] for use in (run.manifest.get("inputs") or {}).get("data") or ()]


def _table(name: str, columns: Mapping[str, Mapping[str, Any]]) -> pd.DataFrame:
    """One row a key, in the order in which they first come; nothing where a column has none."""
    keys = list(dict.fromkeys(key for column in columns.values() for key in column))
    rows = [(key, *(column.get(key, "") for column in columns.values())) for key in keys]
    return pd.DataFrame(rows, columns=[name, *columns], dtype=object)
