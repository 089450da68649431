from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from qtw_lab.core import DataError
from qtw_lab.stats.overfitting import probability_of_backtest_overfitting


def sharpe(returns):
    return returns.mean(axis=0) / returns.std(axis=0, ddof=1)


def mean(returns):
    return returns.mean(axis=0)


def by_definition(returns, partitions, statistic):
    """Cut and joined anew for every split; a row of chosen, in sample, out of sample, logit; and all out of sample."""
    blocks = np.split(returns, partitions)
    rows, everyone = [], []
    for some in combinations(range(partitions), partitions // 2):
        rest = [k for k in range(partitions) if k not in some]
        inside = statistic(np.concatenate([blocks[k] for k in some]))
        outside = statistic(np.concatenate([blocks[k] for k in rest]))
        best = int(np.argmax(inside))
        share = stats.rankdata(outside)[best] / (len(outside) + 1)
        rows.append((best, inside[best], outside[best], np.log(share / (1 - share))))
        everyone.append(outside)
    return np.array(rows), np.array(everyone)


@pytest.mark.parametrize("statistic", [sharpe, mean])
@pytest.mark.parametrize(("partitions", "bars", "strategies"), [(2, 4, 2), (4, 12, 3), (6, 60, 10), (8, 40, 7)])
def test_every_split_equals_the_definition(statistic, partitions, bars, strategies):
    returns = np.random.default_rng(bars).normal(0.001, 0.01, (bars, strategies))
    rows, everyone = by_definition(returns, partitions, statistic)
    found = probability_of_backtest_overfitting(returns, partitions, statistic.__name__)
    splits = found.degradation.splits
    np.testing.assert_array_equal(splits["chosen"], rows[:, 0])
    np.testing.assert_allclose(splits["in_sample"], rows[:, 1], rtol=1e-9)
    np.testing.assert_allclose(splits["out_of_sample"], rows[:, 2], rtol=1e-9)
    np.testing.assert_allclose(found.logits, rows[:, 3], rtol=1e-9, atol=1e-12)
    assert found.pbo == np.mean(rows[:, 3] <= 0)
    assert found.degradation.probability_of_loss == np.mean(rows[:, 2] < 0)

    table = found.dominance.table
    values = table.index.to_numpy()
    assert values[[0, -1]] == pytest.approx([everyone.min(), everyone.max()])
    near = 1e-12 * np.ptp(everyone)
    for name, figures in (("chosen", rows[:, 2]), ("all", everyone.ravel())):
        short = np.maximum(values[:, None] - figures, 0).mean(axis=1)
        np.testing.assert_allclose(table[f"{name}_shortfall"], short, atol=1e-12)
        inner = slice(1, -1)  # the ends may fall to either side by rounding
        share = (figures <= values[:, None] + near).mean(axis=1)
        np.testing.assert_allclose(table[name].to_numpy()[inner], share[inner], atol=1e-12)


def test_the_line_of_degradation_is_that_of_scipy():
    returns = np.random.default_rng(2).normal(size=(80, 12))
    found = probability_of_backtest_overfitting(returns, 8).degradation
    line = stats.linregress(found.splits["in_sample"], found.splits["out_of_sample"])
    assert found.slope == pytest.approx(line.slope)
    assert found.intercept == pytest.approx(line.intercept)
    assert found.r_squared == pytest.approx(line.rvalue**2)


def test_choosing_among_noise_is_a_lottery():
    """Of forty matrices of noise: the mean probability has a standard error of 0.03."""
    rng = np.random.default_rng(0)
    found = [probability_of_backtest_overfitting(rng.normal(size=(200, 40)), 8).pbo for _ in range(40)]
    assert np.mean(found) == pytest.approx(0.5, abs=0.1)


def test_a_planted_edge_is_found():
    returns = np.random.default_rng(1).normal(size=(1000, 50))
    returns[:, 17] += 0.3
    found = probability_of_backtest_overfitting(returns, 10)
    assert found.pbo == 0.0
    assert (found.degradation.splits["chosen"] == 17).all()
    assert found.degradation.probability_of_loss == 0.0
    assert found.dominance.first_order
    assert found.dominance.second_order


def test_a_strategy_that_works_in_one_half_only_is_overfitting():
    """Each of two strategies gains in one half of the partitions and loses in the other, or the reverse."""
    noise = np.random.default_rng(4).normal(size=(64, 2)) * 0.1
    sign = np.where(np.arange(64) < 32, 1.0, -1.0)[:, None] * np.array([1.0, -1.0])
    found = probability_of_backtest_overfitting(noise + sign, 2)
    assert found.pbo == 1.0
    assert found.logits.tolist() == pytest.approx([-np.log(2)] * 2)
    assert not found.dominance.second_order


def test_copies_of_one_strategy_tie_at_the_median():
    r = np.random.default_rng(6).normal(size=(48, 1))
    found = probability_of_backtest_overfitting(np.repeat(r, 5, axis=1), 6)
    assert (found.logits == 0.0).all()
    assert found.pbo == 1.0
    assert (found.degradation.splits["chosen"] == 0).all()
    assert not found.dominance.first_order


def test_one_strategy_at_many_leverages_is_one_strategy_whatever_rounding_says():
    """Ratios of 0.1, 0.3, 0.7 times the same returns differ in their last digits; the first column is chosen."""
    r = np.random.default_rng(6).normal(size=(48, 1))
    found = probability_of_backtest_overfitting(r * np.array([0.1, 0.3, 0.7, 1.1, 1.3]), 6)
    assert (found.degradation.splits["chosen"] == 0).all()
    assert (found.logits == 0.0).all()


def test_equal_strategies_share_their_average_rank():
    """Two copies of the best of four: ranks 3 and 4, so 3.5 of 5 and a logit of log(0.7 / 0.3)."""
    noise = np.random.default_rng(9).normal(size=(40, 3)) * 0.01
    returns = np.column_stack([noise[:, 0], noise[:, 1] + 1.0, noise[:, 2], noise[:, 1] + 1.0])
    found = probability_of_backtest_overfitting(returns, 4)
    np.testing.assert_allclose(found.logits, np.log(0.7 / 0.3))


def test_bars_that_fill_no_partition_are_left_out_at_the_start():
    returns = np.random.default_rng(3).normal(size=(47, 5))
    found = probability_of_backtest_overfitting(returns, 6)
    expected = probability_of_backtest_overfitting(returns[5:], 6)
    assert found.bars == 42
    np.testing.assert_array_equal(found.logits, expected.logits)


def test_an_account_that_held_nothing_stands_at_zero():
    """Idle in the first half: there its ratio is 0, behind a gain and before a loss."""
    rng = np.random.default_rng(12)
    returns = rng.normal(size=(40, 3)) * 0.1 + np.array([1.0, 0.0, -1.0])
    returns[:20, 1] = 0.0
    found = probability_of_backtest_overfitting(returns, 4)
    assert np.isfinite(found.logits).all()
    assert (found.degradation.splits["chosen"] == 0).all()
    idle = np.column_stack([np.zeros(40), returns[:, 2]])
    splits = probability_of_backtest_overfitting(idle, 4).degradation.splits
    assert (splits[["chosen", "in_sample", "out_of_sample"]] == 0.0).all(axis=None)


def test_a_matrix_of_accounts_that_held_nothing_says_nothing():
    found = probability_of_backtest_overfitting(np.zeros((20, 3)), 4)
    assert (found.logits == 0.0).all()
    assert np.isnan(found.degradation.slope)
    assert not found.dominance.first_order


def test_an_equal_return_in_every_bar_has_no_ratio_to_choose_by():
    returns = pd.DataFrame(np.random.default_rng(0).normal(size=(20, 2)), columns=["a", "cash"])
    returns.loc[:9, "cash"] = 0.0001
    with pytest.raises(DataError, match="column cash earns the same return"):
        probability_of_backtest_overfitting(returns, 4)
    assert probability_of_backtest_overfitting(returns, 4, "mean").statistic == "mean"


def test_columns_are_called_by_their_labels():
    returns = pd.DataFrame(np.random.default_rng(0).normal([0, 9], size=(20, 2)), columns=["slow", "fast"])
    found = probability_of_backtest_overfitting(returns, 4)
    assert set(found.degradation.splits["chosen"]) == {"fast"}
    parameters = returns.set_axis(pd.MultiIndex.from_tuples([(5, 10), (10, 20)]), axis=1)
    chosen = probability_of_backtest_overfitting(parameters, 4).degradation.splits["chosen"]
    assert set(chosen) == {(10, 20)}


def test_squares_keep_their_digits_beside_a_large_mean():
    returns = np.random.default_rng(13).normal(size=(48, 6)) * 1e-6 + 1.0
    rows, _ = by_definition(returns, 6, sharpe)
    splits = probability_of_backtest_overfitting(returns, 6).degradation.splits
    np.testing.assert_allclose(splits["out_of_sample"], rows[:, 2], rtol=1e-8)


@settings(max_examples=30, deadline=None)
@given(
    returns=arrays(float, st.tuples(st.integers(8, 24), st.integers(2, 5)), elements=st.integers(-9, 9).map(float)),
    scale=st.sampled_from([0.25, 4.0]),
)
def test_leverage_changes_no_rank(returns, scale):
    returns = returns + np.linspace(0, 0.1, len(returns))[:, None]  # no two bars are equal
    plain = probability_of_backtest_overfitting(returns, 4)
    geared = probability_of_backtest_overfitting(returns * scale, 4)
    np.testing.assert_array_equal(plain.logits, geared.logits)
    assert 0 <= plain.pbo <= 1


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000))
def test_shares_and_shortfalls_never_fall(seed):
    found = probability_of_backtest_overfitting(np.random.default_rng(seed).normal(size=(24, 4)), 4)
    table = found.dominance.table
    assert (table.diff().iloc[1:] >= -1e-12).all(axis=None)
    assert (table.iloc[-1][["chosen", "all"]] == 1.0).all()
    assert found.dominance.second_order or not found.dominance.first_order


def test_chunks_of_splits_join_without_a_seam(monkeypatch):
    returns = np.random.default_rng(21).normal(size=(60, 9))
    whole = probability_of_backtest_overfitting(returns, 8)
    monkeypatch.setattr("qtw_lab.stats.overfitting._CHUNK", 100)
    parts = probability_of_backtest_overfitting(returns, 8)
    np.testing.assert_allclose(parts.logits, whole.logits)
    pd.testing.assert_frame_equal(parts.dominance.table, whole.dominance.table)


@pytest.mark.parametrize("wrong", [0, 1, 3, 22, -2, 4.0, "4", None, True])
def test_partitions_must_be_even_and_few(wrong):
    with pytest.raises(DataError, match="n_partitions="):
        probability_of_backtest_overfitting(np.zeros((100, 2)), wrong)


def test_too_few_bars_or_strategies_are_refused():
    with pytest.raises(DataError, match="31 bars are too few for 16"):
        probability_of_backtest_overfitting(np.zeros((31, 2)))
    for lone in (np.zeros(100), np.zeros((100, 1))):
        with pytest.raises(DataError, match="one strategy"):
            probability_of_backtest_overfitting(lone)


def test_holes_double_names_and_unknown_statistics_are_refused():
    r = np.zeros((40, 2))
    with pytest.raises(DataError, match="'a' comes twice"):
        probability_of_backtest_overfitting(pd.DataFrame(r, columns=["a", "a"]), 4)
    with pytest.raises(DataError, match="sharpe, mean"):
        probability_of_backtest_overfitting(r, 4, "sortino")
    r[3, 1] = np.nan
    with pytest.raises(DataError, match="nan at bar 3, column 1"):
        probability_of_backtest_overfitting(r, 4)


@pytest.mark.slow
def test_a_thousand_strategies_in_sixteen_partitions_equal_the_definition_in_samples_of_splits():
    returns = np.random.default_rng(30).normal(size=(800, 1000))
    found = probability_of_backtest_overfitting(returns)
    splits = list(combinations(range(16), 8))
    blocks = np.split(returns, 16)
    assert len(found.logits) == 12_870
    for k in np.random.default_rng(0).integers(0, 12_870, 50):
        inside = sharpe(np.concatenate([blocks[j] for j in splits[k]]))
        outside = sharpe(np.concatenate([blocks[j] for j in range(16) if j not in splits[k]]))
        share = stats.rankdata(outside)[inside.argmax()] / 1001
        assert found.logits[k] == pytest.approx(np.log(share / (1 - share)))
