"""`qtw run` and `qtw runs`."""

from __future__ import annotations

import inspect
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Final

import pandas as pd
import typer

from qtw_lab.cli.printing import Json, pairs, plain, print_facts, print_json, print_pairs, print_table, progress, stdout
from qtw_lab.core import DataError
from qtw_lab.lab import Lab

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)

#: What would make the run again: it is for machines, and long; --json has it.
_RECIPE: Final = "recipe"

#: A SHA-256, and as much of it as tells two apart.
_HASH: Final = r"\b([0-9a-f]{12})[0-9a-f]{52}\b"

Id = Annotated[str, typer.Argument(help="Run id, or enough of its beginning.")]


def register(parent: typer.Typer) -> None:
    """Add the commands to the command line."""
    parent.command("run")(run)
    parent.add_typer(app, name="runs", help="Recorded runs: list, show, compare, replay; trials.")


def run(
    notebook: Annotated[Path, typer.Argument(help="The notebook to execute.")],
    param: Annotated[
        list[str] | None,
        typer.Option("--param", "-p", help="-p fast=10, -p 'symbols=[\"AAPL\"]'; a secret: key=env:NAME."),
    ] = None,
    timeout: Annotated[float | None, typer.Option(min=1, help="Seconds any one cell may take.")] = None,
    json: Json = False,
) -> None:
    """Execute a notebook with papermill and record the run."""
    lab, given = Lab.from_settings(), pairs(param, "-p")
    clash = sorted(set(given) & set(inspect.signature(Lab.run).parameters))
    if clash:
        raise DataError(f"A parameter cannot be called {clash[0]!r} here. Rename it in the notebook.")
    with progress(notebook.stem) as step:
        done = lab.run(notebook, timeout=timeout, progress=step, **given)
    if json:
        print_json({"id": done.id, "status": done.status, "folder": str(done.folder), "manifest": done.manifest})
        return
    stdout.print(f"Run {done.id}: {done.status}\n{done.folder}", soft_wrap=True)


@app.command("list")
def list_runs(
    kind: Annotated[str | None, typer.Option(help="notebook, backtest, sweep, validation.")] = None,
    status: Annotated[str | None, typer.Option(help="ok, failed or running.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many, newest first.")] = 20,
    json: Json = False,
) -> None:
    """List recorded runs, newest first."""
    table = Lab.from_settings().registry.list(kind=kind, status=status, limit=limit)
    if json:
        print_json(table)
    else:
        wanted = kind is not None or status is not None
        nothing = "No such run." if wanted else "No run is recorded yet. Make one with: qtw demo"
        print_table(table[["id", "kind", "name", "status", "seconds"]], nothing)
        for failed in table[table["error"].notna()].itertuples(index=False):
            stdout.print(f"{failed.id} failed: {failed.error}", style="red")


@app.command("show")
def show(id: Id, json: Json = False) -> None:  # noqa: A002  (the public word for it)
    """Show one run: its figures, its files, and what made it."""
    found = Lab.from_settings().registry.get(id)
    if json:
        print_json(dict(found.manifest) | {"id": found.id, "status": found.status})
        return
    about = [
        ("run", found.id), ("kind", found.kind), ("name", found.name), ("status", found.status),
        ("started", f"{found.started:%Y-%m-%d %H:%M:%S} UTC"), ("folder", found.folder),
        ("files", None if found.pruned is None else f"removed {found.pruned:%Y-%m-%d %H:%M:%S} UTC to make room"),
        ("replay of", found.manifest.get("run", {}).get("replay_of")),
        *((name, value) for name, value in found.parameters.items() if name != _RECIPE),
    ]  # fmt: skip
    print_pairs((name, str(value)) for name, value in about if value is not None)
    stdout.print()
    if found.error:
        stdout.print(found.error, style="red", soft_wrap=True)
        return
    try:
        print_facts(found.facts())
    except DataError as err:
        stdout.print(str(err))


@app.command("compare")
def compare(ids: Annotated[list[str], typer.Argument(help="Two or more run ids.")], json: Json = False) -> None:
    """Set the figures of two or more runs side by side."""
    registry = Lab.from_settings().registry
    columns = {}
    for given in ids:
        found = registry.get(given)
        columns[found.id] = pd.Series({fact.name: (fact.value if json else fact.shown) for fact in found.facts()})
    if len(columns) < 2:
        raise DataError("Comparing needs two different runs at least; `qtw runs list` shows their ids.")
    order = dict.fromkeys(name for column in columns.values() for name in column.index)
    table = pd.DataFrame(columns).reindex(list(order))  # what stands first in a report stands first here
    if json:
        print_json({name: plain(table[name]) for name in table})
    else:
        print_table(table.reset_index(names="figure"))


@app.command("replay")
def replay_run(id: Id, json: Json = False) -> None:  # noqa: A002  (the public word for it)
    """Execute a notebook run again from its record: identical (exit code 0), or what differs and where (1)."""
    lab = Lab.from_settings()
    found = lab.registry.get(id)
    with progress(f"replay of {found.name}") as step:
        done = lab.replay(found.id, step)
    if json:
        kinds = {"inputs": "input", "endings": "status", "figures": "figure", "cells": "cell", "files": "file"}
        print_json(
            {"identical": done.identical, "sentence": done.sentence, "run": done.run.id, "replay": done.again.id}
            | {name: [asdict(one) for one in done.of(kind)] for name, kind in kinds.items()}
        )
    else:
        stdout.print(f"Replay {done.again.id} of {done.run.id}: {done.sentence}", soft_wrap=True)
        if not done.table().empty:
            stdout.print()
            print_table(done.table().replace({"old": _HASH, "new": _HASH}, r"\1...", regex=True))
    raise typer.Exit(0 if done.identical else 1)


@app.command("trials")
def trials(json: Json = False) -> None:
    """Count every configuration ever tried, by data fingerprint and strategy."""
    table = Lab.from_settings().trials.table()
    if json:
        print_json(table)
    else:
        shown = table.assign(
            fingerprint=table["fingerprint"].str[:16], last=table["last"].dt.strftime("%Y-%m-%d %H:%M")
        )
        print_table(shown, "No trial is recorded yet.")
