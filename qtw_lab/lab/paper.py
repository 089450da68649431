"""Paper accounts: one in this process at a market of this machine, and the one that the settings point to."""

from __future__ import annotations

import math
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from qtw_lab.core import DataError, Fact, Facts, Settings, SetupError, SystemClock, VenueError
from qtw_lab.ledger.amounts import number
from qtw_lab.ledger.refusals import RefusedError
from qtw_lab.ledger.tickets import Ticket
from qtw_lab.venues.moments import SECOND, identity

if TYPE_CHECKING:
    from qtw_lab.venues.brokers import Broker, OrderView
    from qtw_lab.venues.paper.embedded import EmbeddedBroker


def embedded(
    *,
    symbols: int | None = None,
    bundled: bool | Sequence[str] = False,
    date: str | None = None,
    seed: int | None = None,
    start: str = "auto",
    speed: float = 1.0,
    cash: float = 100_000.0,
    fill_model: str = "plain",
    book: str | Path | None = None,
) -> EmbeddedBroker:
    """A paper account in this process, at a market whose time runs from now on.

    Parameters
    ----------
    symbols, bundled, date, seed, start, speed
        The market, as of `qtw_lab.lab.realtime.simulator`.
    cash : float
        Dollars in a new account.
    fill_model : str
        plain, alpaca or conservative.
    book : path, optional
        Where the account is kept; by default it lasts as long as the process.

    Raises
    ------
    DataError, SetupError
        If the market cannot be made so, or the book cannot be opened.
    """
    from qtw_lab.venues.paper.broker import PaperBroker
    from qtw_lab.venues.paper.embedded import EmbeddedBroker
    from qtw_lab.venues.paper.models import FillModel
    from qtw_lab.venues.paper.terms import AccountTerms
    from qtw_lab.venues.simulator.choosing import beginning, chosen_market
    from qtw_lab.venues.simulator.clock import MarketClock

    if not math.isfinite(speed):
        raise DataError("A market that a paper account trades at needs a finite speed, such as 1 or 60.")
    market = chosen_market(symbols=symbols, bundled=bundled, date=date, seed=seed)
    store = AccountTerms(cash, None if book is None else Path(book)).opened()
    try:
        clock = MarketClock(max(beginning(market, start), store.moment), speed)
        return EmbeddedBroker(PaperBroker(market, clock, cash, model=FillModel.named(fill_model), store=store))
    except BaseException:
        store.close()
        raise


def remote(settings: Settings) -> Broker:
    """The account at the address that the settings name: a simulator's, or Alpaca's paper account.

    Raises
    ------
    SetupError
        If there are no keys, or the address is that of Alpaca's live account.
    """
    from qtw_lab.venues.alpaca_broker import AlpacaBroker

    if settings.alpaca_api_key_id is None:
        raise SetupError(
            "There are no keys to a trading account. Start one here with `qtw simulator serve`, and set "
            "ALPACA_TRADING_REST_URL=http://127.0.0.1:8765, ALPACA_API_KEY_ID=sim-key and "
            "ALPACA_API_SECRET_KEY=sim-secret; or give the keys of Alpaca's paper account."
        )
    return AlpacaBroker(settings)


def ticket(symbol: str, side: str, name: str, **terms: Any) -> Ticket:
    """An order from plain words.

    Parameters
    ----------
    symbol, side : str
        What, and whether to buy or to sell.
    name : str
        Its client order id; made up if empty.
    **terms
        `kind`, `time_in_force`, `extended_hours`, and as texts or numbers qty, notional, limit_price, stop_price,
        trail_price, trail_percent.

    Raises
    ------
    DataError
        If an amount is no number, or the terms contradict each other.

    Examples
    --------
    >>> ticket("AAPL", "buy", "mine", qty="1.5").qty
    Decimal('1.5')
    """
    amounts: dict[str, Decimal] = {}
    for field in ("qty", "notional", "limit_price", "stop_price", "trail_price", "trail_percent"):
        value = terms.pop(field, None)
        if value is not None:
            found = number(value)
            if found is None:
                raise DataError(f"{field}={value!r} is no number; give one such as 10 or 99.50.")
            amounts[field] = found
    given = {key: value for key, value in terms.items() if value is not None}
    fields: dict[str, Any] = {"kind": "market", "time_in_force": "day"} | given | amounts
    name = name or identity("order by hand", symbol, side, pd.Timestamp.now(tz="UTC").value)
    try:
        return Ticket(symbol.upper(), side, client_order_id=name, **fields).checked()
    except RefusedError as refused:
        raise DataError(f"This cannot be an order: {refused}.") from refused


def status(broker: Broker) -> Facts:
    """How an account is."""
    account, held, working = broker.account(), broker.positions(), broker.orders()
    return Facts(
        f"Paper account at {broker.name}",
        (
            Fact("account", account.id, "text", "Account"),
            Fact("equity", float(account.equity), "money", definition="Cash and positions at last prices"),
            Fact("cash", float(account.cash), "money"),
            Fact("buying_power", float(account.buying_power), "money", definition="What new positions may cost"),
            Fact("positions", len(held), "count", definition="Symbols held"),
            Fact("open_orders", len(working), "count", definition="Orders that may still be filled"),
        ),
    )


def orders(broker: Broker, which: str = "open") -> pd.DataFrame:
    """Orders, one a row, oldest first; times in UTC."""
    rows = [
        {
            "created": pd.Timestamp(order.created, tz="UTC"), "symbol": order.symbol, "side": order.side,
            "type": order.kind, "qty": order.qty, "filled": order.filled_qty, "average": order.average,
            "status": order.status, "id": order.id, "client_order_id": order.client_order_id,
        }
        for order in broker.orders(which)
    ]  # fmt: skip
    names = ("created", "symbol", "side", "type", "qty", "filled", "average", "status", "id", "client_order_id")
    return pd.DataFrame(rows, columns=list(names))


def positions(broker: Broker) -> pd.DataFrame:
    """Shares by symbol."""
    return pd.DataFrame(list(broker.positions().items()), columns=["symbol", "shares"])


def flatten(broker: Broker, seconds: float = 10.0) -> list[str]:
    """Cancel every open order, then sell what is held and buy back what was sold short; ids of those orders.

    Positions are read once no order is open, so nothing else closes them meanwhile. The names of the closing orders
    depend on what they close: after a lost answer the same call finds the order instead of sending another, and one
    that was canceled unfilled is followed by a new one.

    Raises
    ------
    VenueError
        As `Broker`, and if orders stay open for longer than `seconds`: then nothing was closed.
    """
    clock = SystemClock()
    for order in broker.orders():
        cancel_unless_over(broker, order.id)
    ends = clock.now().value + int(seconds * SECOND)
    while broker.orders():
        if clock.now().value > ends:
            raise VenueError("Orders are still open after they were canceled, so nothing was closed. Try again.")
        clock.sleep(0.1)
    fills = len(broker.fills())
    return [_closing(broker, symbol, shares, fills).id for symbol, shares in broker.positions().items()]


def _closing(broker: Broker, symbol: str, shares: Decimal, fills: int) -> OrderView:
    """The order that closes a position: the one that is there already, unless it ended unfilled."""
    attempt = 0
    while True:
        name = identity("flatten", symbol, shares, fills, attempt)
        known = broker.find(name)
        if known is None:
            side = "sell" if shares > 0 else "buy"
            return broker.submit(Ticket(symbol, side, "market", "day", qty=abs(shares), client_order_id=name))
        if known.open or known.filled_qty:
            return known
        attempt += 1


def cancel_unless_over(broker: Broker, order_id: str) -> None:
    """Cancel an order, unless it is over already."""
    try:
        broker.cancel(order_id)
    except RefusedError:
        seen = broker.order(order_id)
        if seen is not None and seen.open:
            raise
