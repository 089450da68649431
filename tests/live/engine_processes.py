"""An engine in a process of its own, which can be killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Self

from faults import Drill
from truth import Verdict

from qtw_lab.live.journal_kinds import Entry

_LAUNCHER = Path(__file__).with_name("launcher.py")


class Processes:
    """`qtw realtime run` on a drill's simulator and in its folders, one process after the other.

    Parameters
    ----------
    drill : Drill
        Whose simulator runs; its own engine does not.
    folder : Path
        For the profile and what the processes print.
    """

    def __init__(self, drill: Drill, folder: Path) -> None:
        self.drill = drill
        profile = folder / "profile.json"
        profile.write_text(drill.profile.to_json(), encoding="utf-8")
        self.words = folder / "words.txt"
        self.command = [str(_LAUNCHER), str(profile), str(drill.speed)]
        self.environment = environment(drill, folder)
        self.pid: int | None = None

    def __enter__(self) -> Self:
        self._log = self.words.open("wb")
        self._launcher = subprocess.Popen(
            [sys.executable, *self.command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log,
            env=self.environment, text=True,
        )  # fmt: skip
        assert self._said() == "ready"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.pid is not None:
            self.end(signal.SIGKILL)
        self._launcher.communicate(timeout=20)
        self._log.close()

    def start(self) -> int:
        """Start one; its process number. One that still runs, because a test failed, is ended first."""
        if self.pid is not None:
            self.end(signal.SIGKILL)
        assert self._launcher.stdin is not None
        self._launcher.stdin.write("go\n")
        self._launcher.stdin.flush()
        self.pid = int(self._said())
        return self.pid

    def end(self, number: int) -> int:
        """End it by a signal; its exit status."""
        assert self.pid is not None
        os.kill(self.pid, number)
        return self.ended()

    def ended(self) -> int:
        """Wait until it has ended; its exit status."""
        self.pid = None
        return int(self._said())

    def said(self) -> str:
        """What they printed."""
        return self.words.read_text(errors="replace")

    def _said(self) -> str:
        assert self._launcher.stdout is not None
        line = self._launcher.stdout.readline().strip()
        assert line, f"the launcher ended: {self.said()[-1500:]}"
        return line


def environment(drill: Drill, folder: Path) -> dict[str, str]:
    """What a process needs to find the drill's simulator."""
    simulator = drill.simulator
    return {
        **os.environ, "ALPACA_API_KEY_ID": drill.key, "ALPACA_API_SECRET_KEY": "secret", "ALPACA_DATA_FEED": "sip",
        "ALPACA_DATA_WS_URL": simulator.stream_url("sip"), "ALPACA_DATA_REST_URL": simulator.url,
        "ALPACA_TRADING_REST_URL": simulator.url, "ALPACA_REQUESTS_PER_MINUTE": "100000",
        "REALTIME_STATE_DIR": str(drill.places.state), "REALTIME_DATA_DIR": str(drill.places.data),
        "QTW_STORAGE_DIR": str(folder / "storage"),
    }  # fmt: skip


def killed(drill: Drill, processes: Processes, lives: Iterable[float]) -> int:
    """Start an engine, wait for its first bars, kill it, and then start and kill others; how many began to work.

    Parameters
    ----------
    lives : iterable of float
        Seconds from the start of each of the others to its end, wherever it is then.
    """
    processes.start()
    drill.until(lambda: drill.closed_after(0), 60.0, f"closed a bar: {processes.words.read_text()[-800:]}")
    processes.end(signal.SIGKILL)
    worked = 0
    for life in lives:
        before = len(drill.entries())
        processes.start()
        time.sleep(life)
        status = processes.end(signal.SIGKILL)
        assert status == -signal.SIGKILL, f"it had ended by itself with {status}: {processes.said()[-1500:]}"
        worked += any(entry.kind == Entry.ROWS for entry in drill.entries()[before:])
    return worked


def settled(drill: Drill, processes: Processes) -> Verdict:
    """Stop a working engine by SIGTERM once it has heard and mended everything told so far, and judge its bars."""
    drill.until(drill.whole, 30.0, "mended its gaps")
    drill.simulator.clock.pause()
    drill.stopped_at = drill.simulator.clock.nanoseconds
    try:
        time.sleep(0.3)
        drill.quiet()
        status = processes.end(signal.SIGTERM)
        assert status == 0, f"SIGTERM ended it with {status}: {processes.said()[-1500:]}"
        return drill.verdict()
    finally:
        drill.simulator.clock.resume()


def working(drill: Drill, processes: Processes) -> None:
    """Start an engine and wait until it closes bars of now."""
    processes.start()
    drill.running()
