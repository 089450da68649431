from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats

from qtw_lab.core import DataError
from qtw_lab.stats import chance as c


def noise(size, seed):
    return 0.01 * np.random.default_rng(seed).standard_normal(size)


def spells(size, seed, stay=0.9, sides=(0.0, 1.0)):
    """Positions that change with probability 1 - `stay`, in a world of their own."""
    rng = np.random.default_rng(seed + 10_000)
    side = rng.integers(len(sides))
    held = np.empty(size)
    for t in range(size):
        if rng.random() > stay:
            side = (side + 1 + rng.integers(len(sides) - 1)) % len(sides)
        held[t] = sides[side]
    return held


def rotations(r, held, reps=300):
    return c.permutation_test(r, held, reps=reps, seed=1)


def blocks(r, held, reps=300):
    return c.permutation_test(r, held, "blocks", reps=reps, seed=1)


def entries(r, held, reps=300):
    return c.random_entry_test(r, held, reps=reps, seed=1)


TESTS = (rotations, blocks, entries)


@pytest.mark.parametrize("test", TESTS)
def test_the_position_of_a_bar_earns_the_return_of_the_next(test):
    """By hand: 1 x 0.02 + 0 x 0.03 + 2 x -0.01 + 0 x 0.04 over four bars; the first return and last position idle."""
    r = np.array([9.0, 0.02, 0.03, -0.01, 0.04])
    held = np.array([1.0, 0.0, 2.0, 0.0, 7.0])
    found = c.permutation_test(r, held, "blocks", reps=10, block=1) if test is blocks else test(r, held)
    assert found.statistic == pytest.approx(0.0)
    assert found.statistic == pytest.approx(float(held[:-1] @ r[1:]) / 4)


@pytest.mark.parametrize("test", TESTS)
def test_knowing_the_same_bar_is_no_skill_and_knowing_the_next_is(test):
    r = noise(400, seed=2)
    same_bar = (r > 0.005).astype(float)
    next_bar = np.append(same_bar[1:], 0.0)
    assert test(r, same_bar).p_value > 0.05
    assert test(r, next_bar).p_value == pytest.approx(1 / 301)


def test_all_rotations_by_hand():
    """Positions 1 0 0 over returns 3, 1, 2 earn 3; moved by a bar 1, by two bars 2: none as good, 1 in 3."""
    found = c.permutation_test([9, 3, 1, 2], [1, 0, 0, 9])
    np.testing.assert_allclose(sorted(found.distribution), [1 / 3, 2 / 3])
    assert (found.p_value, found.reps) == (pytest.approx(1 / 3), 2)
    assert found.statistic == pytest.approx(1.0)
    assert c.permutation_test([9, 2, 1, 2], [1, 0, 0, 9]).p_value == pytest.approx(2 / 3)  # a tie counts


@given(st.integers(0, 1000), st.integers(5, 40))
@settings(max_examples=30, deadline=None)
def test_rotations_are_rolled_positions(seed, size):
    r, held = noise(size, seed), spells(size, seed, stay=0.5)
    assume(np.ptp(held[:-1]) > 0)
    found = c.permutation_test(r, held, reps=size)
    rolled = [np.roll(held[:-1], -k) @ r[1:] / (size - 1) for k in range(1, size - 1)]
    np.testing.assert_allclose(np.sort(found.distribution), np.sort(rolled), atol=1e-16)
    assert found.p_value * (found.reps + 1) == pytest.approx(1 + (found.distribution >= found.statistic - 1e-15).sum())


def test_fewer_copies_than_rotations_are_different_rotations():
    r, held = noise(200, 1), np.random.default_rng(2).standard_normal(200)
    found = c.permutation_test(r, held, reps=150)
    every = c.permutation_test(r, held, reps=1000).distribution
    assert found.reps == len(np.unique(found.distribution)) == 150
    assert np.isin(found.distribution.round(15), every.round(15)).all()


@given(st.integers(0, 1000), st.integers(1, 10))
@settings(max_examples=30, deadline=None)
def test_blocks_in_another_order_are_the_same_positions(seed, block):
    """With the returns of one bar only, the copies show the position that lies there: all of them, in the end."""
    held = np.random.default_rng(seed).standard_normal(22)
    r = np.zeros(22)
    r[5] = 21.0
    found = c.permutation_test(r, held, "blocks", reps=600, block=block, seed=seed)
    assert set(found.distribution.round(9)) == set(held[:-1].round(9))


@given(st.integers(0, 5000), st.sampled_from([(0.0, 1.0), (0.0, 1.0, -1.0), (1.0, -1.0), (0.0, -2.0, 0.5)]))
@settings(max_examples=60, deadline=None)
def test_random_entries_keep_the_number_the_lengths_and_the_sizes_of_trades(seed, sides):
    held = spells(60, seed, stay=0.7, sides=sides) * np.random.default_rng(seed).uniform(1, 2, 60)
    trades = c._trades(held)
    assume(len(trades.lengths) > 1)
    spare = c._spare(trades, 60)
    rng = np.random.default_rng(seed)
    for _ in range(5):
        from_bar, to_bar = c._placed(trades, spare, rng)
        moved = np.zeros(60)
        moved[to_bar] = held[from_bar]
        assert len(set(to_bar.tolist())) == len(to_bar)
        assert sorted(moved) == sorted(held)
        again = c._trades(moved)
        pairs = [sorted(zip(t.long.tolist(), t.lengths.tolist(), strict=True)) for t in (trades, again)]
        assert pairs[0] == pairs[1]


def test_every_place_of_the_trades_is_as_likely():
    """Two trades of one bar in five, never touching: 6 of the 10 pairs of bars."""
    trades = c._trades(np.array([1.0, 0.0, 1.0, 0.0, 0.0]))
    rng = np.random.default_rng(1)
    seen = [tuple(sorted(c._placed(trades, c._spare(trades, 5), rng)[1].tolist())) for _ in range(3000)]
    pairs = [pair for pair in combinations(range(5), 2) if pair[1] - pair[0] > 1]
    assert set(seen) == set(pairs)
    assert stats.chisquare([seen.count(pair) for pair in pairs]).pvalue > 0.01


def test_holding_much_of_a_rising_asset_is_no_skill():
    r = noise(600, 5) + 0.01
    held = spells(600, 3, stay=0.8, sides=(0.5, 1.0))
    earned = float(held[:-1] @ r[1:]) / 599
    assert earned > 0.005
    for test in (rotations, blocks):
        found = test(r, held)
        assert found.p_value > 0.05
        assert found.distribution.mean() == pytest.approx(earned, rel=0.03)


@pytest.mark.parametrize("test", TESTS)
def test_p_values_without_skill_are_uniform(test):
    """For independent returns, and positions held for ten bars on average."""
    found = [test(noise(200, seed), spells(200, seed, sides=(0.0, 1.0, -1.0)), 99).p_value for seed in range(200)]
    assert stats.kstest(found, "uniform").pvalue > 0.01
    assert min(found) >= 1 / 100


def test_rotations_stay_uniform_where_returns_and_positions_both_depend_on_their_past():
    found = []
    for seed in range(400):
        r = noise(300, seed)
        for t in range(1, 300):
            r[t] += 0.5 * r[t - 1]
        found.append(rotations(r, spells(300, seed, sides=(0.0, 1.0, -1.0))).p_value)
    assert stats.kstest(found, "uniform").pvalue > 0.01


@pytest.mark.parametrize("test", TESTS)
def test_planted_timing_is_found(test):
    """A tenth of a deviation a bar in the direction held, over 2,000 bars: 4.5 standard errors."""
    found = []
    for seed in range(20):
        held = spells(2000, seed, sides=(1.0, 0.0, -1.0))
        r = noise(2000, seed)
        r[1:] += 0.001 * 1.5 * held[:-1]
        found.append(test(r, held).p_value < 0.05)
    assert np.mean(found) >= 0.9


def test_one_seed_gives_one_answer():
    r, held = noise(300, 1), spells(300, 1)
    for test in (c.permutation_test, c.random_entry_test):
        first, again, other = (test(r, held, reps=50, seed=seed).distribution for seed in (1, 1, 2))
        np.testing.assert_array_equal(first, again)
        assert (first != other).any()


def test_series_must_be_of_the_same_times_in_order():
    days = pd.bdate_range("2024-01-01", periods=41)
    r, held = pd.Series(noise(40, 1), index=days[:40]), pd.Series(spells(40, 1), index=days[:40])
    expected = c.permutation_test(r.to_numpy(), held.to_numpy())
    assert c.permutation_test(r, held).p_value == expected.p_value
    with pytest.raises(DataError, match="different times"):
        c.permutation_test(r, held.set_axis(days[1:]))
    with pytest.raises(DataError, match="do not increase"):
        c.random_entry_test(r[::-1], held[::-1])


@pytest.mark.parametrize("test", [c.permutation_test, c.random_entry_test])
@pytest.mark.parametrize(
    ("r", "held", "message"),
    [
        (noise(20, 1), np.ones(20), "1 in every bar"),
        (noise(20, 1), np.append(np.zeros(19), 1.0), "0 in every bar"),
        (noise(20, 1), np.ones(19), "the same bars"),
        (noise(20, 1).reshape(10, 2), np.ones((10, 2)), "one series each"),
        ([0.1, 0.2], [1, 0], "at least 3"),
        ([0.1, np.nan, 0.2, 0.1], [1, 0, 1, 1], "returns have nan"),
        ([0.1, 0.3, 0.2, 0.1], [1, 0, np.nan, 1], "positions have nan"),
    ],
)
def test_what_has_no_timing_says_why(test, r, held, message):
    with pytest.raises(DataError, match=message):
        test(r, held)


def test_wrong_options_are_refused():
    r, held = noise(20, 1), spells(20, 1, stay=0.5)
    for options, message in [
        ({"method": "shuffle"}, "method="),
        ({"reps": 0}, "reps="),
        ({"block": 3}, "a rotation has none"),
        ({"block": 0, "method": "blocks"}, "block="),
        ({"block": 10, "method": "blocks"}, "at most 9"),
    ]:
        with pytest.raises(DataError, match=message):
            c.permutation_test(r, held, **options)


def test_trades_that_fit_in_one_way_only_are_refused():
    with pytest.raises(DataError, match="no other time"):
        c.random_entry_test(noise(4, 1), [1, 0, 1, 0])
