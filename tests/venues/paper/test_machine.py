"""Lives of orders, drawn at random: the paper broker beside a plain model of its rules, equal to the last digit."""

import tempfile
import time
from collections import Counter
from datetime import date
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import ClassVar

import pandas as pd
import pytest
from drawing import (
    BASE,
    PLACES,
    QUARTER,
    beyonds,
    entries,
    pairs,
    quarters_of,
    replacements,
    rows,
    simple,
    ticket,
    troubles,
    whose,
)  # fmt: skip
from growing import NAMES, FailingStore, GrowingMarket
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)  # fmt: skip
from plain_model import PlainAccount
from plain_orders import RefusedHereError, Tick, Wish, days

from qtw_lab.core import SetupError, VirtualClock
from qtw_lab.ledger import Costs
from qtw_lab.ledger.lifecycle import may_follow
from qtw_lab.ledger.refusals import RefusedError
from qtw_lab.venues.paper.broker import PaperBroker
from qtw_lab.venues.paper.models import FillModel
from qtw_lab.venues.paper.state import State

#: A Tuesday, a half day, a holiday, a Friday: the sessions with which every life begins.
SESSIONS = days(date(2024, 7, 1), 180)
OPEN = days(date(2024, 7, 2), 1)[0].opens
FEE = Decimal("0.35")
#: The broker's words for what a replacement changes.
WORDS = {"limit": "limit_price", "stop": "stop_price", "life": "time_in_force"}


class OrderLives(RuleBasedStateMachine):
    """One account, its book in a file, and the plain model of it; both are asked the same, step by step."""

    steps = 0
    seen: ClassVar = Counter()

    @initialize(
        cash=st.sampled_from([30_000, 30_000, 2_500]), sized=st.booleans(), second=st.sampled_from([-90, 20, 23_300])
    )
    def begin(self, cash, sized, second):
        self.folder = tempfile.TemporaryDirectory()
        ticks = [
            tick
            for place, name in enumerate(NAMES)
            for tick in (
                Tick(OPEN - 3000 + place, name, bid=BASE[name], ask=BASE[name], shown=Decimal(100)),
                Tick(OPEN - 2000 + place, name, BASE[name]),
                Tick(OPEN + 2 + place, name, bid=BASE[name], ask=BASE[name], shown=Decimal(100)),
            )
        ]
        ticks.sort()
        past = [tick for tick in ticks if tick.at <= OPEN + second]
        self.market, self.tick = GrowingMarket(past), OPEN + second
        self.clock = VirtualClock(pd.Timestamp(self.tick, unit="s", tz="UTC"))
        self.model = FillModel(sized=sized, participation=0.5, costs=Costs(commission_per_order=float(FEE)))
        self.cash, self.names, self.statuses, self.read = Decimal(cash), 0, [], 0
        self.folded = State(NAMES.index)
        self.plain = PlainAccount(SESSIONS, OPEN - 4000, Decimal(cash), sized=sized, fee=FEE)
        self.plain.ahead = past
        self.plain.until(self.tick)
        self.reopen()

    def teardown(self):
        if hasattr(self, "store"):
            self.store.close()
            self.folder.cleanup()

    def reopen(self):
        """Start the broker anew from its file, as after a stop."""
        if hasattr(self, "store"):
            self.store.close()
        self.store = FailingStore(Path(self.folder.name) / "book.sqlite")
        self.broker = PaperBroker(self.market, self.clock, self.cash, model=self.model, store=self.store)

    # What the market does

    def pass_time(self, until, ticks=()):
        self.market.grow(list(ticks))
        self.plain.ahead += ticks
        self.tick = until
        self.clock.moment = pd.Timestamp(until, unit="s", tz="UTC")

    def row(self, at, what, symbol, level, spread, shown):
        quote, price = self.plain.quotes[symbol], BASE[symbol] + level
        if what in ("trade", "odd lot") and quote.bid and quote.ask:
            price = [quote.bid, quote.ask, (quote.bid + quote.ask) / 2][shown % 3].quantize(Decimal("0.0001"))
        if what in ("trade", "odd lot", "outside"):
            return Tick(at, symbol, price, what != "odd lot")
        bid = Decimal(0) if what == "ask only" else price
        ask = Decimal(0) if what == "bid only" else price + spread
        return Tick(at, symbol, bid=bid, ask=ask, shown=Decimal(shown))

    @rule(drawn=st.lists(rows, min_size=1, max_size=6), rest=st.sampled_from([0, 1, 90]), trouble=troubles)
    def market_moves(self, drawn, rest, trouble):
        at = self.tick
        for what, symbol, gap, level, spread, shown in drawn:
            at += gap
            self.pass_time(at, [self.row(at, what, symbol, level, spread, shown)])
            self.plain.until(at)
        self.pass_time(at + rest)
        self.change(trouble, "moves", self.broker_polls, lambda: None)

    @rule(place=st.sampled_from(PLACES), off=st.sampled_from([-30, 0, 30]), odds=st.integers(0, 40), trouble=troubles)
    def session_turns(self, place, off, odds, trouble):
        """On to the next moment around an opening or a close; once in a while so far that nothing lasts."""
        moments = [getattr(day, place) + off for day in SESSIONS]
        far = 91 * 86_400 if odds == 17 and self.tick < OPEN + 30 * 86_400 else 0
        self.pass_time(next(at for at in moments if at > self.tick + far))
        self.change(trouble, "turns", self.broker_polls, lambda: None)

    def broker_polls(self):
        return self.broker.poll()

    # What a client does

    @rule(drawn=simple, trouble=troubles)
    def client_sends(self, drawn, trouble):
        symbol, kind, life = drawn["symbol"], drawn["kind"], drawn["life"]
        terms = self.sized(symbol, drawn["side"], drawn["size"])
        broken = "notional" in terms or terms["qty"] % 1
        if "notional" in terms and kind.startswith("stop"):
            kind = "market"
        life = "day" if broken or (kind.startswith("stop") and life in ("ioc", "fok")) else life
        if drawn["again"] == 7 and self.plain.orders:  # under a name it has used, as one who has lost an answer
            self.names -= 1
        extended = drawn["extended"] and kind == "limit" and life in ("day", "gtc")
        prices = self.prices(symbol, kind, drawn["limit"], drawn["stop"])
        self.send(trouble, symbol=symbol, kind=kind, life=life, **terms, **prices, extended=extended)

    @rule(drawn=entries, leg=st.sampled_from(["both", "target", "stop"]), beyond=beyonds, trouble=troubles)
    def client_sends_entry(self, drawn, leg, beyond, trouble):
        symbol, side, kind = drawn["symbol"], drawn["side"], drawn["kind"]
        way = 1 if side == "buy" else -1
        middle = BASE[symbol] + (drawn["stop"] if kind == "stop" else quarters_of(drawn["limit"]))
        low = middle - way * drawn["down"] * QUARTER
        wish = {"target": middle + way * drawn["up"] * QUARTER} if leg != "stop" else {}
        if leg != "target":
            wish |= {"stop_loss": low, "stop_loss_limit": None if beyond is None else low - way * beyond}
        self.send(
            trouble, symbol=symbol, side=side, kind=kind, life=drawn["life"], qty=drawn["size"], **wish,
            shape="bracket" if leg == "both" else "oto", **self.prices(symbol, kind, drawn["limit"], drawn["stop"]),
        )  # fmt: skip

    @precondition(lambda self: self.plain.shares)
    @rule(drawn=pairs, trouble=troubles)
    def client_sends_pair_of_exits(self, drawn, trouble):
        symbol, held = sorted(self.plain.shares.items())[drawn["pick"] % len(self.plain.shares)]
        way, middle = 1 if held >= 0 else -1, BASE[symbol] + drawn["middle"]
        target = middle + way * drawn["up"] * QUARTER
        self.send(
            trouble, symbol=symbol, side="sell" if held >= 0 else "buy", kind="limit", life=drawn["life"], limit=target,
            qty=max(Decimal(1), abs(held) // 1 - drawn["less"]), shape="oco", target=target,
            stop_loss=middle - way * drawn["down"] * QUARTER,
        )  # fmt: skip

    @rule(whose=whose, trouble=troubles)
    def client_cancels(self, whose, trouble):
        place = self.place(*whose)
        if place is not None:
            real, plain = self.asked(place)
            self.change(trouble, "cancels", lambda: self.broker.cancel(real()), lambda: self.plain.cancel(plain))

    @rule(whose=whose, drawn=replacements, trouble=troubles)
    def client_replaces(self, whose, drawn, trouble):
        place = self.place(*whose)
        if place is None:
            return
        real, order = self.asked(place)
        wish, what, changes, name = order.wish, drawn["what"], {}, self.new_name()
        if what in ("qty", "both") and order.qty is not None:
            changes["qty"] = max(Decimal(1), order.qty + drawn["more"])
        if what in ("prices", "both"):
            changes |= self.prices(wish.symbol, wish.kind, drawn["limit"], drawn["stop"])
        if what == "life" and wish.life in ("day", "gtc"):
            changes["life"] = "day" if wish.life == "gtc" or not wish.whole else "gtc"
        words = {WORDS.get(key, key): value for key, value in changes.items()}
        self.change(
            trouble, "replaces", lambda: self.broker.amend(real(), client_order_id=name, **words),
            lambda: self.plain.replace(order, name, **changes),
        )  # fmt: skip

    def asked(self, place):
        """The broker's name for an order, whenever it is asked for, and the order of the model."""
        return lambda: self.listed()[place].id, self.plain.orders[place]

    # How both are asked

    def send(self, trouble, **terms):
        wish = Wish(name=self.new_name(), **terms)
        what = wish.shape if wish.shape != "simple" else wish.kind
        self.change(trouble, what, lambda: self.broker.submit(ticket(wish)), lambda: self.plain.submit(wish))

    def change(self, trouble, what, real, plain):
        """Ask both for a change: both make it or both refuse it, unless the disk fails; then nothing was changed."""
        type(self).steps += 1
        if trouble == "restart before":
            self.reopen()
        self.plain.until(self.tick)
        self.store.spared = int(trouble[-1]) if trouble.startswith("disk") else None
        failed, refused = False, ""
        try:
            real()
        except SetupError:
            failed = True
        except RefusedError as err:
            refused = str(err)
        self.store.spared = None
        self.seen[f"{what} {'failed' if failed else 'refused' if refused else 'taken'}"] += 1
        if not failed:
            reason = self.refused_by_model(plain)
            assert bool(refused) == bool(reason), f"the broker says {refused or 'yes'}, the model {reason or 'yes'}"
        if trouble == "restart after":
            self.reopen()

    @staticmethod
    def refused_by_model(plain):
        try:
            plain()
        except RefusedHereError as err:
            return str(err)
        return ""

    def listed(self):
        return list(self.broker.orders.values())

    def place(self, pick, among):
        self.plain.until(self.tick)
        places = [k for k, order in enumerate(self.plain.orders) if among == "all" or order.open]
        return places[pick % len(places)] if places else None

    def new_name(self):
        self.names += 1
        return f"order-{self.names}"

    def sized(self, symbol, side, size):
        if isinstance(size, Decimal):
            return {"side": side, "qty": size}
        if size.startswith("$"):
            return {"side": side, "notional": Decimal(size[1:])}
        self.plain.until(self.tick)
        held = self.plain.shares.get(symbol, Decimal(0))
        return {"side": "sell" if held > 0 else "buy", "qty": abs(held) or Decimal(10)}

    @staticmethod
    def prices(symbol, kind, limit, stop):
        found = {"limit": BASE[symbol] + limit} if kind in ("limit", "stop_limit") else {}
        return found | ({"stop": BASE[symbol] + stop} if kind in ("stop", "stop_limit") else {})

    # What must hold after every step

    @invariant()
    def broker_and_model_are_equal(self):
        self.broker.poll()
        self.plain.until(self.tick)
        mine = [(o.status, o.qty, o.filled, o.value, o.role, o.armed) for o in self.plain.orders]
        theirs = [(o.status, o.qty, o.filled_qty, o.filled_value, o.role, o.armed) for o in self.listed()]
        assert theirs == mine
        for order, plain in zip(self.listed(), self.plain.orders, strict=True):
            average = self.broker.json(order)["filled_avg_price"]
            assert average is None if not plain.filled else Decimal(average) == round(plain.value / plain.filled, 6)
        assert {name: holding.qty for name, holding in self.broker.book.holdings.items()} == self.plain.shares
        assert self.broker.book.cash == self.plain.cash

        for name, holding in self.broker.book.holdings.items():
            paid = self.plain.paid[name] / Fraction(holding.qty)
            assert abs(Fraction(holding.entry) - paid) < Fraction(1, 10**18)

    @invariant()
    def money_and_shares_are_conserved(self):
        book = self.broker.book
        spent = sum((fill.signed * fill.price + fill.fee for fill in book.fills), Decimal(0))
        assert book.cash + spent == self.cash == self.plain.cash + self.plain.traded + self.plain.fees
        assert self.broker.state.faults() == []

    @invariant()
    def every_status_may_follow_the_one_before(self):
        """Event by event, as the file has them."""
        for event in self.store.read(after=self.read):
            order = self.folded.orders.get(event.order)
            before = None if order is None else order.status
            self.folded.apply(event)
            self.read += 1
            assert before is None or may_follow(before, self.folded.orders[event.order].status)
        assert [order.status for order in self.folded.orders.values()] == [order.status for order in self.listed()]
        assert self.folded.book == self.broker.book


def lived(examples, length):
    """Run so many lives of so many steps; how many steps were made, and how many seconds that took."""

    class Lives(OrderLives):
        steps, seen = 0, Counter()

    began = time.perf_counter()
    run_state_machine_as_test(
        Lives,
        settings=settings(
            max_examples=examples, stateful_step_count=length, derandomize=True, deadline=None, database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )  # fmt: skip
    return Lives.steps, time.perf_counter() - began, Lives.seen


@pytest.mark.parametrize(
    ("examples", "length", "least"), [(150, 50, 5_000), pytest.param(1500, 50, 50_000, marks=pytest.mark.slow)]
)
def test_the_broker_lives_as_the_plain_model_does(examples, length, least):
    steps, seconds, seen = lived(examples, length)
    print(f"{steps} steps in {seconds:.0f} s: {dict(sorted(seen.items()))}")
    assert steps >= least
