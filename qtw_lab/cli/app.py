"""The command line as a whole: its commands, and what their errors become."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Final, cast

import typer
from rich.text import Text
from typer.main import get_command

import qtw_lab
from qtw_lab.cli import dashboards, data, house, market, paper, realtime, research, runs, schedule, simulator
from qtw_lab.cli.printing import stderr
from qtw_lab.core import LabError

#: What typer raises for a command line it cannot read. Some of its versions bring a click of their own, others use the
#: installed one, so the family is found from the one member that every version names.
_MISUSE: Final = cast("type[Exception]", typer.BadParameter.__mro__[2])

_INTERRUPTED: Final = 130

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
schedule.register(app)
market.register(app)
realtime.register(app)
simulator.register(app)
paper.register(app)
dashboards.register(app)


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
        return _refused(str(err), err.exit_code)
    except _MISUSE as err:
        return _misused(err)
    except (KeyboardInterrupt, typer.Abort):
        outcome = _INTERRUPTED
    if outcome == _INTERRUPTED:
        return _refused("Interrupted. What was recorded before stays.", _INTERRUPTED)
    return int(outcome or 0)


def _refused(message: str, code: int) -> int:
    """Say what went wrong in one paragraph, whatever line breaks a library put into it."""
    paragraph = " ".join(line.strip() for line in message.splitlines() if line.strip())
    stderr.print(Text.assemble(("Error", "bold red"), f": {paragraph}"), soft_wrap=True)
    return code


def _misused(err: Any) -> int:
    """Answer a command line that cannot be read; a group without a command is answered by its help."""
    message, context = str(err.format_message()), getattr(err, "ctx", None)
    if context is not None and message == context.get_help():
        stderr.print(message, soft_wrap=True)
        return 2
    hint = f" See: {context.command_path} --help" if context is not None else ""
    return _refused(f"{message}{'' if message.endswith(('.', '?')) else '.'}{hint}", 2)
