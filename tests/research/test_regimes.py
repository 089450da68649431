"""Regimes by rule and by Markov switching, held to statsmodels, to simulated states and to sums on paper."""

from __future__ import annotations

import time
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.tsa.regime_switching import markov_regression

import qtw_lab as qtw
from qtw_lab.core import Bars, DataError
from qtw_lab.research import leaks, regimes
from qtw_lab.research.regime_filter import run_filter
from qtw_lab.research.regime_labels import price_path, regimes_of
from qtw_lab.research.regime_performance import difference_of_means
from qtw_lab.research.regimes import (
    MarkovParameters,
    combined_regimes,
    equal_weight_returns,
    filtered_probabilities,
    fit_markov,
    markov_regimes,
    performance_by_regime,
    smoothed_probabilities,
    trend_regimes,
    volatility_regimes,
)
from qtw_lab.stats import performance as p

TWO = MarkovParameters([0.001, -0.002], [0.006, 0.02], [[0.98, 0.02], [0.06, 0.94]])
THREE = MarkovParameters(
    [0.001, 0.0, -0.003], [0.005, 0.012, 0.03], [[0.97, 0.02, 0.01], [0.05, 0.9, 0.05], [0.0, 0.1, 0.9]]
)


def simulated(model: MarkovParameters, length: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Returns and the states that made them."""
    rng = np.random.default_rng(seed)
    states = np.zeros(length, dtype=int)
    for bar in range(1, length):
        states[bar] = rng.choice(len(model.means), p=model.transition[states[bar - 1]])
    return model.means[states] + model.volatilities[states] * rng.standard_normal(length), states


def bars_of(closes, symbol: str = "X") -> Bars:
    times = pd.date_range("2020-01-01", periods=len(closes), tz="UTC")
    table = pd.DataFrame({"close": np.asarray(closes, dtype=float)}, times)
    return Bars.from_frame(table, symbol=symbol, holes="keep")


def from_returns(moves) -> Bars:
    return bars_of(100.0 * np.exp(np.concatenate([[0.0], np.cumsum(moves)])))


def labelled(states, names=("calm", "turbulent"), **more):
    """Regimes with these states, on days from 1 January 2020."""
    path = price_path(bars_of(np.ones(len(states))), None)
    return regimes_of(path, np.asarray(states, dtype=float), names, method="by hand", **more)


@pytest.fixture(scope="module")
def stocks() -> Bars:
    return qtw.Lab.offline().bars(["AAPL", "IBM", "MSFT"], start="2003-01-02", end="2006-12-29")


# --- the filter


def in_their_order(model: MarkovParameters) -> np.ndarray:
    """The parameters as statsmodels lists them: probabilities of all but the last target, means, variances."""
    count = len(model.means)
    chances = [model.transition[now, to] for to in range(count - 1) for now in range(count)]
    return np.array([*chances, *model.means, *model.volatilities**2])


@pytest.mark.parametrize("model", [TWO, THREE], ids=["two regimes", "three regimes"])
def test_filtered_and_smoothed_probabilities_and_the_likelihood_are_those_of_statsmodels(model):
    returns, _ = simulated(model, 600, seed=5)
    theirs = markov_regression.MarkovRegression(
        returns, k_regimes=len(model.means), trend="c", switching_variance=True
    ).smooth(in_their_order(model))
    filtered, smoothed = filtered_probabilities(returns, model), smoothed_probabilities(returns, model)
    likelihood = run_filter(returns, [model], model.stationary[None, :]).log_likelihood[0]
    print(f"\nlargest difference: {np.abs(filtered - theirs.filtered_marginal_probabilities).max():.1e}")
    np.testing.assert_allclose(filtered, theirs.filtered_marginal_probabilities, rtol=0, atol=1e-10)
    np.testing.assert_allclose(smoothed, theirs.smoothed_marginal_probabilities, rtol=0, atol=1e-10)
    assert likelihood == pytest.approx(theirs.llf, abs=1e-8)


def test_a_filter_goes_on_where_it_stopped():
    returns, _ = simulated(TWO, 300)
    whole = filtered_probabilities(returns, TWO)
    first = filtered_probabilities(returns[:120], TWO)
    later = filtered_probabilities(returns[120:], TWO, before=first[-1])
    np.testing.assert_array_equal(np.vstack([first, later]), whole)


def test_filtered_probabilities_by_hand():
    """Long-run shares 3/4 and 1/4; a return of 0 is 3 times as likely in the first regime: 9/10 and 1/10."""
    model = MarkovParameters([0.0, 0.0], [0.01, 0.03], [[0.9, 0.1], [0.3, 0.7]])
    np.testing.assert_allclose(model.stationary, [0.75, 0.25], atol=1e-12)
    np.testing.assert_allclose(filtered_probabilities([0.0], model), [[0.9, 0.1]], atol=1e-12)


def test_a_return_far_out_of_every_regime_does_not_break_the_filter():
    found = filtered_probabilities([0.0, 5.0, -5.0, 0.0], TWO)
    np.testing.assert_allclose(found.sum(axis=1), 1.0, atol=1e-12)
    assert found[1].tolist() == [0.0, 1.0]


def test_models_that_are_none_are_refused():
    fine = [[0.9, 0.1], [0.2, 0.8]]
    for means, spreads, matrix, said in (
        ([0.0, 0.0], [0.01, 0.0], fine, "positive"),
        ([0.0, np.nan], [0.01, 0.02], fine, "finite"),
        ([0.0, 0.0], [0.01, 0.02], [[0.9, 0.2], [0.2, 0.8]], "sum 1"),
        ([0.0], [0.01], [[1.0]], "at least 2"),
        ([0.0, 0.0, 0.0], [0.01, 0.02], fine, "do not fit"),
    ):
        with pytest.raises(DataError, match=said):
            MarkovParameters(means, spreads, matrix)
    with pytest.raises(DataError, match="of sum 1"):
        filtered_probabilities([0.0], TWO, before=[0.5, 0.6])
    with pytest.raises(DataError, match="one series"):
        filtered_probabilities(np.zeros((5, 2)), TWO)
    with pytest.raises(DataError, match="bar 1"):
        filtered_probabilities([0.0, np.nan], TWO)


# --- Markov regimes


def test_known_states_are_found_again():
    """As often, but for one bar in a hundred, as by a filter that knows the true parameters."""
    returns, states = simulated(TWO, 3000, seed=2)
    found = markov_regimes(from_returns(returns), train=1000)
    codes = found.labels.cat.codes.to_numpy()[1:]
    right = (codes[1000:] == states[1000:]).mean()
    best = (filtered_probabilities(returns, TWO).argmax(axis=1)[1000:] == states[1000:]).mean()
    print(f"\nstates named right after the training part: {right:.1%}; with the true parameters {best:.1%}")
    assert right > best - 0.01
    assert best > 0.9
    assert (codes[:1000] == -1).all()
    fit = found.fits.iloc[0]
    np.testing.assert_allclose(
        fit[["volatility_calm", "volatility_turbulent"]].to_numpy(float), [0.006, 0.02], rtol=0.1
    )
    np.testing.assert_allclose(np.diag(found.transition), [0.98, 0.94], atol=0.03)
    np.testing.assert_allclose(found.transition.sum(axis=1), 1.0, atol=1e-12)
    assert found.expected_durations["calm"] == pytest.approx(1.0 / (1.0 - found.transition.loc["calm", "calm"]))
    assert fit["bic_gain"] > 100.0
    assert not found.hindsight


def test_regimes_are_ordered_by_volatility_whatever_their_order_was():
    turned = MarkovParameters(TWO.means[::-1], TWO.volatilities[::-1], TWO.transition[::-1, ::-1])
    returns, _ = simulated(turned, 250, seed=3)
    straight, mirrored = fit_markov(returns), fit_markov(-returns)
    assert (np.diff(straight.parameters.volatilities) > 0).all()
    np.testing.assert_allclose(mirrored.parameters.volatilities, straight.parameters.volatilities, rtol=1e-3)
    np.testing.assert_allclose(mirrored.parameters.means, -straight.parameters.means, atol=1e-5)


def test_an_estimate_is_the_maximum_that_statsmodels_finds_by_itself():
    returns, _ = simulated(TWO, 500, seed=4)
    ours = fit_markov(returns)
    theirs = markov_regression.MarkovRegression(100 * returns, k_regimes=2, trend="c", switching_variance=True).fit()
    assert ours.log_likelihood == pytest.approx(theirs.llf + 500 * np.log(100), abs=1e-3)
    own = run_filter(returns, [ours.parameters], ours.parameters.stationary[None, :]).log_likelihood[0]
    assert ours.log_likelihood == pytest.approx(own, abs=1e-6)
    one = sm.OLS(returns, np.ones(500)).fit().llf  # one normal distribution
    assert ours.bic_gain == pytest.approx(2 * (own - one) - (6 - 2) * np.log(500), abs=1e-6)


@pytest.fixture(scope="module")
def refitted() -> tuple[np.ndarray, Bars, regimes.Regimes]:
    """Returns, their bars, and regimes estimated on 120 and again after 60 more."""
    returns, _ = simulated(TWO, 230, seed=6)
    bars = from_returns(returns)
    return returns, bars, markov_regimes(bars, train=120, refit=60)


def test_each_stretch_is_filtered_with_what_was_estimated_before_it(refitted):
    returns, _, found = refitted
    assert found.fits["returns"].tolist() == [120, 180]
    for start, end in ((120, 180), (180, 230)):
        model = fit_markov(returns[:start]).parameters
        expected = filtered_probabilities(returns[:end], model)[start:]
        np.testing.assert_allclose(found.probabilities.to_numpy()[start + 1 : end + 1], expected, atol=1e-7)
    assert found.fits.index[0] == found.labels.first_valid_index() == found.labels.index[121]
    assert (found.labels.dropna() == found.probabilities.dropna().idxmax(axis=1)).all()


def test_labels_of_a_prefix_are_the_prefix_of_the_labels(refitted):
    _, bars, whole = refitted
    for cut in (181, 182):  # the last bar of the first estimate and the first of the second
        part = markov_regimes(bars.head(cut), train=120, refit=60)
        pd.testing.assert_frame_equal(part.probabilities, whole.probabilities.iloc[:cut], rtol=0, atol=1e-12)
        assert part.labels.tolist()[121:] == whole.labels.tolist()[121:cut]


@pytest.mark.slow
def test_filtered_markov_regimes_do_not_look_ahead():
    returns, _ = simulated(TWO, 260, seed=8)
    bars = from_returns(returns)
    found = leaks.detect(lambda b: markov_regimes(b, train=110, refit=100).probabilities, bars, cuts=(150, 215))
    assert not found, found.evidence


def test_smoothed_regimes_are_marked_as_hindsight_and_see_the_future():
    returns, _ = simulated(TWO, 250, seed=6)
    bars = from_returns(returns)
    found = markov_regimes(bars, smoothed=True)
    assert found.hindsight
    assert found.notes[0].startswith("hindsight")
    assert found.labels.notna().sum() == 250
    assert found.facts()["hindsight"] == "yes"
    part = markov_regimes(bars.head(180), smoothed=True)
    assert np.abs(part.probabilities.to_numpy()[1:] - found.probabilities.to_numpy()[1:180]).max() > 0.01
    assert any("hindsight" in note for note in performance_by_regime(simple(bars), found).notes)


@pytest.mark.slow
def test_three_regimes_have_three_names():
    returns, _ = simulated(THREE, 500, seed=1)
    found = markov_regimes(from_returns(returns), k=3, train=450)
    assert found.names == ("calm", "normal", "turbulent")
    assert found.fits.filter(like="volatility_").iloc[0].is_monotonic_increasing
    np.testing.assert_allclose(found.transition.sum(axis=1), 1.0, atol=1e-12)


def test_returns_without_regimes_are_called_doubtful():
    fit = fit_markov(0.01 * np.random.default_rng(0).standard_normal(250))
    assert fit.bic_gain < 0
    assert any("doubtful" in note for note in fit.notes)


def test_what_cannot_be_estimated_is_refused_and_never_labelled():
    rng = np.random.default_rng(1)
    with pytest.raises(DataError, match="all 0"):
        fit_markov(np.zeros(200))
    with pytest.raises(DataError, match="too few"):
        fit_markov(rng.standard_normal(99))
    with pytest.raises(DataError, match="2 or 3"):
        fit_markov(rng.standard_normal(300), k=4)
    with pytest.raises(DataError, match="one series"):
        fit_markov(rng.standard_normal((300, 2)))
    with pytest.raises(DataError, match="bar 5"):
        fit_markov(np.where(np.arange(300) == 5, np.inf, 0.01))
    with pytest.raises(DataError, match="collapsed"):
        fit_markov(np.where(rng.random(200) < 0.6, 0.0, 0.01 * rng.standard_normal(200)))
    bars = from_returns(0.01 * rng.standard_normal(300))
    with pytest.raises(DataError, match="none is left"):
        markov_regimes(bars, train=300)
    with pytest.raises(DataError, match="does not apply"):
        markov_regimes(bars, refit=20, smoothed=True)
    with pytest.raises(DataError, match="train"):
        markov_regimes(bars, train=0.5)


def test_a_failed_optimiser_is_an_error(monkeypatch):
    class Broken:
        def __init__(self, *args, **options):
            raise np.linalg.LinAlgError("Singular matrix")

    monkeypatch.setattr(regimes, "need", lambda *_: SimpleNamespace(MarkovRegression=Broken))
    with pytest.raises(DataError, match=r"could not be estimated.*Singular"):
        fit_markov(0.01 * np.random.default_rng(0).standard_normal(200))


def test_a_search_that_stops_early_is_a_note(monkeypatch):
    class Hasty(markov_regression.MarkovRegression):
        def fit(self, **options):
            return super().fit(**{**options, "maxiter": 1, "em_iter": 1})

    monkeypatch.setattr(regimes, "need", lambda *_: SimpleNamespace(MarkovRegression=Hasty))
    returns, _ = simulated(TWO, 300)
    fit = fit_markov(returns)
    assert not fit.converged
    assert any("did not reach a maximum" in note for note in fit.notes)
    assert any("warned" in note for note in fit.notes)
    found = markov_regimes(from_returns(returns), train=250)
    assert any("[1 of 1 estimations]" in note for note in found.notes)


# --- rules


@pytest.mark.parametrize("method", ["rolling", "ewma"])
def test_volatility_regimes_are_those_of_a_plain_loop(stocks, method):
    found = volatility_regimes(stocks, "IBM", window=10, method=method, quantiles=(0.25, 0.5, 0.9), history=60)
    moves = np.log(stocks.close["IBM"]).diff()
    if method == "rolling":
        measured = moves.rolling(10).std()
    else:  # started by a mean, then weight 2 / 11
        squares = (moves**2).to_numpy()
        level = np.full(len(squares), np.nan)
        level[10] = squares[1:11].mean()
        for bar in range(11, len(squares)):
            level[bar] = level[bar - 1] + 2 / 11 * (squares[bar] - level[bar - 1])
        measured = pd.Series(np.sqrt(level), moves.index)
    known = measured.to_numpy()
    expected = []
    for bar in range(len(known)):
        earlier = known[:bar][~np.isnan(known[:bar])]
        if len(earlier) < 60:
            expected.append(-1)
        else:
            expected.append(int((known[bar] > np.quantile(earlier, (0.25, 0.5, 0.9))).sum()))
    assert found.labels.cat.codes.tolist() == expected
    assert found.names == ("volatility 1", "volatility 2", "volatility 3", "volatility 4")
    assert set(expected) == {-1, 0, 1, 2, 3}


def test_a_trend_keeps_within_its_band_by_hand():
    """Beside the close before: +10% up, -1% and +3% within the band of 5%, -25% down, +1% within, +6% up."""
    closes = 100 * np.cumprod([1, 1.02, 1.10, 0.99, 1.03, 0.75, 1.01, 1.06])
    found = trend_regimes(bars_of(closes), window=1, band=0.05, method="momentum")
    assert found.labels.astype(object).fillna("none").tolist() == [
        "none",
        "none",
        "up",
        "up",
        "up",
        "down",
        "down",
        "up",
    ]
    assert found.transition.to_numpy().tolist() == [[0.5, 0.5], [1 / 3, 2 / 3]]
    assert found.expected_durations.tolist() == [2.0, pytest.approx(3.0)]
    assert found.spells[["regime", "bars"]].values.tolist() == [["up", 3], ["down", 2], ["up", 1]]
    assert found.spells["start"].iloc[1] == found.labels.index[5]
    assert found.spells["end"].iloc[1] == found.labels.index[6]
    assert found.shares.to_dict() == {"down": pytest.approx(1 / 3), "up": pytest.approx(2 / 3)}
    assert found.probabilities.iloc[-1].tolist() == [0.0, 1.0]


def test_an_average_trend_is_the_side_of_the_pandas_average(stocks):
    found = trend_regimes(stocks, "MSFT", window=50)
    close = stocks.close["MSFT"]
    above = (close > close.rolling(50).mean()).iloc[49:]
    assert (found.labels.iloc[49:] == "up").tolist() == above.tolist()
    assert found.labels.iloc[:49].isna().all()


CAUSAL = {
    "rolling": lambda b: volatility_regimes(b, window=5, history=20).labels,
    "ewma": lambda b: volatility_regimes(b, window=5, history=20, method="ewma").labels,
    "one symbol": lambda b: volatility_regimes(b, "IBM", window=5, history=20).labels,
    "average": lambda b: trend_regimes(b, window=15, band=0.01).labels,
    "momentum": lambda b: trend_regimes(b, "IBM", window=10, method="momentum").labels,
    "given model": lambda b: filtered_frame(b, TWO),
}


def filtered_frame(bars: Bars, model: MarkovParameters) -> pd.DataFrame:
    close = bars.close["IBM"].dropna()
    return pd.DataFrame(filtered_probabilities(np.log(close).diff().iloc[1:], model), close.index[1:]).reindex(
        bars.index
    )


@pytest.mark.parametrize("rule", CAUSAL.values(), ids=CAUSAL.keys())
def test_rules_do_not_look_ahead(stocks, rule):
    found = leaks.detect(rule, stocks.head(150))
    assert not found, found.evidence


def test_a_bar_that_does_not_exist_has_no_label_and_is_not_counted():
    rng = np.random.default_rng(3)
    closes = 100 * np.exp(np.cumsum(0.02 * rng.standard_normal(80)))
    holed = np.insert(closes, [30, 30, 60], np.nan)
    dense = volatility_regimes(bars_of(closes), window=5, history=10)
    sparse = volatility_regimes(bars_of(holed), window=5, history=10)
    present = ~np.isnan(holed)
    assert sparse.labels[present].tolist() == dense.labels.tolist()
    assert sparse.labels[~present].isna().all()
    pd.testing.assert_frame_equal(sparse.transition, dense.transition)


def test_combined_regimes_have_both_names(stocks):
    trend, spread = trend_regimes(stocks, window=50), volatility_regimes(stocks, window=10, history=100)
    both = combined_regimes(trend, spread)
    assert both.names == ("down, calm", "down, normal", "down, turbulent", "up, calm", "up, normal", "up, turbulent")
    known = trend.labels.notna() & spread.labels.notna()
    assert both.labels.notna().tolist() == known.tolist()
    joined = trend.labels[known].astype(str) + ", " + spread.labels[known].astype(str)
    assert both.labels[known].astype(str).tolist() == joined.tolist()
    assert both.notes == stocks.notes
    with pytest.raises(DataError, match="other bars"):
        combined_regimes(trend, volatility_regimes(stocks.tail(500)))
    with pytest.raises(DataError, match="Two Regimes"):
        combined_regimes(trend, spread.labels)


def test_the_equal_weight_market_by_hand():
    close = np.array([[10.0, np.nan], [11.0, 50.0], [np.nan, 60.0], [12.1, 30.0]])
    np.testing.assert_allclose(equal_weight_returns(close), [np.nan, 0.1, 0.2, (0.1 - 0.5) / 2], atol=1e-12)
    times = pd.date_range("2020-01-01", periods=4, tz="UTC")
    table = pd.concat(dict.fromkeys(("open", "high", "low", "close"), pd.DataFrame(close, times, ["A", "B"])), axis=1)
    path = price_path(Bars.from_frame(table, holes="keep"), None)
    np.testing.assert_allclose(path.prices, [1.0, 1.1, 1.32, 1.32 * 0.8], atol=1e-12)
    assert "2 symbols" in path.name


@given(st.lists(st.floats(-0.2, 0.2), min_size=12, max_size=60), st.integers(2, 4))
@settings(max_examples=25, deadline=None)
def test_rows_of_a_transition_matrix_sum_to_one_or_are_undefined(moves, window):
    found = volatility_regimes(from_returns(moves), window=window, history=3)
    sums = found.transition.sum(axis=1, skipna=False)
    assert ((sums - 1).abs().lt(1e-12) | sums.isna()).all()
    assert found.spells["bars"].sum() == found.labels.notna().sum()
    assert found.probabilities.notna().all(axis=1).tolist() == found.labels.notna().tolist()
    assert found.shares.sum() == pytest.approx(1.0)


def test_a_regime_never_left_lasts_for_ever_and_one_that_never_came_has_no_row():
    found = labelled([np.nan, 0, 0, 0])
    assert found.expected_durations["calm"] == np.inf
    assert np.isnan(found.expected_durations["turbulent"])
    assert found.transition.loc["turbulent"].isna().all()
    assert found.facts()["turbulent_spells"] == 0


def test_rules_refuse_what_they_cannot_use(stocks):
    with pytest.raises(DataError, match="Did you mean 'AAPL'"):
        volatility_regimes(stocks, "AAPLE")
    with pytest.raises(DataError, match="need 274"):
        volatility_regimes(stocks.head(273), window=21, history=252)
    volatility_regimes(stocks.head(274), window=21, history=252)
    for quantiles in ((0.5, 0.5), (0.7, 0.2), (0.0, 0.5), (), "half", (np.nan,)):
        with pytest.raises(DataError, match="quantiles"):
            volatility_regimes(stocks, quantiles=quantiles)
    with pytest.raises(DataError, match="no method"):
        volatility_regimes(stocks, method="garch")
    with pytest.raises(DataError, match="window"):
        volatility_regimes(stocks, window=1)
    with pytest.raises(DataError, match="band"):
        trend_regimes(stocks, band=-0.1)
    with pytest.raises(DataError, match="never more than 900"):
        trend_regimes(stocks, band=9.0)
    with pytest.raises(DataError, match="Bars"):
        trend_regimes(stocks.close)


def test_facts_of_regimes_name_the_present_one(stocks):
    found = volatility_regimes(stocks)
    facts = found.facts()
    assert facts["regime"] == found.labels.iloc[-1]
    assert facts["probability"] == 1.0
    assert "equal-weight market of 3 symbols" in facts["method"]
    assert facts.notes == stocks.notes
    shown = found._repr_mimebundle_()
    assert "turbulent: spells" in shown["text/html"]
    assert shown["text/plain"].startswith("Regimes(calm ")


# --- performance by regime


def simple(bars: Bars) -> pd.Series:
    return bars.close.iloc[:, 0].pct_change().fillna(0.0)


def test_a_return_belongs_to_the_regime_of_the_bar_before_it():
    """Labels none, calm, calm, turbulent, calm; so returns 3 to 5 are calm, calm, turbulent."""
    found = labelled([np.nan, 0, 0, 1, 0])
    returns = pd.Series([0.5, 0.4, 0.1, -0.05, 0.2], found.labels.index)
    table = performance_by_regime(returns, found, periods_per_year=100, lags=0).table
    assert table["bars"].tolist() == [2, 1]
    assert table["share"].tolist() == [2 / 3, 1 / 3]
    assert table["spells"].tolist() == [1, 1]
    assert table["mean"].tolist() == pytest.approx([2.5, 20.0])
    assert table.loc["calm", "volatility"] == pytest.approx(0.15 / np.sqrt(2) * 10)
    assert table.loc["calm", "max_drawdown"] == pytest.approx(-0.05)
    assert table.loc["calm", "hit_rate"] == 0.5
    assert table["difference"].tolist() == pytest.approx([-17.5, 17.5])
    assert np.isnan(table.loc["turbulent", "sharpe"])
    # residuals over numbers of bars: +-0.075 / 2 within, 0 without
    assert table.loc["calm", "t"] == pytest.approx(-0.175 / np.sqrt(2 * 0.0375**2))
    same = performance_by_regime(returns, found, known="same", periods_per_year=100)
    assert same.table["bars"].tolist() == [3, 1]
    assert same.table.loc["turbulent", "mean"] == pytest.approx(-5.0)
    assert "could not have been traded" in same.notes[0]


@pytest.mark.parametrize("lags", [0, 1, 7, None])
def test_the_difference_has_the_error_of_a_regression_in_statsmodels(stocks, lags):
    found = volatility_regimes(stocks, window=10, history=100)
    returns = simple(stocks)
    ours = performance_by_regime(returns, found, lags=lags)
    label = found.labels.shift(1)
    kept = label.notna()
    width = int(4 * (kept.sum() / 100) ** (2 / 9)) if lags is None else lags
    assert ours.lags == width
    for name in found.names:
        inside = (label[kept] == name).astype(float)
        fitted = sm.OLS(returns[kept].to_numpy(), sm.add_constant(inside.to_numpy())).fit(
            cov_type="HAC", cov_kwds={"maxlags": width}
        )
        row = ours.table.loc[name]
        assert row["difference"] == pytest.approx(fitted.params[1] * 252, rel=1e-9)
        assert row["t"] == pytest.approx(fitted.tvalues[1], rel=1e-9)
        assert row["p_value"] == pytest.approx(fitted.pvalues[1], rel=1e-9)
        own = returns[kept][label[kept] == name]
        assert row["sharpe"] == p.sharpe_ratio(own.to_numpy(), 252)
        assert row["max_drawdown"] == p.max_drawdown(own)


def test_chance_differences_are_called_sure_as_often_as_they_say():
    """Returns with clusters of volatility but one mean, in regimes that last: about one in twenty below 5%."""
    rng = np.random.default_rng(0)
    spread = np.where(np.arange(1000) // 50 % 2, 2.0, 1.0)
    sure = 0
    for _ in range(400):
        gap, error = difference_of_means(spread * rng.standard_normal(1000), spread > 1.5, 6)
        sure += abs(gap / error) > 1.96
    print(f"\ncalled sure at 5%: {sure / 400:.1%}")
    assert 0.025 < sure / 400 < 0.085


def test_a_backtest_is_taken_with_its_own_bars_a_year(stocks):
    result = qtw.backtest(qtw.strategies.SmaCross(fast=5, slow=20), stocks.select("IBM"))
    found = performance_by_regime(result, trend_regimes(stocks, window=50))
    direct = performance_by_regime(result.returns, trend_regimes(stocks, window=50), periods_per_year=252)
    pd.testing.assert_frame_equal(found.table, direct.table)
    facts = found.facts()
    assert facts["up_sharpe"] == found.table.loc["up", "sharpe"]
    assert facts["known"] == "before"
    assert any("not corrected" in note for note in facts.notes)
    assert "Performance by regime" in found._repr_mimebundle_()["text/html"]


def test_a_regime_that_never_came_has_no_figures():
    found = labelled([0, 0, 0, 0])
    table = performance_by_regime(pd.Series([0.0, 0.1, 0.2, 0.1], found.labels.index), found).table
    assert table.loc["turbulent", "bars"] == 0
    assert table.loc["turbulent", ["mean", "sharpe", "difference", "p_value"]].isna().all()
    assert table.loc["calm", ["difference", "t", "p_value"]].isna().all()
    assert table.loc["calm", "mean"] == pytest.approx(0.4 / 3 * 252)


def test_returns_that_never_vary_have_no_t():
    found = labelled([0, 1, 0, 1, 0])
    table = performance_by_regime(pd.Series(np.full(5, 0.01), found.labels.index), found).table
    assert table["difference"].tolist() == pytest.approx([0.0, 0.0])
    assert table[["t", "p_value"]].isna().all(axis=None)


def test_a_hole_keeps_the_label_before_it():
    found = labelled([0, 1, np.nan, 0, 0])
    table = performance_by_regime(pd.Series([0.0, 0.1, 0.2, 0.3, 0.4], found.labels.index), found).table
    assert table["bars"].tolist() == [2, 2]
    assert table.loc["turbulent", "mean"] == pytest.approx(0.25 * 252)


def test_returns_that_do_not_fit_the_regimes_are_refused():
    found = labelled([0, 1, 0, 1])
    index = found.labels.index
    good = pd.Series([0.1, 0.2, 0.1, 0.0], index)
    with pytest.raises(DataError, match="do not know"):
        performance_by_regime(good.set_axis(index + pd.Timedelta("1h")), found)
    with pytest.raises(DataError, match="twice"):
        performance_by_regime(pd.concat([good, good]), found)
    with pytest.raises(DataError, match="nan"):
        performance_by_regime(good.where(good > 0.0), found)
    with pytest.raises(DataError, match="Series"):
        performance_by_regime([0.1, 0.2], found)
    with pytest.raises(DataError, match="Regimes are needed"):
        performance_by_regime(good, found.labels)
    with pytest.raises(DataError, match="at least two"):
        performance_by_regime(good.iloc[:2], found)
    with pytest.raises(DataError, match="lags"):
        performance_by_regime(good, found, lags=3)
    with pytest.raises(DataError, match="known"):
        performance_by_regime(good, found, known="after")


def test_a_filter_of_ten_models_over_ten_years_takes_a_moment():
    returns, _ = simulated(TWO, 2500)
    start = time.perf_counter()
    run_filter(returns, [TWO] * 10, np.tile(TWO.stationary, (10, 1)))
    took = time.perf_counter() - start
    print(f"\n10 models over 2,500 returns: {took:.3f} s")
    assert took < 2.0
