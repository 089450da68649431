"""The trading desk of this machine: joins an engine, an account, limits and a kill switch."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from decimal import Decimal
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from qtw_lab.core import DataError, Settings, SetupError, SystemClock
from qtw_lab.lab.desk_places import DeskPlaces, limits_of, switch

if TYPE_CHECKING:
    from qtw_lab.live.running import Ending
    from qtw_lab.live.trading.desk import Desk
    from qtw_lab.live.trading.tap import Tap
    from qtw_lab.live.trading.terms import SessionTerms
    from qtw_lab.venues.brokers import Broker
    from qtw_lab.venues.feeds import Reference
    from qtw_lab.venues.guard import Guard

#: Seconds to wait for the answer of a desk in another process.
_PATIENCE: Final = 15.0

#: What may be asked of an account that had no desk so far.
_BEGINNING: Final = ("open", "order", "preview")


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
    with guarded(broker, settings, places, updates=updates, calendar=calendar) as (desk, _):
        yield desk


@contextmanager
def guarded(
    broker: Broker, settings: Settings, places: DeskPlaces, *, updates: bool, calendar: str = "XNYS"
) -> Iterator[tuple[Desk, Guard]]:
    """As `opened`, with what judges the desk's orders."""
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
        prices: dict[str, Decimal] = {}
        priced: dict[str, int] = {}
        guard = Guard(
            limits, broker, outbox, mirror, kept, now=steady, session=lambda: hours.began(steady()),
            prices=prices.get, priced=priced.get, switch=switch(places),
        )  # fmt: skip
        listening = TradeUpdates(updates_access(settings)) if updates else None
        trader = Trader(broker, outbox, mirror, listening, allow=guard)
        yield Desk(trader, book, steady, calendar=calendar, prices=prices, priced=priced), guard


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
    from qtw_lab.live.trading.lasting import seen_now
    from qtw_lab.live.trading.running import DeskRunner
    from qtw_lab.live.trading.working import Working
    from qtw_lab.venues.alpaca import AlpacaReference
    from qtw_lab.venues.feeds import steady
    from qtw_lab.venues.killswitch import Heartbeat

    with realtime.chosen(settings, realtime.profile_of({}), feed, speed) as given, ExitStack() as stack:
        broker = paper.remote(given.settings)
        places = DeskPlaces.of(settings, broker.account().id)
        desk, guard = stack.enter_context(guarded(broker, given.settings, places, updates=True, calendar=calendar))
        heart, reference = Heartbeat(places.stop / "heartbeat.json"), AlpacaReference(given.settings)
        working = Working(
            desk, calendar, say=say, assets=_assets(reference), guard=guard, prices=partial(seen_now, reference)
        )  # fmt: skip

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
    from qtw_lab.live.trading.lasting import seen_now
    from qtw_lab.live.trading.running import do
    from qtw_lab.live.trading.working import Working, recovered
    from qtw_lab.venues.alpaca import AlpacaReference

    places = _of_account(settings) if said.get("do") in _BEGINNING else DeskPlaces.current(settings)
    if holder_of(places.root) is not None:
        if said.get("do") in ("order", "preview"):
            _refuse_another(settings, places)
        commands = Commands(places.root / "commands")
        return commands.answer(commands.put(said, SystemClock().now().value), _PATIENCE)
    broker, reference = paper.remote(settings), AlpacaReference(settings)
    with guarded(broker, settings, places, updates=False) as (desk, guard):
        working = Working(desk, assets=_assets(reference), guard=guard, prices=partial(seen_now, reference))
        recovered(working)
        return do(working, said)


def _refuse_another(settings: Settings, places: DeskPlaces) -> None:
    """Refuse an order at a desk of another account than the one that the settings point to."""
    from qtw_lab.lab import paper

    account = paper.remote(settings).account().id
    if places.root.name != account[:13]:
        raise SetupError(
            f"The desk at work trades the account {places.root.name}, and the settings point to {account[:13]}. Stop "
            "that desk, or set ALPACA_TRADING_REST_URL and the keys to its account."
        )


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
