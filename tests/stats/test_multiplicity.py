from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform
from sklearn.metrics import adjusted_rand_score, silhouette_score
from statsmodels.stats.multitest import multipletests

from qtw_lab.core import DataError
from qtw_lab.stats import multiplicity as m

METHODS = ("clusters", "eigenvalues", "average_correlation")
NAMES = {"benjamini_hochberg": "fdr_bh", "benjamini_yekutieli": "fdr_by", "holm": "holm", "bonferroni": "bonferroni"}
P_VALUES = arrays(float, st.integers(1, 30), elements=st.integers(0, 1000).map(lambda k: k / 1000))


def families(sizes, correlation, bars=2000, seed=0):
    """Trials in families that correlate within and not between, by columns of one factor a family."""
    rng = np.random.default_rng(seed)
    root, rest = np.sqrt(correlation), np.sqrt(1 - correlation)
    return np.column_stack([root * rng.normal(size=(bars, 1)) + rest * rng.normal(size=(bars, k)) for k in sizes])


def distances(returns):
    return np.sqrt((1 - np.corrcoef(returns, rowvar=False)) / 2)


def test_families_of_trials_count_once():
    returns = families([5, 10, 3, 7], 0.8)
    assert m.effective_number_of_trials(returns) == 4.0
    assert m.trial_clusters(returns).tolist() == [0] * 5 + [1] * 10 + [2] * 3 + [3] * 7


def test_independent_trials_count_each_by_any_method():
    returns = families([1] * 30, 0.5, bars=5000)
    assert m.effective_number_of_trials(returns) == 30.0
    assert m.effective_number_of_trials(returns, "eigenvalues") == pytest.approx(30, abs=0.5)
    assert m.effective_number_of_trials(returns, "average_correlation") == pytest.approx(30, abs=0.5)


@pytest.mark.parametrize("method", METHODS)
def test_copies_of_one_trial_are_one(method):
    r = np.random.default_rng(0).normal(size=(100, 1))
    returns = r * np.arange(1, 9) + np.arange(8)
    assert m.effective_number_of_trials(returns, method) == pytest.approx(1.0, abs=1e-6)


def test_neighbours_in_a_sweep_are_one_cluster():
    assert m.effective_number_of_trials(families([40], 0.9)) == 1.0


def test_lone_trials_beside_families_keep_their_count():
    assert m.effective_number_of_trials(families([6, 6] + [1] * 20, 0.8)) == 22.0


def test_opposite_trials_are_not_one():
    """Correlation -1 is a distance of 1; a bet against oneself is another strategy."""
    r = np.random.default_rng(0).normal(size=(100, 1))
    assert m.effective_number_of_trials(np.column_stack([r, -r])) == 2.0
    assert m.effective_number_of_trials(np.column_stack([r, -r]), "average_correlation") == 2.0


def test_formulas_of_equally_correlated_trials():
    """Correlation 0.6 of 2 trials by construction: eigenvalues 1.6 and 0.4, and 0.6 + 0.4 * 2."""
    noise = np.random.default_rng(0).normal(size=(50, 2))
    noise = np.linalg.qr(np.column_stack([np.ones(50), noise]))[0][:, 1:]  # orthogonal, also to a constant
    returns = np.column_stack([noise[:, 0], 0.6 * noise[:, 0] + 0.8 * noise[:, 1]])
    found = m.effective_number_of_trials(returns, "eigenvalues")
    assert found == pytest.approx((np.sqrt(1.6) + np.sqrt(0.4)) ** 2 / 2)
    assert m.effective_number_of_trials(returns, "average_correlation") == pytest.approx(1.4)


def test_formulas_equal_those_of_numpy_on_real_returns(large_caps):
    corr = large_caps.corr().to_numpy()
    values = np.linalg.eigvalsh(corr)
    mean = corr[np.triu_indices(20, 1)].mean()
    found = m.effective_number_of_trials(large_caps, "eigenvalues")
    assert found == pytest.approx(np.sqrt(values).sum() ** 2 / 20, rel=1e-9)
    assert m.effective_number_of_trials(large_caps, "average_correlation") == pytest.approx(mean + (1 - mean) * 20)


@pytest.mark.parametrize("seed", range(5))
def test_the_tree_is_that_of_scipy(seed):
    rng = np.random.default_rng(seed)
    distance = distances(rng.normal(size=(30, 40)) @ rng.normal(size=(40, 40)))
    np.fill_diagonal(distance, 0.0)
    tree = linkage(squareform(distance, checks=False), "average")
    merges = m._tree(distance)
    np.testing.assert_allclose([merge[2] for merge in merges], tree[:, 2], rtol=1e-10)
    for k in (2, 5, 17, 39):
        expected = fcluster(tree, k, "maxclust")
        assert adjusted_rand_score(expected, m._cut(40, merges[: 40 - k])) == 1.0


@pytest.mark.parametrize("seed", range(3))
def test_silhouettes_are_those_of_scikit_learn(seed):
    distance = distances(families([4, 6, 5], 0.5, bars=60, seed=seed))
    np.fill_diagonal(distance, 0.0)
    merges = m._tree(distance)
    scores = m._silhouettes(distance, merges)
    assert scores[0] == 0.0
    for k in range(1, 14):
        labels = m._cut(15, merges[:k])
        assert scores[k] == pytest.approx(silhouette_score(distance, labels, metric="precomputed"), abs=1e-12)


def test_one_cluster_is_compared_with_trials_that_correlate_with_nothing():
    """Three trials at a mutual distance of 0.2: 1 - 0.2 / sqrt(0.5)."""
    distance = np.full((3, 3), 0.2) - 0.2 * np.eye(3)
    assert m._silhouettes(distance, m._tree(distance))[-1] == pytest.approx(1 - 0.2 / np.sqrt(0.5))


def test_clusters_are_called_by_their_columns():
    returns = pd.DataFrame(families([2, 1], 0.9), columns=["a", "b", "c"])
    pd.testing.assert_series_equal(m.trial_clusters(returns), pd.Series([0, 0, 1], ["a", "b", "c"]))


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), trials=st.integers(2, 12), method=st.sampled_from(METHODS))
def test_the_number_lies_between_one_and_all_whatever_the_order(seed, trials, method):
    rng = np.random.default_rng(seed)
    returns = rng.normal(size=(20, trials)) @ rng.normal(size=(trials, trials))
    found = m.effective_number_of_trials(returns, method)
    assert 1 - 1e-9 <= found <= trials + 1e-9
    shuffled = m.effective_number_of_trials(returns[:, rng.permutation(trials)], method)
    assert shuffled == pytest.approx(found)


def test_the_spread_of_trials_is_that_of_their_ratios(large_caps):
    expected = (large_caps.mean() / large_caps.std()).std()
    assert m.trial_sharpe_std(large_caps) == pytest.approx(expected, rel=1e-10)
    r = np.random.default_rng(0).normal(size=(50, 1))
    assert m.trial_sharpe_std(np.column_stack([r, 2 * r, 3 * r])) == pytest.approx(0.0, abs=1e-12)


def test_noise_spreads_by_the_root_of_its_length():
    """Ratios of 400 independent bars have a standard error of 1 / 20."""
    returns = np.random.default_rng(0).normal(size=(400, 2000))
    assert m.trial_sharpe_std(returns) == pytest.approx(0.05, rel=0.05)


def test_trials_that_never_traded_are_named():
    returns = pd.DataFrame({"a": [0.1, 0.2, 0.3], "idle": [0.0, 0.0, 0.0]})
    for figure in (m.trial_sharpe_std, m.trial_clusters, m.effective_number_of_trials):
        with pytest.raises(DataError, match="column idle never varies"):
            figure(returns)


def test_trials_are_two_with_names_of_their_own_and_without_holes():
    for wrong in (np.zeros((5, 1)), np.zeros((2, 5)), np.zeros(9)):
        with pytest.raises(DataError, match="at least 3 bars and 2 trials"):
            m.effective_number_of_trials(wrong)
    with pytest.raises(DataError, match="'a' comes twice"):
        m.trial_sharpe_std(pd.DataFrame(np.eye(3)[:, :2], columns=["a", "a"]))
    with pytest.raises(DataError, match="nan at bar 1, column 0"):
        m.trial_clusters([[0.1, 0.2], [np.nan, 0.1], [0.3, 0.1]])
    with pytest.raises(DataError, match="clusters, eigenvalues, average_correlation"):
        m.effective_number_of_trials(np.eye(3), "onc")


def equals_statsmodels(p, method):
    found = m.false_discoveries(p, 0.1, method)
    reject, adjusted, _, _ = multipletests(p, 0.1, NAMES[method])
    np.testing.assert_allclose(found.adjusted, adjusted, rtol=1e-12)
    clear = np.abs(adjusted - 0.1) > 1e-12
    np.testing.assert_array_equal(found.rejected[clear], reject[clear])


@pytest.mark.parametrize("method", [name for name in NAMES if name != "holm"])
@settings(max_examples=60, deadline=None)
@given(p=P_VALUES)
def test_adjusted_p_values_are_those_of_statsmodels(method, p):
    equals_statsmodels(p, method)


@settings(max_examples=8, deadline=None)  # statsmodels collects garbage in each: half a second in a long run
@given(p=P_VALUES)
def test_p_values_of_holm_are_those_of_statsmodels(p):
    equals_statsmodels(p, "holm")


@pytest.mark.parametrize(("method", "name"), [("benjamini_hochberg", "bh"), ("benjamini_yekutieli", "by")])
def test_adjusted_p_values_are_those_of_scipy(method, name):
    p = np.random.default_rng(0).beta(0.5, 3, 200)
    found = m.false_discoveries(p, method=method).adjusted
    np.testing.assert_allclose(found, stats.false_discovery_control(p, method=name), rtol=1e-12)


def test_the_example_of_benjamini_and_hochberg_rejects_four():
    """Their fifteen p-values (1995, section 3.2): the procedure rejects four at 0.05, Bonferroni three."""
    p = [0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344]
    p += [0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.0]
    assert m.false_discoveries(p).rejected.sum() == 4
    assert m.false_discoveries(p, method="bonferroni").rejected.sum() == 3


@given(p=arrays(float, st.integers(1, 30), elements=st.floats(0, 1)))
@settings(deadline=None)
def test_careful_methods_reject_no_more(p):
    plain, any_dependence, holm, bonferroni = (m.false_discoveries(p, method=k).adjusted for k in NAMES)
    assert (plain <= any_dependence + 1e-15).all()
    assert (holm <= bonferroni + 1e-15).all()
    assert (plain <= holm + 1e-15).all()
    assert (p <= plain + 1e-15).all()


def test_labels_of_hypotheses_are_kept():
    found = m.false_discoveries(pd.Series([0.5, 0.01], index=["slow", "fast"]))
    assert found.adjusted.to_dict() == {"slow": 0.5, "fast": 0.02}
    assert found.rejected.to_dict() == {"slow": False, "fast": True}
    assert (found.level, found.method) == (0.05, "benjamini_hochberg")


@pytest.mark.parametrize("wrong", [[0.1, np.nan], [0.1, 1.1], [0.1, -0.1], [0.1, np.inf]])
def test_what_is_no_probability_is_named_by_its_place(wrong):
    with pytest.raises(DataError, match="at place 1"):
        m.false_discoveries(wrong)


@pytest.mark.parametrize("wrong", [[], [[0.1]], ["a"], 0.1, [True]])
def test_p_values_are_numbers_in_a_row(wrong):
    with pytest.raises(DataError, match="must be numbers"):
        m.false_discoveries(wrong)


@pytest.mark.parametrize("wrong", [0, 1, 5, np.nan, "0.05", None, True])
def test_a_level_is_a_probability(wrong):
    with pytest.raises(DataError, match="level="):
        m.false_discoveries([0.1], level=wrong)


def test_an_unknown_correction_is_answered_with_the_known_ones():
    with pytest.raises(DataError, match="benjamini_hochberg, benjamini_yekutieli, holm, bonferroni"):
        m.false_discoveries([0.1], method="fdr_bh")


@pytest.mark.slow
def test_a_thousand_trials_are_clustered():
    returns = families([20] * 50, 0.7, bars=1000)
    assert m.effective_number_of_trials(returns) == 50.0
