from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from qtw_lab.core import DataError
from qtw_lab.plots import THEMES, heatmap


def grid(values: list[float], rows: Any = (5, 10), columns: Any = (20, 40)) -> pd.Series:
    return pd.Series(values, index=pd.MultiIndex.from_product([rows, columns], names=["fast", "slow"]))


def mapper(layout: Any) -> Any:
    return layout.select_one({"name": "cells"}).glyph.color_mapper


def test_the_image_is_the_unstacked_table() -> None:
    layout = heatmap(grid([1.0, 2.0, 3.0, np.nan]))
    np.testing.assert_array_equal(
        layout.select_one({"name": "cells"}).data_source.data["image"][0], [[1, 2], [3, np.nan]]
    )
    assert (layout.yaxis[0].axis_label, layout.xaxis[0].axis_label) == ("fast", "slow")


def test_values_of_both_signs_are_centred_on_zero() -> None:
    found = mapper(heatmap(grid([-0.5, 0.2, 0.1, np.nan])))
    assert (found.low, found.high) == (-0.5, 0.5)
    assert found.palette == THEMES["light"].ramp("diverging")
    assert found.nan_color == THEMES["light"].missing


def test_values_of_one_sign_run_from_smallest_to_largest() -> None:
    found = mapper(heatmap(grid([0.5, 0.2, 0.1, 0.4]), theme="dark"))
    assert (found.low, found.high) == (0.1, 0.5)
    assert found.palette == THEMES["dark"].ramp("sequential")


@pytest.mark.parametrize(("best", "place"), [("max", (1.5, 0.5)), ("min", (0.5, 1.5))])
def test_the_best_cell_is_ringed(best: Any, place: tuple[float, float]) -> None:
    ring = heatmap(grid([1.0, 9.0, -3.0, np.nan]), best=best).select_one({"name": "best"}).data_source.data
    assert (ring["x"][0], ring["y"][0]) == place


def test_the_best_is_named_with_the_number_of_cells_it_was_picked_from() -> None:
    layout = heatmap(grid([1.0, 9.0, -3.0, np.nan]))
    assert any("highest of 3: 9 at fast 5, slow 40" in getattr(part, "text", "") for part in layout.above)


def test_nothing_is_ringed_when_not_asked() -> None:
    assert heatmap(grid([1.0, 9.0, -3.0, np.nan]), best=None).select_one({"name": "best"}) is None


def test_ten_thousand_cells_have_round_ticks_to_choose_from() -> None:
    values = list(np.random.default_rng(0).normal(size=10_000))
    layout = heatmap(grid(values, range(2, 102), range(2, 102)))
    ticker = layout.xaxis[0].ticker
    assert (ticker.args["origin"], ticker.args["spacing"]) == (2.0, 1.0)
    assert ticker.args["labels"][:3] == ["2", "3", "4"]


def test_names_and_uneven_values_are_labelled_by_place() -> None:
    layout = heatmap(pd.DataFrame([[1.0, 2.0]], index=["momentum"], columns=[0.1, 0.25]))
    assert layout.yaxis[0].ticker.args["labels"] == ["momentum"]
    assert layout.xaxis[0].ticker.args["labels"] == ["0.1", "0.25"]


def test_one_value_everywhere_is_still_a_map() -> None:
    assert mapper(heatmap(grid([2.0] * 4))).low == 1.5


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (pd.Series([1.0, 2.0]), "1 level"),
        (grid([np.nan] * 4), "Every cell of the map is missing"),
        (pd.concat([grid([1.0] * 4)] * 2), "appears twice"),
        (grid([1.0] * 4).astype(str), "must be numbers"),
        (grid([1.0, 2.0, 3.0, np.inf]), "infinite"),
        (pd.DataFrame(), "empty"),
        ([[1.0]], "Series with two index levels or a DataFrame, not list"),
    ],
)
def test_what_is_no_map_is_refused(table: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        heatmap(table)


def test_an_unknown_best_is_refused() -> None:
    with pytest.raises(DataError, match="best='maximum' is not known"):
        heatmap(grid([1.0] * 4), best="maximum")  # type: ignore[arg-type]
