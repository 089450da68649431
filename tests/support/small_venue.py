"""A simulator that plays five minutes of trades of three symbols, and the settings that point to it."""

import contextlib

import numpy as np
from pydantic import SecretStr

from qtw_lab.core import Settings
from qtw_lab.venues.simulator.recorded import RecordedMarket
from qtw_lab.venues.simulator.server import Simulator
from qtw_lab.venues.ticks import TICK, TRADE, Symbols

KEY, SECRET = "the-key-id-of-these-tests", "the-secret-of-these-tests"
SECOND = 10**9
START = 1_704_205_800 * SECOND  # 2024-01-02 09:30 in New York
NAMES = ["AAPL", "KO", "MSFT"]


def rows(count: int = 3000, step: int = SECOND // 10) -> np.ndarray:
    """Trades of three symbols by turns."""
    table = np.zeros(count, dtype=TICK)
    number = np.arange(count)
    table["kind"], table["exchange"], table["tape"] = TRADE, ord("V"), ord("C")
    table["symbol"], table["time"], table["id"] = number % 3, START + number * step, 1 + number
    table["price"], table["size"] = 100 + number % 7 / 4, 100 + number % 5
    table["other_price"] = table["other_size"] = np.nan
    return table


def settings_for(root: str, **given) -> Settings:
    return Settings(
        **{
            "alpaca_api_key_id": SecretStr(KEY), "alpaca_api_secret_key": SecretStr(SECRET),
            "alpaca_data_rest_url": root, "alpaca_trading_rest_url": root, "alpaca_data_feed": "iex",
            "_env_file": None, **given,
        }
    )  # fmt: skip


@contextlib.contextmanager
def simulated(speed: float = 600.0, **options):
    market = RecordedMarket.from_rows(rows(), Symbols(NAMES))
    options = {"keys": (KEY, SECRET), "rate_limit": 0, **options}
    with Simulator(market, speed=speed, **options) as simulator:
        yield simulator, settings_for(simulator.url, alpaca_data_ws_url=f"ws://127.0.0.1:{simulator.port}")
