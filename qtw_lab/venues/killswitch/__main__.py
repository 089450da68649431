"""`python -m qtw_lab.venues.killswitch`: run the watcher, or trip, reset and show the switch by hand.

Only `run` loads more than the standard library: tripping must work where nothing else does.
"""

from __future__ import annotations

import argparse
import contextlib
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from qtw_lab.venues.killswitch import KillSwitch, Status, disk
from qtw_lab.venues.killswitch.heartbeat import HEARTBEAT, Heartbeat

if TYPE_CHECKING:
    from qtw_lab.venues.killswitch.watch import Watch

LOCK: Final = "watch.lock"
_KEYS: Final = ("ALPACA_API_KEY_ID", "ALPACA_API_SECRET_KEY")
_TERMS: Final = ("heartbeat", "unread", "clock", "interval", "account")
_LIMITS: Final = ("max_daily_loss", "max_drawdown", "max_leverage")


def main(words: Sequence[str] | None = None) -> int:
    """Do what the words ask for; gives the exit code: 0, 1 for failed work, 2 for wrong input."""
    asked = _parser().parse_args(words)
    try:
        return int(asked.work(asked))
    except Exception as err:
        from qtw_lab.core.errors import LabError

        if not isinstance(err, LabError):
            raise
        sys.stderr.write(f"{err}\n")
        return err.exit_code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m qtw_lab.venues.killswitch", description="Halts trading.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, work: Callable[[argparse.Namespace], int], told: str) -> argparse.ArgumentParser:
        made = commands.add_parser(name, help=told, description=told)
        made.set_defaults(work=work)
        made.add_argument("--folder", type=Path, required=True, help="where the switch is kept")
        return made

    run = command("run", _run, f"Watch an engine; the keys come from {' and '.join(_KEYS)}.")
    run.add_argument("--url", required=True, help="the venue, such as https://paper-api.alpaca.markets")
    run.add_argument("--beat", type=Path, help=f"the engine's heartbeat; {HEARTBEAT} in the folder by default")
    run.add_argument("--calendar", default="XNYS", help="whose sessions count; 24/7 for always")
    run.add_argument("--flatten", action="store_true", help="close positions too")
    for name in (*_TERMS, *_LIMITS):
        kind = str if name in _LIMITS else float
        run.add_argument(f"--{name.replace('_', '-')}", type=kind, help=f"see {'Limits' if kind is str else 'Terms'}")
    trip = command("trip", _trip, "Halt trading.")
    reset = command("reset", _reset, "Let trading go on.")
    for made in (trip, reset):
        made.add_argument("--by", required=True, help="your name")
        made.add_argument("--reason", required=True, help="why")
    trip.add_argument("--flatten", action="store_true", help="close positions too")
    reset.add_argument("--acknowledge-damage", action="store_true", help="though it is not known what had happened")
    command("status", _status, "Show how the switch stands.")
    return parser


def _run(asked: argparse.Namespace) -> int:
    """Watch until SIGTERM or SIGINT; a terminal that is closed does not end it."""
    stopping = threading.Event()
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    switch = KillSwitch(asked.folder)
    with _alone(switch.folder):
        watch = _watch(asked, switch)
        watch.ready()
        _say(f"Watching {switch.folder} for {asked.url}.")
        watch.run(stopping)
    _say("Ended.")
    return 0


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Be the only watcher of a folder, in this block or until the process ends."""
    from qtw_lab.core.errors import SetupError

    lock = folder / LOCK
    try:
        lock.touch()
    except OSError as err:
        raise SetupError(
            f"Cannot write to {folder}: {err.strerror}. Permit writing there, or free some space."
        ) from err
    with disk.held(lock, 0) as mine:
        if not mine:
            raise SetupError(f"A watcher already works in {folder}. Stop that one first: SIGTERM ends it cleanly.")
        yield


def _watch(asked: argparse.Namespace, switch: KillSwitch) -> Watch:
    from qtw_lab.core.settings import secret_from_reference
    from qtw_lab.ledger.limits import Limits
    from qtw_lab.venues.killswitch.lookout import Terms
    from qtw_lab.venues.killswitch.venue import Patience, Venue
    from qtw_lab.venues.killswitch.watch import Watch

    def given(names: Sequence[str]) -> dict[str, Any]:
        return {name: getattr(asked, name) for name in names if getattr(asked, name) is not None}

    limits = Limits(**given(_LIMITS))
    terms = Terms(**given(_TERMS), calendar=asked.calendar, flatten=asked.flatten, limits=limits)
    keys = [secret_from_reference(f"env:{name}") for name in _KEYS]
    venue = Venue(asked.url, *keys, patience=Patience(attempts=1))  # the loop asks again, and looks in between
    return Watch(switch, venue, Heartbeat(asked.beat or switch.folder / HEARTBEAT), terms, say=_say)


def _trip(asked: argparse.Namespace) -> int:
    """Trip, and look whether everybody else sees it."""
    KillSwitch(asked.folder).trip(asked.by, asked.reason, flatten=asked.flatten)
    return _shown(KillSwitch(asked.folder).status(), tripped=True)


def _reset(asked: argparse.Namespace) -> int:
    switch = KillSwitch(asked.folder)
    return _shown(switch.reset(asked.by, asked.reason, acknowledge_damage=asked.acknowledge_damage), tripped=False)


def _status(asked: argparse.Namespace) -> int:
    status = KillSwitch(asked.folder).status()
    return _shown(status, tripped=status.tripped)


def _shown(status: Status, *, tripped: bool) -> int:
    """Say how the switch stands; 1 if that is not as it should be."""
    _say(f"{'tripped' if status.tripped else 'armed'} by {status.by or 'nobody known'}: {status.reason}")
    return int(status.tripped is not tripped)


def _say(line: str) -> None:
    """Tell people; if nobody listens any more, or their log has no space, that is no reason not to go on."""
    with contextlib.suppress(OSError, ValueError):
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
