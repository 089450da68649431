"""Where the laws cut, and what the damaged copy has. The laws at work are in tests/contracts/test_contract.py."""

import numpy as np
import pandas as pd
import pytest

from qtw_lab.core import Bars
from qtw_lab.strategies import Panel, SmaCross, laws


@pytest.fixture
def bars() -> Bars:
    """Two symbols, 200 days."""
    index = pd.date_range("2024-01-01", periods=200, tz="UTC", name="timestamp")
    close = 10 + np.sin(np.arange(200.0) / 9)[:, None] * [1.0, 2.0]
    return Bars.from_frame(pd.concat({"close": pd.DataFrame(close, index=index, columns=["A", "B"])}, axis=1))


def trial(bars, panel, cuts=None) -> laws.Trial:
    return laws.Trial.of(SmaCross(fast=3, slow=10), panel, bars, "the copy", cuts)


def test_the_damaged_copy_has_a_late_listing_and_holes_with_whole_bars_missing(bars):
    panel = laws.damaged(Panel.of(bars), warmup=9)
    gone = np.isnan(panel.close)
    assert np.flatnonzero(gone[:, 0]).tolist() == [120, 121, 122]
    assert np.flatnonzero(gone[:, 1]).tolist() == [*range(66), 160]
    for name in ("open", "high", "low", "volume"):
        assert np.isnan(getattr(panel, name))[gone].all()


def test_a_long_warm_up_leaves_bars_after_the_late_listing(bars):
    panel = laws.damaged(Panel.of(bars), warmup=180)
    assert np.isfinite(panel.close[10:, 1]).sum() == 189


def test_cuts_lie_in_the_warm_up_the_leading_gap_the_holes_and_at_the_end(bars):
    cuts = trial(bars, laws.damaged(Panel.of(bars), warmup=9)).first_bars()
    assert {1, 2, 4, 9, 10, 11} <= set(cuts)
    assert {33, 65, 66, 67} <= set(cuts)  # inside and around the leading gap of 66 bars
    assert {119, 120, 121, 122, 123, 160, 161} <= set(cuts)
    assert {195, 198, 199} <= set(cuts)


def test_cuts_lie_where_decisions_change(bars):
    found = trial(bars, Panel.of(bars))
    changes = np.flatnonzero((np.diff(found.decisions[9:], axis=0) != 0).any(axis=1)) + 10
    assert 5 < len(changes) < 24
    assert {int(row) + 1 for row in changes} <= set(found.first_bars())


def test_cuts_of_the_caller_are_the_only_ones(bars):
    assert trial(bars, Panel.of(bars), cuts=[50]).first_bars() == [50]
