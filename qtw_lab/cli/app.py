"""The command line as a whole: its commands, and what their errors become."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Annotated

import click
import typer
from typer.main import get_command

import qtw_lab
from qtw_lab.cli import data, house, research, runs
from qtw_lab.cli.printing import stderr
from qtw_lab.core import LabError

app = typer.Typer(
    name="qtw", help="QTW Lab: one trading strategy from real data to an honest report.", no_args_is_help=True,
    add_completion=True, pretty_exceptions_enable=False, rich_markup_mode=None,
)  # fmt: skip


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"qtw-lab {qtw_lab.__version__}")
        raise typer.Exit


@app.callback()
def options(
    _: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")] = False,
) -> None:
    """Every reading command takes --json. Exit code 0: done, 1: the work failed, 2: the input was wrong."""


house.register(app)
research.register(app)
app.add_typer(data.app, name="data", help="Prices: what there is, import, quality, cleaning.")
runs.register(app)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code.

    Parameters
    ----------
    arguments : sequence of str, optional
        What follows `qtw`; the process's own by default.

    Returns
    -------
    int
        0 done, 1 the work failed, 2 the input was wrong, 130 interrupted.
    """
    command = get_command(app)
    try:
        outcome = command.main(list(arguments) if arguments is not None else None, "qtw", standalone_mode=False)
    except LabError as err:
        stderr.print(f"[bold red]Error[/]: {_plain(str(err))}", highlight=False, soft_wrap=True)
        return err.exit_code
    except click.ClickException as err:
        err.show(sys.stderr)
        return 2
    except (KeyboardInterrupt, click.Abort):
        stderr.print("Interrupted.")
        return 130
    return int(outcome or 0)


def _plain(text: str) -> str:
    return text.replace("[", r"\[")
