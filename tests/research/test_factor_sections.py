"""Ranks, correlations and quantiles of one bar's names, against SciPy, pandas and sums on paper."""

from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from qtw_lab.core import DataError
from qtw_lab.research.factor_sections import (
    beside,
    checked_quantiles,
    on_bars,
    quantile_members,
    ranked,
    ranks,
    row_correlations,
    table,
    winsorised,
    z_scores,
)

#: Few distinct numbers, so that ties are common, and missing ones.
CELLS = st.sampled_from([np.nan, -2.0, -1.0, 0.0, 1.0, 2.0, 3.5, 7.0])


def sections(most=12):
    return st.tuples(st.integers(1, 4), st.integers(1, most)).flatmap(
        lambda shape: arrays(float, shape, elements=CELLS)
    )


@given(sections())
def test_ranks_are_those_of_scipy(values):
    np.testing.assert_array_equal(ranks(values), scipy.stats.rankdata(values, axis=1, nan_policy="omit"))


@given(st.integers(5, 12).flatmap(lambda n: st.tuples(*[arrays(float, (3, n), elements=CELLS)] * 2)))
def test_row_correlations_are_those_of_scipy(pair):
    x, y = pair
    found = {method: row_correlations(x, y, method, fewest=3) for method in ("spearman", "pearson")}
    for row in range(len(x)):
        both = np.isfinite(x[row]) & np.isfinite(y[row])
        a, b = x[row, both], y[row, both]
        if both.sum() < 3 or np.ptp(a) == 0 or np.ptp(b) == 0:
            assert np.isnan(found["spearman"][row])
            assert np.isnan(found["pearson"][row])
        else:
            assert found["spearman"][row] == pytest.approx(scipy.stats.spearmanr(a, b).statistic, abs=1e-12)
            assert found["pearson"][row] == pytest.approx(scipy.stats.pearsonr(a, b).statistic, abs=1e-12)


def test_a_perfect_order_correlates_exactly_one():
    x = np.arange(7.0)[None]
    assert row_correlations(x, x**3)[0] == 1.0
    assert row_correlations(x, -x)[0] == -1.0


def test_numbers_equal_but_for_rounding_do_not_vary():
    nearly = np.array([[0.1 + 0.2, 0.3, 0.3, 0.3, 0.3]])
    assert np.isnan(row_correlations(nearly, np.arange(5.0)[None], "pearson")[0])


def test_fewer_names_than_asked_for_have_no_correlation():
    x = np.array([[1.0, 2.0, 3.0, 4.0, np.nan]])
    assert np.isnan(row_correlations(x, x)[0])
    assert row_correlations(x, x, fewest=4)[0] == 1.0


def test_an_unknown_correlation_is_refused():
    with pytest.raises(DataError, match="spearman"):
        row_correlations(np.ones((1, 5)), np.ones((1, 5)), "spearmen")


def by_definition(row, quantiles):
    """The quantile in which the middle of each name's place lies, in fractions; borders go towards the centre."""
    known = [value for value in row if np.isfinite(value)]
    found = []
    for value in row:
        if not np.isfinite(value):
            found.append(np.nan)
            continue
        below, equal = sum(other < value for other in known), sum(other == value for other in known)
        at = Fraction(2 * below + equal, 2 * len(known)) * quantiles
        place = at.numerator // at.denominator + 1
        if at.denominator == 1 and at >= Fraction(quantiles, 2):
            place -= 1
        found.append(float(place))
    return found


@given(sections(), st.integers(2, 6))
def test_quantiles_are_those_of_their_definition(values, quantiles):
    found = quantile_members(values, quantiles, fewest=1)
    for row, members in zip(values, found, strict=True):
        if np.isfinite(row).sum() < quantiles:
            assert np.isnan(members).all()
        else:
            np.testing.assert_array_equal(members, by_definition(row, quantiles))


@given(st.integers(1, 6), st.integers(2, 6), st.integers(0, 1000))
def test_without_ties_and_with_equal_parts_quantiles_are_those_of_pandas(each, quantiles, seed):
    row = np.random.default_rng(seed).normal(size=each * quantiles)
    mine = quantile_members(row[None], quantiles, fewest=1)[0]
    np.testing.assert_array_equal(mine, pd.qcut(row, quantiles, labels=False) + 1)


@given(sections(), st.integers(2, 6))
def test_a_factor_upside_down_has_its_quantiles_upside_down(values, quantiles):
    up, down = quantile_members(values, quantiles, fewest=1), quantile_members(-values, quantiles, fewest=1)
    middle = np.isfinite(up) & (2 * up == quantiles) & (2 * down == quantiles)  # the very middle goes down both times
    np.testing.assert_array_equal(np.where(middle, 0, up), np.where(middle, 0, quantiles + 1 - down))


def test_quantiles_of_seven_names_by_hand():
    """Middles at 5/14, 15/14, 25/14, 35/14, ...: quantiles 1, 2, 2, 3, 4, 4, 5."""
    np.testing.assert_array_equal(quantile_members(np.arange(7.0)[None], 5)[0], [1, 2, 2, 3, 4, 4, 5])


def test_tied_names_share_a_quantile_and_may_leave_others_empty():
    np.testing.assert_array_equal(quantile_members(np.array([[4.0, 4, 4, 4, 4]]), 5)[0], [3] * 5)
    np.testing.assert_array_equal(quantile_members(np.array([[4.0, 4, 4, 9, 9]]), 5)[0], [2, 2, 2, 4, 4])


def test_ranks_as_a_factor_lie_around_zero():
    """Of 4 names: places 1/8, 3/8, 5/8, 7/8 less a half; the tied pair shares the mean."""
    found = ranked(pd.DataFrame([[10.0, 20.0, 20.0, 900.0]]))
    assert found.iloc[0].tolist() == [-0.375, 0.0, 0.0, 0.375]


@given(sections())
def test_z_scores_are_those_of_scipy(values):
    mine = z_scores(pd.DataFrame(values)).to_numpy()
    for row, got in zip(values, mine, strict=True):
        known = row[np.isfinite(row)]
        if len(known) < 2 or np.ptp(known) == 0:
            assert np.isnan(got).all()
        else:
            np.testing.assert_allclose(got[np.isfinite(row)], scipy.stats.zscore(known, ddof=1), atol=1e-12)
            assert np.isnan(got[~np.isfinite(row)]).all()


@given(sections(), st.floats(0, 0.49), st.floats(0.5, 1))
def test_winsorised_is_a_clip_at_the_quantiles_of_numpy(values, lower, upper):
    mine = winsorised(pd.DataFrame(values), lower, upper).to_numpy()
    for row, got in zip(values, mine, strict=True):
        if np.isfinite(row).any():
            np.testing.assert_allclose(got, np.clip(row, *np.nanquantile(row, [lower, upper])), atol=1e-12)
        else:
            assert np.isnan(got).all()


def test_quantiles_to_winsorise_at_must_be_in_order():
    with pytest.raises(DataError, match=r"lower=0\.9"):
        winsorised(pd.DataFrame([[1.0]]), 0.9, 0.1)


@pytest.mark.parametrize(
    ("given_table", "message"),
    [
        ([[1.0]], "DataFrame"),
        (pd.DataFrame(), "DataFrame"),
        (pd.DataFrame({"A": ["x"]}), "column A"),
        (pd.DataFrame({"A": [True]}), "column A"),
        (pd.DataFrame({"A": [1.0, np.inf]}), "infinite at 1 for A"),
        (pd.DataFrame([[1.0, 2.0]], columns=["A", "A"]), "A twice"),
        (pd.DataFrame({"A": [1.0, 2.0]}, index=[1, 0]), "unsorted"),
        (pd.DataFrame({"A": [1.0, 2.0]}, index=[1, 1]), "repeated"),
    ],
)
def test_what_is_no_factor_is_refused(given_table, message):
    with pytest.raises(DataError, match=message):
        table(given_table)


def test_columns_are_put_in_order_and_other_ones_refused():
    first = pd.DataFrame({"A": [1.0], "B": [2.0]})
    assert beside(first[["B", "A"]], first, "other").columns.tolist() == ["A", "B"]
    with pytest.raises(DataError, match=r"other has other names .*C"):
        beside(first.rename(columns={"B": "C"}), first, "other")
    with pytest.raises(DataError, match="1 rows from 5 to 5"):
        beside(first.set_axis([5]), first, "other")


def test_a_factor_has_no_value_where_the_symbol_has_no_bar(bars_of):
    bars = bars_of(A=[1.0, 2.0, 3.0], B=[np.nan, 2.0, 3.0])
    factor = pd.DataFrame(7.0, index=bars.index, columns=["B", "A"])
    found = on_bars(factor, bars)
    assert found.columns.tolist() == ["A", "B"]
    assert found["B"].isna().tolist() == [True, False, False]
    with pytest.raises(DataError, match="Bars"):
        on_bars(factor, factor)


def test_more_quantiles_than_names_are_refused():
    assert checked_quantiles(3, 3) == 3
    with pytest.raises(DataError, match="quantiles=4 of 3 names"):
        checked_quantiles(4, 3)
    with pytest.raises(DataError, match="quantiles=1"):
        checked_quantiles(1, 3)
