"""The worlds themselves: whether their truth is what they say, by means that use no backtest."""

from __future__ import annotations

import math

import numpy as np
import pytest
import worlds as w
from scipy import stats

from qtw_lab.research import leaks


@pytest.mark.parametrize("kind", w.KINDS)
def test_no_step_of_a_world_without_edge_has_an_expected_gain(kind):
    """Over a gap, a session and a bar, and after a rise as after a fall: means within three standard errors of 0."""
    gaps, sessions, after = [], [], []
    for seed in range(60):
        values = w.market(kind, seed).values
        opened, closed = values["open"][:, 0], values["close"][:, 0]
        gaps.append(opened[1:] / closed[:-1] - 1.0)
        sessions.append(closed / opened - 1.0)
        whole = closed[1:] / closed[:-1] - 1.0
        after.append(np.sign(whole[:-1]) * whole[1:])
    for parts in (gaps, sessions, after):
        joined = np.concatenate(parts)
        assert abs(joined.mean()) < 3.0 * joined.std() / math.sqrt(len(joined))
    assert np.concatenate(gaps).var() / np.concatenate(sessions).var() == pytest.approx(w.GAP / (1 - w.GAP), rel=0.1)


def test_worlds_have_the_tails_and_the_clusters_they_are_named_for():
    def moves(kind):
        return np.array([np.diff(np.log(w.market(kind, seed).values["close"][:, 0])) for seed in range(40)])

    walk, heavy, clustered = (moves(kind) for kind in w.KINDS)
    for one in (walk, heavy, clustered):
        assert one.std() == pytest.approx(w.DEVIATION, rel=0.03)
    assert stats.kurtosis(walk, axis=None) == pytest.approx(0.0, abs=0.1)
    assert stats.kurtosis(heavy, axis=None) > 3.0
    squares = [np.corrcoef(one[1:] ** 2, one[:-1] ** 2)[0, 1] for one in clustered]
    assert np.mean(squares) > 0.1
    assert abs(np.mean([np.corrcoef(one[1:] ** 2, one[:-1] ** 2)[0, 1] for one in walk])) < 0.02


def test_a_bar_is_drawn_from_one_path():
    values = w.market("heavy", 3).values
    body = np.stack([values["open"], values["close"]])
    assert (values["high"] >= body.max(axis=0)).all()
    assert (values["low"] <= body.min(axis=0)).all()
    assert w.market("heavy", 3).fingerprint == w.market("heavy", 3).fingerprint != w.market("heavy", 4).fingerprint


def test_coins_know_nothing_of_each_other_nor_of_their_past():
    times = w.days(5_000).as_unit("ns").asi8
    coins = np.array([w.toss(times, coin) for coin in range(100)])
    pairs = np.corrcoef(coins)[np.triu_indices(100, 1)] * math.sqrt(5_000)
    assert pairs.std() == pytest.approx(1.0, abs=0.05)
    assert stats.kstest(w.uniform(times, 5), "uniform").pvalue > 0.05
    assert abs((coins[:, 1:] * coins[:, :-1]).mean()) < 3.0 / math.sqrt(coins.size)
    assert (w.toss(times[100:], 7) == w.toss(times, 7)[100:]).all()


@pytest.mark.parametrize("strategy", [w.Coin(seed=5), w.Coin(seed=5, own=0.3), w.Phase(phase=3)])
def test_the_strategies_of_the_worlds_do_not_look_ahead(strategy):
    assert not leaks.detect(strategy, w.market("walk", 0, 200)).leaking


def test_weekdays_are_counted_without_weekends():
    times = w.days(30).as_unit("ns").asi8
    assert (np.diff(w.weekday_number(times)) == 1).all()


def test_the_derived_ratio_of_a_trend_is_that_of_normal_returns():
    """The formula, with the covariances it starts from, beside a million bars of the same process in numbers."""
    rng, size = np.random.default_rng(0), 1_000_000
    from scipy.signal import lfilter

    drift = w.DRIFT * lfilter([math.sqrt(1 - w.KEPT**2)], [1, -w.KEPT], rng.standard_normal(size))
    returns = drift + w.DEVIATION * rng.standard_normal(size)
    for lookback in (5, 20, 60):
        total = np.cumsum(returns)
        side = np.sign(total[lookback:-1] - total[: -lookback - 1])
        earned = side * returns[lookback + 1 :]
        assert earned.mean() / earned.std() * math.sqrt(w.YEAR) == pytest.approx(w.trend_sharpe(lookback), abs=0.04)
        turns = np.mean(side[1:] != side[:-1])
        dear = (earned.mean() - 2e-3 * turns) / earned.std() * math.sqrt(w.YEAR)
        assert dear == pytest.approx(w.trend_sharpe(lookback, 10.0), abs=0.05)


def test_the_derived_power_is_that_of_normal_t_values():
    draws = np.random.default_rng(1).standard_normal((100_000, 20))
    limit = np.quantile(draws.max(axis=1), 0.95)
    draws[:, 0] += 1.5 * math.sqrt(4.0)
    assert (draws.max(axis=1) > limit).mean() == pytest.approx(w.power(1.5, 20, 4.0), abs=0.02)
    assert w.power(0.0, 20, 4.0) == pytest.approx(0.05)
