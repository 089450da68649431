"""How open orders of a paper account meet the market's events: step by step, in the order of arrival.

Nothing here depends on how often it is asked: what an order meets is a matter of the market's events alone, so it is
found again after a restart.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from qtw_lab.ledger.amounts import ZERO, plain, price
from qtw_lab.ledger.tickets import AT_ONCE, AUCTIONS
from qtw_lab.venues.conditions import rules
from qtw_lab.venues.market import Arrivals, Prices
from qtw_lab.venues.moments import SECOND, identity
from qtw_lab.venues.paper.hours import Hours
from qtw_lab.venues.paper.journal import Journal
from qtw_lab.venues.paper.models import FillModel
from qtw_lab.venues.paper.orders import Order
from qtw_lab.venues.ticks import QUOTE, TICK, TRADE, Rows

#: Market events are read in pieces of at most this length.
_PIECE: Final = 300 * SECOND
#: So long after the opening an order for the opening auction waits for its price.
_AUCTION: Final = 300 * SECOND


class _Step(NamedTuple):
    """The next thing that happens to an order: when, whose, the state of the plan it belongs to, what, by which row."""

    at: int
    place: int
    version: int
    what: str
    row: int = -1
    arriving: bool = False


class _Piece:
    """A piece of the market's events, and which of them are each symbol's."""

    def __init__(self, arrivals: Arrivals) -> None:
        self.rows, self.times = arrivals
        kinds = self.rows["kind"]
        self._kept = (kinds == TRADE) | (kinds == QUOTE)
        self._own: dict[int, npt.NDArray[np.intp]] = {}

    def any(self, number: int) -> bool:
        """Whether it has trades or quotes of a symbol."""
        return len(self.rows) > 0 and len(self.of(number)) > 0

    def of(self, number: int) -> npt.NDArray[np.intp]:
        """Places of a symbol's trades and quotes."""
        if number not in self._own:
            self._own[number] = np.flatnonzero(self._kept & (self.rows["symbol"] == number))
        return self._own[number]


class Matching:
    """Starts, elects, fills and ends orders.

    Parameters
    ----------
    market : Prices
        Gives quotes and trades as they arrive.
    hours : Hours
        When it trades.
    journal : Journal
        Takes what happens.
    model : FillModel
        How generous the market is.
    """

    def __init__(self, market: Prices, hours: Hours, journal: Journal, model: FillModel) -> None:
        self._market, self._hours, self._journal, self.model = market, hours, journal, model

    def pause(self, since: int, until: int, orders: Sequence[Order]) -> int:
        """Where to stop on the way: at the end of a piece, or before trading begins where there is none now."""
        extended = any(order.ticket.extended_hours for order in orders)
        session = self._hours.current(since + 1, extended=extended)
        begins = session.early if extended else session.opens
        return min(until, begins - 1) if since + 1 < begins else min(until, since + _PIECE)

    def meet(self, orders: Sequence[Order], since: int, until: int) -> None:
        """Let these orders meet all that arrives after `since` and up to `until`."""
        piece = self._piece(orders, since, until)
        places = {order.id: place for place, order in enumerate(orders)}
        versions = [0] * len(orders)
        steps: list[_Step] = []
        for place, order in enumerate(orders):
            self._plan(steps, place, order, piece, until, 0)
        while steps:
            step = heapq.heappop(steps)
            order = orders[step.place]
            if step.version != versions[step.place] or not order.open:
                continue
            before = self._journal.length
            self._take(step, order, piece)
            order.progress.seen = max(order.progress.seen, step.at)
            for leg in self._journal.armed(before):
                if leg.open and not leg.waits_for_stop:
                    self._arrive(leg, step.at)
            for name in {order.id, *self._journal.touched(before)} & places.keys():
                touched = places[name]
                versions[touched] += 1
                self._plan(steps, touched, orders[touched], piece, until, versions[touched])
        for order in orders:
            if order.open and order.status not in ("accepted", "pending_new") and _active(order):
                if piece.any(order.number):
                    self._note(order, piece, until)
                order.progress.seen = max(order.progress.seen, until)

    def recover(self, order: Order) -> None:
        """Find out again how far an order had come when its last event was written down."""
        progress = order.progress
        if order.status in ("accepted", "pending_new") or not _active(order):
            return
        begins = self._begins(order, progress.seen)
        if order.ticket.kind == "trailing_stop" and progress.best is None:
            progress.best = self._last_price(order, progress.seen)
        for row in self._market.latest_quotes([order.number], progress.seen):
            if row["time"] >= begins:
                progress.rested = begins
                self._join_queue(order, row)
        if order.fills and progress.ahead is not None:
            progress.ahead = ZERO

    def end(self, order: Order, kind: str, at: int, **content: str) -> None:
        """End an order (canceled, expired, replaced, rejected), and unless it is replaced those that depend on it."""
        best = {} if order.progress.best is None else {"best": plain(order.progress.best)}
        self._journal.put(kind, at, order.id, **best, **content)
        self._journal.settle_group(order, at)

    # Steps

    def _take(self, step: _Step, order: Order, piece: _Piece) -> None:
        at = step.at
        if step.what == "start":
            self._start(order, at)
        elif step.what == "elect":
            self._follow(order, piece, at)
            self._journal.elect(order, at)
            self._arrive(order, at)
        elif step.what == "quote":
            self._met(order, piece, at)
            self._fill(
                order,
                at,
                *self._offered(order, piece.rows[step.row], arriving=step.arriving),
                resting=not step.arriving,
            )
        elif step.what == "print":
            self._met(order, piece, at)
            self._fill_by_trade(order, at, piece.rows[step.row])
        elif step.what == "auction":
            self._auction(order, at)
        else:
            self.end(order, "expired", at)

    def _plan(
        self, steps: list[_Step], place: int, order: Order, piece: _Piece, until: int, version: int
    ) -> None:  # fmt: skip
        """Put the next thing that happens to an order among the steps."""
        if not order.open:
            return
        if order.status in ("accepted", "pending_new"):
            if order.live <= until:
                heapq.heappush(steps, _Step(order.live, place, version, "start"))
            return
        if not _active(order) or (order.expires > until and not piece.any(order.number) and not _in_auction(order)):
            return
        if _in_auction(order):
            auction = self._auction_time(order, piece)
            if auction <= until:
                heapq.heappush(steps, _Step(auction, place, version, "auction"))
            return
        found = self._election(order, piece) if order.waits_for_stop else self._execution(order, piece)
        if order.expires <= (until if found is None else found[0]):
            heapq.heappush(steps, _Step(order.expires, place, version, "expire"))
        elif found is not None:
            heapq.heappush(steps, _Step(found[0], place, version, *found[1:]))

    def _start(self, order: Order, at: int) -> None:
        self._journal.start(order, at)
        if order.ticket.kind == "trailing_stop":
            order.progress.best = self._last_price(order, at)
        if not order.waits_for_stop and not _in_auction(order):
            self._arrive(order, at)

    def _arrive(self, order: Order, at: int) -> None:
        """Meet the quote in force; what must be done at once and is not is canceled."""
        order.progress.seen = at
        begins = self._begins(order, at)
        for row in self._market.latest_quotes([order.number], at):
            if row["time"] < begins:  # a quote of an earlier session is no quote of this one
                continue
            order.progress.rested = begins
            if self._reached(order, np.array([row], TICK))[0] and self._all_or_part(order, row):
                self._fill(order, at, *self._offered(order, row, arriving=True), resting=False)
            self._join_queue(order, row)
        if order.open and order.ticket.time_in_force in AT_ONCE:
            self.end(order, "canceled", at)

    def _fill(self, order: Order, at: int, qty: Decimal, paid: Decimal, *, resting: bool) -> None:
        if qty <= 0:
            return
        ticket = order.ticket
        signed = qty if ticket.buys else -qty
        done = qty >= order.left(paid) or (order.qty is None and order.left(paid) - qty <= 0)
        left = order.left(paid) - qty
        fee = self.model.fee(signed, paid, first=order.fills == 0, resting=resting)
        self._journal.put(
            "filled", at, order.id, id=identity("fill", order.id, plain(order.filled_qty + qty)), qty=plain(qty),
            price=plain(paid), left=plain(left), done=done, fee=plain(fee),
        )  # fmt: skip
        self._journal.settle_group(order, at)

    def _offered(self, order: Order, quote: Any, *, arriving: bool) -> tuple[Decimal, Decimal]:
        """Shares and price that an order gets of a quote."""
        shown, paid = self._side(order, quote)
        if order.limit is not None and not arriving:
            paid = order.limit
        paid = self._worse(order, paid)
        qty = order.left(paid)
        if self.model.sized:
            qty = min(qty, self._share(shown, order))
        return self.model.part(order.id, order.fills, qty), paid

    def _worse(self, order: Order, quoted: Decimal) -> Decimal:
        """What is paid for a share that is quoted so: limit orders pay what is quoted."""
        limited = order.ticket.kind in ("limit", "stop_limit")
        return quoted if limited else self.model.paid(quoted, buys=order.ticket.buys)

    def _share(self, shown: Decimal, order: Order) -> Decimal:
        """What of a size an order gets; whole shares if it asks for whole shares, one at least."""
        if self.model.participation >= 1.0:
            return shown
        cut = shown * Decimal(repr(float(self.model.participation)))
        return cut if order.ticket.fractional else max(cut.to_integral_value("ROUND_DOWN"), min(shown, Decimal(1)))

    def _all_or_part(self, order: Order, row: Any) -> bool:
        if not self.model.sized or order.ticket.time_in_force != "fok":
            return True
        shown, asked = self._side(order, row)
        return self._share(shown, order) >= order.left(asked)

    # What an order meets

    def _piece(self, orders: Sequence[Order], since: int, until: int) -> _Piece:
        extended = any(order.ticket.extended_hours for order in orders)
        trading = any(self._hours.trades(at, extended=extended) for at in (since + 1, until))
        if not orders or until <= since or not trading:
            return _Piece(Arrivals(np.empty(0, TICK), np.empty(0, np.int64)))
        numbers = sorted({order.number for order in orders})
        return _Piece(self._market.arrivals(since + 1, until + 1, numbers))

    def _trading(self, order: Order, piece: _Piece) -> npt.NDArray[np.intp]:
        """Places of the events that an order has yet to meet, in the hours in which it trades."""
        own = piece.of(order.number)
        times = piece.times[own]
        return own[(times > order.progress.seen) & self._hours.trading(times, extended=order.ticket.extended_hours)]

    def _election(self, order: Order, piece: _Piece) -> tuple[int, str] | None:
        """When the first trade elects a stop; a trailing one follows the trades before."""
        own = self._setting(piece, self._trading(order, piece))
        if not len(own):
            return None
        prices = piece.rows["price"][own]
        if order.ticket.kind == "trailing_stop":
            stops = self._trail(order, prices)
        else:
            stops = np.full(len(own), float(order.stop or 0))
        through = prices >= stops if order.ticket.buys else prices <= stops
        for place in own[through]:
            if self._inside_quote(order, piece, int(place)):
                return int(piece.times[place]), "elect"
        return None

    def _trail(self, order: Order, prices: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Where a trailing stop stands at each trade: a best price cannot elect it, so the trade itself may count."""
        ticket, start = order.ticket, order.progress.best
        follow = np.minimum if ticket.buys else np.maximum
        best = follow.accumulate(prices)
        if start is not None:
            best = follow(best, float(start))
        away = (
            float(ticket.trail_price)
            if ticket.trail_price is not None
            else best * float(ticket.trail_percent or 0) / 100
        )
        stops: npt.NDArray[np.float64] = np.round(best + away if ticket.buys else best - away, 6)
        return stops

    def _inside_quote(self, order: Order, piece: _Piece, place: int) -> bool:
        """Whether a trade lies within the quote in force; true where there is none of this session."""
        own = piece.of(order.number)
        before = own[(own < place) & (piece.rows["kind"][own] == QUOTE)]
        at, paid = int(piece.times[place]), piece.rows["price"][place]
        rows = piece.rows[before[-1:]] if len(before) else self._market.latest_quotes([order.number], at - 1)
        begins = self._begins(order, at)
        return all(
            row["price"] - 1e-9 <= paid <= row["other_price"] + 1e-9
            for row in rows
            if row["time"] >= begins and row["price"] > 0 and row["other_price"] > 0
        )

    def _execution(self, order: Order, piece: _Piece) -> tuple[Any, ...] | None:
        """The first quote or trade that fills an order: when, which, by which row, whether it meets it as new."""
        own = self._trading(order, piece)
        quotes = own[piece.rows["kind"][own] == QUOTE]
        reached = np.flatnonzero(self._reached(order, piece.rows[quotes]))
        found: tuple[Any, ...] | None = None
        if len(reached):
            place = int(quotes[reached[0]])
            at = int(piece.times[place])
            begins = self._begins(order, at)
            first = not (piece.times[quotes[: reached[0]]] >= begins).any()
            found = (at, "quote", place, order.progress.rested != begins and first)
        printed = self._printed(order, piece, own)
        if printed is not None and (found is None or printed[0] < found[0]):
            found = printed
        return found

    def _printed(self, order: Order, piece: _Piece, own: npt.NDArray[np.intp]) -> tuple[int, str, int, bool] | None:
        """The first trade that reaches an order in the queue at its limit."""
        limit, ahead = order.limit, order.progress.ahead
        if self.model.queue is None or limit is None or ahead is None:
            return None
        trades = self._setting(piece, own)
        prices, sizes = piece.rows["price"][trades], piece.rows["size"][trades]
        way = 1.0 if order.ticket.buys else -1.0
        better, same = way * prices < way * float(limit), prices == float(limit)
        served = np.cumsum(np.where(same, sizes, 0.0))
        hits = np.flatnonzero(better | (same & (served > float(ahead))))
        if not len(hits):
            return None
        place = int(trades[hits[0]])
        return int(piece.times[place]), "print", place, False

    def _fill_by_trade(self, order: Order, at: int, row: Any) -> None:
        """Fill a resting order by a trade: what is left of it for the order after those before it in the queue."""
        limit, ahead = order.limit, order.progress.ahead
        if limit is None or ahead is None:
            return
        size = price(row["size"])
        beyond = float(row["price"]) != float(limit)
        rest = size if beyond else size - max(ahead - self._served_before(order, at), ZERO)
        order.progress.ahead = ZERO
        qty = min(order.left(limit), self._share(max(rest, ZERO), order))
        self._fill(order, at, self.model.part(order.id, order.fills, qty), limit, resting=True)

    def _served_before(self, order: Order, at: int) -> Decimal:
        """Shares that traded at its limit since it was last looked at and before a moment."""
        piece = self._piece([order], order.progress.seen, at - 1)
        trades = self._setting(piece, self._trading(order, piece))
        same = piece.rows["price"][trades] == float(order.limit or 0)
        return price(float(piece.rows["size"][trades][same].sum()))

    def _join_queue(self, order: Order, quote: Any) -> None:
        """Note how many shares are before an order that comes to rest at its limit."""
        if self.model.queue is None or order.limit is None or not order.open:
            return
        bid, size = ("price", "size") if order.ticket.buys else ("other_price", "other_size")
        same = float(quote[bid]) == float(order.limit)
        shown = price(quote[size] if same and quote[size] > 0 else 0.0)
        order.progress.ahead = shown * Decimal(repr(float(self.model.queue)))

    def _reached(self, order: Order, quotes: Rows) -> npt.NDArray[np.bool_]:
        """Which quotes fill an order, by their price (and by showing any size, where that counts)."""
        asked, shown = ("other_price", "other_size") if order.ticket.buys else ("price", "size")
        reached: npt.NDArray[np.bool_] = quotes[asked] > 0
        if self.model.sized:
            reached &= quotes[shown] > 0
        if order.limit is not None:
            limit = float(order.limit)
            reached &= quotes[asked] <= limit if order.ticket.buys else quotes[asked] >= limit
        return reached

    def _side(self, order: Order, quote: Any) -> tuple[Decimal, Decimal]:
        """Shares that a quote shows to an order, and their price."""
        asked, shown = ("other_price", "other_size") if order.ticket.buys else ("price", "size")
        return price(quote[shown] if quote[shown] > 0 else 0.0), price(quote[asked])

    @staticmethod
    def _setting(piece: _Piece, own: npt.NDArray[np.intp]) -> npt.NDArray[np.intp]:
        """Those of the places that are trades which set a price."""
        trades: npt.NDArray[np.intp] = own[piece.rows["kind"][own] == TRADE]
        rows = piece.rows[trades]
        sets = [not int(c) & rules(int(tape)).no_last for c, tape in zip(rows["conditions"], rows["tape"], strict=True)]
        found: npt.NDArray[np.intp] = trades[np.array(sets, dtype=bool)]
        return found

    def _met(self, order: Order, piece: _Piece, until: int) -> None:
        """Remember that an order has met quotes of a session, up to a moment: to the next it is no new one."""
        own = self._trading(order, piece)
        quotes = own[(piece.rows["kind"][own] == QUOTE) & (piece.times[own] <= until)]
        if len(quotes):
            order.progress.rested = self._begins(order, int(piece.times[quotes[-1]]))

    def _note(self, order: Order, piece: _Piece, until: int) -> None:
        """Remember how far an order that stays open has met this piece."""
        own = self._trading(order, piece)
        self._met(order, piece, until)
        progress = order.progress
        self._follow(order, piece, None)
        if progress.ahead is not None and order.limit is not None:
            trades = self._setting(piece, own)
            same = piece.rows["price"][trades] == float(order.limit)
            progress.ahead = max(progress.ahead - price(float(piece.rows["size"][trades][same].sum())), ZERO)

    def _follow(self, order: Order, piece: _Piece, until: int | None) -> None:
        """Let a trailing stop follow the trades of a piece, up to a moment."""
        if order.ticket.kind != "trailing_stop" or not order.waits_for_stop:
            return
        own = self._setting(piece, self._trading(order, piece))
        own = own if until is None else own[piece.times[own] <= until]
        if len(own):
            prices, now = piece.rows["price"][own], order.progress.best
            best = price(float(prices.min() if order.ticket.buys else prices.max()))
            order.progress.best = best if now is None else min(now, best) if order.ticket.buys else max(now, best)

    # Auctions

    def _auction_time(self, order: Order, piece: _Piece) -> int:
        """When the auction of an order gives a price: the first trade of the session, or its close."""
        session = self._hours.current(max(order.live, order.created))
        if order.ticket.time_in_force == "cls":
            return session.closes
        own = self._setting(piece, piece.of(order.number))
        times = piece.times[own]
        after = times[(times >= session.opens) & (times > order.created)]
        if len(after) and after[0] <= session.opens + _AUCTION:
            return int(after[0])
        return session.opens + _AUCTION

    def _auction(self, order: Order, at: int) -> None:
        """Fill an order at the price of its auction, or end it."""
        session = self._hours.current(max(order.live, order.created))
        since = session.opens
        for row in self._market.latest_trades([order.number], at):
            paid, limit = price(row["price"]), order.limit
            met = limit is None or (paid <= limit if order.ticket.buys else paid >= limit)
            if row["time"] >= since and met:
                paid = self._worse(order, paid)
                self._fill(order, at, order.left(paid), paid, resting=False)
        if order.open:
            self.end(order, "canceled", at)

    def _last_price(self, order: Order, at: int) -> Decimal | None:
        for row in self._market.latest_trades([order.number], at):
            return price(row["price"])
        return None

    def _begins(self, order: Order, at: int) -> int:
        session = self._hours.current(at, extended=order.ticket.extended_hours)
        return session.early if order.ticket.extended_hours else session.opens


def _in_auction(order: Order) -> bool:
    """Whether an order waits for an auction, which comes at its time."""
    return order.ticket.time_in_force in AUCTIONS


def _active(order: Order) -> bool:
    """Whether an order that has reached the market may fill: a leg only once what it exits is held."""
    return not order.role or order.armed
