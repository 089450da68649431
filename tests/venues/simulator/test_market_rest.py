import base64

import numpy as np
import pytest
from small_exchange import OPEN, SECOND, Desk, daily, market, quote, trade

MINUTES = 40


@pytest.fixture(scope="module")
def played():
    rows = []
    for minute in range(MINUTES):
        for symbol in (0, 1):
            for place in range(5):
                second = 60 * minute + 10 * place
                price = 100 * (1 + symbol) + minute + place / 100
                rows.append(trade(symbol, second + 0.5, price, 10 + place, number=5 * minute + place + 1))
                rows.append(quote(symbol, second, price - 0.05, price + 0.05))
    dates = ["2023-11-30", "2023-12-01", "2023-12-27", "2023-12-28", "2023-12-29"]
    days = tuple(daily(symbol, date, 90.0 * (1 + symbol) + place, 100.0 * (place + 1))
                 for symbol in (0, 1) for place, date in enumerate(dates))  # fmt: skip
    return market(*rows, days=days)


@pytest.fixture
def desk(played) -> Desk:
    return Desk(played, 60 * 30)


def every(desk: Desk, target: str, field: str) -> tuple[dict[str, list], int]:
    """All pages of an answer joined, and how many there were."""
    found: dict[str, list] = {}
    token, pages = "", 0
    while token is not None:
        said = desk.ask("GET", target + (f"&page_token={token}" if token else ""))
        for name, rows in said[field].items():
            found.setdefault(name, []).extend(rows)
        token, pages = said["next_page_token"], pages + 1
    return found, pages


def test_minute_bars_are_the_markets_own_and_end_with_the_last_finished_minute(desk):
    said = desk.ask("GET", "/v2/stocks/bars?symbols=AAA,BBB&timeframe=1Min")
    assert list(said["bars"]) == ["AAA", "BBB"]
    # trades of minute 3: prices 103.00 to 103.04, sizes 10 to 14
    vwap = round(sum((103 + k / 100) * (10 + k) for k in range(5)) / 60, 6)
    assert said["bars"]["AAA"][3] == {
        "t": "2024-01-02T14:33:00Z", "o": 103.0, "h": 103.04, "l": 103.0, "c": 103.04, "v": 60, "n": 5, "vw": vwap,
    }  # fmt: skip
    assert (
        said["bars"]["AAA"][-1]["t"] == "2024-01-02T14:58:00Z"
    )  # the minute that has just ended is published a second on
    assert said["next_page_token"] is None


@pytest.mark.parametrize("sort", ["asc", "desc"])
@pytest.mark.parametrize(
    ("what", "limit"),
    [("bars", 1), ("bars", 7), ("bars", 38), ("trades", 7), ("trades", 90), ("trades", 1000), ("quotes", 30)],
)
def test_pages_joined_are_the_whole_by_symbol_then_time(desk, what, sort, limit):
    span = "start=2024-01-02T14:31:00Z&end=2024-01-02T14:49:00Z"
    target = f"/v2/stocks/{what}?symbols=BBB,AAA&{span}&sort={sort}&limit={limit}"
    found, pages = every(desk, target + ("&timeframe=1Min" if what == "bars" else ""), what)
    assert list(found) == ["AAA", "BBB"]
    count = 19 if what == "bars" else 18 * 5 + (1 if what == "quotes" else 0)  # 14:49:00 itself is included
    for rows in found.values():
        times = [row["t"] for row in rows]
        assert len(times) == count
        assert sorted(times, key=pad, reverse=sort == "desc") == times
    assert pages == -(-2 * count // limit)


def pad(text: str) -> str:
    """RFC 3339 texts whose order is that of the moments."""
    whole, _, fraction = text.rstrip("Z").partition(".")
    return f"{whole}.{fraction.ljust(9, '0')}"


def test_nothing_is_told_before_it_happened(played):
    desk = Desk(played, 61)
    for what, count in (("trades", 6), ("quotes", 6)):
        said = desk.ask("GET", f"/v2/stocks/{what}?symbols=AAA&end=2030-01-01T00:00:00Z")
        assert len(said[what]["AAA"]) == count
    desk = Desk(played, -60)
    assert desk.ask("GET", "/v2/stocks/trades?symbols=AAA") == {"trades": {}, "next_page_token": None}
    assert desk.ask("GET", "/v2/stocks/trades/latest?symbols=AAA") == {"trades": {}}
    desk.ask("GET", "/v2/stocks/AAA/trades/latest", status=404)


def test_all_pages_of_a_query_know_what_the_first_knew(played):
    desk = Desk(played, 61)
    first = desk.ask("GET", "/v2/stocks/trades?symbols=AAA&limit=4")
    desk.at(600)
    rest = desk.ask("GET", f"/v2/stocks/trades?symbols=AAA&limit=1000&page_token={first['next_page_token']}")
    assert len(first["trades"]["AAA"]) + len(rest["trades"]["AAA"]) == 6


def test_a_token_serves_its_own_query_only(desk):
    token = desk.ask("GET", "/v2/stocks/trades?symbols=AAA&limit=4")["next_page_token"]
    future = base64.urlsafe_b64encode(base64.urlsafe_b64decode(token + "==").replace(b"|17", b"|27")).decode()
    for query in (f"symbols=BBB&page_token={token}", "symbols=AAA&page_token=abc", f"symbols=AAA&page_token={future}"):
        assert "invalid page_token" in desk.ask("GET", f"/v2/stocks/trades?{query}", status=400)["message"]


def test_one_symbols_answers_stand_alone(desk):
    said = desk.ask("GET", "/v2/stocks/AAA/trades?limit=1")
    assert said["trades"] == [{"t": "2024-01-02T14:30:00.5Z", "x": "V", "p": 100.0, "s": 10, "c": [], "i": 1, "z": "C"}]
    assert said["symbol"] == "AAA"
    said = desk.ask("GET", "/v2/stocks/BBB/quotes?limit=1")
    assert said["quotes"] == [
        {"t": "2024-01-02T14:30:00Z", "ax": "V", "ap": 200.05, "as": 100, "bx": "V", "bp": 199.95, "bs": 100,
         "c": [], "z": "C"}
    ]  # fmt: skip
    assert desk.ask("GET", "/v2/stocks/ZZZ/bars?timeframe=1Min") == {
        "bars": None, "symbol": "ZZZ", "next_page_token": None,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("timeframe", "first", "volume"),
    [
        ("1Day", "2023-12-27T05:00:00Z", 300),
        ("1Week", "2023-12-25T05:00:00Z", 1200),
        ("1Month", "2023-12-01T05:00:00Z", 1400),
    ],
)
def test_days_weeks_and_months_begin_at_midnight_in_new_york(desk, timeframe, first, volume):
    said = desk.ask("GET", f"/v2/stocks/bars?symbols=AAA&timeframe={timeframe}&start={first[:10]}&end=2023-12-31")
    assert (said["bars"]["AAA"][0]["t"], said["bars"]["AAA"][0]["v"]) == (first, volume)


def test_a_month_has_its_first_open_its_last_close_and_its_extremes(desk):
    said = desk.ask("GET", "/v2/stocks/AAA/bars?timeframe=1Month&start=2023-11-01&end=2023-12-31")
    # closes 90 on November 30, then 91, 92, 93, 94 with volumes 200, 300, 400, 500
    vwap = round((91 * 200 + 92 * 300 + 93 * 400 + 94 * 500) / 1400, 6)
    assert [(b["t"][:10], b["o"], b["h"], b["l"], b["c"], b["vw"]) for b in said["bars"]] == [
        ("2023-11-01", 90.0, 90.0, 90.0, 90.0, 90.0), ("2023-12-01", 91.0, 94.0, 91.0, 94.0, vwap),
    ]  # fmt: skip


def test_a_date_as_the_end_is_the_whole_day(desk):
    said = desk.ask("GET", "/v2/stocks/AAA/bars?timeframe=1Min&start=2024-01-02&end=2024-01-02")
    assert len(said["bars"]) == 29


def test_the_day_so_far_is_todays_bar(desk):
    said = desk.ask("GET", "/v2/stocks/AAA/bars?timeframe=1Day&start=2024-01-02")["bars"]
    assert (said[0]["o"], said[0]["h"], said[0]["v"], said[0]["n"]) == (100.0, 129.04, 30 * 60, 150)


def test_hours_and_quarters_of_an_hour_are_made_of_minutes(desk):
    said = desk.ask("GET", "/v2/stocks/AAA/bars?timeframe=15Min")["bars"]
    assert [(bar["t"][11:16], bar["v"]) for bar in said] == [("14:30", 900), ("14:45", 14 * 60)]


def test_snapshots_hold_the_last_of_everything(desk):
    said = desk.ask("GET", "/v2/stocks/snapshots?symbols=AAA,ZZZ")
    assert list(said) == ["AAA"]
    one = said["AAA"]
    assert (one["latestTrade"]["p"], one["latestQuote"]["t"]) == (129.04, "2024-01-02T15:00:00Z")
    assert (one["minuteBar"]["t"], one["minuteBar"]["c"]) == ("2024-01-02T14:58:00Z", 128.04)
    assert (one["dailyBar"]["t"], one["prevDailyBar"]["c"]) == ("2024-01-02T05:00:00Z", 94.0)
    assert desk.ask("GET", "/v2/stocks/AAA/snapshot") == {"symbol": "AAA", **one}
    desk.ask("GET", "/v2/stocks/ZZZ/snapshot", status=404)


def test_before_a_day_has_traded_its_snapshot_is_that_of_the_last(played):
    one = Desk(played, -3600).ask("GET", "/v2/stocks/AAA/snapshot")
    assert (one["dailyBar"]["c"], one["prevDailyBar"]["c"]) == (94.0, 93.0)
    assert one["latestTrade"] is one["latestQuote"] is one["minuteBar"] is None


def test_latest_minute_bars_are_found_however_long_ago(played):
    desk = Desk(played, 5 * 3600)
    said = desk.ask("GET", "/v2/stocks/bars/latest?symbols=AAA,BBB")["bars"]
    assert {name: bar["t"] for name, bar in said.items()} == dict.fromkeys(("AAA", "BBB"), "2024-01-02T15:09:00Z")
    assert desk.ask("GET", "/v2/stocks/AAA/bars/latest")["bar"] == said["AAA"]
    assert desk.ask("GET", "/v2/stocks/AAA/quotes/latest")["quote"]["ap"] == pytest.approx(139.09)


def test_the_most_active_and_those_that_moved_most_are_ranked():
    desk = Desk(
        market(
            *(
                trade(k, 1, price, size, number=1)
                for k, (price, size) in enumerate([(11.0, 5), (9.0, 50), (30.0, 500)])
            ),
            trade(0, 2, 12.0, 10, number=2),
            names=("UP", "DOWN", "NEW"),
            days=(daily(0, "2023-12-29", 10.0), daily(1, "2023-12-29", 10.0)),
        ),
        5,
    )
    said = desk.ask("GET", "/v1beta1/screener/stocks/most-actives")
    assert [(one["symbol"], one["volume"]) for one in said["most_actives"]] == [("NEW", 500), ("DOWN", 50), ("UP", 15)]
    said = desk.ask("GET", "/v1beta1/screener/stocks/most-actives?by=trades&top=1")
    assert said["most_actives"] == [{"symbol": "UP", "volume": 15, "trade_count": 2}]
    said = desk.ask("GET", "/v1beta1/screener/stocks/movers?top=5")
    assert said["gainers"] == [{"symbol": "UP", "percent_change": 20.0, "change": 2.0, "price": 12.0}]
    assert said["losers"] == [{"symbol": "DOWN", "percent_change": -10.0, "change": -1.0, "price": 9.0}]
    for wrong in (
        "stocks/most-actives?by=price",
        "stocks/most-actives?top=101",
        "stocks/movers?top=51",
        "crypto/movers",
    ):
        desk.ask("GET", f"/v1beta1/screener/{wrong}", status=400)


def test_exchanges_and_conditions_are_listed(desk):
    assert desk.ask("GET", "/v2/stocks/meta/exchanges")["V"] == "IEX"
    assert desk.ask("GET", "/v2/stocks/meta/conditions/trade?tape=A")["I"] == "Odd Lot Trade"
    assert desk.ask("GET", "/v2/stocks/meta/conditions/quote?tape=C")["R"] == "Regular Two-Sided Open"
    desk.ask("GET", "/v2/stocks/meta/conditions/trade?tape=X", status=400)
    desk.ask("GET", "/v2/stocks/meta/conditions/order?tape=A", status=400)


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("timeframe=1Min", "symbols is required"),
        ("symbols=AAA", "timeframe is required"),
        ("symbols=AAA&timeframe=60Min", "invalid timeframe: 60Min"),
        ("symbols=A$A&timeframe=1Min", "invalid symbol: A$A"),
        ("symbols=AAA&timeframe=1Min&limit=0", "invalid limit: 0"),
        ("symbols=AAA&timeframe=1Min&limit=10001", "invalid limit: 10001"),
        ("symbols=AAA&timeframe=1Min&sort=up", "invalid sort: up"),
        ("symbols=AAA&timeframe=1Min&adjustment=some", "invalid adjustment: some"),
        ("symbols=AAA&timeframe=1Min&start=soon", "invalid start: soon"),
        ("symbols=AAA&timeframe=1Min&start=2024-01-02T09:30:00", "invalid start: 2024-01-02T09:30:00"),
        ("symbols=AAA&timeframe=1Min&end=2024-13-01", "invalid end: 2024-13-01"),
        ("symbols=AAA&timeframe=1Min&start=2024-01-03&end=2024-01-01", "end should not be before start"),
        ("symbols=AAA&timeframe=1Min&feed=other", "invalid feed: other"),
        ("symbols=AAA&timeframe=1Min&currency=EUR", "invalid currency: EUR"),
        ("symbols=AAA&timeframe=1Min&asof=then", "invalid asof: then"),
    ],
)
def test_a_question_that_cannot_be_is_refused(desk, query, message):
    assert desk.ask("GET", f"/v2/stocks/bars?{query}", status=400)["message"].startswith(message)


def test_fractions_of_a_second_are_kept_to_the_nanosecond():
    row = trade(0, 1, 10.0, 0.5, number=1)
    row["time"] = OPEN + SECOND + 123_456_789
    desk = Desk(market(row), 5)
    said = desk.ask(
        "GET", "/v2/stocks/AAA/trades?start=2024-01-02T14:30:01.123456789Z&end=2024-01-02T14:30:01.123456789Z"
    )
    assert [(one["t"], one["s"]) for one in said["trades"]] == [("2024-01-02T14:30:01.123456789Z", 0.5)]
    said = desk.ask("GET", "/v2/stocks/AAA/trades?start=2024-01-02T14:30:01.123456790Z")
    assert said["trades"] is None


def test_what_is_no_number_is_null():
    row = quote(0, 1, 10.0, 10.1)
    row["price"], row["size"] = np.nan, np.nan
    said = Desk(market(row), 5).ask("GET", "/v2/stocks/AAA/quotes/latest")["quote"]
    assert (said["bp"], said["bs"], said["ap"]) == (None, None, 10.1)
