"""What the trading side says of an account: balances, positions and activities."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

import numpy as np

from qtw_lab.ledger.amounts import plain, price
from qtw_lab.ledger.book import Charge, Fill, Holding
from qtw_lab.ledger.refusals import absent, unprocessable
from qtw_lab.venues.moments import eastern, instant
from qtw_lab.venues.paper.broker import PaperBroker
from qtw_lab.venues.wire.values import moment_text

ZERO: Final = Decimal(0)
_FILL_PAGE: Final = 100


def account(exchange: PaperBroker) -> dict[str, Any]:
    """The account as ``GET /v2/account`` describes it since July 2026, when the fields of pattern day trading ended.

    The special memorandum account (`sma`) is not kept, and not told. Alpaca tells what can be withdrawn
    (`cash_withdrawable`) to brokers only.
    """
    now = exchange.poll()
    balance, last, power = exchange.balance(now), exchange.last_balance(now), exchange.buying_power(now)
    standing = exchange.standing(now)
    return {
        "id": exchange.account_id,
        "admin_configurations": {},
        "user_configurations": None,
        "account_number": "PA" + exchange.account_id.replace("-", "")[:10].upper(),
        "status": "ACTIVE",
        "crypto_status": "INACTIVE",
        "currency": "USD",
        "buying_power": _money(power),
        "regt_buying_power": _money(power),
        "effective_buying_power": _money(power),
        "non_marginable_buying_power": _money(max(ZERO, standing.own - exchange.reserved())),
        "options_buying_power": "0",
        "options_approved_level": 0,
        "options_trading_level": 0,
        "cash": _money(balance.cash),
        "accrued_fees": "0",
        "pending_transfer_in": "0",
        "portfolio_value": _money(balance.equity),
        "trading_blocked": False,
        "transfers_blocked": False,
        "account_blocked": False,
        "created_at": moment_text(exchange.started),
        "trade_suspended_by_user": bool(exchange.configurations["suspend_trade"]),
        "multiplier": str(standing.multiplier),
        "shorting_enabled": standing.shorting,
        "equity": _money(balance.equity),
        "last_equity": _money(last.equity),
        "long_market_value": _money(balance.long),
        "short_market_value": _money(balance.short),
        "position_market_value": _money(balance.long - balance.short),
        "initial_margin": _money(balance.initial_margin),
        "maintenance_margin": _money(balance.maintenance_margin),
        "last_maintenance_margin": _money(last.maintenance_margin),
        "balance_asof": _last_date(exchange, now),
        "crypto_tier": 0,
        "intraday_adjustments": "0",
        "pending_reg_taf_fees": "0",
    }


def positions(exchange: PaperBroker) -> list[dict[str, Any]]:
    """Every open position, by symbol."""
    now = exchange.poll()
    holdings = dict(sorted(exchange.book.holdings.items()))
    numbers = {symbol: holding.number for symbol, holding in holdings.items()}
    marks = exchange.marks(numbers, now)
    before = {int(row["symbol"]): price(row["close"]) for row in _previous(exchange, list(numbers.values()), now)}
    return [
        _position(exchange, symbol, holding, marks.get(symbol, holding.entry), before.get(holding.number))
        for symbol, holding in holdings.items()
    ]


def position(exchange: PaperBroker, name: str) -> dict[str, Any]:
    """One open position, by symbol or asset id.

    Raises
    ------
    RefusedError
        404 where there is none.
    """
    asset = exchange.asset(name)
    found = [one for one in positions(exchange) if asset is not None and one["symbol"] == asset["symbol"]]
    if not found:
        raise absent("position does not exist")
    return found[0]


def closing(exchange: PaperBroker, name: str, qty: Decimal | None, percentage: Decimal | None) -> dict[str, Any]:
    """The body of the order that closes a position, or a part of it.

    Raises
    ------
    RefusedError
        404 where there is no position, 422 where the part is none.
    """
    held = Decimal(position(exchange, name)["qty"])
    if qty is not None and percentage is not None:
        raise unprocessable("only one of qty or percentage is accepted")
    if percentage is not None and not 0 < percentage <= 100:
        raise unprocessable("percentage must be between 0 and 100")
    wanted = abs(held) if qty is None else qty
    if percentage is not None:
        wanted = (abs(held) * percentage / 100).quantize(Decimal("1e-9"), rounding="ROUND_DOWN")
    if wanted <= 0:
        raise unprocessable("qty must be > 0")
    side = "sell" if held > 0 else "buy"
    return {"symbol": name, "qty": plain(wanted), "side": side, "type": "market", "time_in_force": "day"}


def activities(exchange: PaperBroker, kinds: list[str], query: dict[str, str]) -> list[dict[str, Any]]:
    """Activities of the account: fills, and money that came or went without a trade.

    Parameters
    ----------
    exchange : PaperBroker
        Whose.
    kinds : list of str
        Of which kinds, such as FILL; all where empty.
    query : dict of str to str
        `date`, `after`, `until`, `direction`, `page_size` and `page_token` as the wire has them.

    Raises
    ------
    RefusedError
        422 where a field cannot be what it is.
    """
    exchange.poll()
    wanted, (first, last) = {kind.upper() for kind in kinds}, _between(query)
    entries = [entry for entry in exchange.book.entries if first < entry.at < last]
    if query.get("direction", "desc") == "desc":
        entries.reverse()
    said = [_activity(exchange, entry) for entry in entries if isinstance(entry, (Fill, Charge))]
    said = [one for one in said if not wanted or one["activity_type"] in wanted]
    token = query.get("page_token")
    if token:
        ids = [one["id"] for one in said]
        if token not in ids:
            raise unprocessable(f"invalid page_token: {token}")
        said = said[ids.index(token) + 1 :]
    size = query.get("page_size", str(_FILL_PAGE))
    if not size.isdecimal() or not 1 <= int(size) <= _FILL_PAGE:
        raise unprocessable(f"invalid page_size: {size}; it is 1 to {_FILL_PAGE}")
    return said[: int(size)]


def _position(
    exchange: PaperBroker, symbol: str, holding: Holding, mark: Decimal, before: Decimal | None
) -> dict[str, Any]:
    asset, qty = exchange.assets[symbol], holding.qty
    value, was = qty * mark, before if before is not None else holding.entry
    gain = value - holding.cost
    # What came today has moved since it came; only what was held overnight has moved since the last close.
    kept = _held_overnight(exchange, symbol, qty)
    base = kept * was + (qty - kept) * holding.entry
    return {
        "asset_id": asset["id"],
        "symbol": symbol,
        "exchange": asset["exchange"],
        "asset_class": asset["class"],
        "asset_marginable": asset["marginable"],
        "qty": plain(qty),
        "qty_available": plain(abs(qty) - exchange.held_for_orders(symbol)),
        "avg_entry_price": plain(round(holding.entry, 6)),
        "side": "long" if qty > 0 else "short",
        "market_value": plain(round(value, 6)),
        "cost_basis": plain(round(holding.cost, 6)),
        "unrealized_pl": plain(round(gain, 6)),
        "unrealized_plpc": _part(gain, abs(holding.cost)),
        "unrealized_intraday_pl": plain(round(value - base, 6)),
        "unrealized_intraday_plpc": _part(value - base, abs(base)),
        "current_price": plain(mark),
        "lastday_price": plain(was),
        "change_today": _part(mark - was, was),
    }


def _held_overnight(exchange: PaperBroker, symbol: str, qty: Decimal) -> Decimal:
    """How much of a holding was held at the last close before today and ever since."""
    before = exchange.hours.previous(exchange.now())
    close = before.closes if before else 0
    own = [fill for fill in exchange.book.fills if fill.symbol == symbol]
    level = sum((fill.signed for fill in own if fill.at <= close), ZERO)
    levels = [level]
    for fill in own:
        if fill.at > close:
            level += fill.signed
            levels.append(level)
    return max(ZERO, min(levels)) if qty > 0 else min(ZERO, max(levels))


def _activity(exchange: PaperBroker, entry: Fill | Charge) -> dict[str, Any]:
    day = eastern(entry.at).strftime("%Y%m%d%H%M%S%f")[:17]
    if isinstance(entry, Charge):
        return {
            "id": f"{day}::{entry.id}",
            "account_id": exchange.account_id,
            "activity_type": entry.kind,
            "date": eastern(entry.at).date().isoformat(),
            "net_amount": plain(entry.amount),
            "symbol": entry.symbol or None,
            "description": entry.note,
            "status": "executed",
        }
    fill = entry
    return {
        "id": f"{day}::{fill.id}",
        "account_id": exchange.account_id,
        "activity_type": "FILL",
        "transaction_time": moment_text(fill.at),
        "type": "fill" if fill.status == "filled" else "partial_fill",
        "price": plain(fill.price),
        "qty": plain(fill.qty),
        "side": fill.side,
        "symbol": fill.symbol,
        "leaves_qty": plain(fill.leaves),
        "order_id": fill.order,
        "cum_qty": plain(fill.cumulative),
        "order_status": fill.status,
    }


def _between(query: dict[str, str]) -> tuple[int, int]:
    """The open span that `date`, `after` and `until` leave."""
    if "date" in query:
        first, last = instant(query["date"][:10]), instant(query["date"][:10], last=True)
        if first is None or last is None:
            raise unprocessable(f"invalid date: {query['date']}")
        return first - 1, last + 1
    first = instant(query["after"]) if "after" in query else -1
    last = instant(query["until"]) if "until" in query else np.iinfo(np.int64).max
    if first is None or last is None:
        raise unprocessable("after and until are RFC 3339 or YYYY-MM-DD")
    return first, last


def _last_date(exchange: PaperBroker, now: int) -> str | None:
    before = exchange.hours.previous(now)
    return before.date if before else None


def _previous(exchange: PaperBroker, numbers: list[int], now: int) -> Any:
    return exchange.market.previous_daily(numbers, now) if numbers else []


def _money(amount: Decimal) -> str:
    return plain(round(amount, 6))


def _part(change: Decimal, base: Decimal) -> str:
    return plain(round(change / base, 8)) if base else "0"
