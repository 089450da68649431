"""The engine on a test stream: Alpaca's own or any other at ALPACA_TEST_WS_URL, else the simulator's /v2/test.

With keys in ALPACA_API_KEY_ID and ALPACA_API_SECRET_KEY, a run against the venue itself is:
ALPACA_TEST_WS_URL=wss://stream.data.alpaca.markets/v2/test pytest tests/live/test_test_stream.py
"""

import os

import pytest
from pydantic import SecretStr

from qtw_lab import Lab
from qtw_lab.core import Settings
from qtw_lab.lab import realtime
from qtw_lab.live.profile import checked
from qtw_lab.live.reading import JournalReader
from qtw_lab.live.replay import replayed

PROFILE = {
    "engine": {"bar_aggregate_seconds": 1, "stale_seconds": 60.0},
    "signals": {
        "lookback_bars": 1, "entry_threshold": 1e-6, "exit_threshold": 0.0, "min_volume": 0, "max_spread_bps": 1000,
    },
}  # fmt: skip


@pytest.fixture
def stream():
    """Address, key and secret of a test stream."""
    address = os.environ.get("ALPACA_TEST_WS_URL")
    if address:
        keys = (os.environ.get(name, fallback) for name, fallback in (
            ("ALPACA_API_KEY_ID", "sim-key"), ("ALPACA_API_SECRET_KEY", "sim-secret")
        ))  # fmt: skip
        yield (address, *keys)
    else:
        with Lab.offline().simulator(symbols=3) as served:
            yield served.stream_url("test"), "sim-key", "sim-secret"


def test_the_engine_makes_bars_and_decisions_of_a_test_stream(tmp_path, stream):
    address, key, secret = stream
    settings = Settings(
        qtw_storage_dir=tmp_path, alpaca_data_ws_url=address, alpaca_api_key_id=SecretStr(key),
        alpaca_api_secret_key=SecretStr(secret), _env_file=None,
    )  # fmt: skip
    ending = realtime.run(settings, checked(PROFILE), feed="test", seconds=10)
    assert (ending.reason, ending.failed) == ("the time asked for is over", False)
    where = realtime.places(settings)
    reader = JournalReader(where.journal)
    bars = reader.bars(1)
    assert set(bars["symbol"]) == {"FAKEPACA"}
    assert len(bars) >= 4
    traded = bars[~bars["flags"].str.contains("empty")]
    assert (traded["volume"] > 0).all()
    assert traded["close"].between(1, 10_000).all()
    assert not bars.duplicated("time").any()
    assert not reader.decisions().empty
    assert "subscribed" in set(reader.events()["what"])
    (recording,) = where.recordings.glob("*")
    assert replayed(recording).same is True
