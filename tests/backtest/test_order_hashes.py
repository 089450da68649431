"""The order list of every bundled strategy is pinned: any change of any fill fails here.

A change that is meant is written anew with ``--regenerate-hashes`` and explained in the commit.
"""

import csv
from pathlib import Path

import pytest

import qtw_lab as qtw
from qtw_lab.strategies import STRATEGIES

PINS = Path(__file__).with_name("order_hashes.csv")
LAB = qtw.Lab.offline()
SYMBOLS = {"pairs": ["IBM", "MSFT"]}


def pinned() -> dict[str, str]:
    with PINS.open(newline="") as handle:
        return {row["strategy"]: row["order_hash"] for row in csv.DictReader(handle)}


def order_hash(name: str) -> str:
    bars = LAB.bars(SYMBOLS.get(name, ["AAPL", "IBM", "MSFT", "GOOG"]), start="2003-01-01", source="stocks")
    costs = qtw.Costs(commission_bps=5, commission_min=1, spread_bps=2)
    return qtw.backtest(name, bars, costs=costs, sizing=qtw.Sizing.target_weights(0.02)).order_hash


@pytest.mark.parametrize("name", STRATEGIES)
def test_the_fills_of_a_bundled_strategy_are_the_pinned_ones(name, request):
    if request.config.getoption("--regenerate-hashes", default=False):
        fresh = {entry: order_hash(entry) for entry in STRATEGIES}
        PINS.write_text("strategy,order_hash\n" + "".join(f"{k},{v}\n" for k, v in fresh.items()))
    assert order_hash(name) == pinned()[name]


def test_every_strategy_has_a_pin_and_no_pin_is_left_over():
    assert list(pinned()) == list(STRATEGIES)
