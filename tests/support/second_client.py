"""A talk with the simulator by the older client library alpaca-trade-api, run in that library's own environment.

usage: second_client.py URL
Prints one JSON object: what the client made of every answer.
"""

import json
import os
import sys


def rest(url: str):
    """The client, with its address for market data set as it wants it."""
    os.environ["APCA_API_DATA_URL"] = url
    from alpaca_trade_api import REST

    return REST("sim-key", "sim-secret", base_url=url)


def market_data(api) -> dict[str, object]:
    """Every method of the client that asks for market data of stocks."""
    from alpaca_trade_api.rest import Sort, TimeFrame

    span = {"start": "2024-01-02T14:30:00Z", "end": "2024-01-02T14:49:00Z"}
    both = ["AAA", "BBB"]
    return {
        "bars": [[bar.S, bar.o, bar.v] for bar in api.get_bars(both, TimeFrame.Minute, **span)],
        "bars_of_one": api.get_bars("AAA", TimeFrame.Minute, limit=3, **span).df["close"].tolist(),
        "days": [
            str(bar.t.date())
            for bar in api.get_bars("AAA", TimeFrame.Day, start="2023-12-01", adjustment="all", sort=Sort.Desc)
        ],
        "trades": [[trade.p, trade.i] for trade in api.get_trades("AAA", limit=2, **span)],
        "trades_of_both": len(api.get_trades(both, **span)),
        "quotes": [[quote.bp, quote.ap] for quote in api.get_quotes("BBB", limit=2, **span)],
        "bars_one_by_one": sum(1 for _ in api.get_bars_iter(both, TimeFrame.Minute, limit=25, **span)),
        "trades_one_by_one": sum(1 for _ in api.get_trades_iter("AAA", limit=7, **span)),
        "quotes_one_by_one": sum(1 for _ in api.get_quotes_iter("AAA", limit=7, **span)),
        "latest_bar": api.get_latest_bar("AAA").c,
        "latest_bars": {name: bar.c for name, bar in api.get_latest_bars(both).items()},
        "latest_trade": api.get_latest_trade("AAA").p,
        "latest_trades": {name: trade.p for name, trade in api.get_latest_trades(both).items()},
        "latest_quote": api.get_latest_quote("AAA").ap,
        "latest_quotes": {name: quote.ap for name, quote in api.get_latest_quotes(both).items()},
        "snapshot": api.get_snapshot("AAA").daily_bar.o,
        "snapshots": {name: one.prev_daily_bar.c for name, one in api.get_snapshots(both).items()},
    }


def trading(api) -> dict[str, object]:
    """Every method of the client that trades or asks about the account."""
    from alpaca_trade_api.rest import APIError

    said: dict[str, object] = {
        "account": [api.get_account().cash, api.get_account().status],
        "clock": [api.get_clock().is_open, str(api.get_clock().next_close)],
        "calendar": [str(day.close) for day in api.get_calendar("2024-07-03", "2024-07-05")],
        "assets": [asset.symbol for asset in api.list_assets(status="active")],
        "asset": api.get_asset("BBB").symbol,
        "settings": [
            api.get_account_configurations().suspend_trade,
            api.update_account_configurations(no_shorting=True).no_shorting,
        ],
    }
    sent = api.submit_order("AAA", qty=10, side="buy", client_order_id="one")
    said["filled"] = [api.get_order(sent.id).status, api.get_order_by_client_order_id("one").filled_avg_price]
    said["position"] = [api.get_position("AAA").qty, len(api.list_positions())]
    resting = api.submit_order("AAA", 2, "buy", "limit", "gtc", limit_price="90.5")
    changed = api.replace_order(resting.id, qty="3", limit_price="91")
    said["replaced"] = [changed.qty, changed.limit_price, api.get_order(resting.id).status]
    said["orders"] = [order.status for order in api.list_orders(status="all", symbols=["AAA"], direction="asc")]
    api.cancel_order(changed.id)
    api.submit_order("BBB", 1, "buy", "limit", "day", limit_price=40)
    api.cancel_all_orders()
    said["open"] = len(api.list_orders())
    said["closed"] = [api.close_position("AAA", qty=4).qty, api.close_all_positions()[0].symbol]
    said["left"] = len(api.list_positions())
    said["activities"] = [[one.symbol, one.qty, one.side] for one in api.get_activities("FILL")]
    said["page"] = len(api.get_activities(activity_types=["FILL"], page_size=2, direction="asc"))
    said["history"] = api.get_portfolio_history(period="1D", timeframe="1Min").df["equity"].iloc[0]
    try:
        api.submit_order("AAA", qty=1, client_order_id="one")
    except APIError as err:
        said["duplicate"] = [err.status_code, err.code, str(err)]
    return said


def watchlists(api) -> list[object]:
    """Every method of the client that is about watchlists, and the symbols after each."""
    made = api.create_watchlist("mine", ["AAA"])
    said: list[object] = [[asset["symbol"] for asset in made.assets]]
    said.append([asset["symbol"] for asset in api.add_to_watchlist(made.id, "BBB").assets])
    api.delete_from_watchlist(made.id, "AAA")
    said.append([asset["symbol"] for asset in api.get_watchlist(made.id).assets])
    said.append([asset["symbol"] for asset in api.get_watchlist_by_name("mine").assets])
    said.append(api.update_watchlist(made.id, name="other", symbols=["AAA", "BBB"]).name)
    said.append([one.name for one in api.get_watchlists()])
    api.delete_watchlist(made.id)
    said.append(api.get_watchlists())
    return said


def main(url: str) -> None:
    """Talk, and print."""
    api = rest(url)
    said = {"data": market_data(api), "trading": trading(api), "watchlists": watchlists(api)}
    print(json.dumps(said, default=str))


if __name__ == "__main__":
    main(sys.argv[1])
