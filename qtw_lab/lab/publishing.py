"""The pages put where browsers find them: a server of pages in a process of its own, from its start to its end."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import select
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from qtw_lab.core import Settings, SetupError
from qtw_lab.core.places import CHECKOUT
from qtw_lab.core.settings import environment
from qtw_lab.lab.publishing_plan import LOOPBACK, Plan
from qtw_lab.live.running import signalled
from qtw_lab.runs.process import Process, start_of
from qtw_lab.runs.schedule.trees import kill

#: Seconds that a server may take to start, and to end with its kernels.
_STARTING: Final = 120.0
_ENDING: Final = 20.0

_PAGES: Final = CHECKOUT / "dashboards"

Say = Callable[[str], object]


@dataclass(frozen=True)
class Site:
    """Pages that answer.

    Parameters
    ----------
    url : str
        Where they are.
    pages : mapping of str to str
        Addresses of the pages by their titles.
    process : subprocess.Popen
        The server.
    log : pathlib.Path
        What it has to say.
    """

    url: str
    pages: Mapping[str, str]
    process: subprocess.Popen[bytes]
    log: Path

    def wait(self, stop: threading.Event, seconds: float | None = None) -> None:
        """Wait until told to stop, or the seconds are over.

        Raises
        ------
        SetupError
            If the server ends by itself.
        """
        until = None if seconds is None else time.monotonic() + seconds
        while not stop.wait(0.2) and (until is None or time.monotonic() < until):
            if self.process.poll() is not None:
                raise SetupError(f"The server of the pages ended by itself. What it said last:\n{_end_of(self.log)}")


def planned(settings: Settings, ip: str = LOOPBACK[0], **terms: Any) -> Plan:
    """The plan of a server, with the token it needs.

    The one that is set counts everywhere. Without one, loopback is open, and every other address gets a new one.

    Parameters
    ----------
    settings : Settings
        Where a token may be set.
    ip : str
        Where it listens.
    **terms
        As of `Plan`.

    Raises
    ------
    DataError
        As `Plan`.
    """
    if settings.qtw_dashboards_token is not None:
        return Plan(ip=ip, token=settings.qtw_dashboards_token.get_secret_value(), **terms)
    return Plan(ip=ip, token=None if ip in LOOPBACK else secrets.token_urlsafe(32), **terms)


@contextlib.contextmanager
def published(settings: Settings, plan: Plan, *, read_only: bool) -> Iterator[Site]:
    """Pages that answer at their addresses within the block; after it neither server nor kernel is left.

    Parameters
    ----------
    settings : Settings
        Where everything is kept.
    plan : Plan
        Who serves, where, and to whom.
    read_only : bool
        Whether the pages only show.

    Raises
    ------
    SetupError
        If the pages are not installed, the address is taken, or the server does not start.
    """
    process, log = _started(settings, plan, read_only=read_only)
    try:
        said = _first_word(process, log)
        url = plan.url(int(said["port"]))
        _await(url, process, log)
        yield Site(url, {title: url + path for title, path in said["pages"].items()}, process, log)
    finally:
        _end(process)


def serve(
    settings: Settings, plan: Plan, say: Say, confide: Say | None = None, *, allow_trading: bool = False,
    seconds: float | None = None,
) -> None:  # fmt: skip
    """Publish the pages until Ctrl-C, SIGTERM, or the seconds are over, and say where they are once they answer.

    Parameters
    ----------
    settings : Settings
        Where everything is kept.
    plan : Plan
        See `planned`.
    say : callable
        Is given lines for whoever started it.
    confide : callable, optional
        Is given the line with a new token; leave it out where what is said may be kept.
    allow_trading : bool
        Whether pages act on another address than loopback too, and in spite of QTW_DASHBOARDS_READ_ONLY.
    seconds : float, optional
        End after so long.

    Raises
    ------
    SetupError
        As `published`, and if there is a new token and nobody it could be shown to.
    """
    fresh = plan.token is not None and settings.qtw_dashboards_token is None
    if fresh and confide is None:
        raise SetupError(
            f"The pages on {plan.ip} need a token, and a new one is shown on a terminal only. Start this on a "
            "terminal, or set QTW_DASHBOARDS_TOKEN."
        )
    read_only = not allow_trading and (settings.qtw_dashboards_read_only or plan.ip not in LOOPBACK)
    stop = threading.Event()
    with signalled(lambda _: stop.set()), published(settings, plan, read_only=read_only) as site:
        say(f"Pages, served by {plan.kind.capitalize()}{' to look at only' if read_only else ''}:")
        width = max(map(len, site.pages))
        for title, address in site.pages.items():
            say(f"  {title:<{width}}  {address}")
        if fresh and confide is not None:
            confide(f"Sign in once, with a token that holds until this ends: {site.url}login?token={plan.token}")
        elif plan.token is not None:
            say(f"Sign in at {site.url}login with the token that QTW_DASHBOARDS_TOKEN holds.")
        say("Ctrl-C ends them.")
        site.wait(stop, seconds)


def _started(settings: Settings, plan: Plan, *, read_only: bool) -> tuple[subprocess.Popen[bytes], Path]:
    """The server's process, and the file that holds what it says."""
    if not (_PAGES / "serve.py").is_file():
        raise SetupError(
            "The pages are not installed with the package. Clone the project, change into its folder and run: "
            "make dashboards"
        )
    log = settings.qtw_storage_dir.resolve() / "pages" / f"{plan.kind}-{plan.port}.log"
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("wb") as file:
            process = subprocess.Popen(  # noqa: S603  (this Python, and words of ours)
                [sys.executable, "-m", "dashboards.serve", plan.kind], env=_variables(settings, read_only=read_only),
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=file,
                start_new_session=True,  # Ctrl-C is for this process, which then ends the server in its own way
            )  # fmt: skip
    except OSError as err:
        raise SetupError(
            f"The server of the pages cannot be started: {err}. QTW_STORAGE_DIR must be writable."
        ) from err
    with contextlib.suppress(BrokenPipeError):  # it ended at once; its own words are better than ours
        _pipe(process.stdin).write(plan.to_json().encode() + b"\n")
        _pipe(process.stdin).flush()
    return process, log


def _variables(settings: Settings, *, read_only: bool) -> dict[str, str]:
    """What the server and its kernels find in their environment: the same lab as here, and no token."""
    inherited = {name: value for name, value in environment().items() if name != "QTW_DASHBOARDS_TOKEN"}
    own = {
        "QTW_STORAGE_DIR": os.fspath(settings.qtw_storage_dir.resolve()),
        "QTW_DASHBOARDS_READ_ONLY": str(int(read_only)),
    }
    paths = {"PYTHONPATH": _PAGES.parent, "JUPYTER_PATH": _PAGES / "share"}
    joined = {name: os.pathsep.join(filter(None, (str(path), inherited.get(name)))) for name, path in paths.items()}
    return inherited | own | joined


def _first_word(process: subprocess.Popen[bytes], log: Path) -> dict[str, Any]:
    """What the server says when it listens: its port and its pages."""
    answer = _pipe(process.stdout)
    readable, _, _ = select.select([answer], [], [], _STARTING)
    line = answer.readline() if readable else b""
    try:
        said: dict[str, Any] = json.loads(line)
    except ValueError:
        raise SetupError(f"The server of the pages did not start. What it said last:\n{_end_of(log)}") from None
    if "error" in said:
        raise SetupError(str(said["error"]))
    return said


def _await(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until a request is answered at the address."""
    asking = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    until = time.monotonic() + _STARTING
    while time.monotonic() < until and process.poll() is None:
        try:
            asking.open(f"{url}ready", timeout=5).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise SetupError(f"The server of the pages does not answer at {url}. What it said last:\n{_end_of(log)}")


def _end(process: subprocess.Popen[bytes]) -> None:
    """Let the server end with its kernels; what does not end in time is killed, the kernels with it."""
    tree = Process(Process.current().host, process.pid, start_of(process.pid) or "")
    _pipe(process.stdin).close()  # for the server this is the sign to end, as it is when this process is killed
    try:
        process.wait(_ENDING)
    except subprocess.TimeoutExpired:
        kill([tree])
        process.wait()
    _pipe(process.stdout).close()


def _pipe(found: Any) -> Any:
    assert found is not None  # noqa: S101  (asked for when the process was started)
    return found


def _end_of(log: Path) -> str:
    """The last lines of a log."""
    with contextlib.suppress(OSError):
        return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-12:])
    return ""
