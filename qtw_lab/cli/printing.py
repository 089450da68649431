"""How the commands read values and write answers."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import numpy as np
import pandas as pd
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from qtw_lab.core import DataError, Fact, Facts

stdout = Console()
stderr = Console(stderr=True)

Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


def pairs(texts: list[str] | None, option: str) -> dict[str, Any]:
    """The values of repeated ``name=value`` options; numbers and true/false are read as such.

    Raises
    ------
    DataError
        If one has no name or no value, or a name comes twice.

    Examples
    --------
    >>> pairs(["fast=10", "share=0.5", "short=true", "mode=a"], "-p")
    {'fast': 10, 'share': 0.5, 'short': True, 'mode': 'a'}
    """
    values: dict[str, Any] = {}
    for text in texts or []:
        name, equals, value = text.partition("=")
        if not (name.strip() and equals and value.strip()):
            raise DataError(f"{option} {text!r} is not of the form name=value, such as {option} fast=10.")
        if name.strip() in values:
            raise DataError(f"{option} names {name.strip()} twice.")
        values[name.strip()] = scalar(value.strip())
    return values


def scalar(text: str) -> Any:
    """The number, truth value or text that `text` spells."""
    try:
        value = json.loads(text.lower() if text.lower() in ("true", "false") else text)
    except ValueError:
        return text
    return value if isinstance(value, (int, float, bool)) else text


def print_json(value: Any) -> None:
    """One JSON document on standard output."""
    typer.echo(json.dumps(plain(value), indent=2, ensure_ascii=False, allow_nan=False))


def plain(value: Any) -> Any:  # noqa: PLR0911  (one line for each kind of value)
    """The value in strict JSON's terms: undefined numbers are null, times are ISO text."""
    if isinstance(value, pd.DataFrame):
        return [plain(row) for row in value.to_dict("records")]
    if isinstance(value, pd.Series):
        return plain(value.to_dict())
    if isinstance(value, dict):
        return {str(key): plain(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(entry) for entry in value]
    if isinstance(value, np.generic):
        return plain(value.item())
    if value is pd.NaT or value is pd.NA:
        return None
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if isinstance(value, (str, int, float, bool, type(None))) else str(value)


def print_table(frame: pd.DataFrame, empty: str = "Nothing.") -> None:
    """A table for people; `empty` is said instead where there is none."""
    if frame.empty:
        stdout.print(empty)
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in frame.columns:
        numeric = pd.api.types.is_numeric_dtype(frame[name].dtype)
        table.add_column(str(name), justify="right" if numeric else "left", overflow="fold")
    for row in frame.itertuples(index=False):
        table.add_row(*(shown(value) for value in row))
    stdout.print(table)


def shown(value: Any) -> str:
    """One cell for people."""
    if value is None or value is pd.NaT or (isinstance(value, float) and math.isnan(value)):
        return "–"
    if isinstance(value, pd.Timestamp):
        return f"{value:%Y-%m-%d}" if value == value.normalize() else f"{value:%Y-%m-%d %H:%M:%S}"
    if isinstance(value, (float, np.floating)):
        number = float(value)
        return f"{number:,.4g}" if abs(number) < 1e6 else f"{number:,.0f}"
    return str(value).replace("[", r"\[")


def print_facts(facts: Facts) -> None:
    """Figures with their labels, then the notes."""
    stdout.print(facts.title, style="bold", highlight=False, markup=False)
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="dim")
    table.add_column(justify="right", overflow="fold")
    for fact in facts:
        table.add_row(fact.title, _cell(fact))
    stdout.print(table)
    for note in facts.notes:
        stdout.print(f"note: {note}", style="yellow", highlight=False, markup=False)


def _cell(fact: Fact) -> str:
    return fact.shown.replace("[", r"\[")


@contextmanager
def progress(label: str) -> Iterator[Callable[[int, int], None]]:
    """A progress bar on standard error; call the function it gives with (done, all)."""
    bar = Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
        TextColumn("left"), TimeRemainingColumn(), console=stderr, transient=True,
    )  # fmt: skip
    with bar:
        task = bar.add_task(label, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
