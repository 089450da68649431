"""A paper account in plain Python, written from the rules of docs/paper.md: one event after another, no cleverness."""

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

from plain_orders import ZERO, Day, PlainOrder, RefusedHereError, Tick, Wish

GTC = 90 * 86_400
CENT = Decimal("0.01")


class PlainAccount:
    """One account at two markets; `sized`: a quote fills no more than half of what it shows."""

    def __init__(self, sessions: list[Day], now: int, cash: Decimal, *, sized: bool, fee: Decimal) -> None:
        self.sessions, self.now, self.sized, self.fee = sessions, now, sized, fee
        self.start = self.cash = cash
        self.orders: list[PlainOrder] = []
        self.shares: dict[str, Decimal] = {}
        self.paid: dict[str, Fraction] = {}
        self.ahead: list[Tick] = []
        self.quotes: dict[str, Tick] = {}
        self.last: dict[str, Decimal] = {}
        self.traded = ZERO
        self.fees = ZERO

    # What comes from outside

    def until(self, now: int) -> None:
        """Let everything happen that happens up to a moment."""
        while (moment := self._next()) <= now:
            self._pass(moment)
        self.now = now

    def submit(self, wish: Wish, before: PlainOrder | None = None) -> PlainOrder:
        if wish.name in {order.wish.name for order in self.orders if order.wish.name}:
            raise RefusedHereError("name")
        order = self._drafted(wish)
        if before is not None:
            order.parent, order.role, order.before, order.armed = before.parent, before.role, before, before.armed
            order.status = "held" if before.status == "held" else order.status
        self._check_position(wish, order.role)
        others = [other for other in self.orders if other.open and other is not before]
        self._check_wash(wish, others)
        order.reserve = ZERO if order.role else self._check_money(order, others)
        self.orders.append(order)
        if before is None:
            order.legs = self._exits(order)
            self.orders += order.legs
        return order

    def cancel(self, order: PlainOrder) -> None:
        if not order.open:
            raise RefusedHereError("over")
        self._end(order, "canceled")

    def replace(self, old: PlainOrder, name: str, **changes: object) -> PlainOrder:
        at_market = old.status in ("new", "partially_filled") or (old.status == "held" and old.armed)
        qty = changes.get("qty") or old.qty
        if not at_market or qty is None or qty <= old.filled:
            raise RefusedHereError("not now")
        if qty != old.qty and (old.role or not replace(old.wish, qty=old.qty).whole):
            raise RefusedHereError("the size of a leg, or of a fractional order")
        changed = replace(old.wish, **{**changes, "qty": qty - old.filled, "name": name})
        self._check_exits(changed)
        new = self.submit(changed, old)
        old.status = "replaced"
        new.seen = self.now
        new.legs, old.legs = old.legs, []
        for leg in new.legs:  # they last as long as it does, and a pair of exits is for the same shares
            leg.parent, leg.expires, leg.wish = new, new.expires, replace(leg.wish, life=new.wish.life)
            leg.qty = new.qty if leg.open and new.wish.shape == "oco" else leg.qty
        if new.parent is not None:
            new.parent.legs.append(new)
        return new

    # What an account may do

    def _drafted(self, wish):
        day = self._day(self.now, wish.extended)
        live = max(self.now, day.early if wish.extended else day.opens)
        ends = self.now + GTC if wish.life == "gtc" else day.late if wish.extended else day.closes
        return PlainOrder(wish, "accepted" if live > self.now else "pending_new", live, ends, wish.qty, seen=self.now)

    def _exits(self, entry):
        """The legs of a new order: the target before the stop."""
        wish, found = entry.wish, []
        side = wish.side if wish.shape == "oco" else "sell" if wish.buys else "buy"
        leg = Wish(wish.symbol, side, "limit", wish.life, qty=wish.qty, shape=wish.shape)
        if wish.target is not None and wish.shape != "oco":
            found.append(replace(self._drafted(replace(leg, limit=wish.target)), role="target"))
        if wish.stop_loss is not None:
            kind = "stop" if wish.stop_loss_limit is None else "stop_limit"
            terms = replace(leg, kind=kind, stop=wish.stop_loss, limit=wish.stop_loss_limit)
            found.append(replace(self._drafted(terms), role="stop_loss"))
        for one in found:
            one.status, one.parent = "held", entry
        return found

    def _check_position(self, wish, role):
        held = self.shares.get(wish.symbol, ZERO)
        exits = held != 0 and (held > 0) != wish.buys
        if not role and ((wish.shape == "oco" and not exits) or (wish.shape in ("bracket", "oto") and exits)):
            raise RefusedHereError("shape")

    def _check_exits(self, wish, base=None):
        """The stop of an exit is a cent away from where it starts, on its losing side."""
        if wish.shape == "simple" or wish.stop_loss is None:
            return
        base = base or (wish.target if wish.shape == "oco" else wish.limit or wish.stop)
        long = wish.buys != (wish.shape == "oco")
        if base is not None and (wish.stop_loss > base - CENT if long else wish.stop_loss < base + CENT):
            raise RefusedHereError("stop of the exit")

    def _check_wash(self, wish, others):
        """No order may trade with another of the account; those with legs are exempt."""
        for other in others:
            theirs = other.wish
            if theirs.symbol != wish.symbol or theirs.side == wish.side or {wish.shape, theirs.shape} != {"simple"}:
                continue
            buy, sell = (wish, theirs) if wish.buys else (theirs, wish)
            if not (buy.kind == sell.kind == "limit" and buy.limit < sell.limit):
                raise RefusedHereError("wash trade")

    def _check_money(self, order, others):
        """What a share of an order reserves; exits give away what is held, all others cost buying power."""
        wish, held = order.wish, self.shares.get(order.wish.symbol, ZERO)
        ask = self._ask(wish.symbol)
        each = order.limit or wish.stop or ask
        self._check_exits(wish)
        if wish.kind in ("market", "stop"):
            self._check_exits(wish, each)
        if held and (held > 0) != wish.buys:
            going = [one for one in others if one.wish.symbol == wish.symbol and one.wish.side == wish.side]
            taken = sum((one.left(each) for one in going if one.status != "held" and not one.reserve), ZERO)
            if order.left(each) > abs(held) - taken:
                raise RefusedHereError("shares")
            return ZERO
        if not wish.buys:
            if not wish.whole:
                raise RefusedHereError("short sale of a part")
            each = max(each, ask * Decimal("1.03"))
        reserved = sum((one.reserve * one.left(one.reserve) for one in others if one.reserve), ZERO)
        if each * order.left(each) > self._power() - reserved:
            raise RefusedHereError("buying power")
        return each

    def _ask(self, symbol):
        quote = self.quotes.get(symbol)
        return quote.ask if quote is not None and quote.ask else self.last[symbol]

    def _power(self):
        """Half of what is held must be paid for; below 2,000 dollars there is no margin."""
        values = [shares * self.last[symbol] for symbol, shares in self.shares.items()]
        equity = self.cash + sum(values, ZERO)
        free = 2 * equity - sum(map(abs, values), ZERO) if equity >= 2000 else self.cash
        return max(ZERO, free)

    # What the market does

    def _next(self):
        alive = [order for order in self.orders if order.open and (order.coming or self._works(order))]
        moments = [order.live if order.coming else order.expires for order in alive]
        return min([tick.at for tick in self.ahead[:1]] + moments, default=1 << 62)

    def _pass(self, at):
        tick = self.ahead.pop(0) if self.ahead and self.ahead[0].at == at else None
        self.now = max(at, self.now)
        if tick is not None and tick.price is None:
            self.quotes[tick.symbol] = tick
        elif tick is not None and tick.sets:
            self.last[tick.symbol] = tick.price
        for order in list(self.orders):
            if order.open and order.coming and order.live <= at:
                self._start(order, at)
            elif order.open and not order.coming and self._works(order) and order.expires <= at:
                self._end(order, "expired")
            elif tick is not None and tick.symbol == order.wish.symbol and order.seen < at:
                self._meet(order, tick)

    def _start(self, order, at):
        order.status = "new"
        if order.wish.shape == "oco" and not order.role:
            for leg in order.legs:
                leg.armed, leg.seen = True, at
        order.seen = at
        if not order.waits:
            self._arrive(order, at)

    def _meet(self, order, tick):
        if not order.open or order.coming or not self._works(order) or not self._trades(order, tick.at):
            return
        if tick.price is None:
            first = order.met != self._begins(order, tick.at)
            order.met = self._begins(order, tick.at)
            if not order.waits:
                self._offer(order, tick, arriving=first)
        elif order.waits and tick.sets and self._elects(order, tick):
            self._elect(order, tick.at)

    def _elects(self, order, tick):
        """A trade at or through the stop, within the quote in force."""
        stop, quote = order.wish.stop, self.quotes.get(tick.symbol)
        through = tick.price >= stop if order.wish.buys else tick.price <= stop
        if quote is None or quote.at < self._begins(order, tick.at) or not (quote.bid and quote.ask):
            return through
        return through and quote.bid <= tick.price <= quote.ask

    def _elect(self, order, at):
        order.elected = True
        if order.status == "held":
            order.status = "new"
            for other in self._others(order):
                other.status = "canceled"
        self._arrive(order, at)

    def _arrive(self, order, at):
        """Meet the quote in force; what must be done at once and is not is canceled."""
        order.seen, quote = at, self.quotes.get(order.wish.symbol)
        if quote is not None and quote.at >= self._begins(order, at):
            order.met = self._begins(order, at)
            self._offer(order, quote, arriving=True)
        if order.open and order.wish.life in ("ioc", "fok"):
            self._end(order, "canceled")

    def _offer(self, order, quote, *, arriving):
        """Fill what the quote reaches: at the quote if the order comes to it, at its own limit if it was there."""
        price, limit = quote.ask if order.wish.buys else quote.bid, order.limit
        if not price or (limit is not None and (price > limit if order.wish.buys else price < limit)):
            return
        paid = price if arriving or limit is None else limit
        qty = order.left(paid)
        if self.sized:
            half = quote.shown / 2
            share = max(half // 1, min(quote.shown, Decimal(1))) if order.wish.whole else half
            if order.wish.life == "fok" and share < order.left(price):
                return
            qty = min(qty, share)
        if qty > 0:
            self._fill(order, qty, paid, quote.at)

    def _fill(self, order, qty, paid, at):
        done, signed = qty >= order.left(paid), qty if order.wish.buys else -qty
        fee = ZERO if order.filled else self.fee
        order.filled, order.value = order.filled + qty, order.value + qty * paid
        order.status = "filled" if done else "partially_filled"
        self.cash -= signed * paid + fee
        self.traded, self.fees = self.traded + signed * paid, self.fees + fee
        self._hold(order.wish.symbol, signed, paid)
        self._settle(order, max(at, order.seen))

    def _hold(self, symbol, signed, price):
        """Shares come or go; those that stay cost what they did, those that come what is paid for them."""
        held = self.shares.get(symbol, ZERO)
        after, each = held + signed, Fraction(price)
        if held and (after > 0) == (held > 0) and abs(after) < abs(held):
            each = self.paid[symbol] / Fraction(held)
        turned = held and after and (after > 0) != (held > 0)
        self.paid[symbol] = each * Fraction(after) if turned else self.paid.get(symbol, 0) + each * Fraction(signed)
        self.shares[symbol] = after
        if not after:
            del self.shares[symbol], self.paid[symbol]

    def _end(self, order, status):
        order.status = status
        self._settle(order, self.now)

    def _settle(self, order, at):
        """What a fill or an end means for the orders that belong to it."""
        if order.legs and order.wish.shape != "oco":
            self._settle_entry(order, at)
        for other in self._others(order):
            if not order.open:
                other.status = "canceled"
            elif order.filled:
                other.qty = order.qty - order.filled + other.filled

    def _settle_entry(self, entry, at):
        """Exits live once their entry is wholly filled, for all that was bought; they end with it otherwise."""
        legs = [leg for leg in entry.legs if leg.open and not leg.armed]
        if entry.status == "filled":
            bought, one = ZERO, entry
            while one is not None:
                bought, one = bought + one.filled, one.before
            pair = any(leg.role == "target" for leg in legs)
            for leg in legs:
                leg.armed, leg.qty, leg.seen = True, bought, at
                leg.status = "held" if pair and leg.role == "stop_loss" else "new"
            for leg in legs:
                if leg.status == "new" and not leg.waits:
                    self._arrive(leg, at)
        elif not entry.open:
            for leg in legs:
                leg.status = "canceled"

    def _others(self, order):
        """The open orders of which one cancels the other."""
        parent, family = order.parent, order.legs if order.wish.shape == "oco" else []
        if parent is not None:
            family = [parent, *parent.legs] if parent.wish.shape == "oco" else parent.legs
        return [one for one in family if one is not order and one.open]

    @staticmethod
    def _works(order):
        return not order.role or order.armed

    def _day(self, at, extended):
        return next(day for day in self.sessions if (day.late if extended else day.closes) > at)

    def _begins(self, order, at):
        day = self._day(at, order.wish.extended)
        return day.early if order.wish.extended else day.opens

    def _trades(self, order, at):
        return self._begins(order, at) <= at
