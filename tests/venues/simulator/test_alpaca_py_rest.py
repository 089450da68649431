"""The real, unmodified REST clients of alpaca-py against the served simulator."""

import re
import time
import warnings
from datetime import UTC, date, datetime
from uuid import UUID, uuid4

import pytest
from small_exchange import daily, market, quote, trade

from qtw_lab.venues.simulator.server import Simulator

with warnings.catch_warnings():
    # alpaca-py imports websockets.legacy, which says loudly that it is deprecated
    warnings.simplefilter("ignore", DeprecationWarning)
    from alpaca.common.enums import Sort
    from alpaca.common.exceptions import APIError
    from alpaca.data.enums import Adjustment, DataFeed
    from alpaca.data.historical.screener import ScreenerClient
    from alpaca.data.historical.stock import StockHistoricalDataClient
    from alpaca.data.requests import (
        MarketMoversRequest,
        MostActivesRequest,
        StockBarsRequest,
        StockLatestBarRequest,
        StockLatestQuoteRequest,
        StockLatestTradeRequest,
        StockQuotesRequest,
        StockSnapshotRequest,
        StockTradesRequest,
    )
    from alpaca.data.timeframe import TimeFrame, TimeFrameUnit
    from alpaca.trading.client import TradingClient
    from alpaca.trading.enums import (
        AssetClass,
        AssetStatus,
        OrderClass,
        OrderSide,
        OrderStatus,
        QueryOrderStatus,
        TimeInForce,
    )
    from alpaca.trading.requests import (
        ClosePositionRequest,
        CreateWatchlistRequest,
        GetAssetsRequest,
        GetCalendarRequest,
        GetOrderByIdRequest,
        GetOrdersRequest,
        GetPortfolioHistoryRequest,
        LimitOrderRequest,
        MarketOrderRequest,
        ReplaceOrderRequest,
        StopLimitOrderRequest,
        StopLossRequest,
        StopOrderRequest,
        TakeProfitRequest,
        TrailingStopOrderRequest,
        UpdateWatchlistRequest,
    )

KEYS = ("sim-key", "sim-secret")
MINUTES = 30
START = datetime(2024, 1, 2, 14, 30, tzinfo=UTC)


@pytest.fixture(scope="module")
def played():
    rows = []
    for minute in range(MINUTES):
        for symbol, base in ((0, 100.0), (1, 50.0)):
            price = base + minute / 10
            rows += [
                quote(symbol, 60 * minute, price - 0.05, price + 0.05),
                quote(symbol, 60 * minute + 30, price, price + 0.1),
            ]
            rows += [
                trade(symbol, 60 * minute + k, price + k / 100, 10, number=60 * minute + k + 1, letters="@")
                for k in range(1, 6)
            ]
    days = [
        daily(symbol, day, close) for symbol, close in ((0, 99.0), (1, 51.0)) for day in ("2023-12-28", "2023-12-29")
    ]
    return market(*rows, days=tuple(days))


@pytest.fixture
def simulator(played):
    """Stands still 20 minutes after the opening."""
    with Simulator(played, start="2024-01-02T09:50:10", hold=True, rate_limit=0) as served:
        yield served


@pytest.fixture
def trading(simulator) -> TradingClient:
    return TradingClient(*KEYS, paper=True, url_override=simulator.url)


@pytest.fixture
def data(simulator) -> StockHistoricalDataClient:
    return StockHistoricalDataClient(*KEYS, url_override=simulator.url)


def refusal(question, status: int) -> str:
    """The message of an `APIError` with that HTTP status."""
    with pytest.raises(APIError) as caught:
        question()
    assert caught.value.status_code == status
    return caught.value.message


# Market data


@pytest.mark.filterwarnings(
    "ignore:The inplace keyword:pandas.errors.Pandas4Warning"
)  # alpaca-py's own way with pandas
def test_bars_come_as_models_and_as_a_table(data):
    bars = data.get_stock_bars(
        StockBarsRequest(symbol_or_symbols=["AAA", "BBB"], timeframe=TimeFrame.Minute, start=START)
    )
    assert [len(bars[symbol]) for symbol in ("AAA", "BBB")] == [20, 20]
    first = bars["AAA"][0]
    assert (first.symbol, first.timestamp, first.open, first.high) == ("AAA", START, 100.01, 100.05)
    assert (first.close, first.volume, first.trade_count) == (100.05, 50, 5)
    assert first.vwap == pytest.approx(100.03)
    table = bars.df
    assert table.loc["BBB"]["close"].iloc[-1] == pytest.approx(50 + 1.9 + 0.05)


def test_bars_of_other_lengths_feeds_and_orders(data):
    asked = {"symbol_or_symbols": "AAA", "start": datetime(2023, 12, 1, tzinfo=UTC), "feed": DataFeed.SIP}
    days = data.get_stock_bars(
        StockBarsRequest(**asked, timeframe=TimeFrame.Day, adjustment=Adjustment.ALL, sort=Sort.DESC)
    )
    assert [bar.timestamp.date() for bar in days["AAA"]] == [date(2024, 1, 2), date(2023, 12, 29), date(2023, 12, 28)]
    for length, count in (
        (TimeFrame(5, TimeFrameUnit.Minute), 4),
        (TimeFrame.Hour, 1),
        (TimeFrame.Week, 2),
        (TimeFrame.Month, 2),
    ):
        assert len(data.get_stock_bars(StockBarsRequest(**asked, timeframe=length))["AAA"]) == count
    some = data.get_stock_bars(
        StockBarsRequest(symbol_or_symbols="AAA", timeframe=TimeFrame.Minute, start=START, limit=7)
    )
    assert len(some["AAA"]) == 7


def test_trades_and_quotes_come_as_models(data):
    trades = data.get_stock_trades(StockTradesRequest(symbol_or_symbols=["AAA"], start=START))
    assert len(trades["AAA"]) == 21 * 5
    one = trades["AAA"][0]
    assert (one.price, one.size, one.id, one.exchange, one.conditions, one.tape) == (100.01, 10, 2, "V", ["@"], "C")
    quotes = data.get_stock_quotes(StockQuotesRequest(symbol_or_symbols="BBB", start=START, end=START))
    one = quotes["BBB"][0]
    assert (one.bid_price, one.ask_price, one.bid_size, one.ask_exchange) == (49.95, 50.05, 100, "V")


def test_more_rows_than_a_page_holds_are_all_fetched():
    rows = [trade(0, k / 1000, 10 + k % 7, 1 + k, number=k + 1) for k in range(25_000)]
    with Simulator(market(*rows, names=("AAA",)), start="2024-01-02T09:31", hold=True, rate_limit=0) as simulator:
        data = StockHistoricalDataClient(*KEYS, url_override=simulator.url, raw_data=True)
        raw = data.get_stock_trades(StockTradesRequest(symbol_or_symbols="AAA", start=START))
    assert [row["i"] for row in raw["AAA"]] == list(range(1, 25_001))


def test_the_latest_of_everything_and_snapshots(data):
    asked = {"symbol_or_symbols": ["AAA", "BBB"]}
    assert data.get_stock_latest_trade(StockLatestTradeRequest(**asked))["AAA"].price == pytest.approx(102.05)
    assert data.get_stock_latest_quote(StockLatestQuoteRequest(**asked))["BBB"].ask_price == pytest.approx(52.05)
    assert data.get_stock_latest_bar(StockLatestBarRequest(**asked))["AAA"].close == pytest.approx(101.95)
    snapshot = data.get_stock_snapshot(StockSnapshotRequest(**asked))["AAA"]
    assert snapshot.latest_trade.price == pytest.approx(102.05)
    assert snapshot.minute_bar.timestamp == START.replace(minute=49)
    assert (snapshot.daily_bar.open, snapshot.previous_daily_bar.close) == (100.01, 99.0)


def test_the_screener_ranks(simulator):
    screener = ScreenerClient(*KEYS, url_override=simulator.url)
    actives = screener.get_most_actives(MostActivesRequest(top=1, by="trades"))
    assert actives.most_actives[0].trade_count == 105
    movers = screener.get_market_movers(MarketMoversRequest(top=5))
    assert [mover.symbol for mover in movers.gainers] == ["AAA", "BBB"]  # 102.05 / 99 and 52.05 / 51
    assert movers.gainers[0].percent_change == pytest.approx(3.08)


def test_a_question_that_cannot_be_raises_the_clients_error(data):
    asked = StockBarsRequest(symbol_or_symbols="A B", timeframe=TimeFrame.Minute)
    with pytest.raises(APIError, match="invalid symbol: A B"):
        data.get_stock_bars(asked)


# Trading


def test_account_clock_calendar_and_assets(trading):
    account = trading.get_account()
    assert (account.status, account.cash, account.buying_power, account.multiplier) == (
        "ACTIVE",
        "100000",
        "200000",
        "2",
    )
    assert account.pattern_day_trader is account.daytrade_count is account.daytrading_buying_power is None
    clock = trading.get_clock()
    assert clock.is_open
    assert clock.timestamp.astimezone(UTC) == datetime(2024, 1, 2, 14, 50, 10, tzinfo=UTC)
    assert clock.next_close.astimezone(UTC) == datetime(2024, 1, 2, 21, tzinfo=UTC)
    days = trading.get_calendar(GetCalendarRequest(start=date(2024, 7, 3), end=date(2024, 7, 5)))
    assert [(day.date, day.close.hour) for day in days] == [(date(2024, 7, 3), 13), (date(2024, 7, 5), 16)]
    asked = GetAssetsRequest(status=AssetStatus.ACTIVE, asset_class=AssetClass.US_EQUITY)
    assets = trading.get_all_assets(asked)
    assert [asset.symbol for asset in assets] == ["AAA", "BBB"]
    assert trading.get_asset("AAA") == trading.get_asset(assets[0].id)
    assert "asset not found for ZZZ" in refusal(lambda: trading.get_asset("ZZZ"), 404)


def test_an_order_is_sent_filled_found_and_closed(trading):
    sent = trading.submit_order(
        MarketOrderRequest(
            symbol="AAA", qty=10, side=OrderSide.BUY, time_in_force=TimeInForce.DAY, client_order_id="one"
        )
    )
    assert sent.status in {OrderStatus.PENDING_NEW, OrderStatus.NEW}
    seen = trading.get_order_by_client_id("one")
    assert (seen.id, seen.status, seen.filled_avg_price, seen.filled_qty) == (
        sent.id,
        OrderStatus.FILLED,
        "102.05",
        "10",
    )
    assert trading.get_order_by_id(sent.id, GetOrderByIdRequest(nested=True)) == seen
    position = trading.get_open_position("AAA")
    assert (position.qty, position.avg_entry_price, position.side) == ("10", "102.05", "long")
    assert trading.get_all_positions() == [position]
    part = trading.close_position("AAA", ClosePositionRequest(qty="4"))
    assert (part.side, part.qty) == (OrderSide.SELL, "4")
    assert trading.get_open_position(position.asset_id).qty == "6"
    closed = trading.close_all_positions(cancel_orders=True)
    assert (closed[0].symbol, closed[0].status, closed[0].body.qty) == ("AAA", 200, "6")
    assert trading.get_all_positions() == []
    assert "position does not exist" in refusal(lambda: trading.get_open_position("AAA"), 404)


def test_every_kind_of_order_that_is_claimed_is_taken(trading):
    order = {"symbol": "AAA", "side": OrderSide.BUY}
    day, gtc = TimeInForce.DAY, TimeInForce.GTC
    sent = [
        trading.submit_order(LimitOrderRequest(**order, qty=1, limit_price=90, time_in_force=gtc, extended_hours=True)),
        trading.submit_order(StopOrderRequest(**order, qty=1, stop_price=110, time_in_force=day)),
        trading.submit_order(StopLimitOrderRequest(**order, qty=1, stop_price=110, limit_price=111, time_in_force=gtc)),
        trading.submit_order(MarketOrderRequest(**order, notional=25.5, time_in_force=day)),
        trading.submit_order(LimitOrderRequest(**order, qty=1, limit_price=90, time_in_force=TimeInForce.IOC)),
        trading.submit_order(LimitOrderRequest(**order, qty=1, limit_price=90, time_in_force=TimeInForce.FOK)),
        trading.submit_order(TrailingStopOrderRequest(**order, qty=1, trail_percent=1, time_in_force=day)),
    ]
    seen = [trading.get_order_by_id(one.id).status.value for one in sent]
    assert seen == ["new", "new", "new", "filled", "canceled", "canceled", "new"]
    assert sent[-1].trail_percent == "1"


def test_orders_with_legs_are_taken_and_one_leg_cancels_the_other(trading):
    bracket = trading.submit_order(
        MarketOrderRequest(
            symbol="AAA", qty=2, side=OrderSide.BUY, time_in_force=TimeInForce.GTC, order_class=OrderClass.BRACKET,
            take_profit=TakeProfitRequest(limit_price=900), stop_loss=StopLossRequest(stop_price=1, limit_price=0.9),
        )
    )  # fmt: skip
    assert [(leg.type.value, leg.status.value) for leg in bracket.legs] == [("limit", "held"), ("stop_limit", "held")]
    seen = trading.get_order_by_id(bracket.id)
    assert seen.status == OrderStatus.FILLED
    assert [leg.status.value for leg in seen.legs] == ["new", "held"]
    trading.cancel_order_by_id(seen.legs[0].id)
    assert [leg.status.value for leg in trading.get_order_by_id(bracket.id).legs] == ["canceled", "canceled"]
    pair = trading.submit_order(
        LimitOrderRequest(
            symbol="AAA", qty=2, side=OrderSide.SELL, time_in_force=TimeInForce.GTC, order_class=OrderClass.OCO,
            take_profit=TakeProfitRequest(limit_price=900), stop_loss=StopLossRequest(stop_price=1),
        )
    )  # fmt: skip
    assert (pair.limit_price, [leg.type.value for leg in pair.legs]) == ("900", ["stop"])
    trading.cancel_order_by_id(pair.id)
    assert [leg.status.value for leg in trading.get_order_by_id(pair.id).legs] == ["canceled"]
    assert len(trading.get_orders(GetOrdersRequest(status=QueryOrderStatus.ALL, nested=True))) == 2
    assert len(trading.get_orders(GetOrdersRequest(status=QueryOrderStatus.ALL, nested=False))) == 5


def test_orders_are_listed_replaced_and_canceled(trading):
    ids = [
        trading.submit_order(
            LimitOrderRequest(symbol=symbol, qty=2, side=OrderSide.BUY, limit_price=40, time_in_force=TimeInForce.DAY)
        ).id
        for symbol in ("AAA", "BBB")
    ]
    listed = trading.get_orders(GetOrdersRequest(status=QueryOrderStatus.OPEN, symbols=["BBB"], limit=10))
    assert [order.id for order in listed] == [ids[1]]
    changed = trading.replace_order_by_id(ids[0], ReplaceOrderRequest(qty=3, limit_price=41.5))
    assert (changed.replaces, changed.qty, changed.limit_price) == (ids[0], "3", "41.5")
    assert trading.get_order_by_id(ids[0]).status == OrderStatus.REPLACED
    trading.cancel_order_by_id(ids[1])
    assert 'order is already in \\"canceled\\" state' in refusal(
        lambda: trading.cancel_order_by_id(ids[1]), 422
    ).replace('"canceled"', '\\"canceled\\"')
    said = trading.cancel_orders()
    assert [(one.id, one.status) for one in said] == [(changed.id, 200)]
    after = GetOrdersRequest(
        status=QueryOrderStatus.ALL,
        after=START,
        direction=Sort.ASC,
        side=OrderSide.BUY,
        until=datetime(2030, 1, 1, tzinfo=UTC),
    )
    assert [order.status.value for order in trading.get_orders(after)] == ["replaced", "canceled", "canceled"]
    assert trading.get_orders() == []


def test_refusals_are_the_clients_errors_with_code_and_status(trading):
    def send(**more):
        order = {"symbol": "AAA", "qty": 1, "side": OrderSide.BUY, "time_in_force": TimeInForce.DAY, **more}
        return trading.submit_order(MarketOrderRequest(**order))

    send(client_order_id="twice")
    for question, status, code in (
        (lambda: send(client_order_id="twice"), 422, 40010001),
        (lambda: send(symbol="ZZZ"), 422, 42210000),
        (lambda: send(qty=5000), 403, 40310000),
        (lambda: trading.get_order_by_id(uuid4()), 404, 40410000),
    ):
        with pytest.raises(APIError) as caught:
            question()
        assert (caught.value.status_code, caught.value.code) == (status, code)


def test_wrong_keys_are_refused_on_both_sides(simulator):
    trading = TradingClient("other", "secret", paper=True, url_override=simulator.url)
    refusal(trading.get_account, 401)
    data = StockHistoricalDataClient("other", "secret", url_override=simulator.url)
    refusal(lambda: data.get_stock_latest_trade(StockLatestTradeRequest(symbol_or_symbols="AAA")), 403)


def test_configurations_history_and_activities(trading):
    settings = trading.get_account_configurations()
    assert (settings.no_shorting, settings.pdt_check, settings.dtbp_check) == (False, None, None)
    settings.no_shorting = True
    assert trading.set_account_configurations(settings).no_shorting
    trading.submit_order(MarketOrderRequest(symbol="AAA", qty=10, side=OrderSide.BUY, time_in_force=TimeInForce.DAY))
    history = trading.get_portfolio_history(GetPortfolioHistoryRequest(period="1D", timeframe="1Min"))
    assert len(history.timestamp) == len(history.equity) == len(history.profit_loss_pct)
    assert (history.base_value, history.equity[0]) == (100_000.0, 100_000.0)
    assert history.equity[-1] == 100_000.0  # no minute has ended since the fill: shares count at what was paid
    activities = trading.get("/account/activities/FILL")  # the client has no method of its own for it
    assert [(one["symbol"], one["qty"], one["price"]) for one in activities] == [("AAA", "10", "102.05")]
    assert re.fullmatch(r"\d{17}::[0-9a-f-]{36}", activities[0]["id"])


def test_watchlists(trading):
    made = trading.create_watchlist(CreateWatchlistRequest(name="mine", symbols=["AAA"]))
    assert isinstance(made.id, UUID)
    added = trading.add_asset_to_watchlist_by_id(made.id, "BBB")
    assert [asset.symbol for asset in added.assets] == ["AAA", "BBB"]
    left = trading.remove_asset_from_watchlist_by_id(made.id, "AAA")
    assert [asset.symbol for asset in left.assets] == ["BBB"]
    assert trading.update_watchlist_by_id(made.id, UpdateWatchlistRequest(name="other")).name == "other"
    assert trading.get_watchlist_by_id(made.id).name == "other"
    assert [one.id for one in trading.get_watchlists()] == [made.id]
    trading.delete_watchlist_by_id(made.id)
    assert trading.get_watchlists() == []


def test_an_order_that_rests_is_filled_as_market_time_goes_on(simulator, trading):
    sent = trading.submit_order(
        LimitOrderRequest(symbol="AAA", qty=1, side=OrderSide.SELL, limit_price=102.3, time_in_force=TimeInForce.DAY)
    )
    assert trading.get_order_by_id(sent.id).status == OrderStatus.NEW
    simulator.clock.run_at(600)
    simulator.clock.resume()
    until = time.monotonic() + 10
    while (seen := trading.get_order_by_id(sent.id)).status == OrderStatus.NEW and time.monotonic() < until:
        time.sleep(0.02)
    # The bid of 102.3 is quoted half a minute into the 23rd minute.
    assert (seen.status, seen.filled_avg_price) == (OrderStatus.FILLED, "102.3")
    assert seen.filled_at == datetime(2024, 1, 2, 14, 53, 30, tzinfo=UTC)
