from __future__ import annotations

from datetime import date
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from qtw_lab.core import DataError
from qtw_lab.stats import performance as p
from qtw_lab.stats.stress import CRISES, Period


@pytest.fixture(scope="module")
def index_levels():
    """Closing levels of the S&P 500, 1990 to 2022, from an installed package."""
    spec = find_spec("skfolio")
    if spec is None or not spec.submodule_search_locations:
        pytest.skip("skfolio is not installed")
    file = Path(spec.submodule_search_locations[0], "datasets", "data", "sp500_index.csv.gz")
    return pd.read_csv(file, index_col=0, parse_dates=True)["SP500"]


FALLS = [c for c in CRISES if "closing high" in c.definition]


@pytest.mark.parametrize("crisis", FALLS, ids=lambda c: c.name)
def test_a_fall_runs_from_the_session_after_a_high_to_the_low(crisis, index_levels):
    """In the levels of the index: nothing between is above the high before it or below its last day."""
    first, last = pd.Timestamp(crisis.first), pd.Timestamp(crisis.last)
    inside = index_levels[first:last]
    before = index_levels[: first - pd.Timedelta(days=1)]
    assert inside.index[0] == first
    assert inside.index[-1] == last == inside.idxmin()
    assert before.iloc[-1] > inside.max()
    assert before.iloc[-1] == before.iloc[-10 if "local" in crisis.definition else -60 :].max()
    assert f"{before.index[-1]:%-d %B %Y}" in crisis.definition
    assert f"{last:%-d %B %Y}" in crisis.definition


def test_the_returns_of_known_crises_are_those_of_the_index(index_levels):
    """S&P 500, closing levels: 1527.46 to 776.76, 1565.15 to 676.53, 3386.15 to 2237.40, and 1165.87 to 1128.15."""
    table = p.crisis_table(index_levels.pct_change().iloc[1:])
    assert table.loc["Dot-com bust", "return"] == pytest.approx(776.76 / 1527.46 - 1, abs=1e-4)
    assert table.loc["Financial crisis", "max_drawdown"] == pytest.approx(676.53 / 1565.15 - 1, abs=1e-4)
    assert table.loc["Covid crash", "return"] == pytest.approx(2237.40 / 3386.15 - 1, abs=1e-4)
    assert table.loc["Flash crash", "return"] == pytest.approx(1128.15 / 1165.87 - 1, abs=1e-4)
    assert np.isnan(table.loc["Flash crash", "volatility"])
    assert table.loc["Black Monday", "coverage"] == "not covered"
    assert (table["coverage"] == "covered").sum() == len(CRISES) - 1
    assert table.loc["Covid crash", "volatility"] > 0.5


def test_every_crisis_starts_and_ends_on_a_session(index_levels):
    days = {c.first for c in CRISES[1:]} | {c.last for c in CRISES[1:]}
    assert days <= {day.date() for day in index_levels.index}
    assert len({c.name for c in CRISES}) == len(CRISES)
    assert all(c.first <= c.last and c.definition for c in CRISES)


WEEK = Period("a week", date(2024, 1, 8), date(2024, 1, 12), "for the tests")


@pytest.mark.parametrize(
    ("first", "last", "coverage", "bars"),
    [
        ("2024-01-08", "2024-01-12", "covered", 5),
        ("2024-01-02", "2024-01-30", "covered", 5),
        ("2024-01-09", "2024-01-30", "partly covered", 4),
        ("2024-01-02", "2024-01-11", "partly covered", 4),
        ("2024-01-15", "2024-01-30", "not covered", 0),
        ("2024-01-02", "2024-01-05", "not covered", 0),
    ],
)
def test_only_a_period_covered_whole_has_figures(first, last, coverage, bars):
    days = pd.bdate_range(first, last, tz="America/New_York")
    row = p.crisis_table(pd.Series(-0.01, index=days), [WEEK]).loc["a week"]
    assert (row["coverage"], row["bars"]) == (coverage, bars)
    assert row[["return", "max_drawdown", "volatility"]].isna().all() == (coverage != "covered")
    if coverage == "covered":
        assert row["return"] == pytest.approx(0.99**5 - 1)
        assert row["max_drawdown"] == pytest.approx(0.99**5 - 1)
        assert row["volatility"] == 0.0


def test_bars_belong_to_the_day_of_their_own_time_zone():
    late = pd.date_range("2024-01-08 21:00", "2024-01-12 21:00", freq="1D", tz="America/New_York")
    returns = pd.Series(0.01, index=late)
    assert p.crisis_table(returns, [WEEK], 252).loc["a week", "bars"] == 5
    assert p.crisis_table(returns.tz_convert("UTC"), [WEEK], 252).loc["a week", "bars"] == 4


def test_what_is_no_series_in_the_order_of_time_is_refused():
    r = pd.Series([0.1, 0.2], index=pd.date_range("2024-01-01", periods=2))
    for wrong in ([0.1], pd.Series([0.1]), r.to_frame()):
        with pytest.raises(DataError, match="one Series with times"):
            p.crisis_table(wrong)
    with pytest.raises(DataError, match="order of time"):
        p.crisis_table(r[::-1])
    with pytest.raises(DataError, match="nan at bar 1"):
        p.crisis_table(r.where(r < 0.15))


def test_todays_weights_in_the_past_equal_a_portfolio_rebalanced_at_every_bar(large_caps):
    weights = pd.Series({"WMT": 0.5, "AAPL": -0.2})
    found = p.historical_stress(weights, large_caps)
    expected = p.crisis_table(0.5 * large_caps["WMT"] - 0.2 * large_caps["AAPL"])
    pd.testing.assert_frame_equal(found, expected, rtol=1e-9)
    with pytest.raises(DataError, match="returns has nothing for NONE"):
        p.historical_stress(pd.Series({"NONE": 1.0}), large_caps)
    with pytest.raises(DataError, match="needs a DataFrame"):
        p.historical_stress(weights, large_caps["WMT"])


def test_a_shock_by_hand():
    """60% that falls by a fifth and a short 40% that falls by a tenth: -12% + 4%."""
    found = p.shock(pd.Series({"X": 0.6, "Y": -0.4}), pd.Series({"Z": 9.0, "Y": -0.1, "X": -0.2}))
    assert found.total == pytest.approx(-0.08)
    assert found.parts.to_dict() == pytest.approx({"X": -0.12, "Y": 0.04})


def test_factors_and_the_market_are_shocks_of_symbols():
    weights = pd.Series({"X": 0.6, "Y": -0.4})
    exposures = pd.DataFrame({"market": [1.2, 0.8], "rates": [-2.0, 0.5]}, index=["X", "Y"])
    moves = pd.Series({"rates": 0.01, "market": -0.2})
    assert p.factor_shock(weights, exposures, moves).parts.to_dict() == pytest.approx({"X": -0.156, "Y": 0.062})
    alone = p.factor_shock(weights, exposures[["market"]], moves[["market"]])
    assert p.market_shock(weights, exposures["market"], -0.2).total == pytest.approx(alone.total)


def test_a_symbol_or_factor_without_a_move_is_not_taken_for_zero():
    weights = pd.Series({"X": 0.6, "Y": 0.4})
    with pytest.raises(DataError, match="moves has nothing for Y"):
        p.shock(weights, pd.Series({"X": -0.2}))
    with pytest.raises(DataError, match="moves has nothing for Y"):
        p.market_shock(weights, pd.Series({"X": 1.0}), -0.2)
    exposures = pd.DataFrame({"market": [1.0, 1.0], "rates": [0.0, 0.0]}, index=["X", "Y"])
    with pytest.raises(DataError, match="moves has nothing for rates"):
        p.factor_shock(weights, exposures, pd.Series({"market": -0.2}))
    with pytest.raises(DataError, match="factor oil that the exposures do not have"):
        p.factor_shock(weights, exposures, pd.Series({"market": -0.2, "rates": 0.0, "oil": 0.5}))


def test_weights_and_moves_that_are_no_numbers_by_label_are_refused():
    weights = pd.Series({"X": 1.0})
    with pytest.raises(DataError, match="weights must be a Series"):
        p.shock([1.0], weights)
    with pytest.raises(DataError, match="moves has X twice"):
        p.shock(weights, pd.Series([1.0, 2.0], index=["X", "X"]))
    with pytest.raises(DataError, match="weights have nan"):
        p.shock(pd.Series({"X": np.nan}), weights)
    with pytest.raises(DataError, match="move="):
        p.market_shock(weights, weights, np.nan)
    with pytest.raises(DataError, match="exposures must be a DataFrame"):
        p.factor_shock(weights, weights, weights)
    with pytest.raises(DataError, match="exposures have nan"):
        p.factor_shock(weights, pd.DataFrame({"m": [np.nan]}, index=["X"]), pd.Series({"m": 0.1}))
