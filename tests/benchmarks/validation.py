"""The cases of the validation lab: tests of many strategies, splits, the verdict, the report, the cost of counting."""

from __future__ import annotations

from typing import Final

from cases import Case, Side
from rules import BLOCK, EMBARGO, HORIZON, SKILLED, TESTED, Results, Size, standard_errors

_OURS = "qtw_lab"
_TABLE = "{symbols:,} strategies × {bars:,} bars × {reps:,} resamples in blocks of " + f"{BLOCK} bars on average"
_ARCH = (
    "studentised or not, arch compares plain mean returns, so ours is told not to studentise; each draws resamples of "
    "its own, and both compute the variances that the consistent p-value needs"
)


def _p_values(found: Results) -> str:
    shares = ", ".join(f"{name} {float(share):.3f}" for name, share in found.items())
    return f"shares of resamples at least as good, ours: {shares}"


def _superior(found: Results) -> str:
    return f"{int(found['superior'].sum())} strategies are named, of which {SKILLED} were made good"


def _probability(found: Results) -> str:
    return f"the probability of overfitting is {float(found['pbo']):.4f}, over {len(found['logits']):,} splits"


def _splits(found: Results) -> str:
    return f"{len(found['counts'])} splits, {len(found['paths'])} paths; all bars of all splits and paths are compared"


def _verdict(found: Results) -> str:
    return f"{int(found['checks'])} checks; {int(found['compared']):,} rows of the sweep are compared"


def _page(found: Results) -> str:
    return f"the page is {float(found['html_mb']):.2f} MB"


CASES: Final[tuple[Case, ...]] = (
    Case(
        "spa",
        "Superior predictive ability and reality check",
        Size(market="returns", bars=2000, symbols=1000),
        Size(market="returns", bars=500, symbols=100, reps=200),
        (
            Side(_OURS, "verdicts", "spa"),
            Side("qtw_lab, reality check alone", "verdicts", "reality_check"),
            Side("arch", "oracles", "spa"),
        ),
        tolerance=4.0,
        notes=(_ARCH, "arch has no reality check of its own: it is the upper p-value of its test"),
        shape=_TABLE,
        apart=standard_errors,
        told=_p_values,
    ),
    Case(
        "step_m",
        "Stepwise test: which strategies are superior",
        Size(market="returns", bars=2000, symbols=1000),
        Size(market="returns", bars=500, symbols=100, reps=200),
        (Side(_OURS, "verdicts", "step_m"), Side("arch", "oracles", "step_m")),
        tolerance=0.0,
        notes=(_ARCH, "ours finds the p-value of every strategy too; arch answers for one size of the test, 5%"),
        shape=_TABLE,
        told=_superior,
    ),
    Case(
        "pbo",
        "Probability of backtest overfitting",
        Size(market="returns", bars=2000, symbols=100),
        Size(market="returns", bars=400, symbols=20, parts=8),
        (Side(_OURS, "verdicts", "overfitting"), Side("ffn", "oracles", "overfitting", slow=True)),
        notes=("ours includes degradation and dominance, which ffn does not compute; ffn runs once",),
        shape="{symbols:,} strategies × {bars:,} bars × {parts} partitions",
        told=_probability,
    ),
    Case(
        "cpcv",
        "Splits of combinatorial purged cross-validation",
        Size(market="returns", bars=5000, parts=10),
        Size(market="returns", bars=600, parts=6),
        (Side(_OURS, "verdicts", "combinatorial"), Side("skfolio", "oracles", "combinatorial")),
        tolerance=0.0,
        notes=(f"labels look {HORIZON} bars ahead, embargo {EMBARGO} bars; the groups divide the bars evenly",),
        shape="{parts} groups by " + f"{TESTED} on " + "{bars:,} rows",
        told=_splits,
    ),
    Case(
        "validate",
        "`validate` of a sweep, from the finished sweep to the verdict",
        Size(windows=47),
        Size(windows=11, reps=200),
        (Side(_OURS, "ours", "validation"),),
        shape="1 verdict from {reps:,} resamples, {bars:,} bars",
        told=_verdict,
    ),
    Case(
        "tear_sheet",
        "`Lab.report` of a backtest of ten years of days: the whole page",
        Size(market="synthetic", bars=2520),
        Size(market="synthetic", bars=500),
        (Side(_OURS, "ours", "tear_sheet"),),
        notes=("the backtest is made, verified and recorded before, so that its statistics are at hand",),
        shape="1 page of {bars:,} bars",
        told=_page,
    ),
    Case(
        "counting",
        "What counting costs: the SMA grid without and with its entry in the ledger of trials",
        Size(windows=101),
        Size(windows=21),
        (Side("qtw_lab, not counted", "ours", "uncounted_grid"), Side("qtw.sweep, counted", "ours", "sma_grid")),
        tolerance=0.0,
        notes=(
            (
                "the counted sweep is new to its ledger, so that its configurations are entered and some rows run "
                "again for the correlation of trials; the same sweep a second time is among the figures of the ledger"
            ),
        ),
    ),
)
