"""What is left of a factor, against statsmodels' regressions and groupby."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

from qtw_lab.core import DataError
from qtw_lab.research import factor_neutral
from qtw_lab.research.factor_neutral import neutralised

NAMES = list("ABCDEFGHIJKL")
SECTORS = dict(zip(NAMES, ["oil"] * 4 + ["banks"] * 5 + ["food"] * 3, strict=True))


def tables(count, rows=20, seed=3, missing=0.1):
    rng = np.random.default_rng(seed)
    made = []
    for scale in range(count):
        values = rng.normal(size=(rows, len(NAMES))) * 10.0**scale + scale
        values[rng.random(values.shape) < missing] = np.nan
        made.append(pd.DataFrame(values, columns=NAMES))
    return made


def residuals(row, groups, exposures):
    """The row's residuals by statsmodels, on a dummy for each group and the exposures."""
    known = row.notna()
    for one in exposures:
        known &= one.notna()
    labels = pd.Series(groups)[row.index] if groups else pd.Series("all", index=row.index)
    design = pd.get_dummies(labels[known]).astype(float)
    for place, one in enumerate(exposures):
        design[f"x{place}"] = one[known]
    return sm.OLS(row[known], design).fit().resid.reindex(row.index)


@pytest.mark.parametrize("groups", [None, SECTORS])
@pytest.mark.parametrize("count", [0, 1, 2])
def test_residuals_are_those_of_statsmodels(groups, count):
    if groups is None and count == 0:
        return
    factor, *exposures = tables(1 + count)
    found = neutralised(factor, groups, {f"x{k}": one for k, one in enumerate(exposures)} if exposures else None)
    for t in range(len(factor)):
        expected = residuals(factor.iloc[t], groups, [one.iloc[t] for one in exposures])
        np.testing.assert_allclose(found.iloc[t], expected, atol=1e-9)


def test_group_means_are_taken_out_as_groupby_does():
    (factor,) = tables(1)
    expected = factor.T.groupby(pd.Series(SECTORS)).transform(lambda x: x - x.mean()).T
    np.testing.assert_allclose(neutralised(factor, pd.Series(SECTORS)), expected[NAMES], atol=1e-12)


def test_groups_may_change_from_bar_to_bar():
    factor = pd.DataFrame([[1.0, 3.0, 5.0, 9.0, 10.0]] * 2, columns=list("ABCDE"))
    groups = pd.DataFrame([["x", "x", "y", "y", "y"], ["x", "x", "x", "y", "y"]], columns=list("ABCDE"))
    assert neutralised(factor, groups).to_numpy().tolist() == [[-1, 1, -3, 1, 2], [-2, 0, 2, -0.5, 0.5]]


def test_a_name_alone_in_its_group_has_no_residual_but_rounding_is_none_either():
    factor = pd.DataFrame([[0.1, 0.2, 0.3, 0.7, 0.7, 0.7]], columns=list("ABCDEF"))
    groups = {"A": 1, "B": 2, "C": 2, "D": 3, "E": 3, "F": 3}
    found = neutralised(factor, groups).iloc[0]
    assert found[["A", "D", "E", "F"]].tolist() == [0.0] * 4


def test_collinear_and_constant_exposures_are_taken_out_once():
    factor, exposure = tables(2, missing=0.0)
    one = neutralised(factor, exposures=exposure)
    again = neutralised(factor, exposures={"x": exposure, "twice": 2 * exposure + 1, "flat": exposure * 0 + 0.1})
    np.testing.assert_allclose(again, one, atol=1e-9)


def test_what_is_wholly_explained_leaves_exactly_nothing():
    factor, _ = tables(2, missing=0.0)
    assert (neutralised(factor, exposures=3.7 * factor - 2.0) == 0.0).all(axis=None)


def test_bars_with_too_few_names_are_missing():
    factor = pd.DataFrame([[1.0, 2.0, 3.0, 4.0, np.nan], [1.0, 2.0, 3.0, 4.0, 5.0]], columns=list("ABCDE"))
    groups = dict.fromkeys("ABCDE", "x")
    assert neutralised(factor, groups).isna().all(axis=1).tolist() == [True, False]
    each_alone = {name: name for name in "ABCDE"}
    assert neutralised(factor, each_alone).isna().all(axis=None)  # as many constants as names


def test_portions_do_not_matter(monkeypatch):
    factor, exposure = tables(2)
    whole = neutralised(factor, SECTORS, exposure)
    monkeypatch.setattr(factor_neutral, "_CELLS", 50)
    pd.testing.assert_frame_equal(neutralised(factor, SECTORS, exposure), whole)


def test_a_bar_is_neutralised_by_itself():
    factor, exposure = tables(2)
    whole = neutralised(factor, SECTORS, exposure)
    np.testing.assert_allclose(neutralised(factor.head(7), SECTORS, exposure.head(7)), whole.head(7), atol=1e-12)


def test_groups_and_exposures_that_do_not_fit_are_refused():
    factor, exposure = tables(2)
    with pytest.raises(DataError, match="nothing to take out"):
        neutralised(factor)
    with pytest.raises(DataError, match="no label for L"):
        neutralised(factor, dict.fromkeys(NAMES[:-1], 1))
    with pytest.raises(DataError, match="no label for A"):
        neutralised(factor, SECTORS | {"A": None})
    with pytest.raises(DataError, match="mapping of name to label"):
        neutralised(factor, ["oil"] * 12)
    with pytest.raises(DataError, match="twice"):
        neutralised(factor, pd.Series(1, index=[*NAMES, "A"]))
    with pytest.raises(DataError, match="rows and columns"):
        neutralised(factor, pd.DataFrame("x", index=range(3), columns=NAMES))
    with pytest.raises(DataError, match="exposure beta"):
        neutralised(factor, exposures={"beta": exposure.head(3)})
