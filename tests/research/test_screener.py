"""Screens and movers, held to a plain loop over symbols, to TA-Lib, to SciPy and to sums on paper."""

from __future__ import annotations

import time

import numpy as np
import pandas as pd
import pytest
import scipy.stats
import talib
from hypothesis import given, settings
from hypothesis import strategies as st

import qtw_lab as qtw
from qtw_lab.core import Bars, DataError, Timeframe
from qtw_lab.research.screener import COLUMNS, LISTS, SHOWN, TRADABLE, screen, top_movers

FIELDS = ("open", "high", "low", "close", "volume")


def market(length: int = 320, count: int = 6, seed: int = 0, holes: float = 0.0) -> Bars:
    """Random bars on weekdays; with holes, some are missing and the first symbol is listed late."""
    rng = np.random.default_rng(seed)
    close = 50 * np.exp(np.cumsum(0.02 * rng.standard_normal((length, count)), axis=0))
    opening = close * np.exp(0.01 * rng.standard_normal((length, count)))
    values = {
        "open": opening,
        "high": np.maximum(opening, close) * (1 + 0.01 * rng.random((length, count))),
        "low": np.minimum(opening, close) * (1 - 0.01 * rng.random((length, count))),
        "close": close,
        "volume": rng.integers(1_000, 1_000_000, (length, count)).astype(float),
    }
    missing = rng.random((length, count)) < holes
    if holes:
        missing[: length // 2, 0] = True
    for array in values.values():
        array[missing] = np.nan
    index = pd.bdate_range("2020-01-01", periods=length, tz="UTC")
    return Bars(index, tuple(f"S{place}" for place in range(count)), values, Timeframe.parse("1D"))


def small(closes: dict[str, list[float]], volumes: dict[str, list[float]] | None = None, **fields) -> Bars:
    """Bars from closes by symbol on days from 1 January 2024; open, high and low are the close unless given."""
    symbols = tuple(closes)
    close = np.array([closes[name] for name in symbols], dtype=float).T
    volume = close * np.nan if volumes is None else np.array([volumes[name] for name in symbols], dtype=float).T
    values = {"open": close, "high": close, "low": close, "close": close, "volume": volume}
    values |= {name: np.array([table[one] for one in symbols], dtype=float).T for name, table in fields.items()}
    index = pd.date_range("2024-01-01", periods=len(close), tz="UTC")
    return Bars(index, symbols, values, Timeframe.parse("1D"))


@pytest.fixture(scope="module")
def stocks() -> Bars:
    return qtw.Lab.offline().bars(["AAPL", "IBM", "MSFT", "GOOG", "FB"])


# --- every column


def by_hand(bars: Bars, symbol: str) -> dict[str, float]:
    """The columns of one symbol from pandas and TA-Lib, on its own bars."""
    own = pd.DataFrame({name: bars.frame(name)[symbol] for name in FIELDS}).dropna(subset="close")
    o, h, l, c, v = (own[name] for name in FIELDS)  # noqa: E741  (the letters of the field)
    moves = pd.DataFrame({name: bars.close[name].dropna().pct_change() for name in bars.symbols}).reindex(bars.index)
    pairs = pd.DataFrame({"own": c.pct_change(), "all": moves.mean(axis=1)}).dropna().tail(252)
    gap = o / c.shift(1) - 1
    logs = np.log(c).diff()
    found = {f"change_{n}": c.iloc[-1] / c.iloc[-1 - n] - 1 for n in (1, 5, 21, 63, 126, 252) if len(c) > n}
    found |= {
        "close": c.iloc[-1],
        "volume": v.iloc[-1],
        "volume_21": v.tail(21).mean(),
        "dollar_volume": c.iloc[-1] * v.iloc[-1],
        "dollar_volume_21": (c * v).tail(21).mean(),
        "relative_volume": v.iloc[-1] / v.iloc[-22:-1].mean(),
        "volatility_21": logs.tail(21).std() * np.sqrt(252),
        "volatility_63": logs.tail(63).std() * np.sqrt(252),
        "atr_percent": talib.ATR(h.to_numpy(), l.to_numpy(), c.to_numpy(), 14)[-1] / c.iloc[-1],
        "range": (h.iloc[-1] - l.iloc[-1]) / c.iloc[-2],
        "gap": gap.iloc[-1],
        "gap_mean_21": gap.tail(21).abs().mean(),
        "above_50": c.iloc[-1] / c.tail(50).mean() - 1,
        "rsi_14": talib.RSI(c.to_numpy(), 14)[-1],
        "history": len(c),
    }
    if len(c) >= 200:
        found["above_200"] = c.iloc[-1] / c.tail(200).mean() - 1
        found["average_50_200"] = c.tail(50).mean() / c.tail(200).mean() - 1
    if len(c) >= 252:
        found["drawdown_252"] = c.iloc[-1] / c.tail(252).max() - 1
        found["from_high_252"] = c.iloc[-1] / h.tail(252).max() - 1
        found["from_low_252"] = c.iloc[-1] / l.tail(252).min() - 1
    if len(c) >= 253:
        found["momentum_12_1"] = c.iloc[-22] / c.iloc[-253] - 1
        found["beta_252"] = np.polyfit(pairs["all"], pairs["own"], 1)[0]
    return found


@pytest.mark.parametrize("given_bars", ["real", "whole", "holed"])
def test_every_column_is_what_a_plain_loop_over_symbols_finds(stocks, given_bars):
    bars = {"real": stocks, "whole": market(), "holed": market(700, holes=0.1, seed=4)}[given_bars]
    table = screen(bars, list(COLUMNS)).table.drop(columns="stale")
    expected = pd.DataFrame({symbol: by_hand(bars, symbol) for symbol in bars.symbols}).T
    expected = expected.reindex(index=table.index, columns=table.columns).astype(float)
    difference = ((table - expected).abs() / expected.abs().clip(lower=1e-3)).max().max()
    print(f"\n{given_bars}: {table.notna().sum().sum()} figures, largest relative difference {difference:.1e}")
    pd.testing.assert_frame_equal(table, expected, check_names=False, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", COLUMNS)
def test_a_column_needs_as_many_bars_as_it_says(name):
    needed = COLUMNS[name].bars
    assert screen(market(needed), [name]).table[name].notna().all()
    if needed > 1:
        short = screen(market(needed - 1), [name])
        assert short.table[name].isna().all()
        assert set(short.missing["reason"]) == {"short history"}
        assert any(f"{name} is missing (needs {needed} own bars) for S0, S1" in note for note in short.notes)


def test_a_screen_by_hand():
    """A rose by a tenth on twice its usual volume; B fell by a twentieth after a gap up."""
    closes = {"A": [10.0] * 21 + [11.0], "B": [20.0] * 21 + [19.0]}
    volumes = {"A": [100.0] * 21 + [200.0], "B": [50.0] * 22}
    bars = small(closes, volumes, open={"A": closes["A"], "B": [20.0] * 21 + [21.0]},
                 high={"A": closes["A"], "B": [20.0] * 21 + [21.0]})  # fmt: skip
    table = screen(bars, ["change_1", "gap", "gap_mean_21", "range", "relative_volume", "dollar_volume"]).table
    assert table.index.tolist() == ["A", "B"]
    assert table["change_1"].tolist() == pytest.approx([0.1, -0.05])
    assert table["gap"].tolist() == pytest.approx([0.1, 0.05])
    assert table["gap_mean_21"].tolist() == pytest.approx([0.1 / 21, 0.05 / 21])
    assert table["range"].tolist() == pytest.approx([0.0, 0.1])
    assert table["relative_volume"].tolist() == pytest.approx([2.0, 1.0])
    assert table["dollar_volume"].tolist() == pytest.approx([2200.0, 950.0])


def test_a_market_of_one_has_a_beta_of_one():
    assert screen(market(count=1), ["beta_252"]).table["beta_252"].iloc[0] == pytest.approx(1.0)


# --- as of


@given(st.integers(1, 319), st.booleans())
@settings(max_examples=20, deadline=None)
def test_a_screen_as_of_a_bar_is_the_screen_of_the_bars_up_to_it(bar, holed):
    bars = market(holes=0.1 if holed else 0.0)
    weights = {"change_1": 1.0, "rsi_14": -0.5}
    then = screen(bars, list(COLUMNS), weights=weights, ranks=True, asof=bars.index[bar])
    alone = screen(bars.head(bar + 1), list(COLUMNS), weights=weights, ranks=True)
    pd.testing.assert_frame_equal(then.table, alone.table, check_exact=True)
    assert then.notes == alone.notes
    assert then.asof == alone.asof == bars.index[bar]
    now, cut = (top_movers(bars, asof=bars.index[bar], window=3), top_movers(bars.head(bar + 1), window=3))
    for name in LISTS:
        pd.testing.assert_frame_equal(getattr(now, name), getattr(cut, name), check_exact=True)
    assert now.notes == cut.notes


def test_a_date_means_its_whole_day_and_a_day_without_bars_the_one_before():
    bars = market()
    assert screen(bars, asof="2020-01-10").asof == pd.Timestamp("2020-01-10", tz="UTC")
    assert screen(bars, asof="2020-01-12").asof == pd.Timestamp("2020-01-10", tz="UTC")
    assert screen(bars, asof="2999-01-01").asof == bars.index[-1]
    with pytest.raises(DataError, match="No bar lies up to"):
        screen(bars, asof="2019-12-31")


def test_a_symbol_without_a_bar_is_flagged_and_seen_as_of_its_last():
    bars = small({"A": [10.0, 11.0, 12.0], "B": [20.0, 30.0, np.nan], "C": [np.nan] * 3})
    found = screen(bars, ["close", "change_1"])
    assert found.table["stale"].to_dict() == {"A": False, "B": True, "C": True}
    assert found.table.loc["B"].tolist() == [30.0, 0.5, True]
    assert found.stale == ("B", "C")
    assert "stale, seen as of their last bar: B" in found.notes
    assert "without any bar yet: C" in found.notes
    assert found.facts()["stale"] == 2


# --- filters, order, ranks, scores


def test_filters_let_their_bounds_through_and_nothing_undefined():
    bars = small({"A": [1.0, 5.0], "B": [1.0, 6.0], "C": [1.0, 7.0], "D": [np.nan, 6.0]})
    found = screen(bars, ["close"], "close", filters={"close": (5, 6), "change_1": (None, 10)})
    assert found.table.index.tolist() == ["B", "A"]
    assert (found.universe, found.passed) == (4, 2)
    assert found.notes[0] == "filters left out 2 of 4 symbols, 1 of them for want of a figure"
    assert found.table.columns.tolist() == ["close", "change_1", "stale"]
    none = screen(bars, ["close"], filters={"close": (100, None)})
    assert len(none.table) == 0
    assert none.passed == 0
    assert none.facts()["passed"] == 0


def test_what_hardly_trades_is_left_out_by_a_ready_filter():
    bars = small({"A": [10.0], "B": [0.5], "C": [10.0]}, {"A": [1e6], "B": [1e8], "C": [100.0]})
    assert screen(bars, ["close"], filters=TRADABLE).table.index.tolist() == ["A"]


def test_wrong_requests_are_answered_with_what_would_work():
    bars = market(30)
    with pytest.raises(DataError, match="Did you mean 'momentum_12_1'"):
        screen(bars, ["momentum_121"])
    with pytest.raises(DataError, match="Did you mean 'change_1'"):
        screen(bars, sort_by="chang_1")
    with pytest.raises(DataError, match="no column 'score'"):
        screen(bars, sort_by="score")
    with pytest.raises(DataError, match="Did you mean 'volume'"):
        screen(bars, filters={"volumes": (1, None)})
    for pair, said in (((2, 1), "exceeds"), (5, "low, high"), ((1, 2, 3), "low, high"), ((np.nan, 1), "finite")):
        with pytest.raises(DataError, match=said):
            screen(bars, filters={"close": pair})
    for weights, said in (({}, "must map"), ({"close": 0}, "is 0"), ({"close": "x"}, "finite"), ({"clos": 1}, "close")):
        with pytest.raises(DataError, match=said):
            screen(bars, weights=weights)
    with pytest.raises(DataError, match="top"):
        screen(bars, top=0)
    with pytest.raises(DataError, match="at least one"):
        screen(bars, [])
    with pytest.raises(DataError, match="of Bars"):
        screen(bars.close)
    with pytest.raises(DataError, match="asof"):
        screen(bars, asof="yesterdayish")


@given(st.lists(st.sampled_from([1.0, 2.0, 3.0, None]), min_size=1, max_size=12), st.booleans())
@settings(max_examples=50, deadline=None)
def test_ranks_are_those_of_scipy_and_equals_stand_in_the_order_of_the_bars(values, descending):
    closes = {f"S{place:02}": [np.nan if one is None else one] for place, one in enumerate(values)}
    found = screen(small(closes), ["close"], "close", descending=descending, ranks=True).table
    known = [one for one in values if one is not None]
    ranks = dict(zip(known, scipy.stats.rankdata(known) / max(len(known), 1), strict=True))
    assert all(row["close_rank"] == pytest.approx(ranks[row["close"]]) for _, row in found.dropna().iterrows())
    order = sorted((one for one in closes if not np.isnan(closes[one][0])),
                   key=lambda one: -closes[one][0] if descending else closes[one][0])  # fmt: skip
    order += [one for one in closes if np.isnan(closes[one][0])]
    assert found.index.tolist() == order


def test_a_second_column_breaks_ties():
    bars = small({"A": [1.0, 2.0], "B": [2.0, 2.0], "C": [1.0, 1.0]})
    assert screen(bars, sort_by=["close", "change_1"]).table.index.tolist() == ["A", "B", "C"]
    assert screen(bars, sort_by=["close", "change_1"], descending=False).table.index.tolist() == ["C", "B", "A"]


def test_a_score_by_hand():
    """Changes rank A 1, B 2/3, C 1/3; low prices rank C 1, A 2/3, B 1/3; weights 2 and 1."""
    bars = small({"A": [8.0, 16.0], "B": [16.0, 24.0], "C": [8.0, 8.0], "D": [np.nan, 50.0]})
    found = screen(bars, ["close"], weights={"change_1": 2.0, "close": -1.0}, filters={"close": (None, 40)}, top=2)
    assert found.sort_by == ("score",)
    assert found.table["score"].to_dict() == pytest.approx({"A": (2 + 2 / 3) / 3, "B": (4 / 3 + 1 / 3) / 3})
    assert found.passed == 3
    whole = screen(bars, ["close"], weights={"change_1": 2.0, "close": -1.0}).table
    assert np.isnan(whole.loc["D", "score"])
    assert whole.index[-1] == "D"
    assert found.facts()["score_A"] == pytest.approx(8 / 9)


def test_an_order_by_what_nobody_has_says_so():
    found = screen(market(30), ["close"], "momentum_12_1")
    assert "momentum_12_1 is not defined for any symbol, so the order says nothing" in found.notes


def test_bars_without_volume_are_told_from_short_ones():
    bars = small({"A": [1.0] * 30, "B": [np.nan] * 20 + [1.0] * 10})
    missing = screen(bars, ["relative_volume"], "close").missing.set_index("symbol")["reason"]
    assert missing.to_dict() == {"A": "not defined", "B": "short history"}


def test_a_screen_shows_units_definitions_and_caveats(stocks):
    found = screen(stocks)
    assert found.table.columns.tolist() == [*SHOWN, "stale"]
    assert found.definitions.loc["momentum_12_1", "bars"] == 253
    shown = found._repr_mimebundle_()
    assert "1.94%" in shown["text/html"]
    assert "close 21 own bars before" in shown["text/html"]
    assert "survivors only" in shown["text/html"]
    assert ">stale<" not in shown["text/html"]
    assert found.facts().notes[-len(stocks.notes) :] == stocks.notes
    assert found.facts()["change_1_FB"] == pytest.approx(found.table.loc["FB", "change_1"])
    strange = screen(small({"<b>": [1.0, 2.0], "B": [1.0, np.nan]}), ["close"])
    assert "&lt;b&gt;" in strange.to_html()
    assert ">stale<" in strange.to_html()
    many = screen(market(3, 60), ["close"])
    assert "10 more symbols are in .table" in many.to_html()
    assert "and 48 more" in screen(market(3, 60)).notes[0]


# --- movers


def test_movers_by_hand():
    """E has no bar at the end. B opens higher and closes lower; C is on three times its usual volume."""
    flat = [10.0] * 21
    closes = {"A": [*flat, 11.0], "B": [*flat, 9.0], "C": [*flat, 12.0], "D": [*flat, 10.0], "E": [*flat, np.nan]}
    volumes = {"A": [100.0] * 22, "B": [400.0] * 22, "C": [100.0] * 21 + [300.0], "D": [10.0] * 22,
               "E": [5.0] * 21 + [np.nan]}  # fmt: skip
    opens = closes | {"A": [*flat, 10.0], "B": [*flat, 10.5], "C": [*flat, 9.5]}
    bars = small(closes, volumes, open=opens, high={name: np.maximum(opens[name], closes[name]) for name in closes},
                 low={name: np.minimum(opens[name], closes[name]) for name in closes})  # fmt: skip
    found = top_movers(bars, count=2)
    assert found.gainers["change"].to_dict() == pytest.approx({"C": 0.2, "A": 0.1})
    assert found.losers["change"].to_dict() == pytest.approx({"B": -0.1})
    assert found.most_active["volume"].to_dict() == {"B": 400.0, "C": 300.0}
    assert found.top_turnover["dollar_volume"].to_dict() == {"B": 3600.0, "C": 3600.0}
    assert found.unusual_volume["relative_volume"].to_dict() == {"C": 3.0}
    assert found.gaps_up["gap"].to_dict() == pytest.approx({"B": 0.05})
    assert found.gaps_down["gap"].to_dict() == pytest.approx({"C": -0.05})
    assert len(found.new_highs) == len(found.new_lows) == 0
    assert found.universe == 4
    assert found.notes[0] == "without a bar then and in no list: E"
    assert "over_high is missing (needs 253 own bars) for A, B, C, D" in found.notes
    facts = found.facts()
    assert (facts["gainers"], facts["new_highs"]) == ("C", "none")
    assert top_movers(bars, filters={"volume": (200, None)}).gainers.index.tolist() == ["C"]


@pytest.mark.parametrize("window", [1, 5, 21])
def test_new_highs_and_lows_are_beyond_those_of_a_year_before_the_window(window):
    bars = market(400, 40, seed=9)
    found = top_movers(bars, count=100, window=window)
    high, low, close = bars.high, bars.low, bars.close
    up = high.tail(window).max() / high.iloc[-252 - window : -window].max() - 1
    down = low.tail(window).min() / low.iloc[-252 - window : -window].min() - 1
    change = close.iloc[-1] / close.iloc[-1 - window] - 1
    busy = bars.volume.tail(window).mean() / bars.volume.iloc[-21 - window : -window].mean()
    assert found.new_highs["over_high"].to_dict() == pytest.approx(up[up > 0].to_dict())
    assert found.new_lows["under_low"].to_dict() == pytest.approx(down[down < 0].to_dict())
    assert found.gainers["change"].to_dict() == pytest.approx(change[change > 0].to_dict())
    assert found.unusual_volume.index.tolist() == busy[busy > 1].sort_values(ascending=False).index.tolist()
    assert len(found.new_highs) + len(found.new_lows) > 0


def test_movers_show_every_list(stocks):
    found = top_movers(stocks, window=5)
    shown = found._repr_mimebundle_()["text/html"]
    assert all(one.title in shown for one in LISTS.values())
    assert "Movers over 5 bars to 2013-03-01" in shown
    assert "survivors only" in shown
    assert found.definitions["relative_volume"] == "mean volume of 5 bars / that of the 21 bars before them"
    with pytest.raises(DataError, match="window"):
        top_movers(stocks, window=0)
    with pytest.raises(DataError, match="count"):
        top_movers(stocks, count=0)


@pytest.mark.slow
def test_five_hundred_symbols_take_well_under_a_second():
    for holes in (0.0, 0.02):
        bars = market(2500, 500, holes=holes)
        screen(bars, list(COLUMNS))  # compiles what is not on disk yet
        for name, run in {
            "shown": lambda bars=bars: screen(bars),
            "all": lambda bars=bars: screen(bars, list(COLUMNS)),
            "movers": lambda bars=bars: top_movers(bars),
        }.items():
            start = time.perf_counter()
            run()
            took = time.perf_counter() - start
            print(f"\n500 symbols x 2,500 bars, holes {holes:.0%}, {name}: {took:.2f} s")
            assert took < 2.0  # a shared machine
