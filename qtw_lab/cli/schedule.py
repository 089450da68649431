"""`qtw schedule` and `qtw worker`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import pandas as pd
import typer

from qtw_lab.cli.printing import Json, print_json, print_table, stdout
from qtw_lab.core import Settings
from qtw_lab.core.times import moment
from qtw_lab.lab import Lab

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)

File = Annotated[Path | None, typer.Option(help="The schedule; notebooks/runs/schedule.toml by default.")]
Seconds = Annotated[float | None, typer.Option(min=0.0, help="End after so many seconds, when what runs has ended.")]
Dask = Annotated[str | None, typer.Option(help="Spread runs over this Dask cluster; DASK_SCHEDULER by default.")]


def register(parent: typer.Typer) -> None:
    """Add the commands to the command line."""
    parent.add_typer(app, name="schedule", help="Notebooks run by a clock: start, list, next.")
    parent.command("worker")(worker)


@app.command("start")
def start(
    file: File = None,
    max_seconds: Seconds = None,
    no_work: Annotated[bool, typer.Option("--no-work", help="Keep time only; `qtw worker` does the work.")] = False,
    dask: Dask = None,
) -> None:
    """Keep time and run what is due until Ctrl-C or SIGTERM; after a kill, start it again and it goes on.

    The first Ctrl-C waits for what runs, the second leaves it to itself.
    """
    from qtw_lab.lab import scheduling

    duty = scheduling.Duty(works=not no_work, seconds=max_seconds, cluster=dask)
    scheduling.serve(Lab.from_settings(), duty, file, _say)


@app.command("list")
def list_entries(file: File = None, json: Json = False) -> None:
    """List the entries of the schedule: when they are due next, and how they stand."""
    from qtw_lab.lab import scheduling

    settings = Settings.load()
    table = scheduling.schedule_table(settings, file)
    there = scheduling.attendants(settings)
    if json:
        print_json({"entries": table, "services": there})
        return
    shown = table[["entry", "trigger", "next", "last_due", "status", "missed"]]
    shown = shown.rename(columns={"next": "next (UTC)", "last_due": "last (UTC)"})
    print_table(shown, "The schedule has no entries.", staying=["entry", "trigger", "next (UTC)", "status"])
    for row in table[table["reason"].notna()].itertuples(index=False):
        stdout.print(f"{row.entry} {row.status}: {row.reason}", style="yellow", soft_wrap=True)
    for row in there.itertuples(index=False):
        stdout.print(f"Process {row.pid} {row.task} since {row.since:%Y-%m-%d %H:%M} UTC.")
    if not there["task"].str.contains("keeps time").any():
        stdout.print("Nobody keeps time. Start it with: qtw schedule start")


@app.command("next")
def next_due(
    file: File = None,
    count: Annotated[int, typer.Option(min=1, max=10_000, help="How many, soonest first.")] = 10,
    until: Annotated[str | None, typer.Option(help="No later than this date, such as 2027-01-31.")] = None,
    json: Json = False,
) -> None:
    """Show what will be due next, in local time and on the exchange's clocks."""
    from qtw_lab.lab import scheduling

    table = scheduling.coming(Settings.load(), file, count=count, until=moment(until, "end", whole_day=True))
    if json:
        print_json(table)
        return
    here = table["due"].map(lambda due: due.to_pydatetime().astimezone())
    shown = pd.DataFrame({
        "entry": table["entry"], "here": here.map(lambda due: f"{due:%a %Y-%m-%d %H:%M:%S}"),
        "there": table["there"], "zone": table["zone"],
    })  # fmt: skip
    print_table(shown, "Nothing is due.")


def worker(
    once: Annotated[bool, typer.Option("--once", help="End when nothing waits.")] = False,
    max_seconds: Seconds = None,
    dask: Dask = None,
    only: Annotated[int | None, typer.Option(hidden=True, help="One attempt: whose occurrence.")] = None,
    attempt: Annotated[int, typer.Option(hidden=True, help="Which attempt of it.")] = 1,
    place: Annotated[Path | None, typer.Option(hidden=True, help="The folder of an errand.")] = None,
    parent: Annotated[int | None, typer.Option(hidden=True, help="The process it ends with.")] = None,
) -> None:
    """Run what is waiting in the schedule, beside or without "qtw schedule start", until Ctrl-C or SIGTERM."""
    from qtw_lab.lab import scheduling

    lab = Lab.from_settings()
    if only is None:
        scheduling.serve(lab, scheduling.Duty(keeps_time=False, seconds=max_seconds, once=once, cluster=dask), say=_say)
    elif not scheduling.perform(lab, only, attempt, place, parent):
        raise typer.Exit(1)


def _say(line: str) -> None:
    stdout.print(f"{pd.Timestamp.now():%Y-%m-%d %H:%M:%S}  {line}", soft_wrap=True)
