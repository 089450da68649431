"""The trading desk of this machine: joins an engine, an account, limits and a kill switch, and says how it stands."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, fields, replace
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn

import pandas as pd

from qtw_lab.core import DataError, Fact, Facts, Settings, SetupError, SystemClock, VenueError, lookup
from qtw_lab.core.files import write_text
from qtw_lab.ledger.amounts import ZERO
from qtw_lab.ledger.limits import Limits

if TYPE_CHECKING:
    from qtw_lab.live.running import Ending
    from qtw_lab.live.trading.desk import Desk
    from qtw_lab.live.trading.state import DeskState
    from qtw_lab.live.trading.tap import Tap
    from qtw_lab.live.trading.terms import SessionTerms
    from qtw_lab.venues.brokers import Broker
    from qtw_lab.venues.feeds import Reference
    from qtw_lab.venues.killswitch import KillSwitch

#: Seconds to wait for the answer of a desk in another process.
_PATIENCE: Final = 15.0


@dataclass(frozen=True, slots=True)
class DeskPlaces:
    """Where the desk of one account keeps what it knows.

    Parameters
    ----------
    root : Path
        Its folder.
    """

    root: Path

    @classmethod
    def of(cls, settings: Settings, account: str) -> DeskPlaces:
        """The desk of an account, by the account's id; it is the one that `current` gives from then on."""
        root = settings.qtw_storage_dir / "paper" / "desks"
        write_text(root / "current.json", json.dumps({"account": account}))
        return cls(root / account[:13])

    @classmethod
    def current(cls, settings: Settings) -> DeskPlaces:
        """The desk that was used last.

        Raises
        ------
        SetupError
            If there was none.
        """
        root = settings.qtw_storage_dir / "paper" / "desks"
        try:
            account = str(json.loads((root / "current.json").read_text(encoding="utf-8"))["account"])
        except (OSError, ValueError, KeyError, TypeError) as err:
            raise SetupError("There is no desk here yet; `qtw paper run` begins one.") from err
        return cls(root / account[:13])

    def file(self, name: str) -> Path:
        """One of its books: desk, outbox, mirror or guard."""
        return self.root / f"{name}.sqlite"

    @property
    def stop(self) -> Path:
        """The folder of its kill switch, and of the heartbeat that is watched."""
        return self.root / "stop"

    @property
    def limits(self) -> Path:
        """The file of its limits."""
        return self.root / "limits.json"


def limits_of(places: DeskPlaces) -> Limits:
    """The limits of a desk: of its file, or none.

    Raises
    ------
    DataError
        If the file cannot be read; no order may be sent then.
    """
    if not places.limits.exists():
        return Limits()
    try:
        return limits_from(json.loads(places.limits.read_text(encoding="utf-8")))
    except (OSError, ValueError, DataError) as err:
        raise DataError(f"The limits in {places.limits.name} cannot be read: {err}") from err


def limits_from(said: Any) -> Limits:
    """Limits from plain values, by their names.

    Raises
    ------
    DataError
        If one is not known or does not fit.

    Examples
    --------
    >>> limits_from({"max_daily_loss": 0.02, "banned": ["GME"]}).max_daily_loss
    Decimal('0.02')
    """
    if not isinstance(said, dict):
        raise DataError(f"Limits are a mapping of names to figures, not {type(said).__name__}.")
    known = {entry.name: entry for entry in fields(Limits)}
    figures: dict[str, Any] = {}
    for name, value in said.items():
        lookup(name, known, "limit")
        if isinstance(value, list) and not all(isinstance(one, str) for one in value):
            raise DataError(f"The limit {name} is a list of symbols such as AAPL, not {value!r}.")
        figures[name] = frozenset(value) if isinstance(value, list) else value
    return Limits(**figures)


@contextmanager
def opened(
    broker: Broker, settings: Settings, places: DeskPlaces, *, updates: bool, calendar: str = "XNYS"
) -> Iterator[Desk]:
    """The desk of an account, opened for trading in this process; it is let go at the end of the block.

    Raises
    ------
    SetupError
        If another process has it open, or its folder cannot be written.
    DataError
        If its limits cannot be read, or a book is damaged.
    """
    from qtw_lab.live.lease import Lease
    from qtw_lab.live.sessions import Sessions
    from qtw_lab.live.trading.desk import Desk
    from qtw_lab.venues.feeds import steady
    from qtw_lab.venues.guard import Guard
    from qtw_lab.venues.mirror import Mirror
    from qtw_lab.venues.outbox import Outbox
    from qtw_lab.venues.paper.store import SqliteStore
    from qtw_lab.venues.trade_updates import TradeUpdates, updates_access
    from qtw_lab.venues.trader import Trader

    limits = limits_of(places)
    hours = Sessions(calendar)
    with ExitStack() as stack:
        stack.enter_context(Lease(places.root, steady()))
        book, sent, known, kept = (
            stack.enter_context(SqliteStore(places.file(name))) for name in ("desk", "outbox", "mirror", "guard")
        )
        outbox, mirror = Outbox(broker, sent, steady), Mirror(broker, known, steady)
        marks: dict[str, Decimal] = {}
        guard = Guard(
            limits, broker, outbox, mirror, kept, now=steady, session=lambda: hours.began(steady()),
            prices=marks.get, priced=lambda symbol: steady() if symbol in marks else None, switch=switch(places),
        )  # fmt: skip
        listening = TradeUpdates(updates_access(settings)) if updates else None
        trader = Trader(broker, outbox, mirror, listening, allow=guard)
        yield Desk(trader, book, steady, calendar=calendar, prices=marks)


def switch(places: DeskPlaces) -> KillSwitch:
    """The kill switch of a desk."""
    from qtw_lab.venues.killswitch import KillSwitch

    return KillSwitch(places.stop)


def run(
    settings: Settings,
    *,
    feed: str | None = None,
    speed: float = 1.0,
    seconds: float | None = None,
    sessions: Sequence[SessionTerms] = (),
    calendar: str = "XNYS",
    say: Callable[[str], None] = print,
) -> Ending:
    """Run the desk in this process until it is told to stop (SIGTERM, Ctrl-C).

    Parameters
    ----------
    settings : Settings
        Of the machine: whose account, whose market data.
    feed, speed
        As `qtw_lab.lab.realtime.chosen`.
    seconds : float, optional
        End by itself after so long.
    sessions : sequence of SessionTerms
        To be opened if there are none of these names yet.
    calendar : str
        When there is trading.
    say : callable
        Is given lines for people.

    Raises
    ------
    DataError, SetupError
        As `opened` and `qtw_lab.lab.realtime.chosen`.
    """
    from qtw_lab.lab import paper, realtime
    from qtw_lab.live.running import Places, signalled
    from qtw_lab.live.trading.commands import Commands
    from qtw_lab.live.trading.daily import DailyBars
    from qtw_lab.live.trading.running import DeskRunner
    from qtw_lab.live.trading.working import Working
    from qtw_lab.venues.alpaca import AlpacaReference
    from qtw_lab.venues.feeds import steady
    from qtw_lab.venues.killswitch import Heartbeat

    with realtime.chosen(settings, realtime.profile_of({}), feed, speed) as given, ExitStack() as stack:
        broker = paper.remote(given.settings)
        places = DeskPlaces.of(settings, broker.account().id)
        desk = stack.enter_context(opened(broker, given.settings, places, updates=True, calendar=calendar))
        heart, reference = Heartbeat(places.stop / "heartbeat.json"), AlpacaReference(given.settings)
        working = Working(desk, calendar, say=say, assets=_assets(reference))

        def engine(tap: Tap, symbols: tuple[str, ...], lengths: tuple[int, ...]) -> Any:
            chosen = replace(given, profile=realtime.profile_of(_profile(symbols, lengths, given.profile.engine.feed)))
            where = Places(places.root / "engine", places.root / "engine" / "data")
            made = realtime.runner(chosen, where)
            made.listener = tap.closed
            return made

        runner = DeskRunner(
            working, engine, Commands(places.root / "commands"), tuple(sessions), lambda: heart.beat(steady()),
            DailyBars(reference, calendar),
        )  # fmt: skip
        switch(places).status()
        say(f"Desk of account {broker.account().id[:13]} in {places.root}; stop it with Ctrl-C.")
        with signalled(runner.stop):
            return runner.run(seconds)


def _profile(symbols: tuple[str, ...], lengths: tuple[int, ...], feed: str) -> dict[str, Any]:
    """The profile of an engine that makes bars of these lengths of these symbols."""
    shortest = min(*lengths, 60)
    engine = {
        "bar_interval_seconds": shortest, "bar_aggregate_seconds": shortest, "more_levels": sorted(set(lengths)),
        "feed": feed,
    }  # fmt: skip
    return {
        "universe": {"symbols": list(symbols)},
        "focus": {"size": max(len(symbols), 1), "max_churn_per_refresh": max(len(symbols), 1)},
        "engine": engine,
    }


def ask(settings: Settings, said: dict[str, Any]) -> str:
    """Have something done at the desk that was used last, whether it is at work or not; what was done.

    Parameters
    ----------
    settings : Settings
        Of the machine.
    said : dict
        As `qtw_lab.live.trading.running.do` takes it.

    Raises
    ------
    LabError
        If it cannot be done.
    """
    from qtw_lab.lab import paper
    from qtw_lab.live.lease import holder_of
    from qtw_lab.live.trading.commands import Commands
    from qtw_lab.live.trading.running import do
    from qtw_lab.live.trading.working import Working, recovered
    from qtw_lab.venues.alpaca import AlpacaReference

    places = DeskPlaces.current(settings) if said.get("do") != "open" else _of_account(settings)
    if holder_of(places.root) is not None:
        commands = Commands(places.root / "commands")
        return commands.answer(commands.put(said, SystemClock().now().value), _PATIENCE)
    broker = paper.remote(settings)
    with opened(broker, settings, places, updates=False) as desk:
        working = Working(desk, assets=_assets(AlpacaReference(settings)))
        recovered(working)
        return do(working, said)


def _assets(reference: Reference) -> Callable[[], frozenset[str]]:
    """What gives the symbols of a venue, asked for once."""
    return cache(lambda: frozenset(str(asset["symbol"]) for asset in reference.assets()))


def _of_account(settings: Settings) -> DeskPlaces:
    """The desk that is at work, or else that of the account that the settings point to."""
    from qtw_lab.lab import paper
    from qtw_lab.live.lease import holder_of

    try:
        places = DeskPlaces.current(settings)
    except SetupError:
        return DeskPlaces.of(settings, paper.remote(settings).account().id)
    if holder_of(places.root) is not None:
        return places
    return DeskPlaces.of(settings, paper.remote(settings).account().id)


def state(settings: Settings) -> DeskState:
    """What is known at the desk that was used last, whether or not it is at work.

    Raises
    ------
    SetupError
        If there was none.
    DataError
        If its book is damaged.
    """
    from qtw_lab.live.trading.state import DeskState
    from qtw_lab.venues.paper.store import reading

    places = DeskPlaces.current(settings)
    with reading(places.file("desk")) as events:
        return DeskState.of(events)


def is_there(settings: Settings) -> bool:
    """Whether a desk was ever used with this storage folder."""
    try:
        return DeskPlaces.current(settings).file("desk").exists()
    except SetupError:
        return False


def sessions(found: DeskState) -> pd.DataFrame:
    """Sessions as a table: what they are, what they were given and are worth, in dollars."""
    rows = [
        {
            "session": one.name, "status": one.status, "strategy": one.terms.strategy.name,
            "interval": one.terms.interval, "symbols": ",".join(one.terms.symbols),
            "equity": float(one.equity), "gain": float(one.equity - one.start), "fills": len(one.fills()),
            "held": ", ".join(f"{held.qty.normalize():f} {name}" for name, held in one.book.holdings.items()),
        }
        for one in found.sleeves.values()
    ]  # fmt: skip
    names = ("session", "status", "strategy", "interval", "symbols", "equity", "gain", "fills", "held")
    return pd.DataFrame(rows, columns=list(names))


def curve(found: DeskState, session: str) -> pd.DataFrame:
    """Equity and cash of a session at the close of each bar, in dollars; indexed by time (UTC)."""
    marks = lookup(session, found.sleeves, "session").curve
    index = pd.DatetimeIndex([pd.Timestamp(mark.at, unit="ns", tz="UTC") for mark in marks], name="time")
    return pd.DataFrame(
        {"equity": [float(mark.equity) for mark in marks], "cash": [float(mark.cash) for mark in marks]}, index=index
    )


def fills(found: DeskState, session: str | None = None) -> pd.DataFrame:
    """Fills of the sessions, or of one, oldest first: their own parts of the account's."""
    rows = [
        {
            "time": pd.Timestamp(fill.at, unit="ns", tz="UTC"), "session": one.name, "symbol": fill.symbol,
            "side": fill.side, "qty": float(fill.qty), "price": float(fill.price), "fee": float(fill.fee),
            "order": fill.order,
        }
        for one in found.sleeves.values() if session in (None, one.name) for fill in one.fills()
    ]  # fmt: skip
    names = ("time", "session", "symbol", "side", "qty", "price", "fee", "order")
    return pd.DataFrame(rows, columns=list(names)).sort_values("time", kind="stable", ignore_index=True)


def orders(found: DeskState) -> pd.DataFrame:
    """Orders of the sessions, oldest first: what was wanted, by whom, and what became of it."""
    rows = [
        {
            "time": pd.Timestamp(order.at, unit="ns", tz="UTC"), "symbol": order.symbol, "qty": float(order.qty),
            "filled": float(order.filled), "status": order.status, "sessions": ", ".join(order.parts),
            "reason": order.reason, "order": order.name,
        }
        for order in found.orders.values()
    ]  # fmt: skip
    names = ("time", "symbol", "qty", "filled", "status", "sessions", "reason", "order")
    return pd.DataFrame(rows, columns=list(names))


def refusals(settings: Settings) -> pd.DataFrame:
    """Orders of the desk that was used last that were not sent, or that the broker refused, oldest first, with reasons.

    Raises
    ------
    SetupError
        If there was no desk.
    DataError
        If the guard's book is damaged.
    """
    from qtw_lab.venues.paper.store import reading
    from qtw_lab.venues.refused import refusals as read

    with reading(DeskPlaces.current(settings).file("guard")) as events:
        rows = [
            {
                "time": pd.Timestamp(one.at, unit="ns", tz="UTC"), "by": one.by,
                "symbol": one.ticket.symbol if one.ticket else "", "side": one.ticket.side if one.ticket else "",
                "qty": float(one.ticket.qty) if one.ticket and one.ticket.qty else None, "reason": one.reason,
                "order": one.ticket.client_order_id if one.ticket else "",
            }
            for one in read(events)
        ]  # fmt: skip
    return pd.DataFrame(rows, columns=["time", "by", "symbol", "side", "qty", "reason", "order"])


def reconcile(broker: Broker, found: DeskState) -> pd.DataFrame:
    """Shares by symbol: the sessions', those by hand or from before, and the broker's.

    Examples
    --------
    >>> class Broker:
    ...     def positions(self): return {"X": Decimal(3)}
    >>> from qtw_lab.live.trading.state import DeskState
    >>> reconcile(Broker(), DeskState()).to_dict("records")
    [{'symbol': 'X', 'sessions': 0.0, 'others': 3.0, 'broker': 3.0}]
    """
    held = broker.positions()
    ours: dict[str, Decimal] = {}
    for one in found.sleeves.values():
        for symbol, holding in one.book.holdings.items():
            ours[symbol] = ours.get(symbol, ZERO) + holding.qty
    rows = [
        {
            "symbol": symbol, "sessions": float(ours.get(symbol, ZERO)),
            "others": float(held.get(symbol, ZERO) - ours.get(symbol, ZERO)), "broker": float(held.get(symbol, ZERO)),
        }
        for symbol in sorted({*held, *ours})
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=["symbol", "sessions", "others", "broker"])


def halt(settings: Settings, *, by: str, reason: str, flatten: bool = False) -> str:
    """Trip the kill switch of the desk that was used last, and cancel its open orders; what was done.

    The switch works though nothing else does: it is tripped first, and stays so if the venue does not answer.

    Raises
    ------
    SetupError
        If there was no desk, or its folder cannot be written.
    VenueError
        If the venue did not confirm that nothing is open; trading is halted all the same.
    """
    from qtw_lab.lab import paper

    places = DeskPlaces.current(settings)
    switch(places).trip(by, reason, flatten=flatten)
    try:
        broker = paper.remote(settings)
        if flatten:
            closing = paper.flatten(broker)
            return f"Trading is halted; open orders are canceled, {len(closing)} positions are being closed."
        for order in broker.orders():
            paper.cancel_unless_over(broker, order.id)
    except VenueError as err:
        raise VenueError(f"Trading is halted, but open orders may be left: {err}") from err
    return "Trading is halted, and open orders are canceled."


def resume(settings: Settings, *, by: str, reason: str) -> str:
    """Reset the kill switch of the desk that was used last: a person says that it is safe; what was done.

    Raises
    ------
    SetupError
        If there was no desk, or its folder cannot be written.
    """
    switch(DeskPlaces.current(settings)).reset(by, reason)
    return "Trading may go on."


def watch(settings: Settings, *, flatten: bool = False, calendar: str = "XNYS") -> NoReturn:
    """Become the watcher of the desk that was used last: the kill switch's own small process, until it is ended.

    It halts trading when the desk's heartbeat stops during a session, the account cannot be read, the clock jumps, or
    the account is over the desk's limits of loss, drawdown or leverage.

    Raises
    ------
    SetupError
        If there was no desk.
    DataError
        If the desk's limits cannot be read.
    """
    from qtw_lab.core.settings import environment
    from qtw_lab.lab.passing import environment_of

    places = DeskPlaces.current(settings)
    limits = limits_of(places)
    url = settings.alpaca_trading_rest_url or "https://paper-api.alpaca.markets"
    words = ["run", "--folder", str(places.stop), "--url", url, "--calendar", calendar]
    words += ["--flatten"] if flatten else []
    for name in ("max_daily_loss", "max_drawdown", "max_leverage"):
        limit = getattr(limits, name)
        words += [] if limit is None else [f"--{name.replace('_', '-')}", str(limit)]
    keys = {name: value for name, value in environment_of(settings).items() if name.startswith("ALPACA_API_")}
    command = [sys.executable, "-m", "qtw_lab.venues.killswitch", *words]
    os.execve(sys.executable, command, {**environment(), **keys})  # noqa: S606  (our own program)


def halted(settings: Settings) -> Facts:
    """How the kill switch of the desk that was used last stands."""
    found = switch(DeskPlaces.current(settings)).status()
    return Facts(
        "Kill switch",
        (
            Fact("trading", "halted" if found.tripped else "allowed", "text", "Trading", found.reason),
            Fact("by", found.by or "nobody", "text", "By"),
        ),
    )  # fmt: skip


def plain_terms(
    name: str, strategy: str, symbols: str, interval: str, parameters: Mapping[str, Any], allocation: float, lot: float
) -> SessionTerms:
    """Terms of a session from plain words, as a command line has them; errors as of `SessionTerms`."""
    from qtw_lab.ledger import Account
    from qtw_lab.live.trading.terms import SessionTerms

    return SessionTerms.given(
        name, strategy, symbols, interval, parameters=parameters, allocation=allocation, account=Account(lot=lot)
    )  # fmt: skip


def terms_from(said: Mapping[str, Any] | str | Path) -> list[SessionTerms]:
    """Sessions' terms from a mapping, or a JSON file with one or a list of them.

    Raises
    ------
    DataError
        If the file cannot be read, or a term does not fit.
    """
    from qtw_lab.live.trading.terms import SessionTerms

    found: Any = said
    if isinstance(said, (str, Path)):
        try:
            found = json.loads(Path(said).read_text(encoding="utf-8"))
        except (OSError, ValueError) as err:
            raise DataError(f"The sessions in {said} cannot be read: {err}.") from err
    return [SessionTerms.read(one) for one in (found if isinstance(found, list) else [found])]
