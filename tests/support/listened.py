"""A market to listen to and an engine that listens, each in a process of its own, and what may be done to them."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from qtw_lab.core import Settings
from qtw_lab.lab import realtime
from qtw_lab.live.client import Live

ROOT = Path(__file__).resolve().parents[2]


@dataclass
class Listened:
    """`qtw simulator serve` and `qtw realtime run` over one storage folder.

    Parameters
    ----------
    storage : Path
        Where the engine keeps everything.
    symbols : int
        In the market, and in the focus of the profile "test" that is laid out for the page.
    speed : float
        Of the market.
    """

    storage: Path
    symbols: int = 40
    speed: float = 5.0
    focus: int = 30
    processes: list[subprocess.Popen] = field(default_factory=list)

    def __enter__(self) -> Listened:
        self.storage.mkdir(parents=True, exist_ok=True)
        self.log = (self.storage / "simulator.log").open("wb")
        market = subprocess.Popen(
            [sys.executable, "-m", "qtw_lab", "simulator", "serve", "--port", "0", "--symbols", str(self.symbols),
             "--speed", str(self.speed), "--rate-limit", "0"],
            cwd=ROOT, stdout=self.log, stderr=subprocess.STDOUT, start_new_session=True,
            env={**os.environ, "QTW_STORAGE_DIR": str(self.storage)},
        )  # fmt: skip
        self.processes.append(market)
        end = time.monotonic() + 60
        while not (found := re.search(r"http://(127\.0\.0\.1:\d+)", (self.storage / "simulator.log").read_text())):
            assert market.poll() is None, (self.storage / "simulator.log").read_text()
            assert time.monotonic() < end, "the market does not say where it is"
            time.sleep(0.1)
        self.address = found.group(1)
        folder = self.storage / "realtime" / "profiles"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "test.json").write_text(json.dumps(self.profile()))
        return self

    def profile(self) -> dict:
        """Everything passes, and the rule decides often."""
        return {
            "universe": {
                "max_symbols": max(100, self.symbols), "top_n": self.symbols, "min_price": 0, "min_dollar_volume": 0,
                "min_volume": 0,
            },
            "focus": {"size": self.focus, "min_residence_seconds": 10},
            "engine": {"stale_seconds": 60, "focus_refresh_seconds": 10, "universe_refresh_seconds": 20},
            "signals": {"entry_threshold": 0.0005, "exit_threshold": 0.0002, "min_volume": 0, "max_spread_bps": 100},
        }  # fmt: skip

    def variables(self) -> dict[str, str]:
        """What points a process to the market."""
        return {
            "ALPACA_DATA_WS_URL": f"ws://{self.address}/v2/sip", "ALPACA_DATA_REST_URL": f"http://{self.address}",
            "ALPACA_TRADING_REST_URL": f"http://{self.address}", "ALPACA_REQUESTS_PER_MINUTE": "100000",
            "QTW_STORAGE_DIR": str(self.storage),
        }  # fmt: skip

    @cached_property
    def live(self) -> Live:
        """The engine, for a test to look at."""
        settings = Settings(qtw_storage_dir=self.storage, _env_file=None)
        return Live(
            realtime.profile_of(self.profile()), realtime.places(settings),
            ["--feed", "simulator", "--speed", str(self.speed)], self.variables(),
        )  # fmt: skip

    def listen(self) -> None:
        """Start an engine, unless one runs, and wait until it decides on bars."""
        live = self.live
        if live.status().state != "running":
            live.start()
        end = time.monotonic() + 60
        while not self._hears():
            assert time.monotonic() < end, live.words()
            time.sleep(0.2)

    def _hears(self) -> bool:
        """Whether the engine of now, and not the one before it, says that it heard a trade."""
        status = self.live.status()
        said = status.content
        now = status.holder is not None and said.get("began", 0) >= status.holder.since
        return now and said["counts"]["trades"] > 0

    def send(self, number: int) -> None:
        """Send the engine a signal."""
        os.kill(self.live.status().holder.pid, number)

    def fault(self, **what) -> None:
        """Let something go wrong in the market."""
        import urllib.request

        asked = urllib.request.Request(
            f"http://{self.address}/simulator/fault", json.dumps(what).encode(), {"Content-Type": "application/json"}
        )
        urllib.request.urlopen(asked, timeout=5).close()

    def __exit__(self, *_) -> None:
        holder = self.live.status().holder
        if holder is not None and holder.pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(holder.pid, signal.SIGCONT)
                os.kill(holder.pid, signal.SIGTERM)
            self.live.stop()
        for process in self.processes:
            process.kill()
            process.wait(10)
        self.log.close()
