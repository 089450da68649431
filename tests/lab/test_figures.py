"""Pictures of results that are not as usual: late, with holes, short, idle, close-only, many symbols."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import qtw_lab as qtw
from qtw_lab.core import DataError
from qtw_lab.lab import Lab
from qtw_lab.plots import Picture


@pytest.fixture(scope="module")
def lab(tmp_path_factory) -> Lab:
    return Lab.offline(tmp_path_factory.mktemp("lab"))


def frame(*closes: float, flat: bool = False) -> pd.DataFrame:
    """Weekdays with these closes, NaN where there is no bar."""
    close = pd.Series(closes, pd.bdate_range("2024-01-02", periods=len(closes)), dtype=float)
    spread = 0.0 if flat else 1.0
    return pd.DataFrame(
        {"open": close, "high": close + spread, "low": close - spread, "close": close, "volume": close * 0 + 100}
    )


def bars_of(**columns: pd.DataFrame) -> qtw.Bars:
    return qtw.Bars.from_frame(pd.concat(columns, axis=1), holes="keep")


RISING = tuple(range(20, 60))
LATE = (np.nan,) * 20 + tuple(range(30, 50))
HOLED = (*range(20, 35), *(np.nan,) * 5, *range(40, 60))


@pytest.fixture(scope="module")
def cases() -> dict[str, qtw.Bars]:
    samples = Lab.offline()
    return {
        "usual": samples.bars("AAPL", "2011-01-01", "2012-12-31"),
        "late listing": bars_of(A=frame(*RISING), B=frame(*LATE)),
        "only late": bars_of(B=frame(*LATE), A=frame(*RISING)),
        "hole": bars_of(A=frame(*RISING), B=frame(*HOLED)),
        "two bars": bars_of(A=frame(10, 11)),
        "close only": samples.bars("KO", "2020-01-01", "2020-12-31"),
        "five symbols": samples.bars("AAPL,FB,GOOG,IBM,MSFT", "2011-06-01"),
        "pair": samples.bars("AAPL,IBM", "2011-06-01", "2012-09-30"),
        "weekly": samples.bars("AAPL", "2011-01-01", "2012-12-31", timeframe="1W"),
        "flat": bars_of(A=frame(*(10,) * 30, flat=True)),
    }


def sources(picture: Picture) -> dict[str, list]:
    """Every column of numbers in a figure, by name."""
    from bokeh.models import ColumnDataSource

    found: dict[str, list] = {}
    for source in picture.figure.references():
        if isinstance(source, ColumnDataSource):
            for name, column in source.data.items():
                found.setdefault(name, []).append(column)
    return found


@pytest.mark.parametrize(
    "case",
    ["usual", "late listing", "only late", "hole", "two bars", "close only", "five symbols", "weekly", "flat"],
)
def test_every_kind_of_history_is_drawn_in_every_way(lab, cases, case):
    bars = cases[case]
    result = lab.backtest("buy_and_hold", bars)
    pictures = [lab.equity(result), lab.calendar(result), lab.chart(bars)]
    pictures += [lab.chart(result, symbol) for symbol in bars.symbols]
    for picture in pictures:
        assert picture.label
        assert "<script" in picture.html(picture.label)


def test_a_result_without_any_trade_is_drawn(lab, cases):
    result = lab.backtest("sma_cross", cases["flat"], fast=2, slow=5)
    assert result.trades.empty
    for picture in (lab.chart(result), lab.equity(result), lab.calendar(result)):
        assert picture.html(picture.label)


def test_a_chart_shows_the_bars_a_symbol_has_and_no_others(lab, cases):
    drawn = sources(lab.chart(cases["late listing"], "B"))["close"][0]
    assert list(drawn) == [float(close) for close in LATE if not np.isnan(close)]
    drawn = sources(lab.chart(cases["hole"], "B"))["close"][0]
    assert len(drawn) == np.isfinite(HOLED).sum()


def test_a_chart_of_a_result_marks_the_trades_of_its_symbol(lab, cases):
    bars = cases["late listing"]
    result = lab.backtest("buy_and_hold", bars)
    price = result.trades.set_index("symbol")["entry_price"]
    for symbol in ("A", "B"):
        columns = sources(lab.chart(result, symbol))
        drawn = [value for name, parts in columns.items() if "price" in name for part in parts for value in part]
        assert price[symbol] in drawn
        assert price["B" if symbol == "A" else "A"] not in drawn


def test_a_chart_takes_lines_over_the_prices(lab, cases):
    bars = cases["usual"]
    average = bars.close["AAPL"].rolling(20).mean()
    picture = lab.chart(bars, SMA20=average)
    drawn = [np.asarray(part) for parts in sources(picture).values() for part in parts]
    lines = [part for part in drawn if part.dtype.kind == "f" and len(part) == len(bars)]
    assert any(np.allclose(part, average, equal_nan=True) for part in lines)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_both_themes_are_drawn_and_others_refused(lab, cases, theme):
    assert lab.chart(cases["usual"], theme=theme).html("x") != lab.chart(cases["usual"]).html("x") or theme == "light"
    with pytest.raises(DataError, match="no theme 'neon'"):
        lab.chart(cases["usual"], theme="neon")


def test_an_unknown_symbol_is_refused_with_the_known_ones(lab, cases):
    with pytest.raises(DataError, match="Known: A, B"):
        lab.chart(cases["hole"], "X")


def test_the_title_of_an_equity_chart_stays_short_for_a_blend(lab, cases):
    result = lab.backtest("blend", cases["five symbols"])
    assert len(lab.equity(result).label) < 120


GRID = {"fast": [5, 10, 20], "slow": [30, 60]}


def cells(picture: Picture) -> np.ndarray:
    """The numbers of a map."""
    return picture.figure.select_one({"name": "cells"}).data_source.data["image"][0]


def test_two_parameters_make_a_map_of_the_very_numbers(lab, cases):
    done = lab.sweep("sma_cross", cases["usual"], grid=GRID)
    wanted = done.table["sharpe"].to_numpy().reshape(3, 2)
    np.testing.assert_array_equal(cells(lab.heatmap(done)), wanted)
    returns = done.table["total_return"].to_numpy().reshape(3, 2)
    np.testing.assert_array_equal(cells(lab.heatmap(done, "total_return")), returns)


def test_combinations_left_out_stay_empty(lab, cases):
    done = lab.sweep("sma_cross", cases["usual"], grid={"fast": [5, 40], "slow": [30, 60]})
    assert np.isnan(cells(lab.heatmap(done))).tolist() == [[False, False], [True, False]]


def test_one_symbol_of_several_is_drawn_the_first_by_default(lab, cases):
    done = lab.sweep("sma_cross", cases["five symbols"].select(["IBM", "AAPL"]), grid=GRID)
    for symbol in (None, "AAPL", "IBM"):
        part = done.table["sharpe"].xs(symbol or "IBM", level="symbol")
        np.testing.assert_array_equal(cells(lab.heatmap(done, symbol=symbol)), part.to_numpy().reshape(3, 2))
    with pytest.raises(DataError, match="no symbol of this sweep 'X'"):
        lab.heatmap(done, symbol="X")


def test_a_third_parameter_with_one_value_does_not_disturb(lab, cases):
    done = lab.sweep("sma_cross", cases["usual"], grid={**GRID, "short": [True]})
    assert cells(lab.heatmap(done)).shape == (3, 2)


def test_a_universe_strategy_has_a_map_too(lab, cases):
    done = lab.sweep("pairs", cases["five symbols"].select(["AAPL", "IBM"]), grid={"window": [20, 40], "entry": [1, 2]})
    assert cells(lab.heatmap(done)).shape == (2, 2)


@pytest.mark.parametrize(
    "grid",
    [{"fast": [5, 10]}, {"fast": [5], "slow": [30]}, {"fast": [5, 10], "slow": [30, 60], "short": [True, False]}],
    ids=["one", "two of one value", "three"],
)
def test_other_numbers_of_parameters_are_refused_by_name_or_drawn(lab, cases, grid):
    done = lab.sweep("sma_cross", cases["usual"], grid=grid)
    if len(grid) == 2:
        assert cells(lab.heatmap(done)).shape == (1, 1)
        return
    with pytest.raises(DataError, match=f"needs two parameters; this sweep varies {', '.join(grid)}"):
        lab.heatmap(done)


def test_an_unknown_metric_is_refused(lab, cases):
    done = lab.sweep("sma_cross", cases["usual"], grid=GRID)
    with pytest.raises(DataError, match="Did you mean 'sharpe'"):
        lab.heatmap(done, "sharp")


@pytest.mark.parametrize("name", [name for name in qtw.strategies.STRATEGIES if name != "buy_and_hold"])
def test_every_number_and_switch_of_a_strategy_has_a_control_within_its_bounds(lab, cases, name):
    page = lab.explore(name, cases["pair"])
    strategy = lab.strategy(name)
    declared = [entry for entry in type(strategy).declared().values() if isinstance(entry.default, (int, float))]
    shown = page.children[0].children
    assert [control.value for control in shown] == [getattr(strategy, entry.name) for entry in declared]
    for control, entry in zip(shown, declared, strict=True):
        for end in (control.min, control.max) if hasattr(control, "min") else (True, False):
            type(strategy).checked(entry.name, end)
    assert page.children[1].value == ""  # no message: it was drawn
    assert page.children[3].outputs


def test_moving_a_slider_draws_counts_and_says_so(lab, cases, tmp_path):
    own = lab.with_storage(tmp_path)
    page = own.explore("sma_cross", cases["pair"], costs=qtw.Costs(commission_bps=10), slow=40)
    fast, slow, _ = page.children[0].children
    assert (slow.value, own.trials.count(cases["pair"].fingerprint)) == (40, 1)
    before = page.children[3].outputs
    fast.value = 12
    assert page.children[3].outputs != before
    assert own.trials.count(cases["pair"].fingerprint) == 2
    assert "2 tried so far" in page.children[3].outputs[0]["data"]["text/html"]
    assert own.registry.get(own.registry.list()["id"].iloc[0]).parameters["costs"] == "commission bps 10"


def test_a_value_the_strategy_refuses_is_said_and_the_picture_stays(lab, cases):
    page = lab.explore("sma_cross", cases["pair"], slow=20)
    before = page.children[3].outputs
    page.children[0].children[0].value = 30
    assert "must be below slow=20" in page.children[1].value
    assert page.children[3].outputs == before
    page.children[0].children[0].value = 5
    assert page.children[1].value == ""


def test_a_strategy_without_parameters_has_nothing_to_slide(lab, cases):
    with pytest.raises(DataError, match="buy_and_hold has no parameter to slide"):
        lab.explore("buy_and_hold", cases["pair"])


def test_a_picture_asks_for_nothing_from_outside(lab, cases):
    text = lab.equity(lab.backtest("buy_and_hold", cases["usual"])).html("x")
    assert "src=" not in text
    assert "http://" not in text.replace("http://www.w3.org", "")
    assert str(Path.home()) not in text
