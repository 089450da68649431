"""`qtw data`: what prices there are, import, download, quality, revisions, migration and cleaning."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import pandas as pd
import typer

from qtw_lab.cli.printing import Json, print_facts, print_json, print_table, stderr, stdout
from qtw_lab.core import DataError
from qtw_lab.lab import Download, Lab

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)

Apply = Annotated[bool, typer.Option("--apply", help="Really do it; without this, only say what would be done.")]


@app.command("list")
def list_sources(json: Json = False) -> None:
    """List bundled data sets and stored sources with their span, licence and origin."""
    table = Lab.from_settings().sources()
    if json:
        print_json(table)
        return
    print_table(table[["source", "title", "symbols", "first", "last"]])
    stdout.print()
    for row in table.itertuples(index=False):
        stdout.print(f"{row.source}: from {row.origin}; licence: {row.licence}", style="dim")


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
        print_facts(replace(report.facts(), notes=()))  # its notes are the findings, ten at most
        stdout.print()
        for finding in report.findings:
            stdout.print(str(finding))
        if not report.findings:
            stdout.print("Nothing to object to.")
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
    twice = table.columns[table.columns.duplicated()]
    if len(twice):
        raise DataError(f"The answer has two columns called {twice[0]!r}. Name one of them with AS.")
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

    plan = work(base_dir, Lab.from_settings().store, apply=apply)
    if json:
        print_json({"applied": apply, "items": plan.table()})
        return
    rows = [
        (item.action, item.path, f"{item.series}: {item.rows:,} bars. {item.reason}" if item.rows else item.reason)
        for item in plan.items
    ]
    print_table(pd.DataFrame(rows, columns=["action", "file", "detail"]), "There is no file in this folder.")
    print_facts(plan.facts())


@app.command("clean-cache")
def clean_cache(
    base_dir: Annotated[Path | None, typer.Option("--base-dir", help="The old system's storage folder.")] = None,
    max_age_days: Annotated[float | None, typer.Option(min=0, help="With --base-dir: remove older snapshots.")] = None,
    apply: Apply = False,
    json: Json = False,
) -> None:
    """Remove what your store no longer needs, or with --base-dir the old cache's litter; a dry run unless --apply."""
    from qtw_lab.data.legacy import clean_cache as work

    if base_dir is None:
        if max_age_days is not None:
            raise DataError("--max-age-days removes snapshots of an old cache. Name its folder with --base-dir.")
        _collect_garbage(apply=apply, json=json)
        return
    plan = work(base_dir, apply=apply, max_age_days=max_age_days)
    if json:
        print_json({"applied": apply, "items": plan.table()})
        return
    table = plan.table().drop(columns="age_days")
    print_table(table if table["fault"].any() else table.drop(columns="fault"), "There is nothing to remove.")
    print_facts(plan.facts())


def _collect_garbage(*, apply: bool, json: bool) -> None:
    store = Lab.from_settings().store
    garbage = store.collect_garbage(apply=apply)
    table = pd.DataFrame({"path": [str(path.relative_to(store.folder)) for path in garbage.files]})
    if json:
        print_json({"applied": apply, "bytes": garbage.size, "items": table})
        return
    print_table(table, "There is nothing to remove.")
    if garbage.files:
        done = "removed." if apply else "to remove. This was a dry run; add --apply to do it."
        stdout.print(f"{len(garbage.files):,} file(s), {garbage.size:,} bytes {done}")


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
        stderr.print(f"revision: {alarm}", style="yellow")
    if not download.affected.empty:
        stdout.print("\nSaved runs that rest on bars which changed:")
        print_table(download.affected[["id", "kind", "name", "symbol", "changed_bars"]])
