"""What a Sharpe ratio is worth once all trials are counted."""

import math
from itertools import pairwise

import numpy as np
import pytest

from qtw_lab.backtest.trials import Known, sketch
from qtw_lab.backtest.tried import Tried
from qtw_lab.stats import significance as g


def known(words, sharpes, courses=(), weight=None):
    sketches = np.array([sketch(course) for course in courses], dtype=np.float32).reshape(-1, 64)
    return Known(
        np.array(words, dtype=np.uint64), np.array(sharpes, dtype=float), sketches, float(weight or len(words))
    )


def test_one_configuration_in_two_parts_counts_once_with_the_ratio_that_is_known():
    words, sharpes = Tried.merged([known([3, 1], [np.nan, 0.5]), known([2, 3], [0.1, 0.9])])
    assert words.tolist() == [1, 2, 3]
    assert sharpes.tolist() == [0.5, 0.1, 0.9]


def test_independent_trials_count_in_full_and_copies_as_one():
    rng = np.random.default_rng(0)
    courses = rng.normal(size=(100, 2500))
    apart = Tried.of([known(range(100), np.arange(100.0), courses)], 252)
    alike = Tried.of([known(range(100), np.arange(100.0), [courses[0]] * 100)], 252)
    assert apart.effective == pytest.approx(100, abs=3)
    assert alike.effective == pytest.approx(1.0, abs=0.01)
    assert apart.sharpe_std == pytest.approx(np.std(np.arange(100.0), ddof=1) / math.sqrt(252))


def test_a_few_sketches_speak_for_all_trials_they_were_drawn_from():
    rng = np.random.default_rng(1)
    swept, single = rng.normal(size=2500), rng.normal(size=(2, 2500))
    parts = [known(range(998), np.zeros(998), [swept] * 5), known([2000, 2001], [0.0, 0.0], single)]
    # of 998 x 997 / 2 pairs in the sweep all correlate with 1, of the other 1,997 next to none
    assert Tried.of(parts, 252).correlation == pytest.approx((998 / 1000) ** 2, abs=0.005)


def test_without_sketches_all_trials_count_as_independent():
    tried = Tried.of([known(range(50), np.zeros(50))], 252)
    assert (tried.effective, tried.count) == (50, 50)
    assert math.isnan(tried.correlation)


def test_the_deflated_ratio_is_that_of_the_significance_room():
    returns = 0.0005 + 0.01 * np.random.default_rng(2).normal(size=1000)
    expected = g.deflated_sharpe_ratio(returns, n_trials=60, trial_sharpe_std=0.03)
    assert Tried(60, 40.0, 0.03).deflated(returns) == pytest.approx(expected, abs=1e-15)
    assert Tried().deflated(returns) == pytest.approx(g.probabilistic_sharpe_ratio(returns), abs=1e-15)


def test_likeness_counts_once_in_the_spread_or_else_in_the_number():
    assert Tried(60, 40.0, 0.03).maximum_of == 60
    assert Tried(60, 40.0).maximum_of == 40
    assert Tried(60, 1.0, 0.0).maximum_of == 1  # exact copies have no spread: one try


@pytest.mark.parametrize("correlation", [0.0, 0.5, 0.9, 0.99])
@pytest.mark.parametrize("tries", [20, 100])
def test_however_alike_tries_without_skill_are_at_most_one_in_twenty_passes(correlation, tries):
    rng = np.random.default_rng(4)
    own = math.sqrt(1.0 - correlation) * rng.standard_normal((40_000, tries))
    ratios = own + math.sqrt(correlation) * rng.standard_normal((40_000, 1))  # in units of their standard errors
    spreads = ratios.std(axis=1, ddof=1)
    least = g.expected_maximum_sharpe(Tried(tries, 2.0, 1.0).maximum_of, 1.0)
    passes = ratios.max(axis=1) - least * spreads > 1.6449
    assert passes.mean() <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 40_000)


def test_with_one_ratio_known_the_spread_is_that_of_trials_without_skill():
    assert Tried(5, 5.0).spread(401) == 0.05
    assert Tried(5, 5.0, 0.2).spread(401) == 0.2


@pytest.mark.parametrize("returns", [np.zeros(100), np.full(50, 0.01), np.array([0.1, 0.2]), np.array([])])
def test_returns_that_never_vary_have_no_deflated_ratio(returns):
    assert math.isnan(Tried(5, 5.0).deflated(returns))


def test_it_falls_as_trials_rise():
    returns = 0.001 + 0.01 * np.random.default_rng(3).normal(size=1000)
    ratios = [Tried(n, float(n), 0.03).deflated(returns) for n in (1, 2, 10, 100, 1000)]
    assert all(more < fewer for fewer, more in pairwise(ratios))


def test_the_first_line_says_how_many_and_what_they_amount_to():
    trials, deflated = Tried(60, 40.0, 0.03, 0.3).facts(0.01 * np.sin(np.arange(100.0)))
    assert (trials.value, trials.name, deflated.name) == (60, "trials", "deflated_sharpe")
    assert "40.0 independent" in trials.definition
    assert 0 <= deflated.value <= 1
