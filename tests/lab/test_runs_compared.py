"""Runs side by side."""

import numpy as np
import pandas as pd
import pytest

from qtw_lab.core import DataError, Fact, Facts
from qtw_lab.lab import Lab
from qtw_lab.lab.runs_compared import compared, equity_of, growth_picture
from qtw_lab.lab.runs_view import runs_table


@pytest.fixture
def lab(tmp_path):
    return Lab.offline(tmp_path / "store")


@pytest.fixture
def bars(lab):
    return lab.bars("AAPL", start="2010-01-01", end="2012-12-31")


def test_two_backtests_show_their_figures_what_differs_and_both_accounts(lab, bars):
    one = lab.backtest("sma_cross", bars, fast=5, slow=20)
    two = lab.backtest("sma_cross", bars, fast=10, slow=50)
    both = compared(lab, list(runs_table(lab)["id"][::-1]))
    assert len(both.labels) == 2
    assert len(set(both.labels)) == 2
    figures = both.figures.set_index("figure")
    assert figures.loc[one.facts()["trades"] is not None and "Sharpe ratio"].nunique() == 2
    differing = dict(both.parameters.set_index("parameter").T)
    assert "parameters" in differing
    assert "strategy" not in differing
    assert "data" not in differing
    np.testing.assert_allclose(both.growth.iloc[-1], [r.equity.iloc[-1] / r.equity.iloc[0] for r in (one, two)])
    assert both.unknown == {}
    assert growth_picture(both, "dark").figure is not None


def test_the_best_row_of_a_sweep_stands_for_it(lab, bars):
    found = lab.sweep("sma_cross", bars, grid={"fast": [5, 10], "slow": [20, 50]})
    run = lab.registry.get(runs_table(lab)["id"].iloc[0])
    best = found.result(found.best().index[0])
    pd.testing.assert_series_equal(equity_of(lab, run), best.equity)


@pytest.mark.parametrize("name", ["equity.csv", "equity.parquet", "result.csv"])
def test_a_notebook_shows_the_account_that_it_left(lab, bars, tmp_path, name):
    result = lab.backtest("sma_cross", bars)
    folder = tmp_path / "made"
    folder.mkdir()
    lab.export(result, folder / name)
    run = lab.registry.record("notebook", "nightly", None, {}, (), folder)
    np.testing.assert_array_equal(equity_of(lab, run), result.equity)
    assert equity_of(lab, run).index.equals(pd.DatetimeIndex(result.equity.index).tz_convert("UTC"))


def test_a_run_without_an_account_says_what_would_leave_one(lab, tmp_path):
    folder = tmp_path / "made"
    folder.mkdir()
    facts = Facts("F", (Fact("sharpe", 1.0),))
    ids = [lab.registry.record("notebook", "nightly", facts, {"n": n}, (), folder).id for n in range(2)]
    both = compared(lab, ids)
    assert both.growth.empty
    assert len(both.unknown) == 2
    assert all("lab.export(result" in why for why in both.unknown.values())
    assert both.parameters["parameter"].tolist() == ["n"]
    (folder / "equity.csv").write_text("nothing,of\n1,it\n")
    with pytest.raises(DataError, match=r"equity\.csv holds no account"):
        equity_of(lab, lab.registry.get(ids[0]))


def test_a_run_without_figures_has_an_empty_column(lab):
    ids = [
        lab.registry.record("backtest", "a", Facts("F", (Fact("sharpe", 1.0),)), {}, ()).id,
        lab.registry.record("backtest", "b", None, {}, ()).id,
    ]
    both = compared(lab, ids)
    assert both.figures.iloc[0].tolist() == ["Sharpe ratio", "1.00", ""] or both.figures.iloc[0, 2] == ""
    assert set(both.unknown) == set(both.labels)


def test_one_run_is_no_comparison(lab):
    run = lab.registry.record("backtest", "a", None, {}, ())
    with pytest.raises(DataError, match="two different runs"):
        compared(lab, [run.id, run.id])
