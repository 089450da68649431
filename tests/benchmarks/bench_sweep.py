"""The parameter sweep against vectorbt's, on the same grid, prices and fees; results are compared before times.

Run as a script: ``python tests/benchmarks/bench_sweep.py [fast and slow windows up to]``. Each side runs in a process
of its own, so that peak memory is its own too, and is warmed up on a tiny grid first.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
import warnings

import numpy as np

import qtw_lab as qtw

FEE_BPS = 10.0


def prices() -> qtw.Bars:
    """Google's 2,148 daily bars, unadjusted splits being none."""
    return qtw.Lab.offline().bars("GOOG", source="stocks")


def ours(windows: range) -> np.ndarray:
    """Total returns by (fast, slow), fast below slow."""
    swept = qtw.sweep(
        "sma_cross", prices(), grid={"fast": windows, "slow": windows}, where=lambda fast, slow: fast < slow,
        metrics=("total_return", "sharpe", "max_drawdown", "trades"), execution="same_close",
        costs=qtw.Costs(commission_bps=FEE_BPS),
    )  # fmt: skip
    return swept.table["total_return"].to_numpy()


def vectorbts(windows: range) -> np.ndarray:
    """The same by vectorbt, given averages computed as ours are."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pandas as pd
        import vectorbt as vbt
    close = prices().close["GOOG"]
    means = {window: close.rolling(window).mean() for window in windows}
    pairs = [(fast, slow) for fast in windows for slow in windows if fast < slow]
    above = pd.DataFrame(np.column_stack([means[fast] > means[slow] for fast, slow in pairs]), index=close.index)
    portfolio = vbt.Portfolio.from_signals(close, above, ~above, fees=FEE_BPS * 1e-4, init_cash=100_000, freq="1D")
    returns = portfolio.total_return().to_numpy()
    portfolio.sharpe_ratio()
    portfolio.max_drawdown()
    portfolio.trades.count()
    return returns


SIDES = {"ours": ours, "vectorbt": vectorbts}


def measure(side: str, most: int) -> None:
    """Run one side in this process and print its time, peak memory and results as JSON."""
    SIDES[side](range(2, 6))
    before = time.perf_counter()
    returns = SIDES[side](range(2, most + 1))
    seconds = time.perf_counter() - before
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": seconds, "peak_mb": peak, "returns": returns.tolist()}))


def main(most: int) -> None:
    """Measure both sides and print the ratios of this run."""
    found = {}
    for side in SIDES:
        command = [sys.executable, __file__, "--side", side, str(most)]
        found[side] = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    mine, theirs = found["ours"], found["vectorbt"]
    difference = np.abs(np.array(mine["returns"]) - np.array(theirs["returns"])).max()
    pairs = len(mine["returns"])
    assert difference < 1e-9, f"the two sides disagree by {difference}"
    print(
        f"sma grid, {pairs:,} pairs x 2,148 bars: return, sharpe, drawdown, trades; results equal to {difference:.1e}"
    )
    print(f"  ours      {mine['seconds']:8.2f} s  {mine['peak_mb']:8.0f} MB")
    print(f"  vectorbt  {theirs['seconds']:8.2f} s  {theirs['peak_mb']:8.0f} MB")
    print(f"  ratio     {theirs['seconds'] / mine['seconds']:8.1f} x  {theirs['peak_mb'] / mine['peak_mb']:8.1f} x")


if __name__ == "__main__":
    if "--side" in sys.argv:
        measure(sys.argv[2], int(sys.argv[3]))
    else:
        main(int(sys.argv[1]) if len(sys.argv) > 1 else 101)
