"""Sizes measured on past prices: right on paper, known in time, and never ahead of it."""

import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import qtw_lab as qtw
from qtw_lab import indicators as ind
from qtw_lab.backtest.sized import equal_risk_weights, sized
from qtw_lab.core import Bars, DataError
from qtw_lab.ledger import Sizing
from qtw_lab.strategies import Panel, SmaCross, VolatilityTrend

NAN = np.nan
MEASURED = {
    "volatility_target": Sizing.volatility_target(0.15, window=10, most=2.0),
    "atr_risk": Sizing.atr_risk(0.01, window=7),
    "kelly": Sizing.kelly(0.5, window=15, cap=1.5),
    "equal_risk_contribution": Sizing.equal_risk_contribution(window=12),
}


def panel_of(close, *, high=None, low=None, periods_per_year=252.0):
    closes = np.array(close, dtype=float)
    closes = closes[:, None] if closes.ndim == 1 else closes
    tops = closes if high is None else np.array(high, dtype=float).reshape(closes.shape)
    bottoms = closes if low is None else np.array(low, dtype=float).reshape(closes.shape)
    return Panel(
        closes, tops, bottoms, closes, np.ones(closes.shape), np.arange(len(closes)) * 86_400 * 10**9, periods_per_year
    )


def column(values):
    return np.array(values, dtype=float)[:, None]


def world(seed=3, bars=160, symbols=3, holes=True):
    """Moving prices with a late listing, a hole, and stances that change, pause and rest."""
    rng = np.random.default_rng(seed)
    moves = rng.normal(0.0003, 0.01, (bars, 1)) + rng.normal(0, 0.01, (bars, symbols)) * np.linspace(0.5, 2, symbols)
    close = 100 * np.exp(np.cumsum(moves, axis=0))
    if holes:
        close[: bars // 4, -1] = NAN
        close[bars // 2 : bars // 2 + 3, 0] = NAN
    stances = rng.choice([-1.0, -0.5, 0.0, 1.0, 1.0], (bars, symbols))
    stances[rng.random((bars, symbols)) < 0.85] = NAN
    stances = np.where(np.isnan(close), NAN, stances)
    return panel_of(close, high=close * 1.01, low=close * 0.985), stances


# --- on paper ---


def test_a_volatility_target_on_paper():
    # log returns ln 1.1 and -ln 1.1: their sample deviation is sqrt(2) ln 1.1; a year of 50 bars scales it by sqrt(50)
    prices = panel_of([100.0, 110.0, 100.0, 100.0], periods_per_year=50.0)
    got = sized(column([1, NAN, NAN, NAN]), "signals", Sizing.volatility_target(0.1, window=2), prices)
    realised = 10 * np.log(1.1)
    assert got.decisions[2, 0] == pytest.approx(0.1 / realised, rel=1e-12)
    # then ln(1/1.1) and 0: deviation ln 1.1 / sqrt(2)
    assert got.decisions[3, 0] == pytest.approx(0.2 / realised, rel=1e-12)
    assert np.isnan(got.decisions[:2]).all()
    assert (got.kind, got.sizing) == ("weights", Sizing.target_weights(0.02))


def test_a_quiet_symbol_is_held_to_the_cap():
    prices = panel_of([100.0, 100.0, 100.0, 100.0, 100.01])
    target = Sizing.volatility_target(0.1, window=2, most=1.5)
    got = sized(np.ones((5, 1)), "signals", target, prices).decisions.ravel()
    np.testing.assert_array_equal(got, [NAN, NAN, 1.5, 1.5, 1.5])


def test_each_symbol_scales_its_even_part_of_the_account():
    prices, _ = world(holes=False)
    target = Sizing.volatility_target(0.15, window=10)
    together = sized(np.ones(prices.close.shape), "signals", target, prices).decisions
    alone = sized(np.ones((len(prices.close), 1)), "signals", target, prices.columns(1, 2)).decisions
    np.testing.assert_allclose(together[:, 1:2], alone / 3, rtol=1e-12)


def test_atr_risk_on_paper():
    # every bar spans 99 to 101 around 100: a true range of 2 from the second bar on, so ATR(2) = 2 from the third
    prices = panel_of([100.0] * 6, high=[101.0] * 6, low=[99.0] * 6)
    got = sized(column([1, NAN, NAN, 0, -1, -1]), "signals", Sizing.atr_risk(0.01, multiple=2, window=2), prices)
    # 1% of equity over 2 x 2 a share: 0.0025 shares a unit of equity at 100 is a quarter of equity; put off to bar 2
    np.testing.assert_array_equal(got.decisions.ravel(), [NAN, NAN, 0.25, 0.0, -0.25, NAN])
    assert (got.kind, got.sizing) == ("signals", Sizing.fraction(1.0))


def test_a_position_of_atr_risk_loses_its_risk_when_the_price_moves_that_far(bars_of):
    given = {
        "close": [100.0, 100, 100, 100, 96, 96],
        "open": [100.0, 100, 100, 100, 100, 96],
        "high": [101.0, 101, 101, 101, 100, 96],
        "low": [99.0, 99, 99, 99, 96, 96],
    }
    bars = bars_of(X=given)
    prices = Panel.of(bars)
    decisions, _, sizing = sized(
        column([1, NAN, NAN, NAN, NAN, NAN]), "signals", Sizing.atr_risk(0.01, window=2), prices
    )
    result = qtw.backtest(_given(decisions), bars, sizing=sizing, cash=100_000.0)
    assert result.orders["quantity"].tolist() == [250.0]  # 1,000 of risk over 2 x 2 a share
    assert result.equity.iloc[-1] == pytest.approx(99_000.0, abs=1e-9)  # the price fell by 4, two average ranges


def test_a_change_of_stance_while_the_range_is_unknown_waits_and_a_withdrawn_one_never_comes():
    prices = panel_of([100.0] * 6, high=[101.0] * 6, low=[99.0] * 6)
    rule = Sizing.atr_risk(0.01, window=3)
    waited = sized(column([NAN, 1, -1, NAN, NAN, 0]), "signals", rule, prices).decisions.ravel()
    np.testing.assert_array_equal(waited, [NAN, NAN, NAN, -0.25, NAN, 0.0])
    withdrawn = sized(column([1, NAN, 0, NAN, NAN, NAN]), "signals", rule, prices).decisions
    assert np.isnan(withdrawn).all()


def test_a_tiny_range_does_not_give_absurd_leverage():
    prices = panel_of([100.0] * 5)
    got = sized(np.ones((5, 1)), "signals", Sizing.atr_risk(0.01, window=2, most=0.8), prices).decisions.ravel()
    np.testing.assert_array_equal(got, [NAN, NAN, 0.8, NAN, NAN])


def test_kelly_on_paper():
    # returns 0.1, 0, 0.1, -0.2: windows of two have means 0.05, 0.05, -0.05 and variances 0.005, 0.005, 0.045
    prices = panel_of([100.0, 110.0, 110.0, 121.0, 96.8])
    long = sized(np.ones((5, 1)), "signals", Sizing.kelly(0.05, window=2), prices).decisions.ravel()
    np.testing.assert_allclose(long, [NAN, NAN, 0.5, 0.5, 0.0], rtol=1e-12, atol=0)
    short = sized(-np.ones((5, 1)), "signals", Sizing.kelly(0.09, window=2), prices).decisions.ravel()
    np.testing.assert_allclose(short, [NAN, NAN, 0.0, 0.0, -0.1], rtol=1e-12, atol=1e-15)
    capped = sized(np.ones((5, 1)), "signals", Sizing.kelly(1.0, window=2, cap=2.0), prices).decisions.ravel()
    np.testing.assert_array_equal(capped, [NAN, NAN, 2.0, 2.0, 0.0])


def test_a_steady_rise_without_variance_is_held_to_the_cap_and_a_flat_line_not_at_all():
    rising = panel_of(100 * 2.0 ** np.arange(5))
    assert sized(np.ones((5, 1)), "signals", Sizing.kelly(window=2), rising).decisions[-1, 0] == 1.0
    assert sized(np.ones((5, 1)), "signals", Sizing.kelly(window=2), panel_of([100.0] * 5)).decisions[-1, 0] == 0.0


def test_flat_is_said_once_and_nothing_before_the_first_position():
    prices = panel_of(100 + np.sin(np.arange(12.0)))
    stance = column([0, NAN, NAN, NAN, 1, NAN, 0, 0, NAN, -1, NAN, NAN])
    got = sized(stance, "signals", Sizing.volatility_target(0.01, window=2, most=9), prices).decisions.ravel()
    assert np.isnan(got[[0, 1, 2, 3, 7, 8]]).all()
    assert got[6] == 0.0
    assert (got[4:6] > 0).all()
    assert (got[9:] < 0).all()


# --- equal risk contribution ---


def covariance(seed, size):
    rng = np.random.default_rng(seed)
    return np.cov(
        rng.normal(size=(3 * size, 1)) + rng.normal(size=(3 * size, size)) * rng.uniform(0.2, 3, size), rowvar=False
    )


def contributions(weights, matrix):
    each = weights * (matrix @ weights)
    return each / each.sum()


@pytest.mark.parametrize("size", [2, 3, 10, 40])
@pytest.mark.parametrize("mixed", [False, True])
def test_risk_contributions_are_equal(size, mixed):
    matrix = covariance(size, size)
    sides = np.where(np.arange(size) % 2, -1.0, 1.0) if mixed else np.ones(size)
    weights = equal_risk_weights(matrix, sides)
    np.testing.assert_allclose(contributions(weights, matrix) * size, 1.0, atol=1e-8)
    assert np.abs(weights).sum() == pytest.approx(1.0, abs=1e-12)
    assert (np.sign(weights) == sides).all()


@given(st.floats(0.001, 10), st.floats(0.001, 10), st.floats(-0.95, 0.95))
def test_two_symbols_weigh_inversely_to_their_volatility_whatever_their_correlation(first, second, correlation):
    # Maillard, Roncalli and Teiletche (2010), equation for n = 2
    matrix = np.array([[first**2, correlation * first * second], [correlation * first * second, second**2]])
    closed = np.array([1 / first, 1 / second]) / (1 / first + 1 / second)
    np.testing.assert_allclose(equal_risk_weights(matrix), closed, rtol=1e-8)


def test_uncorrelated_symbols_weigh_inversely_to_their_volatility():
    deviation = np.array([0.01, 0.02, 0.05, 0.3])
    np.testing.assert_allclose(
        equal_risk_weights(np.diag(deviation**2)), (1 / deviation) / (1 / deviation).sum(), rtol=1e-9
    )


def test_skfolio_finds_the_same_weights():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the library's imports warn about matters of their own
        optimization = pytest.importorskip("skfolio.optimization", reason="skfolio comes with the extra 'backtest'")
        returns = np.random.default_rng(0).normal(0, 0.01, (250, 1)) + covariance_returns(250, 6)
        exact = {"tol_gap_abs": 1e-12, "tol_gap_rel": 1e-12, "tol_feas": 1e-12}
        theirs = optimization.RiskBudgeting(solver_params=exact).fit(100 * returns).weights_
    np.testing.assert_allclose(equal_risk_weights(np.cov(returns.T)), theirs, atol=1e-6)  # their solver's accuracy


def covariance_returns(bars, size):
    return np.random.default_rng(1).normal(0, 0.01, (bars, size)) * np.linspace(0.5, 3, size)


def test_a_book_without_risk_is_refused():
    with pytest.raises(DataError, match="no risk to share"):
        equal_risk_weights([[1.0, 1.0], [1.0, 1.0]], [1, -1])


@pytest.mark.parametrize(
    "matrix", [[[1.0, 2.0]], [1.0], [[1.0, 0.2], [0.3, 1.0]], [[0.0]], [[NAN]], np.empty((0, 0)), [[1.0, 0], [0, -1.0]]]
)
def test_what_is_no_covariance_is_refused(matrix):
    with pytest.raises(DataError, match="equal_risk_weights"):
        equal_risk_weights(matrix)


def test_the_book_at_each_bar_is_that_of_the_sample_covariance_of_the_open_symbols():
    prices, _ = world(holes=False)
    stance = np.full(prices.close.shape, NAN)
    stance[0], stance[50, 1] = [1.0, 1.0, -1.0], 0.0
    got = sized(stance, "signals", Sizing.equal_risk_contribution(window=12), prices).decisions
    returns = ind.returns(prices.close)
    for t, chosen, sides in ((12, [0, 1, 2], [1, 1, -1]), (49, [0, 1, 2], [1, 1, -1]), (80, [0, 2], [1, -1])):
        matrix = np.cov(returns[t - 11 : t + 1][:, chosen].T)
        np.testing.assert_allclose(got[t, chosen], equal_risk_weights(matrix, sides), rtol=1e-7)
    assert np.isnan(got[:12]).all()  # twelve returns need thirteen prices
    assert got[50, 1] == 0.0
    assert np.isnan(got[51:, 1]).all()


def test_gross_exposure_is_what_was_asked_for():
    prices, _ = world(holes=False)
    got = sized(np.ones(prices.close.shape), "signals", Sizing.equal_risk_contribution(12, gross=1.6), prices).decisions
    np.testing.assert_allclose(np.abs(got[12:]).sum(axis=1), 1.6, rtol=1e-12)


def test_shrunk_all_the_way_the_book_is_inverse_volatility():
    prices, _ = world(holes=False)
    rule = Sizing.equal_risk_contribution(12, shrinkage=1.0)
    got = sized(np.ones(prices.close.shape), "signals", rule, prices).decisions[-1]
    inverse = 1 / np.std(ind.returns(prices.close)[-12:], axis=0, ddof=1)
    np.testing.assert_allclose(got, inverse / inverse.sum(), rtol=1e-8)


def test_a_symbol_that_does_not_move_has_no_risk_to_share_and_is_left_out():
    prices, _ = world(holes=False)
    still = prices.close.copy()
    still[40:, 2] = still[40, 2]
    got = sized(np.ones(still.shape), "signals", Sizing.equal_risk_contribution(12), panel_of(still)).decisions
    assert (got[51] > 0).all()
    assert got[52:, 2].tolist() == [0.0] * (len(still) - 52)
    np.testing.assert_allclose(got[52:, :2].sum(axis=1), 1.0, rtol=1e-12)


def test_a_symbol_and_its_own_short_are_refused_with_the_bar_and_a_remedy():
    prices, _ = world(symbols=1, holes=False)
    twice = panel_of(np.hstack([prices.close, prices.close]))
    stance = np.full(twice.close.shape, [1.0, -1.0])
    with pytest.raises(DataError, match=r"at bar 1[23] .* shrinkage=0.1"):
        sized(stance, "signals", Sizing.equal_risk_contribution(12), twice)
    shrunk = sized(stance, "signals", Sizing.equal_risk_contribution(12, shrinkage=0.1), twice).decisions
    np.testing.assert_allclose(shrunk[12:], np.full((len(shrunk) - 12, 2), [0.5, -0.5]), rtol=1e-8)


# --- for all four ---


@pytest.mark.parametrize("rule", MEASURED)
def test_no_size_looks_ahead_at_any_cut(rule):
    prices, stances = world()
    whole = sized(stances, "signals", MEASURED[rule], prices).decisions
    arrays = ("open", "high", "low", "close", "volume", "times")
    for cut in range(MEASURED[rule].window + 2, len(stances)):
        known = replace(prices, **{name: getattr(prices, name)[:cut] for name in arrays})
        part = sized(stances[:cut], "signals", MEASURED[rule], known).decisions
        np.testing.assert_array_equal(part, whole[:cut])


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6), cut=st.integers(20, 59), rule=st.sampled_from(sorted(MEASURED)))
def test_changing_the_future_never_changes_a_size(seed, cut, rule):
    prices, stances = world(seed, bars=60, symbols=4)
    whole = sized(stances, "signals", MEASURED[rule], prices).decisions
    rng = np.random.default_rng(seed)
    factor = np.ones(prices.close.shape)
    factor[cut:] = rng.uniform(0.5, 2.0, factor[cut:].shape)
    other = replace(prices, **{name: getattr(prices, name) * factor for name in ("open", "high", "low", "close")})
    np.testing.assert_array_equal(sized(stances, "signals", MEASURED[rule], other).decisions[:cut], whole[:cut])


@pytest.mark.parametrize("rule", MEASURED)
def test_parameter_columns_are_accounts_of_one_symbol_each(rule):
    prices, stances = world(holes=False)
    one = prices.columns(1, 2)
    together = sized(stances, "signals", MEASURED[rule], one, columns=True)
    for k in range(stances.shape[1]):
        alone = sized(stances[:, k : k + 1], "signals", MEASURED[rule], one)
        np.testing.assert_allclose(together.decisions[:, k : k + 1], alone.decisions, rtol=1e-12)
        assert (alone.kind, alone.sizing) == (together.kind, together.sizing)


def test_one_symbol_alone_carries_all_the_risk():
    prices, _ = world(symbols=1, holes=False)
    got = sized(-np.ones((160, 1)), "signals", Sizing.equal_risk_contribution(12), prices).decisions
    assert (got[12:] == -1.0).all()


@pytest.mark.parametrize("rule", MEASURED)
def test_nothing_is_decided_where_a_symbol_has_no_bar(rule):
    prices, stances = world()
    got = sized(stances, "signals", MEASURED[rule], prices).decisions
    assert np.isnan(got[np.isnan(prices.close)]).all()
    assert np.isfinite(got).any()
    assert not np.isinf(got).any()


@pytest.mark.parametrize("rule", MEASURED)
def test_the_input_is_not_modified(rule):
    prices, stances = world()
    kept, closes = stances.copy(), prices.close.copy()
    sized(stances, "signals", MEASURED[rule], prices)
    np.testing.assert_array_equal(stances, kept)
    np.testing.assert_array_equal(prices.close, closes)


@pytest.mark.parametrize("rule", MEASURED)
def test_a_strategy_of_weights_is_refused(rule):
    prices, stances = world()
    with pytest.raises(DataError, match=rf"Sizing\.{rule} .* gives weights, which are sizes already"):
        sized(stances, "weights", MEASURED[rule], prices)


@pytest.mark.parametrize("sizing", [Sizing.all_in(), Sizing.fixed_cash(5), Sizing.target_weights(0.1)])
@pytest.mark.parametrize("kind", ["signals", "weights"])
def test_a_rule_that_measures_nothing_changes_nothing(sizing, kind):
    prices, stances = world()
    got = sized(stances, kind, sizing, prices)
    np.testing.assert_array_equal(got.decisions, stances)
    assert (got.kind, got.sizing) == (kind, sizing)


@pytest.mark.parametrize("rule", MEASURED)
def test_too_few_bars_are_refused_with_the_number_that_would_do(rule):
    sizing = MEASURED[rule]
    short = panel_of(np.arange(1.0, sizing.window + 2))
    with pytest.raises(DataError, match=f"needs at least {sizing.window + 2} bars; there are {sizing.window + 1}"):
        sized(np.ones((sizing.window + 1, 1)), "signals", sizing, short)


@pytest.mark.parametrize(
    ("shape", "columns"), [((160, 2), False), ((159, 3), False), ((160, 3), True), ((160,), False)]
)
def test_decisions_that_do_not_fit_the_prices_are_refused(shape, columns):
    prices, _ = world()
    with pytest.raises(DataError, match="do not fit prices of shape"):
        sized(np.ones(shape), "signals", Sizing.kelly(window=20), prices, columns=columns)


# --- through the engine ---


def _given(decisions, kind="signals"):
    """A strategy that gives these decisions."""
    script = tuple(np.asarray(decisions, dtype=float).reshape(-1).tolist())

    class Given(qtw.strategies.Strategy):
        holds = True
        exposure = 9.0

        def signals(self, prices):
            return np.array(script).reshape(prices.close.shape)

    class GivenWeights(qtw.strategies.Strategy):
        holds = True
        exposure = 9.0

        def weights(self, prices):
            return np.array(script).reshape(prices.close.shape)

    return Given() if kind == "signals" else GivenWeights()


def bars_from(prices):
    index = pd.date_range("2020-01-01", periods=len(prices.close), tz="UTC")
    names = [f"S{j}" for j in range(prices.close.shape[1])]
    parts = {
        name: pd.DataFrame(getattr(prices, name), index=index, columns=names)
        for name in ("open", "high", "low", "close", "volume")
    }
    return Bars.from_frame(pd.concat(parts, axis=1), holes="keep", calendar="XNYS")


@pytest.mark.parametrize("rule", MEASURED)
def test_both_engines_take_the_decisions_and_agree(rule):
    prices, stances = world()
    decisions, kind, sizing = sized(stances, "signals", MEASURED[rule], prices)
    bars, strategy = bars_from(prices), _given(decisions, kind)
    ours, theirs = (
        qtw.backtest(strategy, bars, sizing=sizing, leverage=3.0, engine=engine) for engine in ("kernel", "reference")
    )
    assert len(ours.orders) > 10
    np.testing.assert_allclose(ours.equity, theirs.equity, rtol=1e-12)


def test_the_account_moves_as_much_as_was_asked_for():
    rng = np.random.default_rng(5)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 1, 3000) * np.repeat([0.005, 0.03], 1500)))
    prices = panel_of(close)
    decisions, kind, sizing = sized(
        np.ones((3000, 1)), "signals", Sizing.volatility_target(0.1, window=40, rebalance_band=0.0, most=3.0), prices
    )
    result = qtw.backtest(_given(decisions, kind), bars_from(prices), sizing=sizing, leverage=3.0)
    for half in (result.returns.iloc[100:1500], result.returns.iloc[1600:]):
        assert half.std() * np.sqrt(252) == pytest.approx(0.1, rel=0.06)


def test_real_strategies_meet_it_as_the_engine_will_call_it():
    prices, _ = world(holes=False)
    cross = SmaCross(fast=3, slow=9, short=True)
    got = sized(cross.decide(prices), cross.kind, Sizing.equal_risk_contribution(12), prices)
    assert np.abs(got.decisions[12:]).sum(axis=1) == pytest.approx(np.ones(len(prices.close) - 12))
    trend = VolatilityTrend(lookback=10, window=10)
    with pytest.raises(DataError, match="gives weights"):
        sized(trend.decide(prices), trend.kind, Sizing.kelly(window=10), prices)
