from __future__ import annotations

import itertools
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qtw_lab.core import DataError
from qtw_lab.stats.splits import CombinatorialPurgedCV, PurgedKFold, WalkForward


def listed(splits):
    return [(train.tolist(), test.tolist()) for train, test in splits]


def test_windows_roll_or_grow_by_the_length_of_the_test():
    rolling = listed(WalkForward(3, 2).split(range(8)))
    assert rolling == [([0, 1, 2], [3, 4]), ([2, 3, 4], [5, 6])]
    anchored = listed(WalkForward(3, 2, anchored=True).split(range(8)))
    assert anchored == [([0, 1, 2], [3, 4]), ([0, 1, 2, 3, 4], [5, 6])]
    assert WalkForward(3, 2).get_n_splits(range(8)) == 2


def test_purge_and_embargo_make_one_gap_before_the_test():
    assert listed(WalkForward(3, 2, purge=1, embargo=2).split(range(8))) == [([0, 1, 2], [6, 7])]
    assert listed(WalkForward(3, 2, embargo=0.25).split(range(8))) == [([0, 1, 2], [5, 6])]
    assert listed(WalkForward(2, 1, step=3, partial=True).split(range(6))) == [([0, 1], [2]), ([3, 4], [5])]


def test_a_last_shorter_test_counts_only_when_asked_for():
    assert [len(test) for _, test in WalkForward(3, 4).split(range(10))] == [4]
    assert [len(test) for _, test in WalkForward(3, 4, partial=True).split(range(10))] == [4, 3]


@pytest.mark.parametrize("anchored", [False, True])
@pytest.mark.parametrize("partial", [False, True])
@pytest.mark.parametrize("purge", [0, 3])
def test_walk_forward_windows_are_those_of_skfolio(anchored, partial, purge):
    from skfolio.model_selection import WalkForward as Theirs

    theirs = Theirs(test_size=13, train_size=30, expand_train=anchored, reduce_test=partial, purged_size=purge)
    ours = WalkForward(30, 13, anchored=anchored, partial=partial, purge=purge)
    assert listed(ours.split(range(100))) == listed(theirs.split(np.zeros((100, 1))))


@pytest.mark.parametrize("gap", [0, 2])
def test_walk_forward_windows_are_those_of_scikit_learn(gap):
    """TimeSeriesSplit cuts from the end; with 10 + gap + 3 x 5 bars both begin at the first."""
    from sklearn.model_selection import TimeSeriesSplit

    size = 25 + gap
    theirs = TimeSeriesSplit(n_splits=3, max_train_size=10, test_size=5, gap=gap).split(np.zeros(size))
    assert listed(WalkForward(10, 5, purge=gap).split(range(size))) == listed(theirs)


def test_folds_without_labels_or_embargo_are_those_of_scikit_learn():
    from sklearn.model_selection import KFold

    for size in (10, 11, 14):
        assert listed(PurgedKFold(5).split(range(size))) == listed(KFold(5).split(np.zeros(size)))


def test_purging_by_hand():
    """Twelve bars, labels two bars ahead, test on bars 4 to 7: their labels use bars 4 to 9.

    Bars 2 and 3 have labels that reach bar 4; bars 8 and 9 are in test labels; the embargo takes bar 10 too.
    """
    _, (train, test), _ = PurgedKFold(3, label_horizon=2, embargo=1).split(range(12))
    assert test.tolist() == [4, 5, 6, 7]
    assert train.tolist() == [0, 1, 11]


def test_labels_of_different_lengths_are_purged_each_by_its_own_end():
    """Bar 0's label lasts to bar 5 and so into the test on bars 3 to 5; bar 4's label lasts to bar 7."""
    ends = np.array([5, 1, 2, 3, 7, 5, 6, 7, 8])
    _, (train, test), _ = PurgedKFold(3, label_horizon=ends).split(range(9))
    assert test.tolist() == [3, 4, 5]
    assert train.tolist() == [1, 2, 8]


@pytest.mark.parametrize("zone", [None, "UTC"])
def test_label_ends_may_be_times(zone):
    """An end between two bars is that of the bar before: what the label used was known then."""
    times = pd.date_range("2024-01-01", periods=9, tz=zone)
    ends = pd.Series(times + pd.Timedelta("36h"), index=times)
    expected = listed(PurgedKFold(3, label_horizon=np.minimum(np.arange(9) + 1, 8)).split(range(9)))
    assert listed(PurgedKFold(3, label_horizon=ends).split(range(9))) == expected
    table = pd.DataFrame({"x": range(9)}, index=times)
    assert listed(PurgedKFold(3, label_horizon=pd.DatetimeIndex(ends)).split(table)) == expected
    assert listed(CombinatorialPurgedCV(3, 1, label_horizon=ends).split(table)) == expected


def test_one_test_group_makes_the_folds_of_purged_k_fold():
    ours = CombinatorialPurgedCV(4, 1, label_horizon=2, embargo=1)
    assert listed(ours.split(range(30))) == listed(PurgedKFold(4, label_horizon=2, embargo=1).split(range(30)))
    assert ours.n_paths == 1


@pytest.mark.parametrize(("groups", "tested"), [(3, 2), (6, 2), (6, 3), (5, 4)])
@pytest.mark.parametrize(("horizon", "embargo"), [(0, 0), (3, 0), (0, 2), (3, 2)])
def test_combinatorial_sets_and_paths_are_those_of_skfolio(groups, tested, horizon, embargo):
    """`purged_size` is our `label_horizon`, `embargo_size` our `embargo`, where groups divide the bars evenly.

    Elsewhere they differ: skfolio puts every left-over bar into the last group, ours spread them; skfolio gives the
    test groups as a list, ours as one array; and it has no single test group, no label ends, no embargo by fraction.
    """
    from skfolio.model_selection import CombinatorialPurgedCV as Theirs

    ours = CombinatorialPurgedCV(groups, tested, label_horizon=horizon, embargo=embargo)
    theirs = Theirs(n_folds=groups, n_test_folds=tested, purged_size=horizon, embargo_size=embargo)
    prices = np.zeros((groups * 10, 1))
    for (train, test), (their_train, their_tests) in zip(ours.split(prices), theirs.split(prices), strict=True):
        np.testing.assert_array_equal(train, their_train)
        np.testing.assert_array_equal(test, np.concatenate(their_tests))
    assert (ours.n_splits, ours.n_paths) == (theirs.n_splits, theirs.n_test_paths)
    np.testing.assert_array_equal(ours.paths(), theirs.recombined_paths.T)
    np.testing.assert_array_equal(ours.test_groups, theirs.test_set_index)


def test_six_groups_by_two_make_the_five_paths_of_the_book():
    """Lopez de Prado (2018), figures 12.1 and 12.2: 15 splits, 5 paths."""
    cv = CombinatorialPurgedCV(6, 2)
    assert (cv.n_splits, cv.n_paths) == (15, 5)
    assert cv.get_n_splits() == 15


@st.composite
def purged_cases(draw):
    groups = draw(st.integers(2, 6))
    tested = draw(st.integers(1, groups - 1))
    size = draw(st.integers(groups, 60))
    lengths = draw(st.lists(st.integers(0, 6), min_size=size, max_size=size))
    embargo = draw(st.one_of(st.integers(0, 5), st.floats(0, 0.1)))
    return groups, tested, np.arange(size) + np.array(lengths), embargo


def whole_splits(cv, size):
    """The splits, or none where purging leaves nothing to train on."""
    try:
        return list(cv.split(range(size)))
    except DataError as err:
        if "leave no training bar" in str(err):
            return []
        raise


@given(purged_cases())
@settings(deadline=None)
def test_no_training_bar_knows_what_it_is_judged_by(case):
    groups, tested, ends, embargo = case
    size = len(ends)
    cv = CombinatorialPurgedCV(groups, tested, label_horizon=ends, embargo=embargo)
    gap = embargo if isinstance(embargo, int) else math.ceil(embargo * size - 1e-9)
    for (train, test), chosen in zip(whole_splits(cv, size), cv.test_groups, strict=False):
        assert not set(train) & set(test)
        assert (np.diff(train) > 0).all()
        assert (np.diff(test) > 0).all()
        apart = (ends[train][:, None] < test) | (train[:, None] > ends[test])
        assert apart.all()
        for block in (cv.groups(range(size))[group] for group in chosen):
            last = ends[block].max()
            assert not ((train > block[-1]) & (train <= last + gap)).any()


@given(purged_cases())
@settings(deadline=None)
def test_nothing_is_left_out_without_a_reason(case):
    """A bar outside test blocks that is not trained on overlaps a block's span of labels, or its embargo."""
    groups, tested, ends, _ = case
    cv = CombinatorialPurgedCV(groups, tested, label_horizon=ends, embargo=1)
    bars = np.arange(len(ends))
    for (train, test), chosen in zip(whole_splits(cv, len(ends)), cv.test_groups, strict=False):
        reasons = set()
        for block in (cv.groups(bars)[group] for group in chosen):
            reasons |= set(bars[(ends >= block[0]) & (bars <= ends[block].max() + 1)])
        assert set(bars) - set(train) - set(test) <= reasons


@given(st.integers(2, 7), st.data())
@settings(deadline=None)
def test_every_bar_is_tested_once_on_each_path(groups, data):
    tested = data.draw(st.integers(1, groups - 1))
    size = data.draw(st.integers(groups, 50))
    cv = CombinatorialPurgedCV(groups, tested)
    splits = list(cv.split(np.empty((size, 2))))
    assert len(splits) == cv.n_splits == math.comb(groups, tested)
    counts = np.bincount(np.concatenate([test for _, test in splits]), minlength=size)
    assert (counts == cv.n_paths).all()
    assert cv.n_paths == math.comb(groups, tested) * tested / groups
    paths = cv.paths()
    assert paths.shape == (cv.n_paths, groups)
    blocks = cv.groups(range(size))
    for path in paths:
        assert all(set(blocks[group]) <= set(splits[split][1]) for group, split in enumerate(path))
    used = [(split, group) for path in paths for group, split in enumerate(path)]
    assert len(set(used)) == len(used) == cv.n_splits * tested


@given(st.integers(1, 20), st.integers(1, 20), st.integers(0, 5), st.integers(0, 5), st.booleans(), st.integers(1, 99))
@settings(deadline=None)
def test_a_walk_forward_never_trains_on_or_after_its_test(train_size, test_size, purge, embargo, anchored, size):
    cv = WalkForward(train_size, test_size, anchored=anchored, purge=purge, embargo=embargo)
    if size < train_size + purge + embargo + test_size:
        with pytest.raises(DataError, match="too few"):
            list(cv.split(range(size)))
        return
    splits = list(cv.split(range(size)))
    assert len(splits) == cv.get_n_splits(range(size))
    for k, (train, test) in enumerate(splits):
        assert test[0] - train[-1] == 1 + purge + embargo
        assert len(test) == test_size
        assert len(train) == train_size + (k * test_size if anchored else 0)
    tests = np.concatenate([test for _, test in splits])
    np.testing.assert_array_equal(tests, np.arange(tests[0], tests[0] + len(tests)))
    assert size - tests[-1] - 1 < test_size


def test_scikit_learn_takes_them_as_cv():
    from sklearn.linear_model import LinearRegression
    from sklearn.model_selection import GridSearchCV, cross_val_score, cross_validate

    rng = np.random.default_rng(3)
    x = rng.normal(size=(90, 2))
    y = x @ [1.0, -2.0] + rng.normal(size=90)
    for cv in (WalkForward(30, 10), PurgedKFold(5, label_horizon=2), CombinatorialPurgedCV(6, 2, embargo=1)):
        scores = cross_val_score(LinearRegression(), x, y, cv=cv)
        by_hand = [LinearRegression().fit(x[a], y[a]).score(x[b], y[b]) for a, b in cv.split(x)]
        np.testing.assert_allclose(scores, by_hand)
        assert len(cross_validate(LinearRegression(), x, y, cv=cv)["test_score"]) == cv.get_n_splits(x)
        assert GridSearchCV(LinearRegression(), {"fit_intercept": [True, False]}, cv=cv).fit(x, y).n_splits_ == len(
            scores
        )


WRONG = (
    (WalkForward, (0, 5), {}, "train_size=0"),
    (WalkForward, (5, 2.5), {}, "test_size=2.5"),
    (WalkForward, (5, True), {}, "test_size=True"),
    (WalkForward, (5, 5), {"step": 0}, "step=0"),
    (WalkForward, (5, 5), {"purge": -1}, "purge=-1"),
    (WalkForward, (5, 5), {"embargo": 1.0}, "embargo=1.0"),
    (PurgedKFold, (1,), {}, "n_splits=1"),
    (PurgedKFold, (5, -1), {}, "label_horizon=-1"),
    (PurgedKFold, (5, 1.5), {}, "label_horizon=1.5"),
    (PurgedKFold, (5, "a day"), {}, "label_horizon='a day'"),
    (PurgedKFold, (5, [[1]]), {}, "label_horizon"),
    (PurgedKFold, (5, ["x"]), {}, "label_horizon"),
    (PurgedKFold, (5,), {"embargo": -1}, "embargo=-1"),
    (PurgedKFold, (5,), {"embargo": math.nan}, "embargo=nan"),
    (PurgedKFold, (5,), {"embargo": "1%"}, "embargo='1%'"),
    (CombinatorialPurgedCV, (1, 1), {}, "n_groups=1"),
    (CombinatorialPurgedCV, (4, 4), {}, "n_test_groups=4 leaves none"),
    (CombinatorialPurgedCV, (40, 20), {}, "more than 100,000"),
)


@pytest.mark.parametrize(("kind", "given_", "named", "words"), WRONG)
def test_settings_out_of_range_are_refused_by_name(kind, given_, named, words):
    with pytest.raises(DataError, match=words):
        kind(*given_, **named)


def test_bars_that_do_not_fit_are_refused_with_a_way_out():
    with pytest.raises(DataError, match=r"get_n_splits\(X\)"):
        WalkForward(3, 2).get_n_splits()
    with pytest.raises(DataError, match="9 bars are too few for one window: 8 for training"):
        list(WalkForward(8, 2).split(range(9)))
    with pytest.raises(DataError, match="4 bars cannot make 5 blocks"):
        list(PurgedKFold(5).split(range(4)))
    with pytest.raises(DataError, match="leave no training bar of 10"):
        list(PurgedKFold(2, label_horizon=9).split(range(10)))
    with pytest.raises(DataError, match="3 label ends for 10 bars"):
        list(PurgedKFold(2, label_horizon=[1, 2, 3]).split(range(10)))
    with pytest.raises(DataError, match="label of bar 2 ends at bar 1, before it begins"):
        list(PurgedKFold(2, label_horizon=[0, 1, 1, 3]).split(range(4)))
    with pytest.raises(DataError, match="number of rows"):
        list(PurgedKFold(2).split(5))
    with pytest.raises(DataError, match="no rows"):
        list(PurgedKFold(2).split([]))


def test_times_that_do_not_fit_the_bars_are_refused():
    times = pd.date_range("2024-01-01", periods=4)
    ends = pd.Series(times, index=times)
    with pytest.raises(DataError, match="need the times of the bars"):
        list(PurgedKFold(2, label_horizon=times).split(range(4)))
    with pytest.raises(DataError, match="different times"):
        list(PurgedKFold(2, label_horizon=ends).split(pd.Series(range(4), index=times + pd.Timedelta("1D"))))
    with pytest.raises(DataError, match="must increase"):
        list(PurgedKFold(2, label_horizon=ends[::-1]).split(range(4)))
    with pytest.raises(DataError, match="time zone"):
        list(PurgedKFold(2, label_horizon=ends.dt.tz_localize("UTC")).split(range(4)))
    with pytest.raises(DataError, match=r"bar 1 has no end \(NaT\)"):
        list(PurgedKFold(2, label_horizon=ends.where(ends != times[1])).split(range(4)))


def test_all_of_a_group_choice_is_made():
    chosen = CombinatorialPurgedCV(5, 3).test_groups
    assert [tuple(row) for row in chosen.tolist()] == list(itertools.combinations(range(5), 3))
