"""The verdict on worlds whose truth is known, and that each reason against is named."""

import json
from dataclasses import replace

import numpy as np
import pytest

import qtw_lab as qtw
from qtw_lab.backtest.engine import backtest
from qtw_lab.backtest.sweep import sweep
from qtw_lab.core import DataError, Facts
from qtw_lab.research import ValidationReport, validate
from qtw_lab.research.checks import VERDICTS
from qtw_lab.research.trials import Trial, TrialLedger
from tests.research.planted import Follow, Idle, Prophet, bars_of, momentum, noise

COSTS = qtw.Costs(commission_bps=1)
LAGS = {"lag": range(1, 31)}


@pytest.fixture(scope="module")
def planted():
    return bars_of(momentum(0))


@pytest.fixture(scope="module")
def real(planted) -> ValidationReport:
    """The verdict on the best of thirty rules, one of which fits the world."""
    return validate(sweep(Follow, planted, grid=LAGS, costs=COSTS), reps=300)


def test_an_edge_that_is_there_passes_every_test_of_luck(real):
    assert [check.passed for check in real.gates] == [True] * 4
    assert real.result.strategy.lag == 1
    assert real.verdict in ("supported", "fragile")


def test_an_edge_of_one_bar_does_not_survive_a_bars_delay(real):
    assert real.verdict == "fragile"
    assert real.check("delay").passed is False
    assert real.reasons[0] == real.check("delay").reason
    assert real.check("cost_stress").passed


def test_noise_is_luck_however_good_the_best_row_looks():
    report = validate(sweep(Follow, bars_of(noise(3)), grid=LAGS), reps=300)
    assert report.verdict == "not distinguishable from luck"
    assert report.reasons[0] in [check.reason for check in report.gates if check.passed is False]


def test_a_rule_that_looks_ahead_is_named_first_whatever_it_earns(planted):
    report = validate(backtest(Prophet, planted, costs=COSTS), reps=300)
    assert report.result.stats["sharpe"] > 5
    assert report.verdict == "not distinguishable from luck"
    assert report.reasons[0].startswith("It looks ahead")
    assert report.facts()["looks_ahead"] == "yes"


def test_holding_a_rising_market_is_no_edge():
    report = validate(backtest("buy_and_hold", bars_of(0.001 + noise(5))), reps=300)
    assert report.check("deflation").passed
    assert report.check("beats_cash").passed
    assert report.check("beats_holding").passed is False
    assert report.verdict == "not distinguishable from luck"


def test_a_rule_that_never_trades_has_nothing_to_judge(planted):
    report = validate(backtest(Idle, planted), reps=100)
    assert report.verdict == "not distinguishable from luck"
    assert "did not trade" in report.reasons[0]
    assert np.isnan(report.facts()["deflated_sharpe"])


def test_the_trials_of_the_ledger_weigh_against_a_single_result(planted, tmp_path):
    result = backtest(Follow(lag=2), bars_of(momentum(11, bars=500, phi=0.15)), costs=COSTS)
    ledger = TrialLedger(tmp_path / "trials.sqlite")
    alone = validate(result, reps=100)
    rng = np.random.default_rng(0)
    others = (Trial(result.bars.fingerprint, "x", {"n": n}, float(rng.normal(0, 0.7))) for n in range(5000))
    ledger.add(others)
    later = validate(result, ledger=ledger, reps=100)
    assert later.facts()["trials"] == 5000
    assert later.facts()["deflated_sharpe"] < alone.facts()["deflated_sharpe"]
    assert later.facts()["luck_sharpe"] > 2  # the best of five thousand with a spread of 0.7 a year


def test_any_row_of_a_sweep_can_be_judged(planted):
    swept = sweep(Follow, planted, grid={"lag": [1, 20]}, costs=COSTS)
    worst = swept.table["sharpe"].idxmin()
    assert validate(swept, row=worst, reps=100).verdict == "not distinguishable from luck"
    with pytest.raises(DataError, match="is not a row of this sweep"):
        validate(swept, row=(3, "X"))


def test_a_row_of_one_symbol_is_tried_on_the_others(planted):
    both = bars_of({"A": momentum(0), "B": noise(1), "C": noise(2)})
    report = validate(sweep(Follow, both, grid={"lag": range(1, 11)}, costs=COSTS), reps=200)
    assert report.result.bars.symbols == ("A",)
    assert len(report.check("symbol_hold_out").table) == 2
    assert report.facts()["trials"] == 30


def test_a_sweep_larger_than_the_limit_is_drawn_from_and_says_so(planted):
    swept = sweep(Follow, planted, grid=LAGS, costs=COSTS)
    report = validate(swept, most=10, reps=100)
    assert report.facts()["beats_cash_compared"] in (10, 11)  # the row judged comes along if it was not drawn
    assert any("10 of 30 rows were compared" in note for note in report.notes)
    assert report.facts()["trials"] == 30


def test_facts_come_in_order_name_their_definitions_and_go_through_json(real):
    facts = real.facts()
    assert [fact.name for fact in facts][:2] == ["trials", "deflated_sharpe"]
    assert facts["verdict"] == real.verdict
    assert all(fact.definition for fact in facts if fact.unit == "fraction")
    again = Facts.from_json(facts.to_json())
    assert [fact.shown for fact in again] == [fact.shown for fact in facts]
    assert json.loads(facts.to_json())["notes"] == list(facts.notes)


def test_the_verdicts_are_three_and_a_report_knows_its_questions(real):
    assert set(VERDICTS) == {"supported", "fragile", "not distinguishable from luck"}
    assert real.check("plateau") in real.checks
    with pytest.raises(DataError, match="no question 'plateaux'"):
        real.check("plateaux")
    assert repr(real).startswith("ValidationReport(Follow(lag=1): fragile; ")


def test_a_report_without_anything_against_it_gives_what_speaks_for_it(real):
    fine = tuple(replace(check, passed=None if check.passed is None else True) for check in real.checks)
    supported = replace(real, gates=fine[:4], stresses=fine[4:])
    assert supported.verdict == "supported"
    assert supported.reasons == tuple(check.reason for check in fine if check.passed)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"level": 0.0}, "level=0.0 must lie between 0 and 0.5"),
        ({"level": 0.7}, "must lie between 0 and 0.5"),
        ({"reps": 5}, "reps"),
        ({"most": 1}, "most"),
        ({"seed": -1}, "seed"),
    ],
)
def test_arguments_out_of_range_are_refused(planted, options, words):
    with pytest.raises(DataError, match=words):
        validate(backtest(Follow, planted), **options)


def test_what_is_no_backtest_is_refused(planted):
    with pytest.raises(DataError, match="Only a backtest's Result or a Sweep can be validated, not DataFrame"):
        validate(backtest(Follow, planted).trades)
    with pytest.raises(DataError, match="50 bars are too few to judge"):
        validate(backtest(Follow, bars_of(noise(0, bars=50))))


def test_the_page_holds_verdict_reasons_and_definitions(real, tmp_path):
    text = real.to_html(tmp_path / "deep" / "page.html")
    assert (tmp_path / "deep" / "page.html").read_text(encoding="utf-8") == text
    for words in ("Fragile", "Could it be luck?", real.reasons[0], 'href="#def-deflated_sharpe"', "Definitions"):
        assert words in text
    assert text.index("Configurations tried") < text.index("Deflated Sharpe ratio") < text.index("Fragile")
    assert "http://" not in text.split("<script")[0]
