"""Locates by REST: shares that are hard to borrow, asked for before they are sold short.

Paths, fields, statuses and codes are those of Alpaca's reference of its locates endpoints (June to September 2026), and
of its page "Margin and Short Selling". Alpaca's paper accounts have no locates; here they do. Choices, as nothing is
said of it: 201 for a locate that was made or rejected; prices and what there is to be lent (see
`qtw_lab.venues.paper.lending`); a name that nobody lends has a quote of no shares, and locates of it are rejected; page
tokens are ids; questions that were refused are not remembered under their Idempotency-Key.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final

from qtw_lab.ledger.amounts import number, plain
from qtw_lab.ledger.refusals import RefusedError, absent
from qtw_lab.venues.moments import day
from qtw_lab.venues.paper.broker import PaperBroker
from qtw_lab.venues.paper.lending import fault
from qtw_lab.venues.paper.locates import Locate, Wanted
from qtw_lab.venues.simulator.asking import Request
from qtw_lab.venues.wire.values import moment_text

_MOST_SYMBOLS: Final = 100
_PAGE: Final = 1000
_MOST: Final = 10_000
_STATUSES: Final = ("active", "expired", "rejected")


def locate_answers(exchange: PaperBroker) -> list[tuple[str, str, Callable[[Request], Any], int]]:
    """Method, path, handler and status of each endpoint; a handler gives a body, or raises `RefusedError`."""
    return [
        ("GET", r"/v1/locates", lambda asked: _listed(exchange, asked), 200),
        ("POST", r"/v1/locates", lambda asked: _said(exchange.locate(wanted_of(asked)), exchange.now()), 201),
        ("GET", r"/v1/locates/quotes", lambda asked: _quotes(exchange, asked), 200),
        ("GET", r"/v1/locates/(?P<name>[^/]+)", lambda asked: _one(exchange, asked.place["name"]), 200),
    ]


def wanted_of(request: Request) -> Wanted:
    """What the body of a POST asks for.

    Raises
    ------
    RefusedError
        400 where it asks for nothing that there could be.
    """
    try:
        body = json.loads(request.body)
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict):
        raise fault("invalid_request_body", "request body format is invalid", 400)
    symbol, qty, whole = body.get("symbol"), number(body.get("qty")), body.get("all_or_none") or False
    if not isinstance(symbol, str) or not symbol:
        raise fault("invalid_input", "invalid input: symbol is required", 400)
    if qty is None or qty != qty.to_integral_value() or qty >= 10**12:
        raise fault("invalid_input", "invalid input: qty must be a whole number", 400)
    if not isinstance(whole, bool):
        raise fault("invalid_input", "invalid input: all_or_none must be true or false", 400)
    return Wanted(symbol, int(qty), _limit(body.get("limit_price")), whole, request.key)


def _limit(value: Any) -> Decimal | None:
    if value is None or value == "":
        return None
    limit = number(value)
    if limit is None or limit < 0 or limit >= 10**12:
        raise fault("invalid_limit_price", "limit_price must be a decimal of at least 0", 400)
    return limit


def _listed(exchange: PaperBroker, request: Request) -> dict[str, Any]:
    """Locates by status, symbol and trading date, the latest first."""
    status, symbol = request.one("status"), (request.one("symbol") or "").upper()
    if status not in {None, *_STATUSES}:
        raise fault("invalid_input", f"invalid input: status is one of {', '.join(_STATUSES)}", 400)
    start, end = (_date(request, name) for name in ("start", "end"))
    limit = request.one("limit") or str(_PAGE)
    if not limit.isdecimal() or not 1 <= int(limit) <= _MOST:
        raise fault("invalid_input", f"invalid input: limit must be from 1 to {_MOST}", 400)
    now = exchange.poll()
    found = [
        one
        for one in exchange.state.locates.values()
        if status in {None, one.status(now)} and symbol in {"", one.symbol} and start <= one.date and one.date < end
    ]
    found.sort(key=lambda one: (one.created, one.id), reverse=True)
    found = _after(found, request.one("page_token"))
    page = found[: int(limit)]
    token = page[-1].id if len(page) < len(found) else None
    return {"locates": [_said(one, now) for one in page], "next_page_token": token}


def _after(found: list[Locate], token: str | None) -> list[Locate]:
    if token is None:
        return found
    ids = [one.id for one in found]
    if token not in ids:
        raise fault("invalid_input", "invalid input: page_token is none of this question", 400)
    return found[ids.index(token) + 1 :]


def _date(request: Request, name: str) -> str:
    """A date of the query as YYYY-MM-DD; without it one that leaves nothing out."""
    text = request.one(name)
    if text is None:
        return "" if name == "start" else "9999-12-31"
    found = day(text)
    if found is None:
        raise fault("invalid_input", f"invalid input: {name} is YYYY-MM-DD", 400)
    return found.isoformat()


def _one(exchange: PaperBroker, name: str) -> dict[str, Any]:
    now, found = exchange.poll(), exchange.state.locates.get(name.lower())
    if found is None:
        raise absent("locate not found")
    return _said(found, now)


def _quotes(exchange: PaperBroker, request: Request) -> dict[str, Any]:
    """What could be located now of each symbol, and why not of the others."""
    names = list(dict.fromkeys(name.upper() for name in request.several("symbols")))
    if not 1 <= len(names) <= _MOST_SYMBOLS:
        raise fault("invalid_symbols", f"symbols must contain 1 to {_MOST_SYMBOLS} unique symbols", 400)
    quoted = moment_text(exchange.poll())
    quotes: list[dict[str, Any]] = []
    errors: list[dict[str, Any]] = []
    for name in names:
        try:
            there = exchange.locatable(name)
        except RefusedError as refused:
            errors.append({"symbol": name, **refused.content})
        else:
            price = {"price": plain(there.price)} if there.qty else {}
            quotes.append({"symbol": name, "available_qty": there.qty, **price, "quoted_at": quoted})
    return {"quotes": quotes, "errors": errors}


def _said(locate: Locate, now: int) -> dict[str, Any]:
    """A locate in Alpaca's words; one that was rejected has neither price nor end."""
    wanted = locate.wanted
    made = {
        "located_qty": locate.qty,
        "located_price": plain(locate.price),
        "total_fee": plain(locate.fee),
        "expires_at": moment_text(locate.expires),
    }
    return {
        "id": locate.id,
        "symbol": locate.symbol,
        "requested_qty": wanted.qty,
        **({} if wanted.limit is None else {"limit_price": plain(wanted.limit)}),
        "all_or_none": wanted.all_or_none,
        "status": locate.status(now),
        "created_at": moment_text(locate.created),
        **(made if locate.qty else {}),
    }
