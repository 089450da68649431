"""The screener and the movers as the market page shows them."""

import io
import time
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from qtw_lab.core import Bars, DataError
from qtw_lab.data.synthetic import Shape, synthetic_bars
from qtw_lab.lab import market_screen as shown
from qtw_lab.research.screener import COLUMNS, LISTS, screen, top_movers


@pytest.fixture(scope="module")
def bars() -> Bars:
    return synthetic_bars("universe", Shape(symbols=40, bars=300), seed=5)


def test_every_column_of_the_screener_is_in_a_group_and_says_how_it_is_written():
    named = {name for group in shown.GROUPS.values() for name in group}
    assert named == set(COLUMNS) == set(shown.GROUPS["all"])
    assert all(shown.told(name).kind in ("percent", "number", "count") for name in COLUMNS)
    assert {name for group in shown.MOVES.values() for name in group} == set(LISTS)
    assert shown.told("change_5").signed
    assert not shown.told("volatility_21").signed
    assert shown.told("dollar_volume").kind == "count"
    with pytest.raises(DataError, match="Did you mean 'change_5'"):
        shown.told("change_55")


def test_fractions_are_shown_as_percentages_and_the_file_has_them_as_they_are(bars):
    found = shown.screened(bars)
    raw = screen(bars, list(COLUMNS)).table
    assert found.table["symbol"].tolist() == raw.index.tolist()
    np.testing.assert_allclose(found.table["change_21"], raw["change_21"] * 100)
    np.testing.assert_array_equal(found.table["close"], raw["close"])
    read = pd.read_csv(io.StringIO(found.csv()), index_col="symbol")
    np.testing.assert_array_equal(read["change_21"], raw["change_21"])


def test_bounds_are_in_the_units_that_are_read(bars):
    found = shown.screened(bars, [shown.Bound("change_5", 1.0, None), shown.Bound("rsi_14", None, 70)])
    assert 0 < len(found.table) < 40
    assert found.table["change_5"].min() >= 1.0
    assert found.table["rsi_14"].max() <= 70
    assert found.screen.passed == len(found.table)
    assert found.screen.universe == 40


def test_of_two_bounds_on_a_column_the_stricter_counts(bars):
    loose, strict = shown.Bound("change_5", 0.5, None), shown.Bound("change_5", 1.0, 9.0)
    both = shown.screened(bars, [strict, loose])
    pd.testing.assert_frame_equal(both.table, shown.screened(bars, [strict]).table)
    with pytest.raises(DataError, match="let nothing through together"):
        shown.screened(bars, [shown.Bound("close", None, 5), shown.Bound("close", 6, None)])


def test_what_hardly_trades_can_be_left_out_beside_other_bounds(bars):
    volume = np.where(np.arange(40) < 10, 10.0, 5e6) + 0 * bars.values["close"]
    thin = replace(bars, values={**bars.values, "volume": volume})
    assert shown.screened(thin).screen.passed == 40
    assert shown.screened(thin, tradable=True).screen.passed == 30
    assert shown.screened(thin, [shown.Bound("volume", 1, None)], tradable=True).screen.passed == 30


@pytest.mark.parametrize(
    ("low", "high", "found"),
    [
        ("2.5", "", (2.5, None)),
        (" 2.5 % ", "1,000", (2.5, 1000.0)),
        ("", "-3", (None, -3.0)),
        ("1e3", "", (1000.0, None)),
    ],
)
def test_bounds_are_read_as_people_type_them(low, high, found):
    bound = shown.read_bound("change_1", low, high)
    assert (bound.low, bound.high) == found


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [
        ("", " ", "needs a least or a greatest"), ("5", "3", "swap them"), ("much", "", "'much' cannot bound"),
        ("nan", "", "cannot bound"), ("inf", "", "cannot bound"),
    ],
)  # fmt: skip
def test_what_bounds_nothing_is_refused_in_words(low, high, words):
    with pytest.raises(DataError, match=words):
        shown.read_bound("change_1", low, high)


def test_bounds_are_said_in_few_characters():
    said = [shown.Bound("dollar_volume", 2e6, None).said, shown.Bound("change_1", None, -1.5).said]
    assert said == ["≥ 2,000,000", "≤ -1.5%"]


def test_movers_are_listed_with_percentages(bars):
    found = shown.moved(bars, 5, count=3)
    raw = top_movers(bars, 3, 5)
    table = shown.listed(found, "gainers")
    assert table["symbol"].tolist() == raw.gainers.index.tolist()
    np.testing.assert_allclose(table["change"], raw.gainers["change"] * 100)
    assert list(shown.listed(found, "top_turnover")) == ["symbol", "close", "change", "dollar_volume"]
    assert [column.name for column in shown.told_of_list("gaps_up", 5)] == ["close", "change", "gap"]
    with pytest.raises(DataError, match="list of movers"):
        shown.listed(found, "asof")


def test_nothing_later_than_asof_is_used(bars):
    asof = str(bars.index[199].date())
    early = bars.head(200)
    pd.testing.assert_frame_equal(shown.screened(bars, asof=asof).table, shown.screened(early).table)
    pd.testing.assert_frame_equal(shown.moved(bars, 21, asof).gainers, shown.moved(early, 21).gainers)


def test_five_thousand_symbols_are_screened_in_less_than_two_seconds():
    many = synthetic_bars("universe", Shape(symbols=5000, bars=300), seed=3)
    shown.screened(many.head(30))  # compiles what is compiled
    begun = time.perf_counter()
    found = shown.screened(many, [shown.Bound("change_21", 0, None)])
    taken = time.perf_counter() - begun
    assert 0 < found.screen.passed < 5000
    assert taken < 2.0, f"{taken:.2f} s"  # 0.2 s on a quiet core
