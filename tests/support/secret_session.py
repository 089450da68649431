"""Real processes in a world of their own, where all that they print and write stays; and the list of processes."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from secret_traces import Needles

HERE: Final = Path(__file__).parent
QTW: Final = str(Path(sys.executable).with_name("qtw"))
KILLSWITCH: Final = (sys.executable, "-m", "qtw_lab.venues.killswitch")

#: Loaded by every Python process of the world before anything else: everything that any library logs is kept.
_TALKATIVE: Final = """
import logging, os
logging.basicConfig(level=logging.DEBUG, filename=f"{os.environ['SESSION_LOGS']}/debug-{os.getpid()}.log")
logging.getLogger("numba").setLevel(logging.INFO)  # tells of every instruction it compiles
"""


class ProcessList:
    """Looks at the command lines of all processes of this machine, as `ps` does, until it is left.

    Parameters
    ----------
    needles : Needles
        What must not be in them.
    """

    def __init__(self, needles: Needles) -> None:
        self._needles, self._ended = needles, threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        #: Every command line that was seen, and what was found in it.
        self.seen: dict[bytes, set[str]] = {}

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()

    @property
    def found(self) -> set[str]:
        """Names and encodings of secrets that were in a command line."""
        return set().union(*self.seen.values())

    def _look(self) -> None:
        while not self._ended.wait(0.02):
            for folder in Path("/proc").iterdir():
                with contextlib.suppress(OSError):  # it has ended meanwhile, or is no process
                    line = (folder / "cmdline").read_bytes() + b"\0" + (folder / "comm").read_bytes()
                    if line not in self.seen:
                        self.seen[line] = self._needles.found(line)


class World:
    """A folder in which processes run that know nothing of the world outside.

    Parameters
    ----------
    root : Path
        An empty folder; `cwd` in it is where the processes work.
    given : mapping of str to str
        What is in their environment beside the usual.
    """

    def __init__(self, root: Path, given: Mapping[str, str]) -> None:
        self.root = root
        for name in ("cwd", "home", "temporary", "words", "stop", "logs", "code"):
            (root / name).mkdir(parents=True)
        (root / "code" / "sitecustomize.py").write_text(_TALKATIVE)
        self.environment = {
            **{name: os.environ[name] for name in ("PATH", "LANG", "LD_LIBRARY_PATH") if name in os.environ},
            "HOME": str(root / "home"), "TMPDIR": str(root / "temporary"), "QTW_STORAGE_DIR": str(root / "storage"),
            "PYTHONPATH": str(root / "code"), "SESSION_LOGS": str(root / "logs"), "COLUMNS": "200",
            "PYTHONFAULTHANDLER": "1", "JUPYTER_PLATFORM_DIRS": "1", **given,
        }  # fmt: skip
        self.running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str, *command: object, **given: str) -> subprocess.Popen[bytes]:
        """Start a process; what it prints goes into files of that name."""
        assert name not in self.running, f"two processes are called {name}"
        with self.words(name, "out").open("wb") as out, self.words(name, "err").open("wb") as err:
            self.running[name] = subprocess.Popen(
                list(map(str, command)), stdin=subprocess.DEVNULL, stdout=out, stderr=err, cwd=self.root / "cwd",
                env={**self.environment, **given},
            )  # fmt: skip
        return self.running[name]

    def run(self, name: str, *command: object, code: int | None = 0, seconds: float = 40.0, **given: str) -> str:
        """What a process printed on its way to an exit code; any but a signal's where none is named."""
        self.start(name, *command, **given)
        return self.ended(name, code=code, seconds=seconds)

    def ended(self, name: str, *, code: int | None = 0, seconds: float = 40.0) -> str:
        """Wait for the end of a process, and give what it printed."""
        status = self.running[name].wait(seconds)
        assert status == code if code is not None else status > 0, f"{name} ended with {status}: {self.said(name)}"
        return self.said(name)

    def stop(self, *names: str, code: int | None = 0, number: int = signal.SIGTERM) -> None:
        """Send processes a signal and wait for their ends."""
        for name in names:
            self.running[name].send_signal(number)
        for name in names:
            self.ended(name, code=code)

    def until(self, name: str, words: str, seconds: float = 40.0) -> str:
        """Wait until a process has said something; all that it has said by then."""
        ended = self.running[name].poll
        self.wait(lambda: words in self.said(name) or ended() is not None, seconds, f"{name} to say {words}")
        assert words in self.said(name), f"{name} ended: {self.said(name)}"
        return self.said(name)

    def wait(self, true: Callable[[], object], seconds: float, what: str) -> None:
        """Wait until something is so."""
        ends = time.monotonic() + seconds
        while not true():
            assert time.monotonic() < ends, f"waited in vain for {what}"
            time.sleep(0.05)

    def said(self, name: str) -> str:
        """What a process printed, errors last."""
        return "".join(self.words(name, kind).read_text(errors="replace") for kind in ("out", "err"))

    def words(self, name: str, kind: str) -> Path:
        """The file of what a process prints."""
        return self.root / "words" / f"{name}.{kind}"

    def close(self) -> None:
        """End what still runs."""
        for process in self.running.values():
            if process.poll() is None:
                process.kill()
            process.wait(10)


def profile(path: Path, symbols: list[str]) -> Path:
    """A profile of an engine that decides often on a few symbols."""
    content = {
        "universe": {"symbols": symbols, "min_price": 0, "min_dollar_volume": 0, "min_volume": 0},
        "signals": {"min_volume": 0, "max_spread_bps": 10_000, "lookback_bars": 1, "entry_threshold": 0.001},
        "engine": {"stale_seconds": 3600},
    }
    path.write_text(json.dumps(content))
    return path


def free_port() -> int:
    """A port on which nobody listens."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def notebook(path: Path, *cells: str) -> Path:
    """A notebook of these cells."""
    import nbformat

    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells]), path)
    return path
