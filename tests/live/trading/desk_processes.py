"""`qtw simulator serve` and `qtw paper run` in processes of their own, of which the desk can be killed."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, Self

from desk_at_work import state, until

from qtw_lab.core import Settings
from qtw_lab.lab import paper
from qtw_lab.live.trading.state import DeskState
from qtw_lab.venues.brokers import Broker

_QTW = (sys.executable, "-m", "qtw_lab")


class Processes:
    """A simulator that runs from the beginning to the end, and one desk after the other.

    Parameters
    ----------
    folder : Path
        For the storage folder and what the processes print.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.desk = folder, None
        self.environment = {**os.environ, "QTW_STORAGE_DIR": str(folder / "store")}
        self.log = folder / "desk.log"

    def __enter__(self) -> Self:
        words = ("simulator", "serve", "--port", "0", "--symbols", "20", "--speed", "10", "--start", "10:00",
                 "--rate-limit", "0")  # fmt: skip
        self._simulator = subprocess.Popen(
            [*_QTW, *words], stdout=subprocess.PIPE, env=self.environment, cwd=self.folder, text=True
        )
        assert self._simulator.stdout is not None
        found = re.search(r"http://127\.0\.0\.1:(\d+)", self._simulator.stdout.readline())
        assert found is not None
        url, port = found[0], found[1]
        self.environment |= {
            "ALPACA_TRADING_REST_URL": url, "ALPACA_DATA_REST_URL": url, "ALPACA_API_KEY_ID": "sim-key",
            "ALPACA_DATA_WS_URL": f"ws://127.0.0.1:{port}/v2/sip", "ALPACA_API_SECRET_KEY": "sim-secret",
            "ALPACA_REQUESTS_PER_MINUTE": "100000",
        }  # fmt: skip
        self.settings = Settings(
            qtw_storage_dir=self.folder / "store", alpaca_trading_rest_url=url, alpaca_api_key_id="sim-key",
            alpaca_api_secret_key="sim-secret", alpaca_requests_per_minute=100_000, _env_file=None,
        )  # fmt: skip
        return self

    def __exit__(self, *error: object) -> None:
        if self.desk is not None:
            self.kill()
        self._simulator.kill()
        self._simulator.communicate(timeout=20)

    @property
    def broker(self) -> Broker:
        """The account, asked from here."""
        return paper.remote(self.settings)

    @property
    def state(self) -> DeskState:
        """What the desk has written down."""
        return state(self.settings)

    def qtw(self, *words: str) -> str:
        """What a command prints, which is to do what it should."""
        done = subprocess.run(
            [*_QTW, *words], env=self.environment, cwd=self.folder, capture_output=True, text=True, timeout=120,
            check=False,
        )  # fmt: skip
        assert (done.returncode, done.stderr) == (0, ""), (words, done, self.said())
        return done.stdout

    def start(self) -> None:
        """Start a desk."""
        with self.log.open("ab") as log:
            self.desk = subprocess.Popen(
                [*_QTW, "paper", "run", "--feed", "simulator", "--speed", "10"], stdout=log, stderr=log,
                env=self.environment, cwd=self.folder,
            )  # fmt: skip

    def kill(self) -> None:
        """End it as a crash does."""
        self._ended(signal.SIGKILL, -signal.SIGKILL)

    def stop(self) -> None:
        """Let it end by itself."""
        self._ended(signal.SIGTERM, 0)

    def until(self, true: Any, what: str, seconds: float = 240.0) -> None:
        """Wait until something is true, while the desk works; its first start on a machine compiles for a minute."""

        def so() -> bool:
            assert self.desk is None or self.desk.poll() is None, self.said()
            return bool(true())

        until(so, seconds, f"not {what}: {self.said()}")

    def said(self) -> str:
        """What the desks printed."""
        return self.log.read_text(errors="replace")[-1500:] if self.log.exists() else ""

    def _ended(self, number: int, status: int) -> None:
        assert self.desk is not None
        desk, self.desk = self.desk, None
        desk.send_signal(number)
        assert desk.wait(60) == status, self.said()
