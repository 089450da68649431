"""`qtw dashboards`: the pages, published."""

from __future__ import annotations

from typing import Annotated

import typer

from qtw_lab.cli.printing import stdout
from qtw_lab.core import Settings


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command("dashboards")(dashboards)


def dashboards(
    panel: Annotated[bool, typer.Option("--panel", help="By Panel's own server, not by Voila.")] = False,
    port: Annotated[int, typer.Option(help="0 for any that is free.")] = 8866,
    ip: Annotated[str, typer.Option(help="Beyond loopback a token is asked for, and pages only show.")] = "127.0.0.1",
    allow_trading: Annotated[bool, typer.Option("--allow-trading", help="Beyond loopback too, pages act.")] = False,
    preheat: Annotated[bool, typer.Option("--preheat", help="Voila: one kernel a page kept ready.")] = False,
    idle: Annotated[float, typer.Option(help="Voila: seconds until a kernel nobody looks at ends.")] = 600.0,
    max_seconds: Annotated[float | None, typer.Option(min=0.0, help="End after so many seconds.")] = None,
) -> None:
    """Publish the pages until Ctrl-C: market, realtime, paper desk, backtest workbench, runs.

    On 127.0.0.1 they are open to whoever uses this machine. On any other address a browser has to know the token of
    QTW_DASHBOARDS_TOKEN, or the one that is made at the start and shown on the terminal.
    """
    from qtw_lab.lab import publishing

    settings = Settings.load()
    kind = "panel" if panel else "voila"
    plan = publishing.planned(settings, ip, kind=kind, port=port, preheat=preheat, idle=idle)
    confide = _say if stdout.is_terminal else None
    publishing.serve(settings, plan, _say, confide, allow_trading=allow_trading, seconds=max_seconds)


def _say(line: str) -> None:
    stdout.print(line, soft_wrap=True)
