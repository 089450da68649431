"""Splits and dividends: recovered from factors, and trading raw prices with them is trading adjusted prices."""

from dataclasses import FrozenInstanceError, replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import qtw_lab as qtw
from qtw_lab.backtest.actions import Actions
from qtw_lab.core import Bars, DataError, Timeframe
from qtw_lab.data import sample_bars

SYMBOLS = ("AAPL", "IBM", "MSFT")


def bars_of(closes, start="2024-01-01", symbol="X", **changes) -> Bars:
    """Raw bars with that close in all four prices and a volume of 1,000."""
    index = pd.date_range(start, periods=len(closes), tz="UTC", name="timestamp")
    frame = pd.DataFrame(dict.fromkeys(("open", "high", "low", "close"), closes) | {"volume": 1000.0}, index=index)
    return replace(Bars.from_frame(frame.astype(float), symbol, timeframe="1D", holes="keep"), **changes)


def actions_on(bars, splits=(), dividends=()) -> Actions:
    """Actions of single-symbol bars from (row, amount) pairs."""
    none = Actions.none(bars)
    split, dividend = none.split.copy(), none.dividend.copy()
    for row, ratio in splits:
        split[row, 0] = ratio
    for row, cash in dividends:
        dividend[row, 0] = cash
    return Actions(bars.index, bars.symbols, split, dividend)


def column(values):
    return np.array(values, dtype=float)[:, None]


@pytest.fixture(scope="module")
def raw():
    return sample_bars(SYMBOLS, adjustment="raw")


@pytest.fixture(scope="module")
def everything():
    return sample_bars(SYMBOLS, adjustment="all")


@pytest.fixture(scope="module")
def found(raw, everything):
    return Actions.from_prices(raw, None, everything)


# --- recovered on paper ---------------------------------------------------------------------------------------------


def test_a_split_and_a_dividend_come_back_from_their_factors():
    # 100 -> 2 for 1 -> 50; then 1.00 a share on a close of 50: the factor before is 1 - 1/50 = 0.98
    bars = bars_of([100.0, 50.0, 50.0, 49.0])
    split = column([0.5, 1, 1, 1])
    factor = split * column([0.98, 0.98, 0.98, 1])
    found = Actions.from_factors(bars, split, factor, tick=0.0)
    assert found.split.ravel().tolist() == [1.0, 2.0, 1.0, 1.0]
    assert found.dividend.ravel().tolist() == pytest.approx([0.0, 0.0, 0.0, 1.0], abs=1e-9)


def test_a_dividend_on_the_day_of_a_split_is_for_the_new_shares():
    # closed at 90; 3 for 1 makes 30; 0.60 a new share: the factor before is (1 - 0.60/30) / 3 = 0.98 / 3
    bars = bars_of([90.0, 29.4, 29.4])
    found = Actions.from_factors(bars, column([1 / 3, 1, 1]), column([0.98 / 3, 1, 1]), tick=0.0)
    assert found.split.ravel().tolist() == [1.0, 3.0, 1.0]
    assert found.dividend.ravel().tolist() == pytest.approx([0.0, 0.6, 0.0], abs=1e-7)
    assert found.adjusted(bars).values["close"].ravel().tolist() == pytest.approx([29.4, 29.4, 29.4], abs=1e-6)


@pytest.mark.parametrize("ratio", [2.0, 3.0, 7.0, 1.5, 4 / 3, 0.1, 0.04, 1 / 30, 1.05, 20.0])
def test_a_split_of_any_usual_ratio_comes_back_exactly_from_prices_in_cents(ratio):
    old = np.round(np.array([60.0, 61.0, 62.0]) * max(ratio, 1), 2)
    new = np.round(np.array([62.0, 63.0]) * max(1 / ratio, 1), 2)
    bars = bars_of([*old, *new])
    split = bars_of([*np.round(old / ratio, 2), *new], adjustment="split")
    assert Actions.from_prices(bars, split, split).split.ravel().tolist() == [1.0, 1.0, 1.0, ratio, 1.0]
    assert not Actions.from_prices(bars, split, split).dividend.any()


@pytest.mark.parametrize("ratio", [2.0, 7.0, 1.5, 1.25, 0.1, 1 / 25])
def test_without_a_split_factor_a_large_step_is_read_as_the_split_it_looks_like(ratio):
    bars = bars_of([100.0 * ratio, 100.0, 100.0, 99.0])
    factor = column([1 / ratio * 0.99, 0.99, 0.99, 1.0])
    found = Actions.from_factors(bars, None, factor, tick=0.0)
    assert found.split.ravel().tolist() == pytest.approx([1.0, ratio, 1.0, 1.0], abs=1e-12)
    assert found.dividend.ravel().tolist() == pytest.approx([0.0, 0.0, 0.0, 1.0], abs=1e-6)


def test_without_a_split_factor_a_dividend_of_a_tenth_of_the_price_is_no_split():
    found = Actions.from_factors(bars_of([30.0, 27.0]), None, column([0.9, 1.0]), tick=0.0)
    assert found.split.ravel().tolist() == [1.0, 1.0]
    assert found.dividend.ravel().tolist() == pytest.approx([0.0, 3.0], abs=1e-7)


def test_a_split_in_a_split_factor_that_is_no_ratio_is_kept_as_it_is():
    # a spin-off, which vendors put into the split factor
    found = Actions.from_factors(bars_of([100.0, 95.0]), column([1 / 1.046187, 1]), column([1 / 1.046187, 1]), tick=0.0)
    assert found.split[1, 0] == pytest.approx(1.046187, rel=1e-9)


def test_prices_that_were_never_adjusted_have_no_actions():
    bars = bars_of([10.0, 11.0, 12.5])
    assert Actions.from_prices(bars, bars, bars).empty
    assert Actions.none(bars).empty
    assert Actions.none(bars).table().empty
    assert Actions.from_factors(bars, column([1, 1, 1]), column([0.4, 0.4, 0.4])).empty  # what came later is not here


def test_rounding_to_the_cent_invents_no_dividend():
    # 2,000 closes around 20 with a factor of 0.7371 throughout, adjusted prices rounded to the cent
    closes = np.round(20 * np.exp(np.cumsum(np.random.default_rng(5).normal(0, 0.02, 2000))), 2)
    bars = bars_of(closes)
    rounded = bars_of(np.maximum(np.round(closes * 0.7371, 2), 0.01), adjustment="all")
    assert np.unique(rounded.values["close"] / bars.values["close"]).size > 100
    assert Actions.from_prices(bars, bars, rounded).empty
    with pytest.raises(DataError, match=r"as if holders had paid a dividend.*say to what with tick=0\.01"):
        Actions.from_prices(bars, bars, rounded, tick=0.0)


def test_prices_in_single_precision_make_no_events_of_their_own(raw, everything, found):
    coarse = [
        replace(bars, values={name: array.astype(np.float32).astype(float) for name, array in bars.values.items()})
        for bars in (raw, everything)
    ]
    single = Actions.from_prices(coarse[0], None, coarse[1])
    assert (single.dividend > 0).tolist() == (found.dividend > 0).tolist()
    assert single.split.tolist() == found.split.tolist()
    assert single.dividend == pytest.approx(found.dividend, abs=1e-4)


def test_rounding_is_recognised_beside_bars_that_are_as_traded_to_four_digits(raw, found):
    # Adjusted prices are cents; the last bars are not adjusted, and as traded they lie between the cents.
    fine = np.zeros((len(raw.index), 1))
    fine[-200:] = 0.0037
    traded = replace(raw, values={n: a + (fine if n != "volume" else 0.0) for n, a in raw.values.items()})
    exact = found.adjusted(traded)
    same = {name: exact.values[name] == traded.values[name] for name in exact.values}
    cents = {name: np.where(same[name], array, array.round(2)) for name, array in exact.values.items()}
    again = Actions.from_prices(traded, None, replace(exact, values=cents))
    assert (again.dividend > 0).tolist() == (found.dividend > 0).tolist()
    assert again.dividend == pytest.approx(found.dividend, abs=0.01)


def test_a_hole_and_a_late_listing_carry_no_event():
    closes = [np.nan, 100.0, np.nan, 50.0, 50.0]
    bars = bars_of(closes)
    found = Actions.from_factors(
        bars, column([np.nan, 0.5, np.nan, 1, 1]), column([np.nan, 0.5, np.nan, 1, 1]), tick=0.0
    )
    assert found.split.ravel().tolist() == [1.0, 1.0, 1.0, 2.0, 1.0]
    assert found.adjusted(bars).values["close"][[1, 3], 0].tolist() == [50.0, 50.0]
    assert np.isnan(found.adjusted(bars).values["close"][[0, 2], 0]).all()


@settings(max_examples=150)
@given(st.data())
def test_actions_survive_the_way_to_adjusted_prices_and_back(data):
    count = data.draw(st.integers(3, 25))
    closes = data.draw(st.lists(st.floats(1.0, 500.0), min_size=count, max_size=count))
    bars = bars_of(closes)
    rows = st.integers(1, count - 1)
    splits = data.draw(st.dictionaries(rows, st.sampled_from([2.0, 3.0, 1.5, 0.1, 0.2, 7.0]), max_size=3))
    yields = data.draw(st.dictionaries(rows, st.floats(0.0005, 0.3), max_size=5))
    cash = {row: closes[row - 1] / splits.get(row, 1.0) * share for row, share in yields.items()}
    given_actions = actions_on(bars, splits.items(), cash.items())
    only_splits = actions_on(bars, splits.items())
    back = Actions.from_prices(bars, only_splits.adjusted(bars), given_actions.adjusted(bars), tick=0.0)
    assert back.split.tolist() == given_actions.split.tolist()
    assert back.dividend == pytest.approx(given_actions.dividend, rel=1e-5, abs=1e-9)


# --- the bundled prices ---------------------------------------------------------------------------------------------


def test_the_bundled_prices_hold_the_splits_of_history(found):
    splits = found.table().query("kind == 'split'")
    listed = [(row.timestamp.date().isoformat(), row.symbol, row.amount) for row in splits.itertuples()]
    assert listed == [("2000-06-21", "AAPL", 2.0), ("2003-02-18", "MSFT", 2.0), ("2005-02-28", "AAPL", 2.0)]


def test_the_bundled_prices_hold_the_dividends_of_history(found):
    # IBM paid in each of the 52 quarters; Microsoft began in 2003 and paid its special 3 dollars (with the 8 cents of
    # the quarter, 3.08) on 2004-11-15; Apple began in August 2012 with 2.65. The source's own factors give the amounts.
    counted = found.table().query("kind == 'dividend'").groupby("symbol")["amount"].count()
    assert counted.to_dict() == {"AAPL": 3, "IBM": 52, "MSFT": 37}
    listed = found.table().set_index(["timestamp", "symbol", "kind"])["amount"]
    assert listed[pd.Timestamp("2004-11-15", tz="UTC"), "MSFT", "dividend"] == pytest.approx(3.08, rel=0.02)
    assert listed[pd.Timestamp("2012-08-09", tz="UTC"), "AAPL", "dividend"] == pytest.approx(2.65, rel=0.02)


def test_adjusting_the_raw_prices_gives_the_sources_adjusted_ones(raw, everything, found):
    # The source adjusts for what came after 2013 as well: one constant a symbol. Largest found: 9.5e-14.
    mine = found.adjusted(raw)
    assert mine.adjustment == "all"
    for name in ("open", "high", "low", "close"):
        ratio = everything.values[name] / mine.values[name]
        assert np.ptp(ratio, axis=0) / ratio[-1] == pytest.approx(0.0, abs=1e-12)
    split_days = raw.index.get_indexer([pd.Timestamp("2003-02-18", tz="UTC")])
    before = raw.values["volume"][split_days - 1, 2] * 2
    assert mine.values["volume"][split_days - 1, 2] == pytest.approx(before)
    assert mine.values["volume"][-1].tolist() == raw.values["volume"][-1].tolist()


@pytest.mark.parametrize(("tick", "off"), [(0.01, 0.007), (0.001, 0.0006), (0.0001, 0.00008)])
def test_rounded_adjusted_prices_give_the_same_events_on_the_same_days(raw, everything, found, tick, off):
    values = {name: np.round(array / tick) * tick for name, array in everything.values.items()}
    rounded = Actions.from_prices(raw, None, replace(everything, values=values))
    assert rounded.split.tolist() == found.split.tolist()
    assert (rounded.dividend > 0).tolist() == (found.dividend > 0).tolist()
    assert np.abs(rounded.dividend - found.dividend).max() < off


def held(raw, actions, at, place):
    """Wealth of one who buys a symbol at its first close and puts each dividend into it at that price."""
    closes = raw.values["close"][:, place]
    shares, cash, wealth = 1000.0 / closes[0], 0.0, []
    for t in range(len(closes)):
        shares *= actions.split[t, place]
        cash += shares * actions.dividend[t, place]
        if cash > 0.0 and at is not None:
            price = at[t, place]
            shares, cash = shares + cash / price, 0.0
        wealth.append(shares * closes[t] + cash)
    return np.array(wealth)


@pytest.mark.parametrize("place", range(3))
def test_holding_raw_shares_is_holding_adjusted_ones(raw, everything, found, place):
    adjusted = everything.values["close"][:, place]
    wanted = 1000.0 * adjusted / adjusted[0]
    # At the last close less the dividend, the price that adjustment assumes: equal up to rounding. Found: 5.4e-14.
    before = np.vstack([raw.values["close"][:1], raw.values["close"][:-1]])
    ideal = held(raw, found, before / found.split - found.dividend, place)
    assert ideal == pytest.approx(wanted, rel=1e-11)
    # At the open of the ex-date, which one can really pay. Found at most: AAPL 0.006%, IBM 0.02%, MSFT 0.2%.
    opened = held(raw, found, raw.values["open"], place)
    assert opened == pytest.approx(wanted, rel=0.0025)
    # Left as cash, dividends miss what the shares did afterwards. Found: AAPL 0.4%, IBM 6.8%, MSFT 10.9% at most.
    kept = held(raw, found, None, place)
    assert kept == pytest.approx(wanted, rel=0.12)


@pytest.mark.parametrize("symbol", SYMBOLS)
def test_the_engine_trades_raw_prices_with_actions_as_an_account_would(raw, everything, found, symbol):
    mine, adjusted = raw.select(symbol), everything.select(symbol)
    actions, opens, closes = found.for_bars(mine), mine.values["open"][:, 0], mine.values["close"][:, 0]
    result = qtw.backtest(qtw.strategies.BuyAndHold(), mine, actions=actions, cash=1000.0)
    shares, cash, wealth = 0.0, 1000.0, []
    for t in range(len(closes)):
        shares *= actions.split[t, 0]
        cash += shares * actions.dividend[t, 0]
        if t == 1:
            shares, cash = cash / opens[t], 0.0
        wealth.append(shares * closes[t] + cash)
    assert result.equity.to_numpy() == pytest.approx(wealth, rel=1e-12)
    # The dividends stay cash, so adjusted prices end elsewhere: found at most 0.4%, 6.8% and 10.9% on the way.
    other = qtw.backtest(qtw.strategies.BuyAndHold(), adjusted, cash=1000.0)
    assert result.equity.to_numpy() == pytest.approx(other.equity.to_numpy(), rel=0.12)


@pytest.mark.parametrize("symbol", SYMBOLS)
def test_the_engine_with_dividends_put_back_to_work_earns_what_adjusted_prices_earn(
    raw, everything, found, told_weights, symbol
):
    # A weight of one at every bar buys with each dividend at the open of its ex-date.
    mine, adjusted = raw.select(symbol), everything.select(symbol)
    whole = told_weights(np.ones(mine.shape))
    result = qtw.backtest(whole, mine, actions=found.for_bars(mine), cash=1000.0)
    other = qtw.backtest(whole, adjusted, cash=1000.0)
    # Found at most: AAPL 0.006%, IBM 0.02%, MSFT 0.2%, what the price moves between the last close and that open.
    assert result.equity.to_numpy() == pytest.approx(other.equity.to_numpy(), rel=0.0025)


# --- on other bars --------------------------------------------------------------------------------------------------


def test_actions_follow_a_part_of_the_bars(raw, found):
    part = raw.select(["MSFT", "AAPL"]).between("2003-01-01", "2005-02-28")
    moved = found.for_bars(part)
    assert moved.symbols == ("MSFT", "AAPL")
    assert len(moved.index) == len(part)
    kinds = moved.table()
    assert kinds["symbol"].tolist().count("AAPL") == 1
    assert found.for_bars(raw).table().equals(found.table())
    whole = found.adjusted(raw).values["close"][:, [2, 0]][raw.index.isin(part.index)]
    assert found.adjusted(part).values["close"] / whole == pytest.approx(
        np.broadcast_to(found.adjusted(part).values["close"][-1] / whole[-1], whole.shape)
    )


def test_what_falls_into_a_hole_counts_on_the_next_bar_in_shares_of_that_day():
    bars = bars_of([100.0, np.nan, np.nan, 40.0, 40.0])
    # 1.00 a share, then 2 for 1: half a dollar for each share there is afterwards; then another 0.25
    given_actions = actions_on(bars, splits=[(2, 2.0)], dividends=[(1, 1.0), (3, 0.25)])
    moved = given_actions.for_bars(bars)
    assert moved.split.ravel().tolist() == [1.0, 1.0, 1.0, 2.0, 1.0]
    assert moved.dividend.ravel().tolist() == [0.0, 0.0, 0.0, 0.75, 0.0]


def test_what_falls_outside_a_symbols_life_is_left_out():
    bars = bars_of([np.nan, 10.0, 10.0, np.nan])
    given_actions = actions_on(bars, splits=[(0, 2.0), (1, 3.0), (3, 5.0)], dividends=[(0, 9.0), (1, 9.0), (3, 9.0)])
    assert given_actions.for_bars(bars).empty
    assert given_actions.adjusted(bars).values["close"][1:3, 0].tolist() == [10.0, 10.0]


def test_daily_actions_fall_on_the_first_bar_of_an_intraday_session():
    daily = bars_of([100.0, 50.0], start="2024-01-02")
    index = pd.date_range("2024-01-02 14:30", periods=3, freq="h", tz="UTC").append(
        pd.date_range("2024-01-03 14:30", periods=3, freq="h", tz="UTC")
    )
    prices = pd.DataFrame({"close": [100.0, 100, 100, 50, 50, 50]}, index=index)
    hourly = Bars.from_frame(prices, "X", timeframe="1h", calendar="XNYS")
    moved = actions_on(daily, splits=[(1, 2.0)]).for_bars(hourly)
    assert moved.split.ravel().tolist() == [1.0, 1.0, 1.0, 2.0, 1.0, 1.0]


def test_events_that_no_bar_can_take_are_refused_with_the_remedy():
    bars = bars_of([np.nan, 10.0, np.nan, 10.0])
    actions_on(bars, splits=[(3, 2.0)], dividends=[(3, 1.0)]).check(bars)
    for row in (0, 1, 2):  # before the listing, on its first day, in a hole
        for stray in (actions_on(bars, splits=[(row, 2.0)]), actions_on(bars, dividends=[(row, 1.0)])):
            with pytest.raises(DataError, match=rf"X has an event on 2024-01-0{row + 1}, where .*actions\.for_bars"):
                stray.check(bars)
            stray.for_bars(bars).check(bars)
    for other in (bars.tail(2), bars_of([np.nan, 10.0, np.nan, 10.0], symbol="Y")):
        with pytest.raises(DataError, match="belong to other bars than"):
            Actions.none(bars).check(other)


# --- bad input ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [0.0, -2.0, np.nan, np.inf])
def test_a_split_is_a_positive_number(value):
    with pytest.raises(DataError, match=r"the split of X on 2024-01-02 is .* above 0 \(1 for none\)"):
        actions_on(bars_of([10.0, 10.0]), splits=[(1, value)])


@pytest.mark.parametrize("value", [-0.01, np.nan, np.inf])
def test_a_dividend_is_a_number_of_zero_or_more(value):
    with pytest.raises(DataError, match=r"the dividend of X on 2024-01-02 is .* of 0 or more"):
        actions_on(bars_of([10.0, 10.0]), dividends=[(1, value)])


def test_shapes_and_times_must_fit():
    bars = bars_of([10.0, 10.0])
    with pytest.raises(DataError, match=r"split has shape \(2,\), but index and symbols call for \(2, 1\)"):
        Actions(bars.index, bars.symbols, np.ones(2), np.zeros((2, 1)))
    with pytest.raises(DataError, match=r"dividend has shape \(1, 1\)"):
        Actions(bars.index, bars.symbols, np.ones((2, 1)), np.zeros((1, 1)))
    with pytest.raises(DataError, match="with a time zone"):
        Actions(bars.index.tz_localize(None), bars.symbols, np.ones((2, 1)), np.zeros((2, 1)))
    with pytest.raises(DataError, match="the times must increase"):
        Actions(bars.index[::-1], bars.symbols, np.ones((2, 1)), np.zeros((2, 1)))
    with pytest.raises(DataError, match=r"the factor has shape \(2,\)"):
        Actions.from_factors(bars, None, np.ones(2))
    with pytest.raises(DataError, match="same times and symbols"):
        Actions.from_prices(bars, None, bars_of([10.0, 10.0], symbol="Y"))
    with pytest.raises(DataError, match="holes at different times"):
        Actions.from_prices(bars, None, bars_of([10.0, np.nan]))
    with pytest.raises(DataError, match=r"nothing is known of Y; they cover X\."):
        Actions.none(bars).for_bars(bars_of([10.0, 10.0], symbol="Y"))


@pytest.mark.parametrize("cash", [25.0, 50.0, 25.0000001])
def test_a_dividend_is_below_the_price_of_the_day_before(cash):
    bars = bars_of([50.0, 25.0])
    given_actions = actions_on(bars, splits=[(1, 2.0)], dividends=[(1, cash)])
    for use in (given_actions.for_bars, given_actions.adjusted):
        with pytest.raises(DataError, match=r"the dividend of X on 2024-01-02 is .* the share closed at 25 before"):
            use(bars)


@pytest.mark.parametrize("adjustment", ["all", "split"])
def test_adjusted_prices_are_refused_for_events_would_count_twice(adjustment):
    bars = bars_of([10.0, 5.0])
    given_actions = actions_on(bars, splits=[(1, 2.0)])
    done = replace(bars, adjustment=adjustment)
    for use in (given_actions.check, given_actions.for_bars, given_actions.adjusted):
        with pytest.raises(DataError, match="would count twice"):
            use(done)
    with pytest.raises(DataError, match="would count twice"):
        Actions.from_factors(done, None, np.ones((2, 1)))
    assert Actions.none(bars).for_bars(done).empty  # nothing to count twice


def test_bars_longer_than_a_day_are_refused_for_they_straddle_a_split():
    weekly = replace(bars_of([100.0, 50.0]), timeframe=Timeframe.parse("1W"))
    for use in (
        actions_on(weekly, splits=[(1, 2.0)]).check,
        lambda bars: Actions.from_factors(bars, None, column([1, 1])),
    ):
        with pytest.raises(DataError, match="bars of a day or less: a raw bar of 1W"):
            use(weekly)


@pytest.mark.parametrize("value", [0.0, -1.0, np.nan, np.inf])
def test_a_factor_is_positive_on_every_bar(value):
    with pytest.raises(DataError, match=r"the factor of X on 2024-01-02 is .* must be positive"):
        Actions.from_factors(bars_of([10.0, 10.0]), None, column([1.0, value]))
    with pytest.raises(DataError, match=r"split factor of X on 2024-01-02 .* pass None for the split factor"):
        Actions.from_factors(bars_of([10.0, 10.0]), column([1.0, value]), column([1.0, 1.0]))


def test_factors_that_fit_no_event_are_refused():
    bars = bars_of([10.0, 10.0, 10.0])
    with pytest.raises(DataError, match=r"of X on 2024-01-02 grows by 1\.5, less than the split of 2 of that day"):
        Actions.from_factors(bars, column([0.5, 1, 1]), column([2 / 3, 1, 1]), tick=0.0)
    with pytest.raises(DataError, match=r"of X on 2024-01-03 falls to 0\.97 of itself"):
        Actions.from_factors(bars, None, column([1, 1, 0.97]), tick=0.0)
    with pytest.raises(DataError, match=r"split factor of X on 2024-01-02 steps by 0\.1, but the factor .* does not"):
        Actions.from_factors(bars, column([10, 1, 1]), column([1, 1, 1]), tick=0.0)


def test_actions_cannot_be_changed():
    given_actions = actions_on(bars_of([10.0, 10.0]))
    with pytest.raises(FrozenInstanceError):
        given_actions.split = np.ones((2, 1))
    with pytest.raises(ValueError, match="read-only"):
        given_actions.dividend[0, 0] = 1.0


def test_the_table_of_events_is_in_order_of_time_and_says_what_it_is(found):
    table = found.table()
    assert table.columns.tolist() == ["timestamp", "symbol", "kind", "amount"]
    assert table["timestamp"].is_monotonic_increasing
    assert str(table["timestamp"].dt.tz) == "UTC"
    assert len(table) == 3 + 92
    empty = Actions.none(bars_of([10.0, 10.0])).table()
    assert empty.dtypes.tolist() == table.dtypes.tolist()
    assert repr(found) == "Actions(AAPL, IBM, MSFT: 3 splits, 92 dividends)"


def test_the_prices_as_traded_show_the_split_that_adjusted_ones_hide(raw, everything):
    day = raw.index.get_loc(pd.Timestamp("2003-02-18", tz="UTC"))
    close, adjusted = raw.values["close"][:, 2], everything.values["close"][:, 2]
    assert close[day] / close[day - 1] - 1 == pytest.approx(-0.48, abs=0.01)
    assert adjusted[day] / adjusted[day - 1] - 1 == pytest.approx(0.03, abs=0.01)
    assert qtw.Bars is Bars
