"""Compile everything once and leave it on disk: ``python -m qtw_lab.backtest.warm``, as `make setup` does.

Numba compiles a function when it is first called, which takes seconds; what it compiled is kept beside the sources (or
in the user's cache folder if those cannot be written), so that no later process waits.
"""

from __future__ import annotations

import sys
import time

import numpy as np
import pandas as pd

from qtw_lab.backtest.engine import backtest
from qtw_lab.backtest.sweep import sweep
from qtw_lab.core import Bars
from qtw_lab.ledger import Costs, Stops
from qtw_lab.strategies import STRATEGIES


def warm() -> None:
    """Run every strategy, and every way to run one, on a few hundred invented bars."""
    times = pd.date_range("2020-01-01", periods=400, freq="D")
    walk = 100.0 * np.exp(np.cumsum(np.random.default_rng(0).normal(0.0, 0.02, (len(times), 2)), axis=0))
    frame = pd.DataFrame(walk, index=times, columns=pd.MultiIndex.from_product([["close"], ["X", "Y"]]))
    bars = Bars.from_frame(frame)
    for strategy in STRATEGIES.values():
        backtest(strategy, bars, costs=Costs(commission_bps=1.0))
    single = bars.select("X")
    for stops in (None, Stops(stop_loss=0.05)):
        sweep("sma_cross", single, grid={"fast": [3, 5], "slow": [20, 30]}, stops=stops)


if __name__ == "__main__":
    began = time.perf_counter()
    warm()
    sys.stdout.write(f"Compiled in {time.perf_counter() - began:.0f} s\n")
