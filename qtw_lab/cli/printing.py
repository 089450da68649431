"""How the commands read values and write answers."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Final, Literal

import numpy as np
import pandas as pd
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from qtw_lab.core import DataError, Facts

# What is printed is data: brackets, colons and numbers in it mean nothing to the console.
stdout = Console(markup=False, emoji=False, highlight=False)
stderr = Console(stderr=True, markup=False, emoji=False, highlight=False)

#: A column of cells up to this wide is never broken: run ids, symbols and times are there to be copied.
_SHORT: Final = 32
#: The least width in which a column of sentences can be read.
_SENTENCES: Final = 24

Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


_EXAMPLES: Final = {"--cost": "commission_bps=10", "--stop": "stop_loss=0.1", "-w": "momentum_12_1=1"}


def pairs(texts: list[str] | None, option: str) -> dict[str, Any]:
    """The values of repeated ``name=value`` options; numbers, true/false, JSON lists and mappings are read as such.

    Raises
    ------
    DataError
        If one has no name or no value, or a name comes twice.

    Examples
    --------
    >>> pairs(["fast=10", "share=0.5", "short=true", "mode=a", 'symbols=["AAPL"]'], "-p")
    {'fast': 10, 'share': 0.5, 'short': True, 'mode': 'a', 'symbols': ['AAPL']}
    """
    values: dict[str, Any] = {}
    for text in texts or []:
        name, equals, value = text.partition("=")
        if not (name.strip() and equals and value.strip()):
            example = _EXAMPLES.get(option, "fast=10")
            raise DataError(f"{option} {text!r} is not of the form name=value, such as {option} {example}.")
        if name.strip() in values:
            raise DataError(f"{option} names {name.strip()} twice. Give each name one value.")
        values[name.strip()] = scalar(value.strip())
    return values


def scalar(text: str) -> Any:
    """The number, truth value, quoted text, list or mapping that `text` spells in JSON; else the text itself."""
    try:
        value = json.loads(text.lower() if text.lower() in ("true", "false") else text)
    except (ValueError, RecursionError):
        return text
    return text if value is None else value


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
    if isinstance(value, (list, tuple, np.ndarray)):
        return [plain(entry) for entry in value]
    if value is pd.NaT or value is pd.NA:
        return None
    if isinstance(value, (pd.Timestamp, datetime)):
        return value.isoformat()
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if isinstance(value, (str, int, float, bool, type(None))) else str(value)


def print_table(
    frame: pd.DataFrame,
    empty: str = "Nothing.",
    *,
    fractions: Collection[str] = (),
    written: Mapping[str, Callable[[Any], str]] | None = None,
    staying: Collection[str] | None = None,
) -> None:
    """A table for people, as wide as the screen; one block a row where the screen is too narrow for its columns.

    Parameters
    ----------
    frame : pandas.DataFrame
        What to show; its index is left out.
    empty : str
        Said where there is no row.
    fractions : collection of str
        Columns to show in percent.
    written : mapping of str to callable, optional
        How the values of a column are written, where not as `shown`.
    staying : collection of str, optional
        Where the screen is too narrow: show these columns, of the others as many as fit, and say which were left out.
    """
    if frame.empty:
        stdout.print(empty)
        return
    given = dict.fromkeys(map(str, fractions), _percent) | dict(written or {})
    ways = [given.get(str(name), shown) for name in frame.columns]
    columns = [
        _Column(
            str(name).replace("_", " "), tuple(way(one) if _known(one) else "–" for one in frame.iloc[:, place]),
            pd.api.types.is_numeric_dtype(frame.dtypes.iloc[place]),
        )
        for place, (name, way) in enumerate(zip(frame.columns, ways, strict=True))
    ]  # fmt: skip
    chosen = columns
    if staying is not None and not _fits(columns):
        chosen = _fitting(columns, [str(name) in staying for name in frame.columns])
    _print_columns(chosen) if _fits(chosen) else _print_blocks(chosen)
    if left_out := [column.name for column in columns if column not in chosen]:
        stdout.print(f"Left out for want of room: {', '.join(left_out)}. A wider screen or --json shows them.")


@dataclass(frozen=True, eq=False, slots=True)
class _Column:
    """A heading, the cells below it, and whether they are numbers."""

    name: str
    cells: tuple[str, ...]
    numeric: bool


def _percent(value: Any) -> str:
    return f"{value:,.2%}"


def _fits(columns: Sequence[_Column]) -> bool:
    return _layout(columns) is not None


def _fitting(columns: Sequence[_Column], stay: Sequence[bool]) -> list[_Column]:
    """Those that stay, and of the others in their order each that still fits; all where not even the first do."""
    kept = list(stay)
    if not _fits([column for column, keep in zip(columns, kept, strict=True) if keep]):
        return list(columns)
    for place, keep in enumerate(stay):
        if not keep:
            kept[place] = True
            kept[place] = _fits([column for column, there in zip(columns, kept, strict=True) if there])
    return [column for column, keep in zip(columns, kept, strict=True) if keep]


def _layout(columns: Sequence[_Column]) -> tuple[list[int], int] | None:
    """The width of each column and the gap between two; None where the screen is too narrow."""
    names = [column.name for column in columns]
    rows = list(zip(*(column.cells for column in columns), strict=True))
    for unbroken, gap in ((_SHORT, 2), (_SHORT, 1), (_SENTENCES, 2), (_SENTENCES, 1)):
        widths = _widths(names, rows, stdout.width - gap * (len(names) - 1), unbroken)
        if widths is not None:
            return widths, gap
    return None


def _widths(names: Sequence[str], rows: Sequence[Sequence[str]], room: int, unbroken: int = _SHORT) -> list[int] | None:
    """A width for each column: short ones whole, the others sharing what is left; None if the room does not do.

    Words of headings over long cells are broken only if they are longer than `unbroken`.
    """
    longest = [max(map(len, column)) for column in zip(*rows, strict=True)]
    headings = [max(map(len, name.split()), default=1) for name in names]
    short = [wide <= _SHORT for wide in longest]
    widths = [max(pair) for pair in zip(longest, headings, strict=True)]
    least = [
        wide if whole else min(wide, max(_SENTENCES, heading if heading <= unbroken else 0))
        for wide, whole, heading in zip(widths, short, headings, strict=True)
    ]
    left = room - sum(least)
    if left < 0:
        return None
    waiting = sorted((wide, place) for place, wide in enumerate(widths) if not short[place])
    for number, (wide, place) in enumerate(waiting):
        widths[place] = min(wide, least[place] + left // (len(waiting) - number))
        left -= widths[place] - least[place]
    return widths


def _print_columns(columns: Sequence[_Column]) -> None:
    widths, gap = _layout(columns) or ([], 2)
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, gap, 0, 0), collapse_padding=True)
    for column, wide in zip(columns, widths, strict=True):
        side: Literal["left", "right"] = "right" if column.numeric else "left"
        table.add_column(Text(column.name), justify=side, overflow="fold", width=wide)
    for row in zip(*(column.cells for column in columns), strict=True):
        table.add_row(*map(Text, row))
    stdout.print(table)


def _print_blocks(columns: Sequence[_Column]) -> None:
    for number, row in enumerate(zip(*(column.cells for column in columns), strict=True)):
        if number:
            stdout.print()
        print_pairs(zip((column.name for column in columns), row, strict=True))


def print_pairs(pairs: Iterable[tuple[str, str]], justify: Literal["left", "right"] = "left") -> None:
    """Names, and what belongs to each."""
    rows = list(pairs)
    most = stdout.width * 11 // 20  # a long name must not leave its value a column of single words
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="dim", overflow="fold", width=min(max((len(name) for name, _ in rows), default=1), most))
    table.add_column(justify=justify, overflow="fold")
    for name, value in rows:
        table.add_row(Text(name), Text(value))
    stdout.print(table)


def shown(value: Any) -> str:
    """One cell for people."""
    if not _known(value):
        return "–"
    if isinstance(value, pd.Timestamp):
        return f"{value:%Y-%m-%d}" if value == value.normalize() else f"{value:%Y-%m-%d %H:%M:%S}"
    if isinstance(value, (float, np.floating)):
        number = float(value)
        return f"{number:,.4g}" if abs(number) < 1e4 else f"{number:,.0f}"
    return " ".join(str(value).split())


def _known(value: Any) -> bool:
    return not (value is None or value is pd.NaT or value is pd.NA or (isinstance(value, float) and math.isnan(value)))


def print_facts(facts: Facts) -> None:
    """Figures with their labels, then the notes."""
    stdout.print(facts.title, style="bold")
    print_pairs(((fact.title, fact.shown) for fact in facts), "right")
    for note in facts.notes:
        stdout.print(f"note: {note}", style="yellow")


@contextmanager
def progress(label: str) -> Iterator[Callable[[int, int], None]]:
    """A progress bar on standard error; call the function it gives with (done, all)."""
    bar = Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
        TextColumn("left"), TimeRemainingColumn(), console=stderr, transient=True, disable=not stderr.is_terminal,
    )  # fmt: skip
    with bar:
        task = bar.add_task(label, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
