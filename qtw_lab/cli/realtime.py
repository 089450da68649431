"""`qtw realtime`: the engine that watches the market now."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from qtw_lab.cli.printing import Json, print_facts, print_json, stdout
from qtw_lab.core import Settings, VenueError
from qtw_lab.lab import Lab

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)

Feed = Annotated[str | None, typer.Option(help="sip, iex, test or simulator; the profile's by default.")]


def register(parent: typer.Typer) -> None:
    """Add the commands to the command line."""
    parent.add_typer(app, name="realtime", help="The market now: run, replay, status, refresh-assets.")


@app.command("run")
def run(
    profile: Annotated[str, typer.Option(help="A JSON file, or retail_minute or retail_second.")] = "retail_second",
    feed: Feed = None,
    max_seconds: Annotated[float | None, typer.Option(min=0.0, help="End after so many seconds.")] = None,
    speed: Annotated[float, typer.Option(min=0.001, help="Of a simulator: its seconds in one of ours.")] = 1.0,
    client: Annotated[str, typer.Option(help="Who reads the stream: own, or alpaca-py, which is slower.")] = "own",
) -> None:
    """Run the engine until Ctrl-C or SIGTERM; it goes on where the last run in the same place ended."""
    from qtw_lab.lab import realtime

    settings = Settings.load()
    chosen = realtime.profile_of(profile)
    ending = realtime.run(settings, chosen, feed=feed, speed=speed, seconds=max_seconds, client=client, say=_say)
    if ending.failed:
        raise VenueError(f"The engine cannot go on: {ending.reason.rstrip('.')}.")
    _say(f"Ended: {ending.reason}.")


@app.command("replay")
def replay(
    recording: Annotated[Path, typer.Argument(help="The folder of a recorded session.")],
    into: Annotated[Path | None, typer.Option(help="Keep the new journal in this folder.")] = None,
    json: Json = False,
) -> None:
    """Run a recorded session again and compare every bar, decision and signal with what came of it then."""
    from qtw_lab.live.replay import replayed

    found = replayed(recording, into)
    if json:
        print_json(found.facts().as_dict())
    else:
        print_facts(found.facts())
    if found.same is False:
        raise typer.Exit(1)


@app.command("status")
def status(json: Json = False) -> None:
    """How the engine is: running, hung, stopped or dead, and its own words."""
    live = Lab.from_settings().live("retail_second")
    found = live.status()
    if json:
        holder = found.holder
        said: dict[str, Any] = {
            "state": found.state, "age": found.age, "pid": None if holder is None else holder.pid, **found.content,
        }  # fmt: skip
        print_json(said)
        return
    print_facts(live.facts())


@app.command("refresh-assets")
def refresh_assets(feed: Feed = None, json: Json = False) -> None:
    """Ask the venue for its active assets and save them for the engine."""
    from qtw_lab.lab import realtime

    path, count = realtime.refresh_assets(Settings.load(), feed)
    if json:
        print_json({"path": str(path), "assets": count})
        return
    _say(f"{count:,} active assets saved to {path}")


def _say(line: str) -> None:
    stdout.print(line, soft_wrap=True)
