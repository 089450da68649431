"""Real returns from an installed package, read once."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pandas as pd
import pytest


@pytest.fixture(scope="session")
def large_caps() -> pd.DataFrame:
    """Daily simple returns of twenty stocks, 1990 to 2022."""
    spec = find_spec("skfolio")
    if spec is None or not spec.submodule_search_locations:
        pytest.skip("skfolio is not installed")
    file = Path(spec.submodule_search_locations[0], "datasets", "data", "sp500_dataset.csv.gz")
    return pd.read_csv(file, index_col=0, parse_dates=True).pct_change().iloc[1:]
