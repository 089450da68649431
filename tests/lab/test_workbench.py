"""The workbench as a page uses it: presets, the verdict, and lists to choose from."""

from dataclasses import replace

import pytest

from qtw_lab.core import DataError
from qtw_lab.lab import Lab
from qtw_lab.lab import workbench as bench
from qtw_lab.strategies import STRATEGIES, SmaCross

USUAL = replace(bench.Setup.usual(), prices=replace(bench.Setup.usual().prices, start="2009-01-01"))


@pytest.fixture
def lab(tmp_path):
    return Lab.offline(tmp_path)


def test_a_setup_is_kept_by_name_found_again_and_forgotten(lab):
    assert bench.presets(lab) == []
    bench.keep(lab, "my first", USUAL)
    bench.keep(lab, "another", replace(USUAL, cash=5.0))
    assert bench.presets(lab) == ["another", "my first"]
    assert bench.preset(lab, "my first") == USUAL
    bench.forget(lab, "another")
    assert bench.presets(lab) == ["my first"]
    with pytest.raises(DataError, match="There is no preset 'another'"):
        bench.preset(lab, "another")
    with pytest.raises(DataError, match="cannot name a preset"):
        bench.keep(lab, "../up", USUAL)


def test_a_preset_that_fits_no_more_says_what_does_not(lab):
    lab.keepsakes.keep("preset", "old", USUAL.written() | {"strategy": "gone"})
    with pytest.raises(DataError, match="There is no strategy 'gone'"):
        bench.preset(lab, "old")


def test_there_are_strategies_executions_and_sources_to_choose_from(lab):
    class Mine(SmaCross):
        pass

    own = bench.named_own([Mine])
    assert list(bench.strategies(own)) == [*STRATEGIES, "mine"]
    assert bench.executions()[0] == "next_open"
    assert "next_vwap" not in bench.executions()
    known = bench.sources(lab)
    assert list(known["source"]) == ["stocks", "sp500"]
    assert list(bench.no_sources()) == list(known)


def test_a_backtest_is_judged_alone_and_a_combination_among_the_sweep(lab):
    told = []
    outcome = bench.run(lab, USUAL)
    alone = bench.verdict(lab, outcome, progress=told.append)
    assert alone.result.order_hash == outcome.result.order_hash
    assert [step.name for step in told] == ["verdict"]
    swept = bench.sweep(lab, USUAL, (bench.Axis("fast", 5, 15, 5), bench.Axis("slow", 20, 60, 20)))
    assert outcome.lead["trials"] > swept.sweep.trials > outcome.facts["trials"], "the backtest is believed less now"
    chosen = bench.verdict(lab, swept, {"fast": 5, "slow": 40, "symbol": "IBM"})
    assert chosen.result.strategy == SmaCross(fast=5, slow=40)
    assert chosen.result.bars.symbols == ("IBM",)
    assert bench.verdict(lab, swept).result.strategy == swept.sweep.result(swept.sweep.best().index[0]).strategy
    assert len(lab.registry.list(kind="validation")) == 3
    assert chosen.reasons
