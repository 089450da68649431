from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qtw_lab.core import DataError
from qtw_lab.stats import performance as p

PNL = [100.0, -50.0, -25.0, 0.0, 200.0, -75.0]
EVERY = (p.win_rate, p.profit_factor, p.expectancy, p.average_win, p.average_loss, p.payoff_ratio)


def test_trades_by_hand():
    assert p.win_rate(PNL) == pytest.approx(2 / 6)
    assert p.profit_factor(PNL) == 2.0
    assert p.expectancy(PNL) == 25.0
    assert p.average_win(PNL) == 150.0
    assert p.average_loss(PNL) == -50.0
    assert p.payoff_ratio(PNL) == 3.0
    assert p.max_consecutive_losses(PNL) == 2


def test_expectancy_follows_from_rates_and_averages():
    lost = 3 / 6
    assert p.expectancy(PNL) == pytest.approx(p.win_rate(PNL) * p.average_win(PNL) + lost * p.average_loss(PNL))


def test_open_trades_do_not_count():
    table = pd.DataFrame({"pnl": [*PNL, 1e6], "status": ["closed"] * 6 + ["open"]})
    assert [f(table) for f in EVERY] == [f(PNL) for f in EVERY]
    assert p.expectancy(table[["pnl"]]) > 1e5


@pytest.mark.parametrize(
    "none", [[], pd.DataFrame({"pnl": []}), pd.DataFrame({"pnl": [1.0], "status": ["open"]})], ids=str
)
def test_no_trades_are_a_fact_without_figures(none):
    assert all(math.isnan(f(none)) for f in EVERY)
    assert p.max_consecutive_losses(none) == 0


def test_a_record_without_losses_has_an_infinite_profit_factor():
    assert p.profit_factor([1.0, 2.0]) == math.inf
    assert math.isnan(p.profit_factor([0.0]))
    assert p.profit_factor([-1.0]) == 0.0


def test_what_is_no_trade_table_is_refused():
    with pytest.raises(DataError, match="column pnl; this one has profit"):
        p.win_rate(pd.DataFrame({"profit": [1.0]}))
    with pytest.raises(DataError, match="profit of trade 1 is nan"):
        p.win_rate([1.0, np.nan])
    for wrong in (["a"], [[1.0]]):
        with pytest.raises(DataError, match="must be numbers"):
            p.win_rate(wrong)


def test_runs_of_wins_and_losses_by_hand():
    table = p.streaks(PNL)
    assert table["result"].tolist() == ["win", "loss", "even", "win", "loss"]
    assert table["trades"].tolist() == [1, 2, 1, 1, 1]
    assert table["pnl"].tolist() == [100.0, -75.0, 0.0, 200.0, -75.0]
    assert table["first"].tolist() == [0, 1, 3, 4, 5]
    assert table["last"].tolist() == [0, 2, 3, 4, 5]
    assert p.max_consecutive_wins(PNL) == 1
    assert p.max_consecutive_wins([1.0, 1.0, -1.0, 2.0, 2.0, 2.0]) == 3
    assert p.max_consecutive_wins([-1.0]) == 0


def test_no_trades_have_no_runs():
    assert p.streaks([]).empty
    assert p.streaks([]).columns.tolist() == p.streaks(PNL).columns.tolist()
    assert p.max_consecutive_wins([]) == 0
    assert math.isnan(p.kelly_fraction([]))
    assert math.isnan(p.expectancy_r([], []))


@given(pnl=st.lists(st.sampled_from([-1.0, 0.0, 2.0]), max_size=40))
@settings(max_examples=40, deadline=None)
def test_runs_cover_every_trade_once_and_never_repeat_an_outcome(pnl):
    table = p.streaks(pnl)
    assert [k for a, b in zip(table["first"], table["last"], strict=True) for k in range(a, b + 1)] == list(
        range(len(pnl))
    )
    assert (table["result"] != table["result"].shift()).all()
    assert table["pnl"].sum() == sum(pnl)
    losses = table.loc[table["result"] == "loss", "trades"]
    assert p.max_consecutive_losses(pnl) == (losses.max() if len(losses) else 0)


def test_expectancy_in_r_counts_closed_trades_with_a_known_risk():
    """10 of 10, -5 of 10: multiples 1 and -0.5; one risk is unknown and one trade open."""
    table = pd.DataFrame({"pnl": [10.0, -5.0, 99.0, 1e6], "status": ["closed"] * 3 + ["open"]})
    assert p.expectancy_r(table, [10.0, 10.0, np.nan, 1.0]) == 0.25
    assert math.isnan(p.expectancy_r([1.0], [np.nan]))


@pytest.mark.parametrize(
    ("risk", "words"),
    [([1.0], "2 numbers"), ([[1.0, 1.0]], "2 numbers"), (["a", "b"], "must be numbers"), ([1.0, 0.0], "trade 1 is 0.0"),
     ([-1.0, 1.0], "trade 0 is -1.0"), ([np.inf, 1.0], "trade 0 is inf")],
)  # fmt: skip
def test_a_risk_that_is_no_amount_is_refused(risk, words):
    with pytest.raises(DataError, match=words):
        p.expectancy_r([1.0, 2.0], risk)


@pytest.mark.parametrize(("wins", "losses", "won", "lost"), [(6, 4, 1.0, 1.0), (4, 6, 3.0, 1.0), (5, 5, 2.0, 4.0)])
def test_the_kelly_fraction_grows_a_two_outcome_bet_fastest(wins, losses, won, lost):
    """The oracle maximises the mean log growth over a fine grid; trades without a result do not matter."""
    pnl = [won] * wins + [-lost] * losses + [0.0] * 3
    f = np.linspace(-0.3, 0.99, 12_901)
    growth = wins * np.log1p(f * won / lost) + losses * np.log1p(-f)
    assert p.kelly_fraction(pnl) == pytest.approx(f[growth.argmax()] if wins * won > losses * lost else -0.5, abs=2e-4)
    assert math.isnan(p.kelly_fraction([1.0]))
