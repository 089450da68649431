"""One small synthetic day; what it claims is measured on its rows."""

import hashlib
import subprocess
import sys
from itertools import pairwise

import numpy as np
import pytest

from qtw_lab.core import DataError
from qtw_lab.venues.conditions import rules
from qtw_lab.venues.market import CANCELED, CORRECTED, INCORRECT, MINUTE, SECOND
from qtw_lab.venues.simulator.synthetic import SyntheticMarket
from qtw_lab.venues.ticks import CANCEL, CORRECTION, LIMITS, QUOTE, STATUS, TRADE, condition_mask, unpacked

DATE = "2024-01-05"
EVERY = range(40)


@pytest.fixture(scope="module")
def market():
    return SyntheticMarket(seed=3, date=DATE, symbols=40, events_per_second=80)


@pytest.fixture(scope="module")
def opening(market):
    return market.hours.begin + market.hours.opens * SECOND


@pytest.fixture(scope="module")
def day(market):
    return market.arrivals(*market.span)


def has(rows, letters):
    return (rows["conditions"] & np.uint64(condition_mask(letters))) != 0


def test_any_second_of_any_symbols_can_be_had_again_alone(market, opening, day):
    low, high = np.searchsorted(day.times, [opening + 7 * SECOND, opening + 8 * SECOND])
    fresh = SyntheticMarket(seed=3, date=DATE, symbols=40, events_per_second=80)
    again = fresh.events(opening + 7 * SECOND, opening + 8 * SECOND)
    assert again.tobytes() == day.rows[low:high].tobytes()
    some = fresh.events(opening + 7 * SECOND, opening + 8 * SECOND, [5, 9])
    assert some.tobytes() == again[np.isin(again["symbol"], [5, 9])].tobytes()


def test_pieces_of_a_second_make_the_second(market, opening):
    cuts = [opening + part * SECOND // 7 for part in range(15)]
    pieces = [market.events(*pair) for pair in pairwise(cuts)]
    assert np.concatenate(pieces).tobytes() == market.events(opening, opening + 2 * SECOND).tobytes()


def test_another_process_makes_the_same_rows(market, opening):
    code = (
        "import hashlib; from qtw_lab.venues.simulator.synthetic import SyntheticMarket as M; "
        f"m = M(seed=3, date={DATE!r}, symbols=40, events_per_second=80); "
        f"print(hashlib.sha256(m.events({opening}, {opening} + 10**10).tobytes()).hexdigest())"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    assert told == hashlib.sha256(market.events(opening, opening + 10**10).tobytes()).hexdigest()


def test_another_seed_or_day_is_another_market(market, opening):
    rows = market.events(opening, opening + SECOND).tobytes()
    assert SyntheticMarket(4, DATE, 40, 80).events(opening, opening + SECOND).tobytes() != rows
    other = SyntheticMarket(3, "2024-01-08", 40, 80)
    assert (other.day.path != market.day.path).any()


def test_rows_arrive_in_order_and_not_before_they_happened(day):
    assert (np.diff(day.times) >= 0).all()
    lag = day.times - day.rows["time"]
    assert lag.min() >= 0
    plain = day.rows["kind"] == QUOTE
    assert np.median(lag[plain]) < 5e6
    assert lag.max() < 55 * SECOND


def test_the_session_has_the_rate_that_was_asked_for(market, day):
    inside = (day.times >= market.hours.begin + market.hours.opens * SECOND) & (
        day.times < market.hours.begin + market.hours.closes * SECOND
    )
    assert inside.sum() / (6.5 * 3600) == pytest.approx(80, rel=0.03)
    kinds = day.rows["kind"][inside]
    assert (kinds == TRADE).sum() / (kinds == QUOTE).sum() == pytest.approx(0.25, rel=0.03)


def test_the_opening_bursts_and_midday_is_quiet(market, opening, day):
    def rate(start, seconds):
        return np.diff(np.searchsorted(day.times, [start, start + seconds * SECOND]))[0] / seconds

    middle = rate(opening + 3 * 3600 * SECOND, 1800)
    assert rate(opening, 5) > 8 * middle
    assert rate(opening + 6 * 3600 * SECOND + 1500 * SECOND, 290) > 1.5 * middle
    assert rate(opening - 3600 * SECOND, 600) < 0.2 * middle


def test_a_day_trades_the_volume_that_the_stock_is_said_to_have(market):
    first, last = market.span
    bars = market.bars(EVERY, "1Day", first - 6 * 3600 * SECOND, last, last)
    usual = market.stocks.volume[bars["symbol"]]
    ratio = np.log(bars["volume"] / usual)
    assert len(bars) == 40
    assert abs(ratio.mean()) < 3 * 0.41 / 40**0.5 + 0.05
    assert 0.2 < ratio.std() < 0.65


def test_conditions_say_when_and_how_a_trade_was_made(market, opening, day):
    trades = day.rows[day.rows["kind"] == TRADE]
    closing = opening + 6 * 3600 * SECOND + 1800 * SECOND
    inside = (trades["time"] >= opening) & (trades["time"] < closing)
    auctions = has(trades, "OQ6M")
    assert (has(trades, "T") == ~inside)[~auctions].all()
    assert (has(trades, "I") == (trades["size"] < 100))[~auctions].all()
    assert has(trades, "O").sum() == has(trades, "6").sum() == 40
    assert 0.001 < has(trades, "ZU").mean() < 0.005
    assert (trades["size"] % 1 != 0).any()
    assert has(trades, "4").any()
    assert 0.1 < has(trades, "F").mean() < 0.3
    at = trades["tape"] == ord("C")
    assert has(trades[at], "@").all()
    assert has(trades[~at], " ").all()


def test_the_day_opens_and_closes_with_the_auctions(market, opening, day):
    first, last = market.span
    bars = market.bars(EVERY, "1Day", first - 6 * 3600 * SECOND, last, last)
    prints = {letter: day.rows[has(day.rows, letter) & (day.rows["kind"] == TRADE)] for letter in "O6"}
    for name, letter in (("open", "O"), ("close", "6")):
        by_symbol = prints[letter][np.argsort(prints[letter]["symbol"])]
        assert (bars[name] == by_symbol["price"]).all()


def test_bids_are_below_asks_and_trades_between_or_near_them(market, opening):
    quotes = market.quotes([7], opening + 600 * SECOND, opening + 1200 * SECOND, market.span[1])
    assert (quotes["price"] < quotes["other_price"]).all()
    trades = market.trades([7], opening + 600 * SECOND, opening + 1200 * SECOND, market.span[1])
    plain = trades[~has(trades, "4ZU") & (trades["flag"] == 0)]
    place = np.searchsorted(quotes["time"], plain["time"]) - 1
    near = quotes[np.maximum(place, 0)]
    width = near["other_price"] - near["price"]
    off = np.maximum(near["price"] - plain["price"], plain["price"] - near["other_price"])
    assert np.quantile(off / plain["price"], 0.95) < 5e-4 + (width / plain["price"]).mean()


def test_trade_ids_tell_the_trades_of_a_symbol_apart(day):
    trades = day.rows[day.rows["kind"] == TRADE]
    keys = trades["symbol"].astype(np.int64) * 2**40 + trades["id"]
    assert len(np.unique(keys)) == len(keys)
    assert (trades["id"] > 0).all()


def test_every_notice_is_about_a_trade_that_arrived_before(market, day):
    rows = day.rows
    notices = rows[np.isin(rows["kind"], (CORRECTION, CANCEL))]
    trades = rows[(rows["kind"] == TRADE) & np.isin(rows["id"], notices["id"])]
    known = {(int(row["symbol"]), int(row["id"])): row for row in trades}
    assert len(notices) > 20
    for row in notices:
        trade = known[int(row["symbol"]), int(row["id"])]
        assert trade["time"] == row["time"]
        reported = row["price"] if row["kind"] == CANCEL else row["other_price"]
        assert trade["price"] == reported
        assert row["kind"] == CANCEL or (trade["price"], trade["size"]) != (row["price"], row["size"])
    flags = market.trades(EVERY, *market.span, market.span[1])["flag"]
    counts = [int((flags == flag).sum()) for flag in (CANCELED, INCORRECT, CORRECTED)]
    corrections = int((notices["kind"] == CORRECTION).sum())
    assert counts == [len(notices) - corrections, corrections, corrections]


def test_a_halted_symbol_is_silent_until_it_resumes(market, day):
    statuses = day.rows[day.rows["kind"] == STATUS]
    assert {chr(flag) for flag in statuses["flag"]} <= set("HPT23")
    assert all(unpacked(reason) in {"T1", "LUDP", "T3", "D", "M", ""} or reason for reason in statuses["conditions"])
    for symbol in np.unique(statuses["symbol"]):
        start, end = statuses["time"][statuses["symbol"] == symbol]
        rows = day.rows[(day.rows["symbol"] == symbol) & np.isin(day.rows["kind"], (TRADE, QUOTE))]
        assert end - start >= 300 * SECOND
        assert not ((rows["time"] >= start) & (rows["time"] < end)).any()


def test_limits_lie_around_the_price(market, day):
    limits = day.rows[day.rows["kind"] == LIMITS]
    assert (limits["price"] < limits["other_price"]).all()
    assert len(limits) == 40 * 13


def test_a_late_trade_changes_a_bar_that_was_published(market, opening):
    bars, _ = market.published(opening + 2 * SECOND, opening + 600 * SECOND, EVERY)  # no day before its first price
    kinds = {chr(kind): int((bars["kind"] == kind).sum()) for kind in np.unique(bars["kind"])}
    assert kinds["b"] == kinds["d"]
    assert 0 < kinds["u"] < kinds["b"]


def test_published_minutes_are_those_that_rest_gives_later_unless_updated(market, opening):
    bars, _ = market.published(opening, opening + 121 * SECOND, EVERY)
    minute = bars[(bars["kind"] == ord("b")) & (bars["time"] == opening)]
    asked = market.bars(minute["symbol"], 60, opening, opening + MINUTE, opening + 61 * SECOND)
    assert minute.tolist() == asked.tolist()


def test_the_history_leads_to_the_day(market, opening):
    first, last = market.span
    bars = market.bars([4], "1Day", first - 200 * 24 * 3600 * SECOND, last, last)
    before = bars[:-1]
    assert len(before) == 60
    assert before["close"][-1] == market.stocks.price[4]
    assert (before["high"] >= np.maximum(before["open"], before["close"])).all()
    assert (before["low"] <= np.minimum(before["open"], before["close"])).all()
    gap = abs(np.log(bars["open"][-1] / before["close"][-1]))
    assert gap < 5 * market.stocks.volatility[4]
    assert market.previous_daily([4], opening).tolist() == before[-1:].tolist()


def test_a_half_day_closes_at_one(day):
    market = SyntheticMarket(seed=1, date="2023-11-24", symbols=3)
    assert market.hours.closes - market.hours.opens == 3.5 * 3600
    first, last = market.span
    assert last - first == 13 * 3600 * SECOND
    rows = market.events(*market.span)
    at = rows["time"][has(rows, "6") & (rows["kind"] == TRADE)]
    assert set((at - first) // SECOND) == {9 * 3600}


def test_every_symbol_has_a_last_trade_and_quote_after_the_opening(market, opening):
    now = opening + 10 * SECOND
    trades, quotes = market.latest_trades(EVERY, now), market.latest_quotes(EVERY, now)
    assert trades["symbol"].tolist() == quotes["symbol"].tolist() == list(EVERY)
    assert trades["time"].max() <= now
    assert not any(has(trades[at : at + 1], "I")[0] and rules(int(trades["tape"][at])).no_last == 0 for at in EVERY)


def test_assets_are_told_in_alpacas_words(market):
    assets = market.assets()
    assert [asset["symbol"] for asset in assets] == market.symbols.names
    assert len({asset["id"] for asset in assets}) == 40
    assert assets[0]["class"] == "us_equity"
    assert {asset["exchange"] for asset in assets} <= {"NYSE", "NASDAQ", "ARCA", "AMEX", "BATS"}
    assert any(not asset["easy_to_borrow"] for asset in assets)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ((1, "2024-01-06"), "no session"),
        ((-1, DATE), "seed"),
        ((1, DATE, 0), "symbols"),
        ((1, DATE, 5, 0.0), "events_per_second"),
        ((1, DATE, 5, float("nan")), "events_per_second"),
    ],
)
def test_what_cannot_be_made_is_said(arguments, complaint):
    with pytest.raises(DataError, match=complaint):
        SyntheticMarket(*arguments)
