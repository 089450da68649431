"""What a paper account may spend and sell: Alpaca's rules, or those of a backtest's account."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, Protocol

from qtw_lab.core import DataError, lookup
from qtw_lab.ledger import Account
from qtw_lab.ledger.account import buying_power, rounded
from qtw_lab.ledger.amounts import ZERO, price
from qtw_lab.ledger.margin import DAY_TRADING_EQUITY, INTRADAY_MARGIN, settlement
from qtw_lab.ledger.refusals import unprocessable
from qtw_lab.ledger.tickets import Ticket, check_apart
from qtw_lab.venues.moments import day, eastern
from qtw_lab.venues.paper.checks import borrowed, enough_power, enough_shares, no_wash_trade, shortable
from qtw_lab.venues.paper.lending import Lending
from qtw_lab.venues.paper.locates import left
from qtw_lab.venues.paper.margin import closing_only, day_trades, no_deficit, no_pattern, unsettled, window
from qtw_lab.venues.paper.orders import Order
from qtw_lab.venues.paper.standing import Paper, Standing

#: Alpaca's page on orders: a short sale is reckoned at 3% above the ask.
_SHORT_MARGIN: Final = Decimal("1.03")
#: Sizes are worked out in binary fractions, so what they cost may differ from what there is by half a cent.
_NOISE: Final = Decimal("0.005")
_BILLIONTH: Final = Decimal("0.000000001")
_CHECKS: Final = {name: name for name in ("off", "entry", "exit", "both")}
_LENDING: Final = Lending()


class Rules(Protocol):
    """What an account may do, asked before an order is taken."""

    @property
    def lending(self) -> Lending:
        """Who lends what is hard to borrow."""
        ...

    @property
    def turns(self) -> bool:
        """Whether one order may close a position and open the opposite one."""
        ...

    def standing(self, paper: Paper, now: int) -> Standing:
        """What the account may do now, before what open orders reserve."""
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


@dataclass(frozen=True, slots=True, kw_only=True)
class AlpacaRules:
    """Alpaca's rules: a margin account, or one without margin.

    Nothing can be borrowed, neither money nor shares, below $2,000 of equity or where the account's own setting
    `max_margin_multiplier` is 1. Alpaca calls that limited margin: what sales bring can be spent at once. It grants up
    to four times the equity within a day; here it is twice, as overnight.

    Parameters
    ----------
    cash_account : bool
        Whether only settled cash buys, and nothing is borrowed: one session after a sale since 2024-05-28, before that
        two, until September 2017 three. Money that is not settled buys nothing, so there are no good-faith violations.
        Alpaca has no such accounts; it stands for a broker that does.
    collar : Decimal
        By what part a market order to buy is reckoned above the ask. Alpaca's page on orders says 0 (the far side of
        the quote, 2026); until 2022 it said 0.025 to 0.04.
    intraday_margin : str
        The first market date, YYYY-MM-DD, on which no order may make an intraday margin deficit; an earlier one lets
        older markets be traded under the rule of today.
    pdt_check : {"off", "entry", "exit", "both"}
        For market dates before 2026-06-04: refuse the order that could make a fourth day trade in five sessions, on
        opening a position or on closing one, where it is no cash account and was worth less than $25,000 at the last
        close. Off by default, as there is no such rule any more. Not modelled: the exemption of those whose day trades
        are less than 6% of their trades, and the flag.
    lending : Lending
        What is to be had of names that are hard to borrow.

    Raises
    ------
    DataError
        If one cannot be.

    Examples
    --------
    >>> AlpacaRules(pdt_check="entry").collar
    Decimal('0')
    """

    cash_account: bool = False
    collar: Decimal = ZERO
    intraday_margin: str = INTRADAY_MARGIN
    pdt_check: str = "off"
    lending: Lending = _LENDING

    def __post_init__(self) -> None:
        lookup(self.pdt_check, _CHECKS, "check of pattern day trading")
        if not 0 <= self.collar < 1:
            raise DataError(f"AlpacaRules: collar={self.collar!r} must be at least 0 and below 1.")
        if str(day(self.intraday_margin)) != self.intraday_margin:
            raise DataError(f"AlpacaRules: intraday_margin={self.intraday_margin!r} must be a date, YYYY-MM-DD.")

    @property
    def turns(self) -> bool:
        """As in `Rules`: it may not."""
        return False

    def standing(self, paper: Paper, now: int) -> Standing:
        """As in `Rules`."""
        balance = paper.balance(now)
        if self.cash_account:
            own = max(ZERO, balance.own - unsettled(paper.book.fills, paper.hours, now, settlement))
            return Standing(own, own, 1, shorting=False)
        shorting = balance.multiplier > 1 and not paper.configurations["no_shorting"]
        return Standing(balance.buying_power, max(ZERO, balance.own), balance.multiplier, shorting)

    def reserve(
        self, paper: Paper, order: Order, asset: Mapping[str, Any], now: int, replaces: Order | None
    ) -> Decimal:  # fmt: skip
        """As in `Rules`: no order may trade with another, give away more than is held, or spend more than there is."""
        ticket = order.ticket
        others = [other for other in paper.open_orders() if other is not replaces]
        no_wash_trade(ticket, others)
        if order.role:
            return ZERO
        held = paper.book.held(ticket.symbol)
        each = order.limit or ticket.stop_price or _reckoned(paper, order, now)
        if ticket.stop_loss is not None and ticket.kind in ("market", "stop") and ticket.stop_loss.stop is not None:
            check_apart(long=ticket.buys, stop=ticket.stop_loss.stop, base=each)
        opens = not held or (held > 0) == ticket.buys
        self._no_pattern(paper, order, others, now, opens=opens)
        if not opens:
            enough_shares(order, each, held, others)
            return ZERO
        if not ticket.buys:
            shortable(ticket, asset, paper.configurations)
            each = max(each, _reckoned(paper, order, now) * _SHORT_MARGIN)
        elif order.limit is None and ticket.stop_price is None:
            each *= 1 + self.collar
        self._afford(paper, order, asset, each, others, now)
        return each

    def _afford(
        self, paper: Paper, order: Order, asset: Mapping[str, Any], each: Decimal, others: Sequence[Order], now: int
    ) -> None:  # fmt: skip
        """Refuse an order that opens a position which the account may not have, at so many dollars a share."""
        ticket, wanted = order.ticket, order.left(each)
        standing, balance = self.standing(paper, now), paper.balance(now)
        numbers = {symbol: holding.number for symbol, holding in paper.book.holdings.items()}
        closing_only(paper.book.holdings, paper.marks(numbers, now), balance.equity)
        if not ticket.buys:
            state = paper.state
            there = left(state.locates.values(), state.orders.values(), others, ticket.symbol, now)
            borrowed(ticket, asset, wanted, there, shorting=standing.shorting)
        enough_power(each * wanted, standing.power - sum((one.reserved() for one in others), ZERO))
        if eastern(now).date().isoformat() >= self.intraday_margin:
            market = _quoted(paper, order, now) if ticket.buys else None
            no_deficit(balance, wanted if ticket.buys else -wanted, min(each, market or each), others)

    def _no_pattern(self, paper: Paper, order: Order, others: Sequence[Order], now: int, *, opens: bool) -> None:
        today = eastern(now).date().isoformat()
        if self.pdt_check == "off" or today >= INTRADAY_MARGIN or self.cash_account:
            return
        if paper.last_balance(now).equity < DAY_TRADING_EQUITY:
            made = day_trades(paper.book.entries, window(paper.hours, now), today)
            no_pattern(self.pdt_check, made, order, others, opens=opens)


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

    @property
    def turns(self) -> bool:
        """As in `Rules`: it may."""
        return True

    @property
    def lending(self) -> Lending:
        """As in `Rules`; nothing is hard to borrow in a backtest, so there is nobody to ask."""
        return _LENDING

    def standing(self, paper: Paper, now: int) -> Standing:
        """As in `Rules`."""
        a, balance = self.account, paper.balance(now)
        exposure = float(balance.long - balance.short)
        waiting = unsettled(paper.book.fills, paper.hours, now, lambda _: a.settlement) if a.settlement else ZERO
        equity, cash = float(balance.equity), float(balance.cash)
        power = buying_power(a.buying_power == "gross", a.leverage, equity, cash, float(waiting), exposure)
        own = max(ZERO, balance.own - waiting)
        return Standing(price(power), own, 2 if a.leverage > 1 else 1, self.account.shorting)

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
            power = self.standing(paper, now).power + freed - sum((other.reserved() for other in others), ZERO)
            enough_power(cost - _NOISE, power)
        return (cost / wanted).quantize(_BILLIONTH)

    def _in_lots(self, symbol: str, wanted: Decimal) -> None:
        lot = self.account.lot
        if lot and abs(rounded(float(wanted), lot) - float(wanted)) > 1e-9 * lot:
            raise unprocessable(f"{symbol} is traded in lots of {lot:g} shares")


def _alike(order: Order, ticket: Ticket) -> bool:
    """Whether an open order may take of the same holding; of a pair of exits only the target does."""
    return order.ticket.symbol == ticket.symbol and order.ticket.side == ticket.side and order.status != "held"


def _reckoned(paper: Paper, order: Order, now: int) -> Decimal:
    """What a share is likely to cost: the ask, or the last price."""
    found = _quoted(paper, order, now)
    if found is None:
        raise unprocessable(f'asset "{order.ticket.symbol}" has no price yet')
    return found


def _quoted(paper: Paper, order: Order, now: int) -> Decimal | None:
    """The ask, or the last price; None where there is neither."""
    for row in paper.market.latest_quotes([order.number], now):
        if row["other_price"] > 0:
            return price(row["other_price"])
    return paper.marks({order.ticket.symbol: order.number}, now).get(order.ticket.symbol)
