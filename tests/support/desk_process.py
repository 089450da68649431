"""A simulator and a trading desk in processes of their own, for pages that look at them."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

from qtw_lab.core import Settings
from qtw_lab.lab import desk, paper
from qtw_lab.lab.desk_places import DeskPlaces
from qtw_lab.live.trading.terms import SessionTerms

_QTW = (sys.executable, "-m", "qtw_lab")
SESSIONS = (
    SessionTerms.given("trend", "sma_cross", "SAAAA,SAAAB", "5s", parameters={"fast": 3, "slow": 8}, allocation=0.3),
    SessionTerms.given("swing", "macd", "SAAAA", "10s", parameters={"fast": 3, "slow": 6, "signal": 3}, allocation=0.3),
)  # fmt: skip
LIMITS = {"max_order_value": 50_000, "max_leverage": 2, "max_daily_loss": 0.2, "max_orders_per_minute": 200}


class DeskProcess:
    """A market of six symbols ten times as fast as a clock, and a desk with two sessions, limits and a kill switch.

    Parameters
    ----------
    storage : Path
        The storage folder of all of them.
    """

    def __init__(self, storage: Path) -> None:
        self.storage, self.desk = storage, None
        storage.mkdir(parents=True, exist_ok=True)
        self._log = (storage / "desk.log").open("wb")

    def __enter__(self) -> DeskProcess:
        words = ("simulator", "serve", "--port", "0", "--symbols", "6", "--speed", "10", "--start", "10:00",
                 "--rate-limit", "0")  # fmt: skip
        self.simulator = subprocess.Popen(
            [*_QTW, *words], stdout=subprocess.PIPE, stderr=self._log, text=True, env=self._environment({})
        )
        said = self.simulator.stdout.readline()
        found = re.search(r"http://127\.0\.0\.1:(\d+)", said)
        assert found is not None, said
        self.variables = {
            "ALPACA_TRADING_REST_URL": found[0], "ALPACA_DATA_REST_URL": found[0], "ALPACA_API_KEY_ID": "sim-key",
            "ALPACA_DATA_WS_URL": f"ws://127.0.0.1:{found[1]}/v2/sip", "ALPACA_API_SECRET_KEY": "sim-secret",
            "ALPACA_DATA_FEED": "sip", "ALPACA_REQUESTS_PER_MINUTE": "100000",
        }  # fmt: skip
        self.settings = Settings(
            qtw_storage_dir=self.storage, _env_file=None, **{name.lower(): one for name, one in self.variables.items()}
        )
        return self

    def __exit__(self, *error: object) -> None:
        for process in (self.desk, self.simulator):
            if process is not None and process.poll() is None:
                process.send_signal(signal.SIGCONT)
                process.kill()
                process.wait(20)
        self.simulator.stdout.close()
        self._log.close()

    @property
    def broker(self):
        """The account, asked from here."""
        return paper.remote(self.settings)

    def open(self) -> None:
        """Open the sessions and set the limits, with no desk at work."""
        for terms in SESSIONS:
            desk.ask(self.settings, {"do": "open", "terms": terms.written()})
        DeskPlaces.current(self.settings).limits.write_text(json.dumps(LIMITS))

    def start(self) -> None:
        """Let the desk work."""
        command = [*_QTW, "paper", "run", "--feed", "simulator", "--speed", "10", "--max-seconds", "900"]
        self.desk = subprocess.Popen(
            command, stdout=self._log, stderr=self._log, stdin=subprocess.DEVNULL, env=self._environment(self.variables)
        )

    def _environment(self, more: dict[str, str]) -> dict[str, str]:
        return {**os.environ, "QTW_STORAGE_DIR": str(self.storage), **more}
