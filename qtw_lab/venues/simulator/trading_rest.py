"""Trading by REST: account, assets, clock, calendar, orders, positions, activities, watchlists and locates.

Every request first lets open orders meet what has happened since the last, so what it answers is what holds now.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any, Final

import pandas as pd

from qtw_lab.core import Clock, SetupError
from qtw_lab.ledger.amounts import number
from qtw_lab.ledger.refusals import RefusedError, absent, malformed, unprocessable
from qtw_lab.venues.market import Market
from qtw_lab.venues.moments import day, eastern, instant, local
from qtw_lab.venues.paper.broker import PaperBroker
from qtw_lab.venues.paper.orders import Order
from qtw_lab.venues.simulator import exchange_account, market_rest
from qtw_lab.venues.simulator.asking import Answer, Request, Route
from qtw_lab.venues.simulator.daily_bars import Days
from qtw_lab.venues.simulator.exchange_history import portfolio_history
from qtw_lab.venues.simulator.exchange_lists import Watchlists
from qtw_lab.venues.simulator.exchange_tickets import changes_of, ticket_of
from qtw_lab.venues.simulator.locates_rest import locate_answers
from qtw_lab.venues.simulator.wording import refusal, truth

_PLACE: Final = r"(?P<name>[^/:]+)"
_MOST_ORDERS: Final = 500
#: The venue's calendar goes from 1970 to 2029, by alpaca-py's description of it.
_CALENDAR: Final = (date(1970, 1, 1), date(2029, 12, 31))
#: Fields of the configurations that a PATCH may change, and what each may be.
_SWITCHES: Final = (
    "fractional_trading", "no_shorting", "suspend_trade", "ptp_no_exception_entry", "disable_overnight_trading",
)  # fmt: skip
_CONFIGURATIONS: Final[dict[str, tuple[Any, ...]]] = {
    "max_margin_multiplier": ("1", "2", "4"),
    "trade_confirm_email": ("all", "none"),
    "max_options_trading_level": (0, 1, 2, 3),
    **dict.fromkeys(_SWITCHES, (True, False)),
}
#: Fields that ended in July 2026: older clients still send them.
_ENDED: Final = ("dtbp_check", "pdt_check")


def routes(market: Market, exchange: PaperBroker, clock: Clock, days: Days | None = None) -> list[Route]:
    """Everything that the simulator answers by REST, market data and trading.

    Parameters
    ----------
    market : Market
        What is known.
    exchange : PaperBroker
        Where orders go.
    clock : Clock
        Market time.
    days : Days, optional
        Where daily bars come from, if somebody else keeps them.

    Returns
    -------
    list of Route
        To be tried in their order; see `qtw_lab.venues.simulator.asking.reply`.
    """
    return [*market_rest.routes(market, clock, days), *trading_routes(market, exchange)]


def trading_routes(market: Market, exchange: PaperBroker) -> list[Route]:
    """What the trading side answers."""
    answers, lists = TradingAnswers(market, exchange), Watchlists(exchange)
    order, position, by_name = rf"/v2/orders/{_PLACE}", rf"/v2/positions/{_PLACE}", r"/v2/watchlists:by_name"
    one = rf"/v2/watchlists/{_PLACE}"
    table: list[tuple[str, str, Callable[[Request], Any], int]] = [
        ("GET", r"/v2/account", answers.account, 200),
        ("GET", r"/v2/account/configurations", answers.configurations, 200),
        ("PATCH", r"/v2/account/configurations", answers.configure, 200),
        ("GET", r"/v2/account/activities", answers.activities, 200),
        ("GET", r"/v2/account/activities/(?P<kind>[^/]+)", answers.activities, 200),
        ("GET", r"/v2/account/portfolio/history", answers.history, 200),
        ("GET", r"/v2/assets", answers.assets, 200),
        ("GET", rf"/v2/assets/{_PLACE}", answers.asset, 200),
        ("GET", r"/v2/clock", answers.clock, 200),
        ("GET", r"/v2/calendar", answers.calendar, 200),
        ("GET", r"/v2/orders", answers.orders, 200),
        ("POST", r"/v2/orders", lambda asked: exchange.json(exchange.submit(ticket_of(_body(asked)))), 200),
        ("DELETE", r"/v2/orders", answers.cancel_all, 207),
        ("GET", r"/v2/orders:by_client_order_id", answers.order_by_client, 200),
        ("GET", order, answers.order, 200),
        ("PATCH", order, answers.replace, 200),
        ("DELETE", order, answers.cancel, 204),
        ("GET", r"/v2/positions", lambda _: exchange_account.positions(exchange), 200),
        ("DELETE", r"/v2/positions", answers.close_all, 207),
        ("GET", position, lambda asked: exchange_account.position(exchange, asked.place["name"]), 200),
        ("DELETE", position, answers.close, 200),
        ("GET", r"/v2/watchlists", lambda _: lists.all(), 200),
        ("POST", r"/v2/watchlists", lambda asked: lists.create(_of(asked, "name"), _of(asked, "symbols") or []), 200),
        ("GET", by_name, lambda asked: lists.one(_named(asked), by_name=True), 200),
        ("PUT", by_name, lambda asked: _changed(lists, _named(asked), asked, by_name=True), 200),
        ("POST", by_name, lambda asked: lists.add(_named(asked), _of(asked, "symbol"), by_name=True), 200),
        ("DELETE", by_name, lambda asked: lists.delete(_named(asked), by_name=True), 204),
        ("GET", one, lambda asked: lists.one(asked.place["name"]), 200),
        ("PUT", one, lambda asked: _changed(lists, asked.place["name"], asked), 200),
        ("POST", one, lambda asked: lists.add(asked.place["name"], _of(asked, "symbol")), 200),
        ("DELETE", one, lambda asked: lists.delete(asked.place["name"]), 204),
        ("DELETE", rf"{one}/(?P<symbol>[^/]+)", lambda asked: lists.remove(**asked.place), 200),
    ]  # fmt: skip
    table += locate_answers(exchange)
    return [Route(method, pattern, _answering(exchange, handler, status)) for method, pattern, handler, status in table]


class TradingAnswers:
    """Handlers of the trading side: each takes a `Request` and gives a body, or raises `RefusedError`."""

    def __init__(self, market: Market, exchange: PaperBroker) -> None:
        self._market, self._exchange = market, exchange

    def account(self, request: Request) -> dict[str, Any]:  # noqa: ARG002  (a handler takes the question)
        """The account."""
        return exchange_account.account(self._exchange)

    def configurations(self, request: Request) -> dict[str, Any]:  # noqa: ARG002  (a handler takes the question)
        """The account's configurations."""
        return dict(self._exchange.configurations)

    def configure(self, request: Request) -> dict[str, Any]:
        """The configurations after a change."""
        wanted = {name: value for name, value in _body(request).items() if name not in _ENDED and value is not None}
        for name, value in wanted.items():
            if value not in _CONFIGURATIONS.get(name, ()) or isinstance(value, bool) != (name in _SWITCHES):
                raise unprocessable(f"invalid {name}: {value!r}")
        self._exchange.configure(wanted)
        return dict(self._exchange.configurations)

    def activities(self, request: Request) -> list[dict[str, Any]]:
        """Activities, of one kind or of several."""
        kinds = [request.place["kind"]] if "kind" in request.place else request.several("activity_types")
        return exchange_account.activities(self._exchange, kinds, _fields(request))

    def history(self, request: Request) -> dict[str, Any]:
        """The account's worth over time."""
        return portfolio_history(self._market, self._exchange, _fields(request))

    def assets(self, request: Request) -> list[dict[str, Any]]:
        """Assets, by status, class, exchange and attributes."""
        wanted = {
            "status": request.one("status"),
            "class": request.one("asset_class"),
            "exchange": request.one("exchange"),
        }
        attributes = set(request.several("attributes"))
        return [
            asset
            for asset in self._exchange.assets.values()
            if all(value in {None, asset.get(name)} for name, value in wanted.items())
            and attributes <= set(asset.get("attributes") or ())
        ]

    def asset(self, request: Request) -> dict[str, Any]:
        """One asset, by symbol or id."""
        found = self._exchange.asset(request.place["name"])
        if found is None:
            raise absent(f"asset not found for {request.place['name']}")
        return found

    def clock(self, request: Request) -> dict[str, Any]:  # noqa: ARG002  (a handler takes the question)
        """The time, whether the market is open, and when it opens and closes next, in New York's time."""
        now, hours = self._exchange.now(), self._exchange.hours
        return {
            "timestamp": local(now),
            "is_open": hours.trades(now),
            "next_open": local(hours.next_open(now)),
            "next_close": local(hours.next_close(now)),
        }

    def calendar(self, request: Request) -> list[dict[str, Any]]:
        """Sessions from date to date; without dates those of the market's years."""
        ends = []
        for name in ("start", "end"):
            text = request.one(name)
            if text is not None and day(text) is None:
                raise unprocessable(f"invalid {name}: {text}; give YYYY-MM-DD")
            ends.append(day(text) if text is not None else None)
        today = eastern(self._exchange.now()).date()
        start = max(ends[0] or today - timedelta(days=365), _CALENDAR[0])
        end = min(ends[1] or today + timedelta(days=365), _CALENDAR[1])
        if start > end:
            return []
        found = self._exchange.hours.between(pd.Timestamp(start), pd.Timestamp(end))
        return [
            {
                "date": session.date,
                "open": eastern(session.opens).strftime("%H:%M"),
                "close": eastern(session.closes).strftime("%H:%M"),
                "session_open": eastern(session.early).strftime("%H%M"),
                "session_close": eastern(session.late).strftime("%H%M"),
                "settlement_date": None,
            }
            for session in found
        ]

    def orders(self, request: Request) -> list[dict[str, Any]]:
        """Orders by status, time, side and symbol; the latest first unless asked otherwise."""
        self._exchange.poll()
        status, direction = request.one("status") or "open", request.one("direction") or "desc"
        if status not in {"open", "closed", "all"}:
            raise unprocessable(f"invalid status: {status}; it is open, closed or all")
        if direction not in {"asc", "desc"}:
            raise unprocessable(f"invalid direction: {direction}; it is asc or desc")
        limit = request.one("limit") or "50"
        if not limit.isdecimal() or not 1 <= int(limit) <= _MOST_ORDERS:
            raise unprocessable(f"invalid limit: {limit}; it is 1 to {_MOST_ORDERS}")
        after, until = _moment(request, "after"), _moment(request, "until")
        side, symbols = request.one("side"), {name.upper() for name in request.several("symbols")}

        def wanted(order: Order) -> bool:
            return (
                (status == "all" or order.open == (status == "open"))
                and (after is None or order.created > after)
                and (until is None or order.created < until)
                and side in {None, order.ticket.side}
                and (not symbols or order.ticket.symbol in symbols)
            )

        nested = truth(request.one("nested"))
        found = [order for order in self._exchange.orders.values() if wanted(order) and not (nested and order.parent)]
        if direction == "desc":
            found.reverse()
        return [self._exchange.json(order) if nested else order.json() for order in found[: int(limit)]]

    def order(self, request: Request) -> dict[str, Any]:
        """One order, by its id."""
        self._exchange.poll()
        return self._exchange.json(self._exchange.find(request.place["name"]))

    def order_by_client(self, request: Request) -> dict[str, Any]:
        """One order, by the client's name for it."""
        self._exchange.poll()
        name = request.one("client_order_id")
        if name is None:
            raise malformed("client_order_id is required")
        return self._exchange.json(self._exchange.find_client(name))

    def replace(self, request: Request) -> dict[str, Any]:
        """The order that takes another's place."""
        changes = changes_of(_body(request))
        return self._exchange.json(self._exchange.amend(request.place["name"], **changes))

    def cancel(self, request: Request) -> None:
        """Nothing, the order being canceled."""
        self._exchange.cancel(request.place["name"])

    def cancel_all(self, request: Request) -> list[dict[str, Any]]:  # noqa: ARG002  (a handler takes the question)
        """What became of each open order."""
        self._exchange.poll()
        return [_done(order.id, self._exchange) for order in self._exchange.open_orders()]

    def close(self, request: Request) -> dict[str, Any]:
        """The order that closes a position, or a part of it."""
        parts = [number(request.one(name)) for name in ("qty", "percentage")]
        for name, part in zip(("qty", "percentage"), parts, strict=True):
            if request.one(name) is not None and part is None:
                raise malformed(f"invalid {name}: {request.one(name)}")
        wanted = exchange_account.closing(self._exchange, request.place["name"], parts[0], parts[1])
        return self._exchange.json(self._exchange.submit(ticket_of(wanted)))

    def close_all(self, request: Request) -> list[dict[str, Any]]:
        """The orders that close every position, each with its status."""
        self._exchange.poll()
        if truth(request.one("cancel_orders")):
            self.cancel_all(request)
        said = []
        for symbol in sorted(self._exchange.book.holdings):
            try:
                wanted = exchange_account.closing(self._exchange, symbol, None, None)
                body, status = self._exchange.json(self._exchange.submit(ticket_of(wanted))), 200
            except RefusedError as refused:
                body, status = refused.content, refused.status
            said.append({"symbol": symbol, "status": status, "body": body})
        return said


def _answering(exchange: PaperBroker, handler: Callable[[Request], Any], status: int) -> Callable[[Request], Answer]:
    """A handler that gives an `Answer` with this status, or what it refused; one question after the other."""

    def answer(request: Request) -> Answer:
        with exchange.lock:
            try:
                return Answer(status, handler(request))
            except RefusedError as refused:
                return refusal(refused)
            except SetupError as err:  # the book cannot be written: nothing was done
                return Answer(503, {"code": 50310000, "message": f"the account's book is not available: {err}"})

    return answer


def _done(order_id: str, exchange: PaperBroker) -> dict[str, Any]:
    try:
        exchange.cancel(order_id)
    except RefusedError as refused:
        return {"id": order_id, "status": refused.status, "body": refused.content}
    return {"id": order_id, "status": 200}


def _body(request: Request) -> dict[str, Any]:
    try:
        body = json.loads(request.body)
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict):
        raise RefusedError(400, "request body format is invalid", 40010000)
    return body


def _of(request: Request, name: str) -> Any:
    return _body(request).get(name)


def _named(request: Request) -> str:
    name = request.one("name")
    if name is None:
        raise malformed("name is required")
    return name


def _changed(lists: Watchlists, found: str, request: Request, *, by_name: bool = False) -> dict[str, Any]:
    body = _body(request)
    return lists.change(found, body.get("name"), body.get("symbols"), by_name=by_name)


def _fields(request: Request) -> dict[str, str]:
    return {name: value for name in request.query if (value := request.one(name)) is not None}


def _moment(request: Request, name: str) -> int | None:
    text = request.one(name)
    found = instant(text) if text is not None else None
    if text is not None and found is None:
        raise unprocessable(f"invalid {name}: {text}; give RFC 3339 or YYYY-MM-DD")
    return found
