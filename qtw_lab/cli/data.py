"""`qtw data`: what prices there are, import, download, quality, revisions, migration and cleaning."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import pandas as pd
import typer

from qtw_lab.cli.printing import Json, print_facts, print_json, print_table, stderr, stdout
from qtw_lab.lab import Download, Lab

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)

Apply = Annotated[bool, typer.Option("--apply", help="Really do it; without this, only say what would be done.")]


@app.command("list")
def list_sources(json: Json = False) -> None:
    """List bundled data sets and stored sources with their span, licence and origin."""
    table = Lab.from_settings().sources()
    if json:
        print_json(table)
    else:
        print_table(table)


@app.command("import")
def import_file(
    path: Annotated[Path, typer.Argument(help="CSV or Parquet file of prices.")],
    symbol: Annotated[str | None, typer.Option(help="Symbol, if the file does not name one.")] = None,
    source: Annotated[str, typer.Option(help="Name of the source in your store.")] = "import",
    timeframe: Annotated[str | None, typer.Option(help="Length of a bar; found from the times by default.")] = None,
    tz: Annotated[str | None, typer.Option(help="Time zone of naive intraday times.")] = None,
    json: Json = False,
) -> None:
    """Import prices from a file into the store, merged with what is there."""
    _report(Lab.from_settings().import_file(path, symbol, source=source, timeframe=timeframe, tz=tz), json=json)


@app.command("download")
def download(
    symbols: Annotated[str, typer.Argument(help="Symbols, such as AAPL,IBM.")],
    start: Annotated[str, typer.Option(help="First date.")],
    end: Annotated[str, typer.Option(help="Last date.")],
    timeframe: Annotated[str, typer.Option(help="Length of a bar.")] = "1D",
    json: Json = False,
) -> None:
    """Fetch bars from Alpaca into the store; past bars that changed are reported."""
    _report(Lab.from_settings().download(symbols, start, end, timeframe), json=json)


@app.command("check")
def check(
    what: Annotated[str, typer.Argument(help="Symbols, or a CSV or Parquet file.")],
    source: Annotated[str | None, typer.Option(help="Bundled data set or stored source.")] = None,
    timeframe: Annotated[str | None, typer.Option(help="Length of a bar.")] = None,
    adjustment: Annotated[str, typer.Option(help="all, split or raw.")] = "all",
    json: Json = False,
) -> None:
    """Report gaps, duplicates, impossible prices, spikes, unadjusted splits and stale runs."""
    report = Lab.from_settings().check(what, source=source, timeframe=timeframe, adjustment=adjustment)
    if json:
        print_json({"ok": report.ok, **report.facts().as_dict(), "findings": report.table()})
    else:
        print_facts(report.facts())
        print_table(report.table(), "Nothing to object to.")
    raise typer.Exit(0 if report.ok else 1)


@app.command("revisions")
def revisions(json: Json = False) -> None:
    """List past bars that a vendor revised, and the saved runs that used the old values."""
    table = Lab.from_settings().revisions()
    if json:
        print_json(table)
    else:
        print_table(table, "No vendor revision is on record.")


@app.command("query")
def query(sql: Annotated[str, typer.Argument(help="One SELECT over the view `bars`.")], json: Json = False) -> None:
    """Ask the store a question in SQL (DuckDB)."""
    table = Lab.from_settings().store.query(sql)
    if json:
        print_json(table)
    else:
        print_table(table, "No rows.")


@app.command("import-legacy-cache")
def import_legacy_cache(
    base_dir: Annotated[Path, typer.Option("--base-dir", help="The old system's data_cache folder.")],
    apply: Apply = False,
    json: Json = False,
) -> None:
    """Import the price files of the old system's cache; a dry run unless --apply."""
    from qtw_lab.data.legacy import import_legacy_cache as work

    _plan(work(base_dir, Lab.from_settings().store, apply=apply), json=json, apply=apply)


@app.command("clean-cache")
def clean_cache(
    base_dir: Annotated[Path | None, typer.Option("--base-dir", help="Folder to clean; the store by default.")] = None,
    max_age_days: Annotated[float | None, typer.Option(min=0, help="Also remove snapshots older than this.")] = None,
    apply: Apply = False,
    json: Json = False,
) -> None:
    """Remove broken, orphaned and misnamed cache files; a dry run unless --apply."""
    from qtw_lab.data.legacy import clean_cache as work

    folder = base_dir if base_dir is not None else Lab.from_settings().store.folder
    _plan(work(folder, apply=apply, max_age_days=max_age_days), json=json, apply=apply)


def _report(download: Download, *, json: bool) -> None:
    rows = [
        {
            "source": one.key.source, "symbol": one.key.symbol, "timeframe": one.key.timeframe, "rows": one.rows,
            "added": one.added, "first": one.first, "last": one.last, "content": one.content[:12],
        }
        for one in download.written
    ]  # fmt: skip
    if json:
        print_json({"written": rows, "revisions": list(download.alarms), "affected_runs": download.affected})
        return
    print_table(pd.DataFrame(rows))
    for alarm in download.alarms:
        stderr.print(f"revision: {alarm}", style="yellow", highlight=False, markup=False)
    if not download.affected.empty:
        stderr.print("Saved runs that used bars which changed:", style="yellow")
        print_table(download.affected)


def _plan(plan: object, *, json: bool, apply: bool) -> None:
    table: pd.DataFrame = plan.table()  # type: ignore[attr-defined]
    if json:
        print_json({"applied": apply, "items": table})
        return
    print_table(table, "Nothing to do.")
    if not apply and not table.empty:
        stdout.print("This was a dry run. Add --apply to do it.")
