"""Small worlds every room's tests can use."""

import os
import tempfile
import zlib
from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, settings

from qtw_lab.core import Bars

#: The same cases every time, so that a red run is a change and not a draw; `make test-full` searches fresh ones.
#: How long a case takes says something of the machine, not of the code.
settings.register_profile("steady", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("search", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("steady")


def pytest_configure() -> None:
    """Give every run of the tests a storage folder of its own: what they try must not count as anybody's trials."""
    os.environ["QTW_STORAGE_DIR"] = tempfile.mkdtemp(prefix="qtw-tests-")


#: Of all modules that with the longest test, which is begun with, so that nobody waits for it at the end.
_LONGEST = "tests/dashboards/test_soak.py"


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Shared among processes, modules that mostly wait stand mixed with those that compute, always in one order."""
    if hasattr(config, "workerinput"):
        modules = {item: item.nodeid.partition("::")[0] for item in items}
        items.sort(key=lambda item: (modules[item] != _LONGEST, zlib.crc32(modules[item].encode())))


@pytest.fixture(scope="session")
def bars_of() -> Callable[..., Bars]:
    """Build bars from closes: one list, or one list for each symbol; opens, highs and lows may be given too."""

    def build(start: str = "2024-01-01", **columns: Sequence[float] | dict[str, Sequence[float]]) -> Bars:
        frames = {}
        for symbol, given in columns.items():
            fields = given if isinstance(given, dict) else {"close": given}
            frame = pd.DataFrame({name: np.asarray(values, dtype=float) for name, values in fields.items()})
            close = frame["close"]
            frame["open"] = frame.get("open", close)
            frame["high"] = frame.get("high", frame[["open", "close"]].max(axis=1))
            frame["low"] = frame.get("low", frame[["open", "close"]].min(axis=1))
            frame["volume"] = frame.get("volume", 1_000_000.0)
            frame.loc[close.isna(), ["open", "high", "low", "volume"]] = np.nan
            frame.index = pd.date_range(start, periods=len(frame), tz="UTC")
            frames[symbol] = frame
        return Bars.from_frame(pd.concat(frames, axis=1), holes="keep", calendar="XNYS")

    return build
