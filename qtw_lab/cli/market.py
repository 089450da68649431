"""`qtw market screen` and `qtw market movers`: what the market pages show, in the shell."""

from __future__ import annotations

from typing import Annotated, Any

import pandas as pd
import typer

from qtw_lab.cli.printing import Json, pairs, print_facts, print_json, print_table, stdout
from qtw_lab.core import Bars, DataError, Facts
from qtw_lab.lab import Lab

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)

Symbols = Annotated[str | None, typer.Option("--symbols", "-s", help="Symbols; all of the source by default.")]
Source = Annotated[str, typer.Option(help="Bundled data set or stored source; see `qtw data list`.")]
AsOf = Annotated[str | None, typer.Option(help="Use bars up to this date only.")]
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
    else:
        print_facts(found.facts())
        stdout.print()
        print_table(found.table.reset_index())


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
    facts = found.facts()
    for name, table in lists.items():
        stdout.print(name.replace("_", " ").capitalize(), style="bold")
        print_table(table.reset_index(), "None.")
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
        name, equals, span = text.partition("=")
        low, colon, high = span.partition(":")
        try:
            ends = tuple(float(end) if end.strip() else None for end in (low, high))
        except ValueError:
            ends = ()
        if not (name.strip() and equals and colon) or len(ends) != 2 or ends == (None, None):
            raise DataError(f"-f {text!r} is not a filter. Write -f close=5:500, -f close=5: or -f close=:500.")
        found[name.strip()] = (ends[0], ends[1])
    return found or None


def _bars(lab: Lab, symbols: str | None, source: str) -> Bars:
    if symbols is not None:
        return lab.bars(symbols, source=source)
    return lab.bars(_symbols(lab, source), source=source)


def _symbols(lab: Lab, source: str) -> list[str]:
    """Every symbol of a bundled set or a stored source."""
    from qtw_lab.data import SAMPLES

    if source in SAMPLES:
        return list(SAMPLES[source].info().symbols)
    stored: pd.DataFrame = lab.store.list()
    names = sorted(set(stored.loc[stored["source"] == source, "symbol"]))
    if not names:
        raise DataError(f"There is no source {source!r}; `qtw data list` shows them.")
    return names
