"""The drawdown as an area."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from bokeh.models import BoxAnnotation

from qtw_lab.core import DataError
from qtw_lab.plots import underwater

DAYS = pd.date_range("2024-01-02", periods=4)
BELOW = pd.Series([0.0, -0.1, -0.2, 0.0], index=DAYS)


def test_stretches_are_shaded_and_numbered() -> None:
    made = underwater(BELOW, pd.DataFrame({"start": [DAYS[0]], "end": [DAYS[3]]}))
    (box,) = (part for part in made.center if isinstance(part, BoxAnnotation))
    assert (box.left, box.right) == (DAYS[0].timestamp() * 1e3, DAYS[3].timestamp() * 1e3)
    assert made.select_one({"name": "numbers"}).data_source.data["text"] == ["1"]
    assert made.y_range.end == 0


def test_a_long_drawdown_is_thinned_and_keeps_its_trough() -> None:
    below = pd.Series(0.0, index=pd.date_range("2000-01-01", periods=20_000, freq="h"))
    below.iloc[12_345] = -0.9
    drawn = underwater(below).select_one({"name": "drawdown"}).data_source.data["drawdown"]
    assert len(drawn) < 6_000
    assert drawn.min() == -0.9


@pytest.mark.parametrize(
    ("below", "stretches", "message"),
    [
        (pd.Series([0.1], index=DAYS[:1]), None, "one above zero"),
        (pd.Series([np.nan], index=DAYS[:1]), None, "no value"),
        (BELOW, pd.DataFrame({"start": [DAYS[0]]}), "lack the column 'end'"),
    ],
)
def test_what_is_no_drawdown_is_refused(below: Any, stretches: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        underwater(below, stretches)
