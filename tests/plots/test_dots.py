"""Dots of one number against another."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from qtw_lab.core import DataError
from qtw_lab.plots import dots

FRAME = pd.DataFrame({"mae": [-0.01, -0.03, np.nan], "r": [0.02, -0.03, 0.1], "kind": ["won", "lost", "won"]})


def test_each_kind_has_its_own_sign_and_rows_without_numbers_are_left_out() -> None:
    made = dots(FRAME, "mae", "r", "kind", labels=("adverse", "return"))
    drawn = {r.name: r for r in made.renderers}
    assert {name: r.glyph.marker for name, r in drawn.items()} == {"won": "circle", "lost": "triangle"}
    assert drawn["won"].data_source.data["r"].tolist() == [0.02]
    assert made.xaxis[0].axis_label == "adverse"


def test_of_very_many_dots_the_outermost_are_drawn() -> None:
    rng = np.random.default_rng(2)
    frame = pd.DataFrame({"x": rng.normal(size=50_000), "y": rng.normal(size=50_000), "kind": "all"})
    made = dots(frame, "x", "y", "kind")
    (drawn,) = (r.data_source.data for r in made.renderers)
    assert len(drawn["x"]) <= 4_000
    assert (drawn["x"].min(), drawn["y"].max()) == (frame["x"].min(), frame["y"].max())
    assert "not drawn" in made.legend[0].title


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (FRAME[["mae", "kind"]], "lacks the column 'r'"),
        (FRAME.iloc[2:], "nothing to draw"),
        (pd.DataFrame({"mae": np.ones(5), "r": np.ones(5), "kind": list("abcde")}), "has 5"),
        (FRAME.assign(mae="text"), "must be numbers"),
    ],
)
def test_tables_that_make_no_dots_are_refused(frame: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        dots(frame, "mae", "r", "kind")
