"""The page of a study: complete, in one file, and its pictures hold the study's numbers."""

import numpy as np
import pandas as pd
import pytest

import qtw_lab as qtw
from qtw_lab.core import DataError
from qtw_lab.research.factor_page import FIGURES, compared
from qtw_lab.research.factors import factor_study


@pytest.fixture(scope="module")
def study():
    names = ["AAPL", "BAC", "CVX", "GE", "HD", "JNJ", "JPM", "KO", "MRK", "PEP"]
    bars = qtw.Lab.offline().bars(names, "2000-01-01", "2003-12-31", source="sp500")
    return factor_study("reversal", bars, horizons=(1, 5), costs=qtw.Costs(commission_bps=5), name="a < b")


@pytest.fixture(scope="module")
def page(study, tmp_path_factory):
    path = study.to_html(tmp_path_factory.mktemp("study") / "new" / "study.html")
    return path.read_text(encoding="utf-8")


def test_the_page_holds_every_part_and_states_trials_costs_and_data(page, study):
    for _, heading, _ in FIGURES.values():
        assert heading in page
    lead = page[page.index('class="lead"') : page.index("<header>")]
    for told in ("Configurations tried", "commission bps 5", study.bars.fingerprint[:16], "survivors only"):
        assert told in lead
    assert study.portfolio.net.order_hash in page
    assert "a &lt; b" in page
    assert "a < b" not in page


def test_the_page_asks_nothing_from_anywhere(page):
    assert "<script src" not in page
    assert '<link rel="stylesheet"' not in page


@pytest.mark.parametrize("name", FIGURES)
def test_every_picture_can_be_drawn_in_both_themes(study, name):
    for theme in ("light", "dark"):
        assert study.picture(name, theme).label.endswith("of a < b")


def test_relative_growth_is_what_compounding_by_hand_gives(study):
    """At horizon 1: sum over bars of the log of the quantile's growth over that of all names."""
    figure = study.picture("growth").figure
    drawn = figure.select_one({"name": "5 (highest)"}).data_source.data
    forward = (study.bars.open.shift(-2) / study.bars.open.shift(-1) - 1)[study.factor.notna().any(axis=1)].iloc[:-2]
    top = study.quantile_returns[1][5].loc[forward.index]
    np.testing.assert_allclose(drawn["value"], np.log((1 + top) / (1 + forward.mean(axis=1))).cumsum(), atol=1e-9)
    last = pd.Timestamp(drawn["time"][-1], unit="ms", tz="UTC")
    assert last == study.bars.index[-1]  # the last return is in at the last open
    assert [item.label.value for item in figure.legend[0].items] == ["5 (highest)", "1 (lowest)", "2", "4", "3"]


def test_the_map_shows_basis_points_a_bar(study):
    figure = study.picture("quantiles").figure
    cells = figure.select_one({"name": "cells"}).data_source.data["image"][0]
    summary = study.quantile_summary["mean"]
    expected = [[1e4 * summary.loc[(h, q)] / h for q in range(1, 6)] for h in (1, 5)]
    np.testing.assert_allclose(cells, expected)


def test_the_comparison_is_written_for_people(study):
    shown = compared(study)
    assert shown.columns.tolist() == ["before costs", "after costs"]
    assert shown.loc["costs paid", "before costs"] == "0.00"
    assert shown.loc["sharpe", "after costs"] == f"{study.portfolio.net.stats['sharpe']:.3f}"


def test_too_few_coefficients_have_no_course(bars_of):
    """Of 400 bars a mean of 100 is drawn, where 50 are known; here 10 are."""
    rng = np.random.default_rng(0)
    bars = bars_of(**{name: list(50 * np.exp(0.01 * rng.normal(size=400).cumsum())) for name in "ABCDE"})
    factor = pd.DataFrame(rng.normal(size=(400, 5)), bars.index, list("ABCDE"))
    factor.iloc[10:] = np.nan
    with pytest.raises(DataError, match="too few information coefficients"):
        factor_study(factor, bars, horizons=(1,)).picture("ic")
