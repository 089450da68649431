"""What a study tells: facts with trials first, caveats, and how it shows itself."""

import numpy as np
import pandas as pd
import pytest

import qtw_lab as qtw
from qtw_lab.core import DataError, Facts
from qtw_lab.research.factors import factor_study

COSTS = qtw.Costs(commission_bps=5, borrow_bps_per_year=50)


@pytest.fixture(scope="module")
def stocks():
    names = ["AAPL", "BAC", "CVX", "GE", "HD", "JNJ", "JPM", "KO", "MRK", "PEP"]
    return qtw.Lab.offline().bars(names, "2000-01-01", "2003-12-31", source="sp500")


@pytest.fixture(scope="module")
def study(stocks):
    return factor_study("reversal", stocks, horizons=(1, 5), costs=COSTS, tried=4)


def test_facts_begin_with_trials_costs_and_data(study, stocks):
    facts = study.facts()
    assert [fact.name for fact in facts][:4] == ["trials", "deflated_sharpe", "costs", "execution"]
    assert facts["trials"] == 8
    assert facts["costs"] == COSTS.describe()
    assert facts["data_fingerprint"] == stocks.fingerprint[:16]


def test_facts_are_the_tables(study):
    facts = study.facts()
    for horizon in study.horizons:
        assert facts[f"ic_{horizon}"] == study.ic.loc[horizon, "mean"]
        assert facts[f"t_{horizon}"] == study.ic.loc[horizon, "t"]
        assert facts[f"p_counted_{horizon}"] == study.ic.loc[horizon, "p_counted"]
        assert facts[f"spread_{horizon}"] == study.quantile_summary.loc[(horizon, "spread"), "mean"]
        assert facts[f"monotonicity_{horizon}"] == study.monotonicity[horizon]
    assert facts["net_sharpe"] == study.portfolio.net.stats["sharpe"]
    assert facts["gross_cagr"] == study.portfolio.gross.stats["cagr"]
    assert facts["breakeven_bps"] == study.portfolio.breakeven_bps
    assert facts["rank_autocorrelation"] == study.turnover.loc[5, "rank_autocorrelation"]
    assert Facts.from_json(facts.to_json()) == facts


def test_caveats_of_the_data_and_of_the_study_are_told(study):
    notes = " / ".join(study.facts().notes)
    assert "survivors only" in notes
    assert "8 questions asked (4 factors at 2 horizons)" in notes
    assert "few names: 10 a bar, so by luck alone one bar's coefficient is off by 0.33, and a quantile is 2" in notes
    assert "horizon 5: returns overlap" in notes
    assert "no costs" not in notes
    assert "optimistic" not in notes


def test_free_trading_and_impossible_entries_are_told(stocks):
    notes = " / ".join(factor_study("reversal", stocks, horizons=(1,), entry="close", tried=1).notes)
    assert "no costs: real trading is dearer" in notes
    assert "optimistic" in notes
    assert "1 question asked (1 factor at 1 horizon)" in notes
    assert "overlap" not in notes


def test_labels_missing_at_a_symbols_end_are_told(bars_of):
    """Six names of 40 bars, one ends after 20: of its values at bars 0 to 37 the last two known have no label."""
    rng = np.random.default_rng(0)
    closes = {name: list(50 + rng.normal(size=40).cumsum()) for name in "ABCDEF"}
    closes["F"][20:] = [np.nan] * 20
    bars = bars_of(**closes)
    study = factor_study(pd.DataFrame(rng.normal(size=(40, 6)), bars.index, list("ABCDEF")), bars, horizons=(1,))
    assert study.unlabelled == pytest.approx(2 / (5 * 38 + 20))
    assert "1.0% of the factor's values have no return at horizon 1" in " / ".join(study.notes)


def test_it_shows_itself_in_a_notebook(study):
    bundle = study._repr_mimebundle_()
    assert "Factor study of reversal" in bundle["text/html"]
    assert repr(study).startswith("FactorStudy(reversal; 1: IC ")
    assert "8 trials" in repr(study)


def test_an_unknown_picture_is_refused(study):
    with pytest.raises(DataError, match="growth"):
        study.picture("growht")
