"""What is measured: every case with its sides, sizes, tolerance, targets, and what could not be matched."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Final

from rules import STOPS, FloatArray, Results, Size, relative

#: Medians of one side: seconds, cold_seconds, peak_mb, base_mb.
Figures = Mapping[str, float]
#: Each side's medians by its label.
Measured = Mapping[str, Figures]


@dataclass(frozen=True)
class Side:
    """One competitor in a case.

    Parameters
    ----------
    label : str
        As printed.
    module, function : str
        Where its work is prepared.
    peer : bool
        Whether it runs in the environment of the other tools.
    slow : bool
        Whether it runs once only, the others as often as asked.
    singly : bool
        Whether it runs one combination after the other, so that a larger grid may be extrapolated.
    compared : bool
        Whether its results must equal those of the first side.
    """

    label: str
    module: str
    function: str
    peer: bool = False
    slow: bool = False
    singly: bool = False
    compared: bool = True


@dataclass(frozen=True)
class Target:
    """A bound that a figure of the case is held against."""

    text: str
    value: Callable[[Measured], float]
    bound: float
    at_least: bool = True

    def met(self, value: float) -> bool:
        """Whether the value keeps the bound."""
        return value >= self.bound if self.at_least else value <= self.bound


@dataclass(frozen=True)
class Case:
    """One comparison; the first side is the one the others are measured against.

    Parameters
    ----------
    name, title : str
        For the command line, and as printed.
    full, quick : Size
        How much work; a quick run shows only that everything runs.
    sides : tuple of Side
        Who does it.
    tolerance : float
        Largest distance of two results that count as equal.
    targets : tuple of Target
        Bounds for the figures of the full size.
    notes : tuple of str
        What could not be matched, and what is to be known besides.
    shape : str
        The size in words, with its fields in braces; that of a grid if not given.
    apart : callable
        Distances of results: `relative`, or `standard_errors` of p-values.
    told : callable, optional
        A sentence about the results of the first side.
    """

    name: str
    title: str
    full: Size
    quick: Size
    sides: tuple[Side, ...]
    tolerance: float = 1e-9
    targets: tuple[Target, ...] = ()
    notes: tuple[str, ...] = field(default=())
    shape: str = ""
    apart: Callable[[FloatArray, FloatArray, Size], FloatArray] = relative
    told: Callable[[Results], str] | None = None

    @property
    def grid(self) -> bool:
        """Whether the work is a grid of combinations, so that a time for each of them means something."""
        return not self.shape

    def shape_of(self, size: Size) -> str:
        """How much work it is, in words."""
        if self.shape:
            return self.shape.format_map(asdict(size))
        symbols = f" × {size.symbols} symbols" if size.symbols > 1 else ""
        return f"{len(size.pairs):,} combinations × {size.bars:,} bars{symbols}"


def _ratio(figure: str, over: str, under: str) -> Callable[[Measured], float]:
    return lambda m: m[over][figure] / m[under][figure]


def _work_ratio(measured: Measured) -> float:
    return work_mb(measured[_VBT]) / work_mb(measured[_OURS])


def work_mb(figures: Figures) -> float:
    """Peak memory above what the process had held before, in MB; one at least, finer is noise."""
    return max(1.0, figures["peak_mb"] - figures["base_mb"])


def _peak(side: str) -> Callable[[Measured], float]:
    return lambda m: m[side]["peak_mb"]


_OURS = "qtw_lab"
_VBT = "vectorbt (Rust)"
_FASTER = "times faster than vectorbt"

CASES: Final[tuple[Case, ...]] = (
    Case(
        "sma_grid",
        "SMA crossing over a grid, daily bars, filled at the same close, 10 bps",
        Size(windows=101),
        Size(windows=21),
        (Side(_OURS, "ours", "sma_grid"), Side(_VBT, "vectorbts", "sma_grid")),
        targets=(
            Target(_FASTER, _ratio("seconds", _VBT, _OURS), 150),
            Target("times less peak memory, whole processes", _ratio("peak_mb", _VBT, _OURS), 10),
            Target("times less memory, counted above what each held before the work", _work_ratio, 10),
        ),
        notes=("vectorbt is given averages summed as pandas sums them, which ours equal bit for bit",),
    ),
    Case(
        "long_grid",
        "SMA crossing over a grid, 20,000 hourly bars",
        Size(windows=100, market="synthetic", bars=20_000),
        Size(windows=21, market="synthetic", bars=20_000),
        (Side(_OURS, "ours", "sma_grid"),),
        targets=(Target("MB at most", _peak(_OURS), 300, at_least=False),),
        notes=("vectorbt needs minutes and over 12 GB for this; ask for it with --heavy",),
    ),
    Case(
        "large_grid",
        "SMA crossing over a grid a hundred times as large",
        Size(windows=1001),
        Size(windows=201),
        (Side(_OURS, "ours", "sma_grid_top"),),
        notes=("only the best thousand rows are kept where the sweep has top=; else the table is part of the peak",),
    ),
    Case(
        "plain_numpy",
        "A user's strategy: np.where on two averages of our indicators",
        Size(windows=101),
        Size(windows=21),
        (Side(_OURS, "ours", "plain_grid"), Side(_VBT, "vectorbts", "sma_grid")),
        targets=(Target(_FASTER, _ratio("seconds", _VBT, _OURS), 100),),
    ),
    Case(
        "cumsum_numpy",
        "A user's strategy in NumPy alone, averages from np.cumsum",
        Size(windows=101),
        Size(windows=21),
        (Side(_OURS, "ours", "numpy_grid"), Side(_VBT, "vectorbts", "numpy_grid")),
        targets=(Target(_FASTER, _ratio("seconds", _VBT, _OURS), 100),),
        notes=("both sides are given the same running-sum averages",),
    ),
    Case(
        "stops",
        f"SMA grid under {len(STOPS)} settings of stop loss and take profit",
        Size(windows=101),
        Size(windows=21),
        (
            Side(_OURS, "ours", "stops_grid"),
            Side(_VBT, "vectorbts", "stops_grid"),
            Side("qtw_lab, no stops", "ours", "no_stops_grid", compared=False),
        ),
        notes=(
            (
                "what both tools mean alike: percentage of the entry close, tested against the range of later bars, "
                "an open beyond the stop fills there, the stop before the target, no entry until the stance changes"
            ),
            (
                "vectorbt is given entries only where the stance changes; given standing signals it would go in again "
                "at once, which ours does not do"
            ),
        ),
    ),
    Case(
        "event_driven",
        "The tools that run one pair at a time: SMA crossing, filled at the next open, 10 bps, all cash",
        Size(windows=11),
        Size(windows=4),
        (
            Side(_OURS, "ours", "next_open_grid"),
            Side("qtw_lab, one backtest at a time", "ours", "next_open_singly", singly=True),
            Side(_VBT, "vectorbts", "next_open_grid"),
            Side("backtesting.py", "peers", "backtesting", peer=True, slow=True, singly=True),
            Side("backtrader", "peers", "backtrader", peer=True, slow=True, singly=True),
        ),
        tolerance=1e-6,
        notes=(
            (
                "tolerance 1e-6: backtesting.py trades multiples of a billionth of a share, and backtrader is told to "
                "leave 1e-12 of the cash so that rounding does not refuse the order"
            ),
            (
                "their returns, Sharpe ratio and drawdown are computed from their equity paths by one function: each "
                "defines these figures in its own way"
            ),
            "backtesting.py always computes its summary; backtrader runs without observers or analysers",
        ),
    ),
    Case(
        "portfolio",
        "Portfolio: 500 symbols, ten years of days, 100 held, rebalanced monthly, 10 bps, one account",
        Size(market="synthetic", bars=2520, symbols=500),
        Size(market="synthetic", bars=1000, symbols=50, count=10),
        (Side(_OURS, "ours", "portfolio"), Side(_VBT, "vectorbts", "portfolio")),
        shape="1 combinations × {bars:,} bars × {symbols} symbols",
        notes=(
            (
                "both sides size every order by the account's value before the bar's first order, sell first, and "
                "invest 95% so that fees never use up the cash; trades are compared as the number of orders"
            ),
        ),
    ),
)

#: vectorbt on the long grid: asked for by name only.
HEAVY: Final = Side(_VBT, "vectorbts", "sma_grid", slow=True)

#: Sizes whose cost is fitted against one dimension each, all else equal: (dimension, what counts, sizes).
GROWTH: Final[Mapping[str, tuple[Callable[[Size], int], tuple[Size, ...]]]] = {
    "combinations": (
        lambda size: len(size.pairs),
        tuple(Size(windows=w) for w in (36, 71, 142, 284)),
    ),
    "bars": (
        lambda size: size.bars,
        tuple(Size(windows=51, market="synthetic", bars=b) for b in (5_000, 10_000, 20_000, 40_000)),
    ),
    "symbols": (
        lambda size: size.symbols,
        tuple(Size(windows=51, market="synthetic", bars=2_000, symbols=n) for n in (1, 2, 4, 8, 16)),
    ),
}
