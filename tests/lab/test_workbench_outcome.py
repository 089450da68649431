"""A backtest from the workbench: counted and recorded, with what it rests on before its figures."""

from dataclasses import replace

import pytest

from qtw_lab.core import DataError
from qtw_lab.lab import Lab
from qtw_lab.lab.workbench_outcome import LEAD, TRADES, UNCERTAIN, run
from qtw_lab.lab.workbench_setup import Prices, Setup
from qtw_lab.lab.workbench_steps import StoppedError
from qtw_lab.ledger import Stops
from qtw_lab.stats.bootstrap import Interval, bootstrap_interval
from qtw_lab.strategies import BuyAndHold, RsiReversion, SmaCross

USUAL = replace(Setup.usual(), prices=replace(Setup.usual().prices, start="2009-01-01"))


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    return Lab.offline(tmp_path_factory.mktemp("lab"))


@pytest.fixture(scope="module")
def outcome(lab):
    return run(lab, USUAL)


def test_it_is_the_backtest_of_the_lab_counted_recorded_and_checked(lab, outcome):
    p = USUAL.prices
    bars = lab.bars(p.symbols, p.start, p.end, source="stocks")
    other = lab.backtest(SmaCross(), bars, costs=USUAL.costs)
    assert outcome.result.order_hash == other.order_hash
    runs = lab.registry.list(kind="backtest")
    assert len(runs) == 2
    assert lab.trials.count(bars.fingerprint) == 1  # the same configuration twice
    assert outcome.result.agreement.agrees


def test_trials_costs_and_data_stand_before_any_figure(outcome):
    names = [fact.name for fact in outcome.lead]
    assert names == list(LEAD)
    assert names[0] == "trials"
    assert outcome.lead["costs"] == "commission bps 5, spread bps 4"
    assert outcome.lead["data_fingerprint"] == outcome.result.bars.fingerprint[:16]
    assert any("survivors" in note for note in outcome.lead.notes)


def test_a_fill_at_prices_not_known_yet_is_noted_first(lab):
    found = run(lab, replace(USUAL, execution="same_close"))
    assert any(note.startswith("optimistic") for note in found.lead.notes)


def test_figures_have_intervals_of_confidence_that_hold_them(outcome):
    table = outcome.statistics.set_index("figure")
    assert set(outcome.intervals) == set(UNCERTAIN)
    for name, bounds in outcome.intervals.items():
        assert isinstance(bounds, Interval)
        assert bounds.estimate == pytest.approx(outcome.facts[name], rel=1e-9), name
    same = bootstrap_interval(outcome.result.returns, "sharpe", reps=1000, seed=0, periods_per_year=252.0)
    assert table.loc["Sharpe ratio", "low"] == f"{same.low:.3f}"
    assert table.loc["Trades (round trips)", "low"] == ""
    assert next(iter(table.index)) == "Total return"
    assert "1,000 resamples by the stationary bootstrap" in outcome.method


def test_without_returns_there_is_no_interval_but_a_reason(lab):
    never = RsiReversion(low=0.0)  # an index is not below zero
    found = run(lab, replace(USUAL, strategy=never))
    assert "No interval of sharpe" in found.method
    assert set(found.statistics["low"]) == {""}
    assert found.trades.empty
    assert list(found.trades) == list(TRADES)


def test_the_band_is_there_where_bars_are_ambiguous(lab, outcome):
    assert outcome.band is None
    found = run(lab, replace(USUAL, stops=Stops(stop_loss=0.01, take_profit=0.01)))
    assert list(found.band) == ["figure", "pessimistic", "optimistic"]
    assert found.ambiguous > 0
    assert found.band["figure"].iloc[0] == found.facts.fact("total_return").title


def test_costs_are_those_that_were_paid(outcome):
    assert list(outcome.costs["cost"]) == ["commission", "spread"]


def test_trades_are_numbered_by_entry_and_the_newest_comes_first(outcome):
    trades = outcome.trades
    assert list(trades["number"]) == list(range(len(trades), 0, -1))
    assert trades["entry_time"].iloc[0] >= trades["entry_time"].iloc[-1]
    assert trades["pnl"].sum() == pytest.approx(outcome.result.trades["pnl"].sum())


def test_figures_are_drawn_in_both_themes(outcome):
    for theme in ("light", "dark"):
        assert outcome.equity(theme).label.startswith("Equity after costs")
        assert "IBM" in outcome.candles("IBM", theme).label
        assert outcome.months(theme).figure is not None
    with pytest.raises(DataError, match="symbol in these bars"):
        outcome.candles("KO", "light")


def test_progress_is_told_in_order(lab):
    told = []
    run(lab, USUAL, told.append)
    names = list(dict.fromkeys(step.name for step in told))
    assert names == ["prices", "backtest", "intervals"]
    assert told[-1].share == 1.0


def test_canceled_before_it_began_nothing_is_recorded(lab):
    before = len(lab.registry.list())
    with pytest.raises(StoppedError, match="nothing was recorded"):
        run(lab, USUAL, cancel=lambda: True)
    assert len(lab.registry.list()) == before


def test_canceled_later_the_backtest_stays_and_says_which_intervals_are_missing(lab):
    told = []
    found = run(lab, USUAL, told.append, lambda: sum(step.name == "intervals" for step in told) > 2)
    assert sum(isinstance(bounds, Interval) for bounds in found.intervals.values()) == 2
    assert "The remaining intervals were not worked out: canceled." in found.method


@pytest.mark.parametrize(
    ("prices", "words"),
    [
        (Prices(symbols=("NOPE",)), "symbol 'NOPE'"),
        (Prices(symbols=("KO",), source="shop"), "source of prices"),
        (Prices(symbols=("KO",), source="sp500", start="2030-01-01"), "2030"),
    ],
)
def test_prices_that_are_not_there_are_answered_before_anything_runs(lab, prices, words):
    before = len(lab.registry.list())
    with pytest.raises(DataError, match=words):
        run(lab, Setup(prices=prices, strategy=BuyAndHold()))
    assert len(lab.registry.list()) == before
