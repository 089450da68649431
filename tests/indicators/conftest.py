"""Real prices from installed packages, read once."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
import pytest


def _inside(package: str, *parts: str) -> Path:
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        pytest.skip(f"{package} is not installed")
    return Path(spec.submodule_search_locations[0]).joinpath(*parts)


@pytest.fixture(scope="session")
def stocks() -> dict[str, dict[str, np.ndarray]]:
    """Raw daily OHLCV of five stocks, 2000 to 2013, by ticker."""
    table = pd.read_csv(_inside("bokeh_sampledata", "_data", "stocks.csv.gz"))
    names = ["Open", "High", "Low", "Close", "Volume"]
    return {
        str(ticker): {name.lower(): rows[name].to_numpy(dtype=float) for name in names}
        for ticker, rows in table.groupby("Ticker")
    }


@pytest.fixture(scope="session")
def large_caps() -> pd.DataFrame:
    """Adjusted daily closes of twenty stocks, 1990 to 2022."""
    return pd.read_csv(_inside("skfolio", "datasets", "data", "sp500_dataset.csv.gz"), index_col=0)
