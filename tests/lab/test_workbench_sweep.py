"""Two parameters varied at the workbench: ranges, the map, the best rows, and taking one."""

from dataclasses import replace

import pytest

from qtw_lab.core import DataError
from qtw_lab.lab import Lab
from qtw_lab.lab.workbench_axes import Axis
from qtw_lab.lab.workbench_setup import Prices, Setup
from qtw_lab.lab.workbench_steps import StoppedError
from qtw_lab.lab.workbench_sweep import METRICS, sweep
from qtw_lab.strategies import CrossSectionalMomentum, RsiReversion, SmaCross

USUAL = replace(Setup.usual(), prices=replace(Setup.usual().prices, start="2009-01-01"))
AXES = (Axis("fast", 5, 20, 5), Axis("slow", 15, 60, 15))


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    return Lab.offline(tmp_path_factory.mktemp("lab"))


@pytest.fixture(scope="module")
def swept(lab):
    return sweep(lab, USUAL, AXES)


def test_every_combination_is_a_trial_and_the_sweep_is_recorded(lab, swept):
    assert lab.trials.count(swept.sweep.bars.fingerprint) >= swept.sweep.trials
    assert "sma_cross" in set(lab.registry.list(kind="sweep")["name"])
    names = [fact.name for fact in swept.lead]
    assert names[0] == "trials"
    assert {"costs", "execution", "data_fingerprint", "agreement"} <= set(names)
    assert not swept.partial


def test_symbols_that_trade_alone_can_be_seen_alone_or_by_their_mean(swept):
    assert swept.symbols == ("AAPL", "IBM", "MSFT")
    alone = [swept.surface("sharpe", name) for name in swept.symbols]
    assert swept.surface("sharpe").iloc[0] == pytest.approx(sum(one.iloc[0] for one in alone) / 3)
    with pytest.raises(DataError, match="symbol of this sweep"):
        swept.surface("sharpe", "KO")
    with pytest.raises(DataError, match="metric"):
        swept.surface("beauty")


def test_a_place_of_the_map_is_a_combination_or_none(swept):
    cells = swept.map("sharpe", "IBM", "dark").figure.select_one({"name": "cells"}).data_source.data["image"][0]
    assert cells.shape == (4, 4)
    assert swept.at(3.2, 0.9) == {"fast": 5, "slow": 60}
    assert cells[0, 3] == swept.surface("sharpe", "IBM").loc[(5, 60)]
    assert swept.at(0.5, 3.5) is None, "fast=20 is not below slow=15"
    assert swept.at(-0.1, 0.5) is None
    assert swept.at(0.5, 4.0) is None


def test_the_best_rows_come_first_and_are_written_for_people(swept):
    rows = swept.best("total_return", "AAPL", 3)
    assert list(rows) == ["fast", "slow", *METRICS]
    assert rows["total_return"].is_monotonic_decreasing
    assert swept.written(rows)["total_return"].iloc[0].endswith("%")
    with pytest.raises(DataError, match="metric"):
        swept.best("beauty")


def test_a_combination_is_taken_into_the_setup(swept):
    chosen = swept.chosen(swept.best("sharpe").iloc[0].to_dict() | {"fast": 5, "slow": 30})
    assert chosen == replace(USUAL, strategy=SmaCross(fast=5, slow=30))


def test_a_row_is_that_of_the_symbol_or_of_the_one_that_did_best(swept):
    assert swept.row({"fast": 5, "slow": 30}, "MSFT") == (5, 30, "MSFT")
    best = max(swept.symbols, key=lambda name: swept.surface("sharpe", name).loc[(5, 30)])
    assert swept.row({"fast": 5, "slow": 30}) == (5, 30, best)
    with pytest.raises(DataError, match="no row fast=6, slow=30"):
        swept.row({"fast": 6, "slow": 30})


def test_a_strategy_that_compares_symbols_has_one_account_and_one_map(lab):
    setup = replace(USUAL, strategy=CrossSectionalMomentum(lookback=60, skip=5, top=0.5))
    found = sweep(lab, setup, (Axis("lookback", 40, 80, 20), Axis("top", 0.3, 0.9, 0.3)))
    assert found.symbols == ()
    assert len(found.surface("sharpe")) == 9
    assert found.row({"lookback": 60, "top": 0.6}) == (60, 0.6)


@pytest.mark.parametrize(
    ("axes", "words"),
    [
        ((Axis("fast", 5, 10, 5), Axis("fast", 5, 10, 5)), "Both axes vary fast"),
        ((Axis("fast", 5, 10, 5), Axis("short", 0, 1, 1)), "number among the parameters"),
        ((Axis("fast", 0, 10, 5), Axis("slow", 5, 10, 5)), r"sma_cross: fast=0 is out of range"),
        ((Axis("fast", 1.5, 3, 1.5), Axis("slow", 5, 10, 5)), "whole number"),
        ((Axis("fast", 1, 200, 1), Axis("slow", 2, 200, 1)), "combinations are too many"),
    ],
)
def test_ranges_that_do_not_fit_are_refused_before_anything_runs(lab, axes, words):
    before = len(lab.registry.list())
    with pytest.raises(DataError, match=words):
        sweep(lab, USUAL, axes)
    assert len(lab.registry.list()) == before


def test_a_sweep_that_never_trades_says_so(lab):
    never = replace(USUAL, strategy=RsiReversion())
    found = sweep(lab, never, (Axis("low", 0, 0, 1), Axis("window", 5, 15, 5)))
    assert found.lead.notes[0] == "no combination traded"
    assert found.lead["trials"] >= 9
    assert found.best().empty
    with pytest.raises(DataError, match="none traded"):
        found.map("sharpe", "", "light")


def test_a_canceled_sweep_keeps_what_is_done_and_says_so(lab):
    told = []
    wide = (Axis("fast", 2, 101, 1), Axis("slow", 2, 101, 1))
    long = replace(USUAL, prices=Prices(symbols=("AAPL", "AMD", "BAC", "GE", "KO", "XOM"), source="sp500"))
    found = sweep(lab, long, wide, told.append, lambda: any(step.done for step in told))
    assert found.partial
    assert 0 < found.sweep.trials < found.sweep.planned
    assert any("partial" in note for note in found.lead.notes)


def test_a_sweep_canceled_at_once_leaves_nothing(lab):
    before = len(lab.registry.list())
    wide = (Axis("fast", 2, 101, 1), Axis("slow", 2, 101, 1))
    with pytest.raises(StoppedError, match="nothing was recorded"):
        sweep(lab, USUAL, wide, cancel=lambda: True)
    assert len(lab.registry.list()) == before
