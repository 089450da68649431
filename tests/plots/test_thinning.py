"""Fewer points, no extreme lost."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from qtw_lab.plots.thinning import drawn_places


def test_a_short_series_is_drawn_whole() -> None:
    np.testing.assert_array_equal(drawn_places([np.zeros(5_000)]), np.arange(5_000))


@settings(max_examples=60, deadline=None)
@given(st.integers(11, 400), st.integers(1, 20), st.integers(0, 2**32 - 1), st.floats(0.0, 0.5))
def test_every_stretch_keeps_its_ends_and_extremes(length: int, stretches: int, seed: int, gaps: float) -> None:
    rng = np.random.default_rng(seed)
    columns = [np.where(rng.random(length) < gaps, np.nan, rng.normal(size=length)) for _ in range(2)]
    places = drawn_places(columns, whole=10, stretches=stretches)
    assert (np.diff(places) > 0).all()
    assert places[0] == 0
    assert places[-1] == length - 1
    size = -(-length // stretches)
    for start in range(0, length, size):
        kept = places[(places >= start) & (places < start + size)]
        for values in columns:
            part = values[start : start + size]
            if not np.isnan(part).all():
                assert np.nanmin(values[kept]) == np.nanmin(part)
                assert np.nanmax(values[kept]) == np.nanmax(part)
            if np.isnan(part).any():
                assert np.isnan(values[kept]).any()  # the line is broken where it was


def test_a_million_points_become_a_few_thousand() -> None:
    values = np.random.default_rng(1).normal(size=1_000_000).cumsum()
    assert len(drawn_places([values])) <= 4 * 1_250
