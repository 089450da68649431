"""The watchlist of the market page."""

import numpy as np
import pandas as pd
import pytest

from qtw_lab.core import Bars, DataError
from qtw_lab.lab.market_watch import watched


@pytest.fixture(scope="module")
def bars():
    """Two symbols of 300 days, and one that begins with the last ten."""
    days = pd.bdate_range("2023-01-02", periods=300, tz="UTC")
    rising = 100.0 + np.arange(300.0)
    table = {"UP": rising, "DOWN": rising[::-1], "NEW": np.where(np.arange(300) >= 290, rising, np.nan)}
    close = pd.DataFrame(table, days)
    fields = {"open": close, "high": close + 1, "low": close - 1, "close": close}
    return Bars.from_frame(pd.concat(fields, axis=1))


def test_a_watchlist_shows_changes_and_the_place_within_the_year(bars):
    found = watched(bars, ["DOWN", "UP"])
    table = found.table.set_index("symbol")
    assert list(found.symbols) == ["DOWN", "UP"]
    assert table.loc["UP", "close"] == 399.0
    assert table.loc["UP", "change_1"] == pytest.approx(399 / 398 - 1)
    assert table.loc["UP", "change_5"] == pytest.approx(399 / 394 - 1)
    assert table.loc["UP", "change_21"] == pytest.approx(399 / 378 - 1)
    # 252 bars end at 399: lowest low 148 - 1, highest high 399 + 1
    assert table.loc["UP", "position_252"] == pytest.approx((399 - 147) / (400 - 147))
    assert table.loc["DOWN", "position_252"] == pytest.approx(1 / (352 - 99))
    assert found.shown.set_index("symbol").loc["UP", "change_1"] == pytest.approx(100 * (399 / 398 - 1))
    assert found.shown["time"].tolist() == ["2024-02-23", "2024-02-23"]


def test_a_symbol_that_is_not_there_or_not_yet_has_an_empty_row(bars):
    found = watched(bars, ["NOPE", "NEW", "UP"], "2023-06-30")
    assert found.unknown == ("NOPE",)
    table = found.table.set_index("symbol")
    assert table.loc[["NOPE", "NEW"]].isna().all(axis=None)
    assert table.loc["UP", "close"] == 100 + 129
    assert found.shown["time"].tolist() == ["", "", "2023-06-30"]
    assert watched(bars, []).table.empty
    assert watched(bars, ["NOPE"]).table["close"].isna().all()
    only_new = watched(bars, ["NEW"], "2023-06-30")
    assert only_new.table["close"].isna().all()


def test_nothing_later_than_asof_is_used(bars):
    cut = Bars.from_frame(
        pd.concat({name: bars.frame(name).iloc[:200] for name in ("open", "high", "low", "close")}, axis=1),
        holes="keep",
    )
    asof = str(cut.index[-1].date())
    pd.testing.assert_frame_equal(watched(bars, ["UP", "DOWN"], asof).table, watched(cut, ["UP", "DOWN"]).table)


def test_a_time_before_the_first_bar_is_refused(bars):
    with pytest.raises(DataError, match="No bar lies up to"):
        watched(bars, ["UP"], "2020-01-01")
