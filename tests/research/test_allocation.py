from __future__ import annotations

import sys
import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from qtw_lab.core import DataError, SetupError
from qtw_lab.research.allocation import ALLOCATORS, COVARIANCES, Allocator

NAMES = tuple(ALLOCATORS)
BOUNDED = tuple(name for name, rule in ALLOCATORS.items() if rule.bounded)


def drawn(bars: int = 300, symbols: int = 5, seed: int = 1) -> pd.DataFrame:
    """Correlated returns with positive means and unequal risks."""
    rng = np.random.default_rng(seed)
    market = rng.normal(0.0006, 0.008, (bars, 1))
    own = rng.normal(0.0003, 1.0, (bars, symbols)) * np.linspace(0.006, 0.02, symbols)
    return pd.DataFrame(market + own + 0.0004, columns=[f"S{place}" for place in range(symbols)])


@pytest.fixture(scope="module")
def returns() -> pd.DataFrame:
    return drawn()


@pytest.mark.parametrize("name", NAMES)
def test_weights_sum_to_one_lie_within_the_bounds_and_carry_the_symbols(name, returns):
    weights = Allocator(name=name).weights(returns)
    assert weights.index.equals(returns.columns)
    assert weights.name == name
    assert weights.sum() == pytest.approx(1.0, abs=1e-12)
    assert weights.min() >= 0.0
    assert weights.max() <= 1.0


def test_equal_weight_is_one_over_n(returns):
    assert Allocator(name="equal_weight").weights(returns).tolist() == pytest.approx([0.2] * 5)


def test_inverse_volatility_by_hand(returns):
    inverse = 1.0 / returns.std(ddof=1)
    expected = inverse / inverse.sum()
    np.testing.assert_allclose(Allocator(name="inverse_volatility").weights(returns), expected, rtol=1e-10)


def test_the_minimum_variance_of_two_by_hand():
    """w1 = (s2^2 - s12) / (s1^2 + s2^2 - 2 s12)."""
    two = drawn(symbols=2)
    s = np.cov(two.T)
    first = (s[1, 1] - s[0, 1]) / (s[0, 0] + s[1, 1] - 2 * s[0, 1])
    assert 0 < first < 1
    weights = Allocator(name="minimum_variance", covariance="empirical").weights(two)
    np.testing.assert_allclose(weights, [first, 1 - first], atol=2e-6)


def test_the_minimum_variance_shrinks_as_scikit_learn_does(returns):
    """Where no bound binds, w = S^-1 1 / (1' S^-1 1), with scikit-learn's Ledoit-Wolf S."""
    from sklearn.covariance import LedoitWolf

    calm = drawn(symbols=3)
    whole = np.linalg.solve(LedoitWolf().fit(calm.to_numpy()).covariance_, np.ones(3))
    assert (whole > 0).all()
    np.testing.assert_allclose(Allocator(name="minimum_variance").weights(calm), whole / whole.sum(), atol=2e-6)


def test_the_maximum_sharpe_is_the_tangent_by_hand():
    """Where no bound binds, w is proportional to S^-1 m."""
    table = drawn(symbols=3)
    table += np.array([0.0006, 0.0010, 0.0014]) - table.mean()
    tangent = np.linalg.solve(np.cov(table.T), table.mean())
    assert (tangent > 0).all()
    weights = Allocator(name="maximum_sharpe", covariance="empirical").weights(table)
    np.testing.assert_allclose(weights, tangent / tangent.sum(), atol=3e-6)


def test_the_smallest_shortfall_is_that_of_a_linear_program(returns):
    """Rockafellar and Uryasev: min v + sum(u) / (T (1 - c)), u >= -Rw - v, u >= 0, sum(w) = 1; solved by HiGHS."""
    values, level = returns.to_numpy(), 0.9
    bars, symbols = values.shape
    cost = np.concatenate([np.zeros(symbols), [1.0], np.full(bars, 1 / (bars * (1 - level)))])
    upper = np.hstack([-values, -np.ones((bars, 1)), -np.eye(bars)])
    bounds = [(0, 1)] * symbols + [(None, None)] + [(0, None)] * bars
    total = np.concatenate([np.ones(symbols), np.zeros(bars + 1)])[None]
    best = linprog(cost, upper, np.zeros(bars), total, [1.0], bounds=bounds, method="highs")
    weights = Allocator(name="mean_cvar", confidence=level).weights(returns)
    losses = np.sort(-values @ weights.to_numpy())[::-1]
    assert losses[: round(bars * (1 - level))].mean() == pytest.approx(best.fun, rel=1e-5)
    np.testing.assert_allclose(weights, best.x[:symbols], atol=2e-3)


def test_risk_parity_gives_every_symbol_the_same_share_of_the_risk(returns):
    weights = Allocator(name="risk_parity").weights(returns).to_numpy()
    cov = np.cov(returns.T)
    shares = weights * (cov @ weights) / (weights @ cov @ weights)
    np.testing.assert_allclose(shares, 0.2, atol=1e-6)


def test_risk_parity_of_uncorrelated_symbols_is_inverse_volatility():
    even = np.array([[1, 1], [1, -1], [-1, 1], [-1, -1]] * 20) * [0.01, 0.03]
    weights = Allocator(name="risk_parity").weights(pd.DataFrame(even, columns=["A", "B"]))
    np.testing.assert_allclose(weights, [0.75, 0.25], atol=1e-6)


def test_hrp_of_two_pairs_by_brute_force():
    """A and B move together, so do C and D: whichever way the tree is turned, it is cut between the pairs.

    Each pair gets the other's share of the two variances (inverse-variance weights within), and within a pair each
    symbol the other's share of the two variances. Lopez de Prado (2016).
    """
    rng = np.random.default_rng(3)
    left, right = rng.normal(0, 0.01, (400, 1)), rng.normal(0, 0.02, (400, 1))
    noise = rng.normal(0, 0.002, (400, 4)) * [1, 2, 3, 4]
    values = np.hstack([left, left, right, right]) + noise
    cov = np.cov(values.T)

    def inside(pair):
        inverse = 1 / np.diag(cov)[pair]
        return inverse / inverse.sum()

    pairs = [[0, 1], [2, 3]]
    variances = [inside(pair) @ cov[np.ix_(pair, pair)] @ inside(pair) for pair in pairs]
    expected = np.concatenate(
        [inside(pair) * (1 - v / sum(variances)) for pair, v in zip(pairs, variances, strict=True)]
    )
    order = [2, 0, 3, 1]
    table = pd.DataFrame(values[:, order], columns=[*"CADB"])
    np.testing.assert_allclose(Allocator(name="hrp").weights(table)[[*"ABCD"]], expected, rtol=1e-9)


def test_every_rule_is_the_estimator_of_skfolio_it_says():
    """Fitted by skfolio itself, with options spelled out here a second time and returns in percent."""
    from skfolio import RiskMeasure
    from skfolio import optimization as o
    from skfolio.moments import LedoitWolf
    from skfolio.prior import EmpiricalPrior

    table = drawn(seed=4) + 0.002
    bounds = {"min_weights": 0.05, "max_weights": 0.4}
    shrunk = EmpiricalPrior(covariance_estimator=LedoitWolf())
    told = {
        "minimum_variance": o.MeanRisk(prior_estimator=shrunk, **bounds),
        "maximum_sharpe": o.MeanRisk(
            objective_function=o.ObjectiveFunction.MAXIMIZE_RATIO, prior_estimator=shrunk, **bounds
        ),
        "mean_cvar": o.MeanRisk(risk_measure=RiskMeasure.CVAR, cvar_beta=0.95, **bounds),
        "risk_parity": o.RiskBudgeting(**bounds),
        "hrp": o.HierarchicalRiskParity(**bounds),
        "herc": o.HierarchicalEqualRiskContribution(**bounds),
        "equal_weight": o.EqualWeighted(),
    }
    assert set(told) == set(BOUNDED)
    for name, estimator in told.items():
        mine = Allocator(name=name, min_weight=0.05, max_weight=0.4).weights(table)
        np.testing.assert_allclose(mine, estimator.fit(100 * table).weights_, atol=1e-5, err_msg=name)


@pytest.mark.parametrize("name", NAMES)
def test_weights_do_not_depend_on_the_unit_of_the_returns(name, returns):
    allocator = Allocator(name=name)
    for unit in (0.01, 100.0):
        np.testing.assert_allclose(allocator.weights(returns * unit), allocator.weights(returns), atol=2e-6)


@pytest.mark.parametrize("covariance", COVARIANCES)
def test_every_covariance_can_be_asked_for(covariance, returns):
    allocator = Allocator(name="minimum_variance", covariance=covariance)
    assert allocator.weights(returns).sum() == pytest.approx(1.0)
    usual = covariance == "ledoit_wolf"
    assert allocator.label == ("minimum_variance" if usual else f"minimum_variance(covariance={covariance})")


@settings(max_examples=15, deadline=None)
@given(
    st.sampled_from(BOUNDED), st.integers(2, 6), st.integers(0, 10_000), st.floats(0, 1), st.floats(0, 1),
)  # fmt: skip
def test_bounds_hold_exactly_whatever_the_returns(name, symbols, seed, down, up):
    low, high = down / symbols, 1 / symbols + up * (1 - 1 / symbols)
    allocator = Allocator(name=name, min_weight=low, max_weight=high)
    table = drawn(bars=80, symbols=symbols, seed=seed) + 0.005  # means above zero, so that a ratio can be maximised
    weights = allocator.weights(table)
    assert weights.min() >= low
    assert weights.max() <= high
    assert weights.sum() == pytest.approx(1.0, abs=1e-9)


def test_the_order_of_the_symbols_does_not_matter(returns):
    for name in NAMES:
        turned = Allocator(name=name).weights(returns[returns.columns[::-1]])
        np.testing.assert_allclose(
            turned[returns.columns], Allocator(name=name).weights(returns), atol=2e-4, err_msg=name
        )


@pytest.mark.parametrize(
    ("table", "words"),
    [
        (drawn().to_numpy(), "a DataFrame of returns"),
        (drawn()[["S0"]], "at least two symbols"),
        (pd.concat([drawn()[["S0"]], drawn()[["S0"]]], axis=1), "'S0' comes twice"),
        (drawn().assign(S1=np.nan), "'S1' has 300 missing"),
        (drawn().assign(S1=np.inf), "missing or infinite"),
        (drawn().assign(S2=0.0), "'S2' never vary"),
        (drawn().assign(S2="up"), "'S2' of the returns is not numbers"),
        (drawn(bars=2), "at least 3 returns"),
        (drawn().iloc[:0], "at least 3 returns"),
    ],
)
def test_returns_that_cannot_be_weighed_are_refused(table, words):
    with pytest.raises(DataError, match=words):
        Allocator(name="hrp").weights(table)


def test_the_date_of_the_first_gap_is_named(returns):
    gapped = returns.set_axis(pd.date_range("2024-01-01", periods=300), axis=0)
    gapped.iloc[7, 3] = np.nan
    with pytest.raises(DataError, match=r"'S3' has 1 missing .* 2024-01-08"):
        Allocator(name="risk_parity").weights(gapped)


def test_an_inverse_needs_more_bars_than_symbols_unless_it_is_shrunk():
    short = drawn(bars=5, symbols=5)
    with pytest.raises(DataError, match=r"at least 6 returns of 5 symbols; there are 5.*ledoit_wolf"):
        Allocator(name="minimum_variance", covariance="empirical").weights(short)
    assert Allocator(name="minimum_variance").weights(short).sum() == pytest.approx(1.0)


def test_a_tail_needs_one_bar_in_it():
    with pytest.raises(DataError, match="mean_cvar needs at least 20 returns"):
        Allocator(name="mean_cvar").weights(drawn(bars=19))
    with pytest.raises(DataError, match="at least 100 returns"):
        Allocator(name="mean_cvar", confidence=0.99).weights(drawn(bars=99))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"name": "hpr"}, "hrp"),
        ({"name": "hrp", "min_weight": -0.1}, "short weights"),
        ({"name": "hrp", "max_weight": 1.5}, "max_weight <= 1"),
        ({"name": "hrp", "min_weight": 0.5, "max_weight": 0.4}, "min_weight <= max_weight"),
        ({"name": "hrp", "max_weight": np.nan}, "finite number"),
        ({"name": "hrp", "covariance": "ledoit"}, "ledoit_wolf"),
        ({"name": "equal_weight", "covariance": "oas"}, "uses no covariance"),
        ({"name": "inverse_volatility", "max_weight": 0.5}, "has no weight bounds"),
        ({"name": "hrp", "confidence": 0.9}, "looks at no tail"),
        ({"name": "mean_cvar", "confidence": 1.0}, "below 1"),
    ],
)
def test_options_that_do_not_fit_are_refused(options, words):
    with pytest.raises(DataError, match=words):
        Allocator(**options)


def test_bounds_that_no_weights_satisfy_are_refused(returns):
    with pytest.raises(DataError, match=r"no weights of 5 symbols from 0 to 0.1 sum to 1"):
        Allocator(name="minimum_variance", max_weight=0.1).weights(returns)
    with pytest.raises(DataError, match=r"a min_weight of at most 0.2"):
        Allocator(name="equal_weight", min_weight=0.3).weights(returns)


@pytest.mark.parametrize("name", BOUNDED)
def test_bounds_that_leave_one_answer_give_it(name, returns):
    for bounds in ({"max_weight": 0.2}, {"min_weight": 0.2}):
        assert Allocator(name=name, **bounds).weights(returns).tolist() == [0.2] * 5


def test_a_solver_that_finds_nothing_says_so(returns):
    """With every mean below zero no ratio can be maximised."""
    with pytest.raises(DataError, match="maximum_sharpe found no weights for 300 returns of 5 symbols"):
        Allocator(name="maximum_sharpe").weights(returns - 0.01)


def test_a_solution_that_did_not_converge_is_no_solution(returns, monkeypatch):
    from skfolio.optimization import EqualWeighted

    def loose(self, table):
        warnings.warn("Solution may be inaccurate. Try changing the solver params", stacklevel=2)
        self.weights_ = np.full(5, 0.2)
        return self

    monkeypatch.setattr(EqualWeighted, "fit", loose)
    with pytest.raises(DataError, match="may be inaccurate"):
        Allocator(name="equal_weight").weights(returns)


@pytest.mark.parametrize("wrong", [[0.3] * 5, [0.2, 0.2, 0.2, 0.2, np.nan], [1.2, -0.2, 0, 0, 0]])
def test_weights_beyond_a_solvers_tolerance_are_refused(returns, monkeypatch, wrong):
    from skfolio.optimization import EqualWeighted

    monkeypatch.setattr(EqualWeighted, "fit", lambda self, table: setattr(self, "weights_", np.array(wrong)) or self)
    with pytest.raises(DataError, match=r"equal_weight found no weights .*: weights from"):
        Allocator(name="equal_weight").weights(returns)


def test_two_symbols_with_the_same_returns_share(returns):
    twins = pd.DataFrame({"A": returns["S0"], "B": returns["S0"], "C": returns["S4"]})
    for name in ("equal_weight", "inverse_volatility", "minimum_variance", "risk_parity"):
        weights = Allocator(name=name).weights(twins)
        assert weights["A"] == pytest.approx(weights["B"], abs=1e-4), name
    for name in ("mean_cvar", "hrp", "herc"):
        assert Allocator(name=name).weights(twins).sum() == pytest.approx(1.0), name


def test_a_matrix_without_an_inverse_is_not_inverted(returns):
    twins = pd.DataFrame({"A": returns["S0"], "B": returns["S0"], "C": returns["S4"]})
    with pytest.raises(DataError, match="not positive definite"):
        Allocator(name="minimum_variance", covariance="empirical").weights(twins)


def test_labels_state_what_is_not_the_rules_own():
    assert Allocator(name="minimum_variance", covariance="ledoit_wolf").label == "minimum_variance"
    assert Allocator(name="hrp", max_weight=0.1, covariance="oas").label == "hrp(max_weight=0.1, covariance=oas)"
    assert Allocator(name="hrp").covariance == "empirical"


def test_without_skfolio_the_command_that_installs_it_is_named(returns, monkeypatch):
    for name in [module for module in sys.modules if module.partition(".")[0] == "skfolio"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "skfolio", None)
    with pytest.raises(SetupError, match=r"pip install 'qtw-lab\[research\]'"):
        Allocator(name="hrp").weights(returns)
