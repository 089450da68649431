"""One fresh process from start to the printed statistics of a first backtest."""

from __future__ import annotations

import re
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from processes import HERE, Unusable, apart_from_people, timed

#: What each fresh process runs. All but the first two print a total return, which must be the same.
PROGRAMS: Final[Mapping[str, str]] = {
    "import pandas": "import pandas",
    "import qtw_lab": "import qtw_lab",
    "import pandas, numba": "import pandas, numba",
    "import vectorbt": "import warnings; warnings.simplefilter('ignore'); import vectorbt",
    "qtw_lab, bundled prices": """
import qtw_lab as qtw
bars = qtw.Lab.offline().bars("GOOG", source="stocks")
result = qtw.backtest("sma_cross", bars, costs=qtw.Costs(commission_bps=10), execution="same_close")
print(result.stats)
""",
    "qtw_lab, a table of prices": """
import sys
import pandas as pd
import qtw_lab as qtw
bars = qtw.Bars.from_frame(pd.read_csv(sys.argv[1], index_col=0, parse_dates=True), symbol="GOOG")
result = qtw.backtest("sma_cross", bars, costs=qtw.Costs(commission_bps=10), execution="same_close")
print(result.stats)
""",
    "vectorbt (Rust), a table of prices": """
import sys, warnings
warnings.simplefilter("ignore")
import pandas as pd
import vectorbt as vbt
vbt.settings["engine"] = "rust"
close = pd.read_csv(sys.argv[1], index_col=0, parse_dates=True)["close"]
above = close.rolling(10).mean() > close.rolling(50).mean()
portfolio = vbt.Portfolio.from_signals(close, above, ~above, fees=1e-3, init_cash=100_000, freq="1D")
print("total_return", portfolio.total_return())
print("sharpe", portfolio.sharpe_ratio())
print("max_drawdown", portfolio.max_drawdown())
print("trades", portfolio.trades.count())
""",
}
BARE: Final = "import pandas, numba"
OURS: Final = "qtw_lab, bundled prices"
MOST: Final = 1.5


def run(repeats: int, folder: Path, say: Callable[[str], None]) -> dict[str, dict[str, float]]:
    """Median, fastest and slowest seconds of each program, taken in turns after one round that only warms the disk.

    Raises
    ------
    Unusable
        If the programs disagree about the total return.
    """
    prices = folder / "prices.csv"
    write = "import sys, qtw_lab as q; q.Lab.offline().bars('GOOG', source='stocks').tidy().set_index('timestamp')"
    subprocess.run(
        [sys.executable, "-c", f"{write}.drop(columns='symbol').to_csv(sys.argv[1])", str(prices)], check=True, cwd=HERE
    )
    samples: dict[str, list[float]] = {name: [] for name in PROGRAMS}
    returns: dict[str, float] = {}
    for turn in range(repeats + 1):
        for name, program in PROGRAMS.items():
            if name in samples:
                try:
                    seconds, printed = timed([sys.executable, "-c", program, str(prices)])
                except Unusable as err:
                    say(f"  {name}: not measured, {err}")
                    del samples[name]
                    continue
                if found := re.search(r"^total_return\s+(\S+)", printed, flags=re.MULTILINE):
                    returns[name] = float(found[1])
                if turn:
                    samples[name].append(seconds)
    if max(returns.values()) - min(returns.values()) > 1e-4:  # as far as a printed table goes
        raise Unusable(f"the programs disagree about the total return: {returns}")
    return {
        name: {"seconds": statistics.median(taken), "fastest": min(taken), "slowest": max(taken)}
        for name, taken in samples.items()
    }


def import_profile(count: int = 25) -> list[tuple[str, float]]:
    """The modules that cost our first backtest most, milliseconds of each alone summed by package."""
    with tempfile.TemporaryDirectory() as storage:
        done = subprocess.run(
            [sys.executable, "-X", "importtime", "-c", PROGRAMS[OURS]], capture_output=True, text=True, check=True,
            cwd=HERE, env=apart_from_people(storage),
        )  # fmt: skip
    totals: dict[str, float] = {}
    for alone, module in re.findall(r"^import time:\s+(\d+) \|\s+\d+ \|\s+(\S+)", done.stderr, flags=re.MULTILINE):
        package = module.partition(".")[0]
        totals[package] = totals.get(package, 0.0) + int(alone) / 1e3
    return sorted(totals.items(), key=lambda item: -item[1])[:count]
