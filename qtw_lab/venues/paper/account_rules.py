"""What a paper account may spend and sell: Alpaca's rules of a margin account, or those of a backtest's account."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final, Protocol

from qtw_lab.ledger import Account
from qtw_lab.ledger.account import buying_power, rounded
from qtw_lab.ledger.amounts import ZERO, price
from qtw_lab.ledger.book import Balance, Book
from qtw_lab.ledger.refusals import unprocessable
from qtw_lab.ledger.tickets import Ticket, check_apart
from qtw_lab.venues.market import Prices
from qtw_lab.venues.paper.checks import enough_power, enough_shares, no_wash_trade, shortable
from qtw_lab.venues.paper.hours import Hours
from qtw_lab.venues.paper.models import FillModel
from qtw_lab.venues.paper.orders import Order

#: Alpaca's page on orders: a short sale is reckoned at 3% above the ask.
_SHORT_MARGIN: Final = Decimal("1.03")
#: Sizes are worked out in binary fractions, so what they cost may differ from what there is by half a cent.
_NOISE: Final = Decimal("0.005")
_BILLIONTH: Final = Decimal("0.000000001")


class Paper(Protocol):
    """What rules may ask a paper account; see `qtw_lab.venues.paper.broker.PaperBroker`."""

    market: Prices
    hours: Hours

    @property
    def model(self) -> FillModel: ...  # noqa: D102  (as of the broker)
    @property
    def book(self) -> Book: ...  # noqa: D102  (as of the broker)
    @property
    def configurations(self) -> Mapping[str, Any]: ...  # noqa: D102  (as of the broker)
    def balance(self, now: int) -> Balance: ...  # noqa: D102  (as of the broker)
    def open_orders(self) -> list[Order]: ...  # noqa: D102  (as of the broker)
    def marks(self, numbers: Mapping[str, int], now: int) -> dict[str, Decimal]: ...  # noqa: D102  (as of the broker)


class Rules(Protocol):
    """What an account may do, asked before an order is taken."""

    def power(self, paper: Paper, now: int) -> Decimal:
        """Dollars that new positions may cost, before what open orders reserve."""
        ...

    def reserve(
        self, paper: Paper, order: Order, asset: Mapping[str, Any], now: int, replaces: Order | None
    ) -> Decimal:  # fmt: skip
        """What to reserve for a share of an order, in dollars; one that replaces another counts instead of it.

        Raises
        ------
        RefusedError
            If the account must not send it.
        """
        ...


class AlpacaRules:
    """Alpaca's rules of a margin account."""

    def power(self, paper: Paper, now: int) -> Decimal:
        """As in `Rules`."""
        return paper.balance(now).buying_power

    def reserve(
        self, paper: Paper, order: Order, asset: Mapping[str, Any], now: int, replaces: Order | None
    ) -> Decimal:  # fmt: skip
        """As in `Rules`: no order may trade with another, give away more than is held, or spend more than there is."""
        ticket = order.ticket
        others = [other for other in paper.open_orders() if other is not replaces]
        no_wash_trade(ticket, others)
        held = paper.book.held(ticket.symbol)
        if order.role:
            return ZERO
        each = order.limit or ticket.stop_price or _reckoned(paper, order, now)
        if ticket.stop_loss is not None and ticket.kind in ("market", "stop") and ticket.stop_loss.stop is not None:
            check_apart(long=ticket.buys, stop=ticket.stop_loss.stop, base=each)
        if held and (held > 0) != ticket.buys:
            enough_shares(order, each, held, others)
            return ZERO
        if not ticket.buys:
            shortable(ticket, asset, paper.configurations)
            each = max(each, _reckoned(paper, order, now) * _SHORT_MARGIN)
        enough_power(each * order.left(each), self.power(paper, now) - sum((one.reserved() for one in others), ZERO))
        return each


class LedgerRules:
    """The rules of a backtest's account: an order may turn a position, and parts of a share may be sold short.

    Parameters
    ----------
    account : Account
        Leverage, buying power, shorting, settlement, lots. Its `min_notional` is a rule of sizing, which what money
        cuts off may fall below, and its maintenance fractions do not count: nobody calls for margin.
    """

    def __init__(self, account: Account | None = None) -> None:
        self.account = Account() if account is None else account

    def power(self, paper: Paper, now: int) -> Decimal:
        """As in `Rules`."""
        a, balance = self.account, paper.balance(now)
        exposure = float(balance.long - balance.short)
        unsettled = float(self._unsettled(paper, now)) if a.settlement else 0.0
        equity, cash = float(balance.equity), float(balance.cash)
        return price(buying_power(a.buying_power == "gross", a.leverage, equity, cash, unsettled, exposure))

    def reserve(
        self, paper: Paper, order: Order, asset: Mapping[str, Any], now: int, replaces: Order | None  # noqa: ARG002
    ) -> Decimal:  # fmt: skip
        """As in `Rules`: what closes a position is free, what goes beyond needs buying power or leave to sell short."""
        if order.role:
            return ZERO
        ticket, held = order.ticket, paper.book.held(order.ticket.symbol)
        quoted = order.limit or ticket.stop_price or _reckoned(paper, order, now)
        each = paper.model.paid(quoted, buys=ticket.buys) if ticket.kind == "market" else quoted
        wanted = order.left(each)
        others = [other for other in paper.open_orders() if other is not replaces]
        waiting = sum((one.left(quoted) for one in others if _alike(one, ticket)), ZERO)
        closing = min(wanted, max(abs(held) - waiting, ZERO)) if held and (held > 0) != ticket.buys else ZERO
        beyond = wanted - closing
        if beyond or wanted != abs(held):
            self._in_lots(ticket.symbol, wanted)
        if beyond and not ticket.buys and not self.account.shorting:
            raise unprocessable(f'asset "{ticket.symbol}" cannot be sold short')
        if beyond and paper.balance(now).equity <= 0:
            enough_power(quoted * beyond, ZERO)
        gross = self.account.buying_power == "gross"
        sized = beyond if gross else wanted if ticket.buys else ZERO
        # power is for commission, not for what only sales pay
        cost = max(each, quoted) * sized + paper.model.fee(sized, each, first=True, resting=False)
        if beyond and sized:
            freed = closing * quoted if gross else ZERO
            power = self.power(paper, now) + freed - sum((other.reserved() for other in others), ZERO)
            enough_power(cost - _NOISE, power)
        return (cost / wanted).quantize(_BILLIONTH)

    def _in_lots(self, symbol: str, wanted: Decimal) -> None:
        lot = self.account.lot
        if lot and abs(rounded(float(wanted), lot) - float(wanted)) > 1e-9 * lot:
            raise unprocessable(f"{symbol} is traded in lots of {lot:g} shares")

    def _unsettled(self, paper: Paper, now: int) -> Decimal:
        """Proceeds of sales that are not settled yet."""
        sessions = paper.hours.sessions_until(now)
        last = sessions[-self.account.settlement].opens if len(sessions) >= self.account.settlement else 0
        total = ZERO
        for fill in reversed(paper.book.fills):
            if fill.at < last:
                break
            if fill.side == "sell":
                total += max(fill.qty * fill.price - fill.fee, ZERO)
        return total


def _alike(order: Order, ticket: Ticket) -> bool:
    """Whether an open order may take of the same holding; of a pair of exits only the target does."""
    return order.ticket.symbol == ticket.symbol and order.ticket.side == ticket.side and order.status != "held"


def _reckoned(paper: Paper, order: Order, now: int) -> Decimal:
    """What a share is likely to cost: the ask, or the last price."""
    for row in paper.market.latest_quotes([order.number], now):
        if row["other_price"] > 0:
            return price(row["other_price"])
    last = paper.marks({order.ticket.symbol: order.number}, now).get(order.ticket.symbol)
    if last is None:
        raise unprocessable(f'asset "{order.ticket.symbol}" has no price yet')
    return last
