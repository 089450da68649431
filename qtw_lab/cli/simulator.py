"""`qtw simulator serve`: a market on this machine that speaks Alpaca's wire protocol."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from qtw_lab.cli.printing import stdout

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)


def register(parent: typer.Typer) -> None:
    """Add the commands to the command line."""
    parent.add_typer(app, name="simulator", help="A market on this machine that Alpaca's clients can talk to.")


@app.callback()
def options() -> None:
    """Alpaca's REST, market-data streams and trade updates on one loopback port."""


@app.command("serve")
def serve(
    port: Annotated[int, typer.Option(help="On 127.0.0.1; 0 for any that is free.")] = 8765,
    scenario: Annotated[Path | None, typer.Option(help="JSON or TOML file of what goes wrong.")] = None,
    speed: Annotated[float, typer.Option(help="Market seconds a second; inf: as fast as clients read.")] = 1.0,
    symbols: Annotated[int | None, typer.Option(help="A synthetic market of so many (1000 by default).")] = None,
    bundled: Annotated[bool, typer.Option("--bundled", help="A real day of the bundled stocks.")] = False,
    recorded: Annotated[Path | None, typer.Option(help="Trades and quotes in a Parquet or CSV file.")] = None,
    date: Annotated[str | None, typer.Option(help="The session, such as 2024-01-05.")] = None,
    seed: Annotated[int | None, typer.Option(help="Of a synthetic market; 0 by default.")] = None,
    start: Annotated[str, typer.Option(help="auto (the opening), 09:45 or 2024-01-05T09:45, New York.")] = "auto",
    hold: Annotated[bool, typer.Option("--hold", help="Let time stand still until somebody subscribes.")] = False,
    rate_limit: Annotated[int, typer.Option(help="Requests a minute; 0 for no limit.")] = 200,
    cash: Annotated[float, typer.Option(min=1.0, help="Dollars in a new paper account.")] = 100_000.0,
    fill_model: Annotated[str, typer.Option(help="How orders fill: plain, alpaca or conservative.")] = "plain",
    book: Annotated[Path | None, typer.Option(help="File of the paper account; else one a market.")] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Begin a new paper account; keep the old aside.")] = False,
    max_seconds: Annotated[float | None, typer.Option(min=0.0, help="End after so many seconds.")] = None,
) -> None:
    """Serve a market until Ctrl-C: point Alpaca's clients to the addresses that are printed.

    Its paper account is kept in the storage folder, one for each market: once it has orders, these, their fills and its
    positions are there again after a stop, a crash or a kill, and the market's time goes on where it ended.
    """
    from qtw_lab.lab import realtime

    simulator = realtime.simulator(
        symbols=symbols, bundled=bundled, recorded=recorded, date=date, seed=seed, scenario=scenario, port=port,
        speed=speed, start=start, rate_limit=rate_limit, hold=hold,
        book=book or True, fresh=fresh, cash=cash, fill_model=fill_model,
    )  # fmt: skip
    realtime.serve(simulator, lambda line: stdout.print(line, soft_wrap=True), max_seconds)
