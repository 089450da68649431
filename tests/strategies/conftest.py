"""Small panels made on the spot."""

from __future__ import annotations

import numpy as np
import pytest

from qtw_lab.strategies import Panel


def panel_of(close, *, high=None, low=None, start="2024-01-01", step="D", periods_per_year=252.0) -> Panel:
    """A panel of these closes, (T,) or (T, N); opens are closes, and highs and lows too unless given."""
    closes = np.asarray(close, dtype=float)
    closes = closes[:, None] if closes.ndim == 1 else closes
    tops = closes if high is None else np.asarray(high, dtype=float).reshape(closes.shape)
    bottoms = closes if low is None else np.asarray(low, dtype=float).reshape(closes.shape)
    first = np.datetime64(start, "ns").astype(np.int64)
    times = first + np.arange(len(closes), dtype=np.int64) * np.timedelta64(1, step).astype("timedelta64[ns]").astype(
        int
    )
    return Panel(closes, tops, bottoms, closes, np.full(closes.shape, 100.0), times, periods_per_year)


@pytest.fixture(scope="session")
def panel():
    """`panel_of`, for tests on paper."""
    return panel_of


@pytest.fixture(scope="session")
def walk() -> Panel:
    """Two random walks of 900 bars without holes, with highs and lows around the closes."""
    rng = np.random.default_rng(7)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.015, (900, 2)), axis=0))
    return panel_of(close, high=close * (1 + rng.random((900, 2)) / 50), low=close * (1 - rng.random((900, 2)) / 50))
