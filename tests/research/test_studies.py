"""Studies of many configurations enter what they tried, once, and count among their like."""

import numpy as np
import pytest

import qtw_lab as qtw
from qtw_lab.research.combinatorial import combinatorial
from qtw_lab.research.factors import factor_study
from qtw_lab.research.portfolios import portfolio_walk_forward
from qtw_lab.research.trials import TrialLedger
from qtw_lab.research.walkforward import walk_forward
from qtw_lab.stats import significance as g
from tests.research.planted import Follow, bars_of, noise


@pytest.fixture
def ledger(tmp_path) -> TrialLedger:
    return TrialLedger(tmp_path / "trials.sqlite")


@pytest.fixture(scope="module")
def bars():
    return bars_of({name: noise(seed, bars=400) for seed, name in enumerate("ABCDEF")})


def kinds(ledger) -> dict[str, int]:
    import sqlite3

    db = sqlite3.connect(ledger.path)
    single = db.execute("SELECT kind, count(*) FROM configurations GROUP BY kind").fetchall()
    many = db.execute("SELECT kind, sum(size) FROM batches GROUP BY kind").fetchall()
    db.close()
    return dict(single) | dict(many)


def test_a_walk_forward_counts_its_grid_and_itself(bars, ledger):
    one = bars.select("A")
    found = walk_forward(Follow, one, grid={"lag": [1, 2, 3]}, train=100, test=50, ledger=ledger)
    again = walk_forward(Follow, one, grid={"lag": [1, 2, 3]}, train=100, test=50, ledger=ledger)
    assert kinds(ledger) == {"walk_forward": 1, "walk_forward_grid": 3}
    assert ledger.count(one.fingerprint) == 4
    assert [fact.name for fact in found.facts()][:2] == ["trials", "deflated_sharpe"]
    alone = float(g.probabilistic_sharpe_ratio(found.returns.to_numpy()))
    assert again.facts()["deflated_sharpe"] == pytest.approx(alone, abs=1e-15)
    other = walk_forward(Follow, one, grid={"lag": [1, 2, 3]}, train=120, test=50, ledger=ledger)
    assert other.entered.tried.count == 2
    assert "2 such studies" in other.facts().fact("deflated_sharpe").definition


def test_the_grid_of_a_walk_forward_is_the_backtests_it_stands_for(bars, ledger):
    from qtw_lab.backtest.engine import backtest
    from qtw_lab.backtest.recording import counted

    one = bars.select("A")
    walk_forward(Follow, one, grid={"lag": [1, 2]}, train=100, test=50, ledger=ledger)
    counted(backtest(Follow(lag=2), one), ledger)
    assert ledger.count(one.fingerprint) == 3


def test_a_sweep_after_the_walk_forward_brings_the_ratios(bars, ledger):
    from qtw_lab.backtest.counting import counted_sweep
    from qtw_lab.backtest.sweep import sweep

    one = bars.select("A")
    walk_forward(Follow, one, grid={"lag": [1, 2, 3]}, train=100, test=50, ledger=ledger)
    assert np.isnan(ledger.tried(one.fingerprint, one.periods_per_year).sharpe_std)
    counted_sweep(sweep(Follow, one, grid={"lag": [1, 2, 3]}), ledger)
    assert ledger.tried(one.fingerprint, one.periods_per_year).sharpe_std > 0
    assert ledger.count(one.fingerprint) == 4


def test_a_combinatorial_study_is_judged_by_its_middle_path(bars, ledger):
    found = combinatorial(Follow, bars.select("A"), {"lag": [1, 2, 3]}, ledger=ledger)
    assert kinds(ledger) == {"combinatorial": 1, "combinatorial_grid": 3}
    ranked = found.sharpes.sort_values().to_list()
    middle = float(qtw.stats.performance.sharpe_ratio(found.middle.to_numpy(), bars.periods_per_year))
    assert middle == pytest.approx(ranked[(len(ranked) - 1) // 2], abs=1e-12)


def test_every_other_factor_is_one_more_question(bars, ledger):
    first = factor_study("reversal", bars, horizons=(1, 5), ledger=ledger)
    assert first.trials == 2
    again = factor_study("reversal", bars, horizons=(1, 5), ledger=ledger)
    assert again.trials == 2
    other = factor_study("volatility", bars, horizons=(1, 5), ledger=ledger)
    assert other.trials == 4
    row = other.ic.iloc[0]
    assert row["p_counted"] == pytest.approx(min(1.0, row["p_value"] * 4))
    assert kinds(ledger) == {"factor": 2}
    assert factor_study("volatility", bars, horizons=(1, 5), tried=7, ledger=ledger).trials == 14


def test_each_allocator_is_a_trial(bars, ledger):
    pytest.importorskip("skfolio", reason="portfolios need the extra research")
    portfolio_walk_forward(bars, ["inverse_volatility"], train=60, rebalance=40, reps=50, ledger=ledger)
    assert kinds(ledger) == {"portfolio": 2}


def test_a_ledger_that_cannot_be_written_is_said_and_stops_nobody(bars, tmp_path):
    (tmp_path / "file").write_text("in the way")
    blocked = TrialLedger(tmp_path / "file" / "trials.sqlite")
    found = walk_forward(Follow, bars.select("A"), grid={"lag": [1]}, train=100, test=50, ledger=blocked)
    assert any(note.startswith("not counted as a trial: ") for note in found.facts().notes)
