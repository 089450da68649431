"""Real bars from installed packages, and the switch that writes golden answers anew."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pandas as pd
import pytest

from qtw_lab.core import Bars


def pytest_addoption(parser):
    parser.addoption(
        "--regenerate-golden",
        action="store_true",
        help="write tests/contracts/golden/*.csv from the present code; review the difference before committing",
    )


def _inside(package: str, *parts: str) -> Path:
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        pytest.skip(f"{package} is not installed")
    return Path(spec.submodule_search_locations[0]).joinpath(*parts)


@pytest.fixture(scope="session")
def stocks() -> Bars:
    """AAPL, GOOG (listed 2004-08-19), IBM and MSFT, adjusted daily bars from 2000-03-01 to 2008-12-31."""
    table = pd.read_csv(_inside("bokeh_sampledata", "_data", "stocks.csv.gz"))
    bars = Bars.from_frame(table, adjust=True)
    return bars.select(["AAPL", "GOOG", "IBM", "MSFT"]).between("2000-03-01", "2008-12-31")


@pytest.fixture(scope="session")
def large_caps() -> Bars:
    """Adjusted daily closes of twenty US stocks from 1990 to 1996, survivors only."""
    table = pd.read_csv(_inside("skfolio", "datasets", "data", "sp500_dataset.csv.gz"), index_col=0, parse_dates=True)
    wide = pd.concat({"close": table.loc["1990":"1996"]}, axis=1)
    return Bars.from_frame(wide)
