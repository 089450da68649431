from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import qtw_lab as qtw
from qtw_lab.core import Bars, DataError
from qtw_lab.research.allocation import Allocator
from qtw_lab.research.portfolios import portfolio_walk_forward
from qtw_lab.strategies import Panel, Strategy, param

TRAIN, STEP = 60, 20
COSTS = qtw.Costs(commission_bps=10, spread_bps=4)


def made(bars_of, bars: int = 200, symbols: int = 5, seed: int = 6, edit=lambda close: close) -> Bars:
    """Bars whose opens differ from the closes before, so that a fill at the open is not one at the close."""
    rng = np.random.default_rng(seed)
    steps = rng.normal(0.0008, 1.0, (bars, symbols)) * np.linspace(0.006, 0.02, symbols) + rng.normal(
        0, 0.006, (bars, 1)
    )
    close = edit(50 * np.exp(np.cumsum(steps, axis=0)))
    opened = np.vstack([close[:1], close[:-1]]) * (1 + rng.normal(0, 0.002, close.shape))
    opened = np.where(np.isnan(opened), close, opened)
    columns = {f"S{k}": {"close": close[:, k], "open": opened[:, k]} for k in range(symbols)}
    return bars_of(**columns)


@pytest.fixture(scope="module")
def bars(bars_of) -> Bars:
    return made(bars_of)


@pytest.fixture(scope="module")
def found(bars):
    return portfolio_walk_forward(
        bars, ["inverse_volatility", "minimum_variance", "hrp"], train=TRAIN, rebalance=STEP, costs=COSTS, reps=200
    )


class Constant(Strategy):
    """One n-th of equity in each of n symbols, at every `step`-th bar from the first."""

    holds = True
    step: int = param(STEP, low=1, high=1000)

    def weights(self, prices: Panel):
        due = np.arange(len(prices.close))[:, None] % self.step == 0
        return np.where(due, 1 / prices.close.shape[1], np.nan * prices.close)


def test_equal_weight_is_a_plain_backtest_of_constant_weights(bars, found):
    """Which begins with the bar of the first decision, bar 60, and rebalances at the same bars."""
    plain = qtw.backtest(Constant(), bars.tail(len(bars) - TRAIN), costs=COSTS)
    mine = found["equal_weight"].result
    pd.testing.assert_series_equal(mine.equity, plain.equity)
    assert mine.order_hash == plain.order_hash
    assert mine.stats["turnover"] == plain.stats["turnover"]


@pytest.mark.parametrize(
    ("name", "anchored"),
    [("inverse_volatility", True), ("minimum_variance", False), ("risk_parity", True), ("hrp", False), ("hrp", True)],
)
def test_weights_are_those_of_skfolio_on_its_own_walk_forward(bars, name, anchored):
    """skfolio's WalkForward and cross_val_predict, with its estimators; returns in percent for its solver."""
    from skfolio import optimization as o
    from skfolio.model_selection import WalkForward, cross_val_predict
    from skfolio.moments import LedoitWolf
    from skfolio.prior import EmpiricalPrior

    theirs = {
        "inverse_volatility": o.InverseVolatility(),
        "minimum_variance": o.MeanRisk(prior_estimator=EmpiricalPrior(covariance_estimator=LedoitWolf())),
        "risk_parity": o.RiskBudgeting(),
        "hrp": o.HierarchicalRiskParity(),
    }[name]
    cv = WalkForward(test_size=STEP, train_size=TRAIN, expand_train=anchored, reduce_test=True)
    told = cross_val_predict(theirs, 100 * bars.close.pct_change().iloc[1:], cv=cv)
    mine = portfolio_walk_forward(bars, [name], train=TRAIN, rebalance=STEP, anchored=anchored, reps=50)[name]
    assert len(mine.weights) == len(told.portfolios) == 7
    np.testing.assert_allclose(mine.weights, [one.weights for one in told.portfolios], atol=1e-5)
    starts = [one.observations[0] for one in told.portfolios]  # the bar after each decision
    assert starts == bars.index[bars.index.get_indexer(mine.weights.index) + 1].to_list()


def test_returns_are_those_of_skfolio_where_nothing_drifts(bars):
    """skfolio keeps weights constant within a test block; so does an account that rebalances freely at every close."""
    from skfolio.model_selection import WalkForward, cross_val_predict
    from skfolio.optimization import InverseVolatility

    bars = bars.head(100)
    told = cross_val_predict(
        InverseVolatility(), bars.close.pct_change().iloc[1:], cv=WalkForward(test_size=1, train_size=TRAIN)
    )
    mine = portfolio_walk_forward(
        bars, ["inverse_volatility"], train=TRAIN, rebalance=1, execution="same_close", reps=50
    )
    np.testing.assert_allclose(mine.returns["inverse_volatility"], told.returns, atol=1e-12)
    assert "optimistic: filled at the very close the decision was made on" in mine.notes


def test_orders_fill_at_the_next_open_after_a_decision(bars, found):
    decided = found["hrp"].weights.index
    orders = found["hrp"].result.orders
    following = bars.index[bars.index.get_indexer(decided) + 1]
    assert set(orders["time"]) == set(following)
    opens = [bars.open.loc[row.time, row.symbol] for row in orders.itertuples()]
    np.testing.assert_array_equal(orders["quoted"], opens)


def test_what_comes_later_changes_nothing_before(bars_of, bars, found):
    def shaken(close):
        changed = close.copy()
        changed[150:] *= np.random.default_rng(8).uniform(0.6, 1.6, changed[150:].shape)
        return changed

    other = portfolio_walk_forward(
        made(bars_of, edit=shaken), ["inverse_volatility", "minimum_variance", "hrp"], train=TRAIN, rebalance=STEP,
        costs=COSTS, reps=50,
    )  # fmt: skip
    early = bars.index[:150]
    for label, portfolio in found.portfolios.items():
        again = other[label]
        pd.testing.assert_frame_equal(
            portfolio.weights[portfolio.weights.index < early[-1]], again.weights[again.weights.index < early[-1]]
        )
        pd.testing.assert_series_equal(portfolio.result.equity[: early[-1]], again.result.equity[: early[-1]])
        assert not portfolio.result.equity.equals(again.result.equity)


def test_weights_lie_within_their_bounds_at_every_rebalance(bars):
    told = Allocator(name="minimum_variance", min_weight=0.05, max_weight=0.3)
    weights = portfolio_walk_forward(bars, [told], train=TRAIN, rebalance=STEP, reps=50)[told.label].weights
    assert weights.min(axis=None) >= 0.05
    assert weights.max(axis=None) <= 0.3
    np.testing.assert_allclose(weights.sum(axis=1), 1.0, atol=1e-12)


def test_costs_are_paid_on_what_is_traded(bars, found):
    free = portfolio_walk_forward(
        bars, ["inverse_volatility", "minimum_variance", "hrp"], train=TRAIN, rebalance=STEP, reps=50
    )
    assert (free.table["cost_drag"] == 0).all()
    assert (found.table["cost_drag"] > 0).all()
    assert (found.equity.iloc[-1] < free.equity.iloc[-1]).all()
    assert "no costs: real trading is dearer" in free.notes
    result = found["hrp"].result
    traded = (result.orders["quantity"] * result.orders["price"]).sum()
    assert result.orders["commission"].sum() == pytest.approx(0.001 * traded)


def test_the_engine_that_was_written_apart_agrees(found):
    for portfolio in found.portfolios.values():
        assert portfolio.result.verify().agreement.agrees


def test_a_rebalance_by_hand(bars, found):
    """The second row of inverse volatility: bar 80, held until bar 100."""
    portfolio = found["inverse_volatility"]
    row, weights = portfolio.rebalances.iloc[1], portfolio.weights.iloc[1]
    assert portfolio.weights.index[1] == bars.index[80]
    past = bars.close.pct_change().iloc[21:81] @ weights
    assert row["ex_ante"] == pytest.approx(past.std(ddof=1) * np.sqrt(252))
    assert row["effective"] == pytest.approx(1 / (weights**2).sum())
    assert row["largest"] == weights.max()
    assert row["symbols"] == 5
    equity = portfolio.result.equity
    held = equity.pct_change()[bars.index[81] : bars.index[100]]
    assert row["realised"] == pytest.approx(held.std(ddof=1) * np.sqrt(252))
    orders = portfolio.result.orders
    amount = (orders["quantity"] * orders["price"])[orders["time"] == bars.index[81]].sum()
    assert row["traded"] == pytest.approx(amount / 2 / equity[bars.index[80]])


def test_the_first_rebalance_buys_everything(found):
    """Half of the whole account; equal weight trades in full at the first open, costs come off the shares bought."""
    assert found["equal_weight"].rebalances["traded"].iloc[0] == pytest.approx(0.5, abs=0.002)
    np.testing.assert_allclose(found["equal_weight"].rebalances["effective"], 5.0)


def test_a_close_decision_is_counted_where_it_trades(bars):
    now = portfolio_walk_forward(bars, ["hrp"], train=TRAIN, rebalance=STEP, execution="same_close", reps=50)
    assert now["hrp"].rebalances["traded"].iloc[0] == pytest.approx(0.5, abs=1e-9)
    assert now["equal_weight"].rebalances["traded"].iloc[1] < 0.1


def test_a_band_trades_less(bars, found):
    wide = portfolio_walk_forward(
        bars, ["inverse_volatility", "minimum_variance", "hrp"], train=TRAIN, rebalance=STEP, costs=COSTS, band=0.03,
        reps=50,
    )  # fmt: skip
    assert (wide.table["turnover"] < found.table["turnover"]).all()
    assert len(wide["hrp"].result.orders) < len(found["hrp"].result.orders)
    pd.testing.assert_frame_equal(wide["hrp"].weights, found["hrp"].weights)


def test_a_band_wider_than_every_weight_never_trades_and_is_refused(bars):
    with pytest.raises(DataError, match=r"equal_weight never traded with band=0.5"):
        portfolio_walk_forward(bars, [], train=TRAIN, rebalance=STEP, band=0.5)


def test_symbols_join_when_their_window_is_full(bars_of):
    """S4 has closes from bar 30 on, so 60 returns at bar 90; the next fit is that of bar 100."""

    def late(close):
        close[:30, 4] = np.nan
        return close

    weights = portfolio_walk_forward(made(bars_of, edit=late), ["hrp"], train=TRAIN, rebalance=STEP, reps=50)[
        "hrp"
    ].weights
    assert (weights["S4"] > 0).tolist() == [False, False, True, True, True, True, True]
    np.testing.assert_allclose(weights.sum(axis=1), 1.0)


def test_the_account_begins_with_the_first_weights_of_all(bars_of):
    """Two symbols are needed: S1 to S4 have full windows from bar 110 on, so the first fit is that of bar 120."""

    def late(close):
        close[:50, 1:] = np.nan
        return close

    young = portfolio_walk_forward(made(bars_of, edit=late), ["hrp"], train=TRAIN, rebalance=STEP, reps=50)
    assert young.equity.index[0] == young.bars.index[120]
    assert len(young["hrp"].weights) == 4
    assert young["hrp"].notes == ()


def test_a_symbol_whose_bars_end_stays_in_the_account_and_is_named(bars_of):
    def ended(close):
        close[130:, 2] = np.nan
        return close

    gone = portfolio_walk_forward(made(bars_of, edit=ended), ["hrp"], train=TRAIN, rebalance=STEP, reps=50)
    weights, held = gone["hrp"].weights, gone["hrp"].result.positions
    assert (weights["S2"] > 0).tolist() == [True] * 4 + [False] * 3
    assert held["S2"].iloc[-1] > 0
    assert "still held at the last known price, with no bars since: S2" in gone.notes


def test_a_symbol_that_was_away_at_a_rebalance_is_sold_when_it_is_back(bars_of):
    def away(close):
        close[98:104, 2] = np.nan
        return close

    bars = made(bars_of, edit=away)
    held = portfolio_walk_forward(bars, ["hrp"], train=TRAIN, rebalance=STEP, reps=50)["hrp"].result.positions["S2"]
    assert held[bars.index[104]] > 0
    assert held[bars.index[105]] == 0  # decided at the close of bar 104, filled at the next open


def test_a_rebalance_without_weights_keeps_the_holdings_and_is_noted(bars_of):
    def fallen(close):
        close[100:] = close[100] * np.cumprod(0.985 + 0.01 * np.random.default_rng(0).random((100, 5)), axis=0)
        return close

    bars = made(bars_of, edit=fallen)
    found = portfolio_walk_forward(bars, ["maximum_sharpe"], train=TRAIN, rebalance=STEP, reps=50)
    portfolio = found["maximum_sharpe"]
    assert portfolio.weights.isna().all(axis=1).tolist()[-2:] == [True, True]
    assert found.table.loc["maximum_sharpe", "kept"] == portfolio.weights.isna().all(axis=1).sum()
    lost = portfolio.weights.index[portfolio.weights.isna().all(axis=1)][0]
    held = portfolio.result.positions[lost:]
    assert (held == held.iloc[0]).all(axis=None)
    assert portfolio.rebalances.loc[lost, "traded"] == 0.0
    [note] = portfolio.notes
    assert note.startswith(
        f"holdings were kept at {found.table.loc['maximum_sharpe', 'kept']} rebalances from {lost:%Y-%m-%d}"
    )
    assert "maximum_sharpe found no weights for 60 returns of 5 symbols" in note
    assert f"maximum_sharpe: {note}" in found.notes


def test_a_price_that_stood_still_is_noted(bars_of):
    def still(close):
        close[70:150, 3] = close[70, 3]
        return close

    found = portfolio_walk_forward(made(bars_of, edit=still), ["hrp"], train=TRAIN, rebalance=STEP, reps=50)
    assert (found["hrp"].weights["S3"] == 0).tolist() == [False, False, False, False, True, False, False]
    assert found["hrp"].notes == (
        "S3 was left out of 1 rebalances from 2024-05-20 to 2024-05-20: its price did not move",
    )


def test_an_allocator_that_never_finds_weights_is_refused(bars):
    tight = Allocator(name="hrp", max_weight=0.15)
    with pytest.raises(
        DataError, match=r"hrp\(max_weight=0.15\) found weights at none of 7 .* no weights of 5 symbols"
    ):
        portfolio_walk_forward(bars, [tight], train=TRAIN, rebalance=STEP)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"allocators": ["hpr"]}, "hrp"),
        ({"allocators": ["hrp", "hrp"]}, "named twice"),
        ({"train": 190}, "leaves 9 of 200 bars to trade"),
        ({"train": 300}, "needs at least 302 bars"),
        ({"train": 2}, "train=2"),
        ({"rebalance": 0}, "rebalance=0"),
        ({"execution": "tomorrow"}, "execution"),
        ({"cash": -1}, "cash"),
        ({"band": 1.5}, "rebalance_band"),
        ({"confidence": 95}, "strictly between 0 and 1"),
        ({"reps": 1}, "reps=1"),
        ({"allocators": ["mean_cvar"], "train": 15}, "train=15 is too short"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(bars, options, words):
    with pytest.raises(DataError, match=words):
        portfolio_walk_forward(bars, **({"allocators": ["hrp"], "train": TRAIN, "rebalance": STEP} | options))


def test_one_symbol_is_no_portfolio(bars):
    with pytest.raises(DataError, match="at least two symbols; these bars have only S0"):
        portfolio_walk_forward(bars.select(["S0"]), train=TRAIN)
    with pytest.raises(DataError, match="Bars are needed, not DataFrame"):
        portfolio_walk_forward(bars.close, train=TRAIN)


def test_one_name_is_enough(bars):
    found = portfolio_walk_forward(bars, "hrp", train=TRAIN, rebalance=STEP, reps=50)
    assert list(found.portfolios) == ["equal_weight", "hrp"]
