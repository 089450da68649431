"""`qtw market screen` and `qtw market movers`: what the market pages show, in the shell."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Final

import pandas as pd
import typer

from qtw_lab.cli.printing import Json, pairs, print_facts, print_json, print_table, shown, stdout
from qtw_lab.core import Bars, DataError, Facts, lookup
from qtw_lab.lab import Lab

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)

Symbols = Annotated[str | None, typer.Option("--symbols", "-s", help="Symbols; all of the source by default.")]
Source = Annotated[str, typer.Option(help="Bundled data set or stored source; see `qtw data list`.")]
AsOf = Annotated[str | None, typer.Option(help="Use bars up to this date only.")]
#: What is said above a screen; the figures that rank it stand in its table.
_LEAD: Final = ("as_of", "universe", "passed", "stale", "sorted_by")
#: How figures of each unit are written in a table of symbols.
_WRITTEN: Final[Mapping[str, Callable[[Any], str]]] = {
    "fraction": lambda value: f"{value:,.2%}",
    "ratio": lambda value: f"{value:,.2f}",
    "money": lambda value: _short(value, 2),
    "count": lambda value: _short(value, 0),
    "bars": lambda value: f"{value:,.0f}",
}
#: Names of large numbers, greatest first.
_LARGE: Final = ((1e12, "T"), (1e9, "B"), (1e6, "M"))

Limits = Annotated[list[str] | None, typer.Option("--filter", "-f", help="-f close=5:500, either end may be missing.")]


def register(parent: typer.Typer) -> None:
    """Add the commands to the command line."""
    parent.add_typer(app, name="market", help="The market now: screen, movers.")


@app.command("screen")
def screen(
    symbols: Symbols = None,
    source: Source = "sp500",
    columns: Annotated[str | None, typer.Option(help="Columns, such as close,momentum_12_1.")] = None,
    sort: Annotated[str | None, typer.Option(help="Column to rank by.")] = None,
    ascending: Annotated[bool, typer.Option("--ascending", help="Smallest first.")] = False,
    filter: Limits = None,  # noqa: A002  (the public word for it)
    weight: Annotated[list[str] | None, typer.Option("--weight", "-w", help="-w momentum_12_1=1 in the score.")] = None,
    top: Annotated[int, typer.Option(min=1, help="How many rows.")] = 20,
    asof: AsOf = None,
    json: Json = False,
) -> None:
    """Rank symbols by momentum, liquidity, volatility, gaps, drawdown and more."""
    lab = Lab.from_settings()
    chosen = None if columns is None else [name.strip() for name in columns.split(",") if name.strip()]
    options: dict[str, Any] = {"sort_by": sort} if sort is not None else {}
    found = lab.screen(
        _bars(lab, symbols, source), chosen, descending=not ascending, filters=limits(filter), top=top, asof=asof,
        weights=pairs(weight, "-w") or None, **options,
    )  # fmt: skip
    if json:
        print_json(found.facts().as_dict() | {"table": found.table.reset_index()})
        return
    facts, table = found.facts(), found.table
    print_facts(Facts(facts.title, tuple(fact for fact in facts if fact.name in _LEAD), facts.notes))
    stdout.print()
    idle = [] if table["stale"].any() else ["stale"]
    idle += [name for name in table.columns if table[name].isna().all() and name not in found.sort_by]  # notes say why
    table = table.drop(columns=idle) if len(table) else table
    units = {str(name): unit for name, unit in found.definitions["unit"].items()}
    _print_symbols(table, units, found.sort_by, "No symbol passes.")


@app.command("movers")
def movers(
    symbols: Symbols = None,
    source: Source = "sp500",
    window: Annotated[int, typer.Option(min=1, help="Bars over which they moved: 1, 5, 21, 126.")] = 1,
    count: Annotated[int, typer.Option(min=1, help="How many of each.")] = 10,
    filter: Limits = None,  # noqa: A002  (as above)
    asof: AsOf = None,
    json: Json = False,
) -> None:
    """Gainers, losers, most active, unusual volume, gaps, new highs and lows."""
    lab = Lab.from_settings()
    found = lab.top_movers(_bars(lab, symbols, source), count, window, asof=asof, filters=limits(filter))
    lists = found.lists
    if json:
        print_json(found.facts().as_dict() | {name: table.reset_index() for name, table in lists.items()})
        return
    from qtw_lab.research.screener_movers import LISTS, mover_columns

    facts, units = found.facts(), {name: column.unit for name, column in mover_columns(window).items()}
    for name, table in lists.items():
        stdout.print(LISTS[name].title, style="bold")
        _print_symbols(table, units, (LISTS[name].by,), "None.")
        stdout.print()
    print_facts(Facts(facts.title, facts.facts[:3], facts.notes))


def limits(texts: list[str] | None) -> dict[str, tuple[float | None, float | None]] | None:
    """The bounds that ``close=5:500`` spells; a missing end is open.

    Raises
    ------
    DataError
        If one is not of that form.

    Examples
    --------
    >>> limits(["close=5:", "volatility_21=:0.5"])
    {'close': (5.0, None), 'volatility_21': (None, 0.5)}
    """
    found: dict[str, tuple[float | None, float | None]] = {}
    for text in texts or []:
        name, equals, span = (part.strip() for part in text.partition("="))
        low, colon, high = span.partition(":")
        try:
            ends = [float(end) if end.strip() else None for end in (low, high)]
        except ValueError:
            ends = []
        numbers = [end for end in ends if end is not None]
        if not (name and equals and colon and numbers and all(map(math.isfinite, numbers))):
            raise DataError(f"-f {text!r} is not a filter. Write -f close=5:500, -f close=5: or -f close=:500.")
        if name in found:
            raise DataError(f"-f names {name} twice. Give both of its ends in one, such as -f {name}=5:500.")
        found[name] = (ends[0], ends[1])
    return found or None


def _print_symbols(table: pd.DataFrame, units: Mapping[str, str], by: tuple[str, ...], empty: str) -> None:
    """A table of symbols, figures as their units are written; what it is ordered by is never left out."""
    figures = {str(name): units.get(str(name), "ratio") for name in table.columns if name != "stale"}
    written = {name: _WRITTEN.get(unit, shown) for name, unit in figures.items()}
    stale = {"stale": lambda value: "stale" if value else ""} if "stale" in table else {}
    print_table(table.reset_index(), empty, written=written | stale, staying=("symbol", "stale", *by))


def _short(value: float, places: int) -> str:
    """A number, in millions and more with their letter."""
    for size, letter in _LARGE:
        if abs(value) >= size:
            return f"{value / size:,.2f}{letter}"
    return f"{value:,.{places}f}"


def _bars(lab: Lab, symbols: str | None, source: str) -> Bars:
    return lab.bars(_symbols(lab, source) if symbols is None else symbols, source=source)


def _symbols(lab: Lab, source: str) -> list[str]:
    """Every symbol of a bundled set or a stored source."""
    from qtw_lab.data import SAMPLES

    stored: pd.DataFrame = lab.store.list()
    lookup(source, dict.fromkeys((*SAMPLES, *stored["source"])), "source of prices")
    if source in SAMPLES:
        return list(SAMPLES[source].info().symbols)
    return sorted(set(stored.loc[stored["source"] == source, "symbol"]))
