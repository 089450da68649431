"""Chooses the parts of the realtime engine by name and setting, and joins them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, get_args

from qtw_lab.core import DataError, Settings, SetupError, lookup
from qtw_lab.core.extras import need
from qtw_lab.core.storage import storage_folder
from qtw_lab.live import profile as profiles
from qtw_lab.live.exports import Exports
from qtw_lab.live.metrics import Metrics
from qtw_lab.live.outlets import Outlets
from qtw_lab.live.profile import Profile
from qtw_lab.live.redis_out import RedisOut
from qtw_lab.live.running import Ending, Places, Runner

if TYPE_CHECKING:
    from qtw_lab.venues.feeds import Feed
    from qtw_lab.venues.simulator.server import Simulator

#: Keys of a simulator that asks for none in particular.
_SIMULATED: Final = ("sim-key", "sim-secret")

#: Requests a minute that a simulator on this machine allows us.
_UNLIMITED: Final = 100_000

#: Trading hours of feeds that have none.
_CALENDARS: Final = {"test": "24/7"}

#: The one symbol of Alpaca's test stream.
_TEST_SYMBOL: Final = "FAKEPACA"


def places(settings: Settings) -> Places:
    """Where the engine keeps what it knows."""
    root = settings.qtw_storage_dir / "realtime"
    return Places(settings.realtime_state_dir or root / "state", settings.realtime_data_dir or root / "data")


def profile_of(given: Profile | str | Path | dict[str, Any]) -> Profile:
    """A profile from itself, plain values, the name of a template, or a file.

    Raises
    ------
    DataError
        As `qtw_lab.live.profile.load`.
    """
    if isinstance(given, Profile):
        return given
    if isinstance(given, dict):
        return profiles.checked(given)
    if isinstance(given, str) and not given.endswith(".json"):
        return profiles.template(given)
    return profiles.load(given)


@dataclass(frozen=True)
class Chosen:
    """What a feed's name stands for.

    Parameters
    ----------
    settings : Settings
        With the addresses and keys of the feed.
    profile : Profile
        As the feed needs it.
    speed : float
        Seconds of the venue in a second of ours.
    """

    settings: Settings
    profile: Profile
    speed: float


@contextmanager
def chosen(settings: Settings, profile: Profile, feed: str | None, speed: float) -> Iterator[Chosen]:
    """What a feed's name stands for; a simulator of its own is served within the block.

    Parameters
    ----------
    settings : Settings
        Of the machine.
    profile : Profile
        Its `engine.feed` is taken if `feed` is None.
    feed : str, optional
        "sip", "iex", "delayed_sip", "test", or "simulator": the one at `ALPACA_DATA_WS_URL`, or one of its own.
    speed : float
        Of a simulator.

    Raises
    ------
    DataError
        If there is no such feed, or the speed is no positive number.
    SetupError
        If the feed needs keys and there are none.
    """
    if not 0 < speed < math.inf:
        raise DataError(f"A speed of {speed:g} is none for an engine: give venue seconds a second above 0, such as 10.")
    name = lookup(feed or profile.engine.feed, {one: one for one in get_args(profiles.Feed)}, "feed")
    if name == "replay":
        raise DataError("A recording is replayed by `qtw realtime replay RECORDING`, not by an engine's feed.")
    if name == "test" and profile.universe.symbols is None:
        named = profile.universe.model_copy(update={"symbols": (_TEST_SYMBOL,)})
        profile = profile.model_copy(update={"universe": named})
    if profile.engine.stream_url is not None:
        settings = settings.model_copy(update={"alpaca_data_ws_url": profile.engine.stream_url})
    if name != "simulator":
        _refuse_without_keys(settings, name)
        yield Chosen(settings.model_copy(update={"alpaca_data_feed": name}), profile, speed)
    elif settings.alpaca_data_ws_url:
        yield Chosen(_with_keys(settings.model_copy(update={"alpaca_data_feed": "sip"})), profile, speed)
    else:
        with simulator(speed=speed, rate_limit=0) as served:
            yield Chosen(pointed_to(settings, served), profile, speed)


def _refuse_without_keys(settings: Settings, feed: str) -> None:
    if settings.alpaca_api_key_id is None or settings.alpaca_api_secret_key is None:
        raise SetupError(
            f"The feed {feed!r} is Alpaca's and needs ALPACA_API_KEY_ID and ALPACA_API_SECRET_KEY: put them in the "
            "environment or in .env (see .env.example). The feed 'simulator' needs none."
        )


def _with_keys(settings: Settings) -> Settings:
    """A simulator's keys, where no others are given."""
    from pydantic import SecretStr

    if settings.alpaca_api_key_id is not None:
        return settings
    keys = dict(zip(("alpaca_api_key_id", "alpaca_api_secret_key"), map(SecretStr, _SIMULATED), strict=True))
    return settings.model_copy(update=keys)


def pointed_to(settings: Settings, served: Simulator) -> Settings:
    """The settings, pointed to a simulator."""
    addresses = {
        "alpaca_data_ws_url": served.stream_url("sip"), "alpaca_data_rest_url": served.url,
        "alpaca_trading_rest_url": served.url, "alpaca_requests_per_minute": _UNLIMITED, "alpaca_data_feed": "sip",
    }  # fmt: skip
    bare = {"alpaca_api_key_id": None, "alpaca_api_secret_key": None}
    return _with_keys(settings.model_copy(update=bare)).model_copy(update=addresses)


def simulator(
    *,
    symbols: int | None = None,
    bundled: Any = False,
    recorded: str | Path | None = None,
    date: str | None = None,
    seed: int | None = None,
    scenario: Any = None,
    book: bool | str | Path = False,
    cash: float = 100_000.0,
    fill_model: str = "plain",
    fresh: bool = False,
    **options: Any,
) -> Simulator:
    """An Alpaca-compatible exchange on loopback, not started yet.

    Parameters
    ----------
    symbols, seed, date
        A synthetic market: how many symbols, its chance, and the session.
    bundled : bool or symbols
        A real day of the bundled stocks.
    recorded : path, optional
        Trades and quotes of a Parquet or CSV file.
    scenario : path or Scenario, optional
        What goes wrong.
    book : bool or path
        Where its paper account is kept: nowhere; in the storage folder, where each market has an account of its own; or
        in that file.
    fresh : bool
        Whether to begin a new account; the book of the one before is moved aside.
    cash : float
        Dollars in a new account.
    fill_model : str
        How its orders fill: plain, alpaca or conservative.
    options
        Of `qtw_lab.venues.simulator.server.Simulator`: port, speed, start, rate_limit, hold ...

    Raises
    ------
    DataError, SetupError
        If the market cannot be made so, or a part is not installed.
    """
    need("tornado", "live")
    from qtw_lab.venues.paper.models import FillModel
    from qtw_lab.venues.paper.store import put_aside
    from qtw_lab.venues.paper.terms import AccountTerms
    from qtw_lab.venues.simulator.choosing import chosen_market
    from qtw_lab.venues.simulator.scenario import Scenario
    from qtw_lab.venues.simulator.server import Simulator as Served

    path = None if recorded is None else Path(recorded)
    market = chosen_market(symbols=symbols, bundled=bundled, recorded=path, date=date, seed=seed)
    faults = Scenario.load(scenario) if isinstance(scenario, (str, Path)) else scenario
    kept = _book(market) if book is True else Path(book) if book else None
    if fresh and kept is not None:
        put_aside(kept)
    account = AccountTerms(cash, kept, FillModel.named(fill_model))
    return Served(market, scenario=faults, account=account, **options)


def _book(market: Any) -> Path:
    """The book of the account at a market: what it is made of names it."""
    first, end = market.span
    made = sha256(f"{type(market).__name__} {first} {end} {' '.join(market.symbols.names)}".encode()).hexdigest()
    return storage_folder() / "paper" / f"simulator-{made[:12]}.sqlite"


def serve(served: Simulator, say: Callable[[str], None], max_seconds: float | None = None) -> None:
    """Serve a simulator in this thread until it is interrupted, terminated, or the seconds are over.

    Parameters
    ----------
    served : Simulator
        Not started.
    say : callable
        Is given one line with the addresses, once clients can connect.
    max_seconds : float, optional
        Of real time.

    Raises
    ------
    SetupError
        If its port is taken.
    """
    from qtw_lab.venues.simulator.serving import serve as serving

    serving(served, say, max_seconds)


def runner(given: Chosen, where: Places, *, recorded: bool = True, client: str = "own") -> Runner:
    """An engine, ready to run in this process.

    Parameters
    ----------
    given : Chosen
        The feed, and the profile as it needs it.
    where : Places
        Where the engine keeps what it knows.
    recorded : bool
        Whether the session is recorded.
    client : {"own", "alpaca-py"}
        Who reads the stream: the client of this package, or the vendor's, which is slower.

    Raises
    ------
    SetupError
        If alpaca-py or keys are missing.
    DataError
        If there is no such client.
    """
    from qtw_lab import __version__
    from qtw_lab.venues.alpaca import AlpacaReference

    settings, name = given.settings, given.settings.alpaca_data_feed
    known = name != "test" or settings.alpaca_data_rest_url is not None
    feed = lookup(client, _clients(), "client")(settings)
    return Runner(
        given.profile, feed, AlpacaReference(settings) if known else None, where,
        outlets(settings, where), calendar=_CALENDARS.get(name, "XNYS"), speed=given.speed, recorded=recorded,
        version=__version__,
    )  # fmt: skip


def _clients() -> dict[str, Callable[[Settings], Feed]]:
    """By name, what reads a stream."""
    from qtw_lab.venues.alpaca import alpaca_feed, stream_access
    from qtw_lab.venues.vendor import PyStreamFeed

    return {"own": alpaca_feed, "alpaca-py": lambda settings: PyStreamFeed(stream_access(settings))}


def outlets(settings: Settings, where: Places) -> Outlets:
    """Who is told beside the journal."""
    return Outlets(
        Exports(where.state, where.data, settings.realtime_ndjson_max_bytes),
        Metrics(where.data / "metrics.ndjson", settings.metrics_max_bytes),
        RedisOut(settings.redis_url.get_secret_value()) if settings.redis_url else None,
    )


def run(
    settings: Settings,
    profile: Profile,
    *,
    feed: str | None = None,
    speed: float = 1.0,
    seconds: float | None = None,
    client: str = "own",
    say: Callable[[str], None] | None = None,
) -> Ending:
    """Run an engine in this process until it is told to stop (SIGTERM, Ctrl-C).

    Parameters
    ----------
    settings : Settings
        Of the machine.
    profile : Profile
        What to watch and how to decide.
    feed, speed
        As `chosen`.
    seconds : float, optional
        End by itself after so long.
    client : {"own", "alpaca-py"}
        As `runner`.
    say : callable, optional
        Is given one line for people when everything that was asked for is known to be there.

    Raises
    ------
    DataError, SetupError
        As `chosen` and `runner`; if another engine works in the same place.
    """
    where = places(settings)
    with chosen(settings, profile, feed, speed) as given:
        made = runner(given, where, client=client)
        if say is not None:
            say(f"Engine on {made.feed.name} in {where.state}; stop it with Ctrl-C.")
        with made.signalled():
            return made.run(seconds)


def refresh_assets(settings: Settings, feed: str | None = None) -> tuple[Path, int]:
    """Ask the venue for its active assets and save them; where, and how many.

    Raises
    ------
    SetupError, VenueError
        If the venue cannot be asked, or does not answer.
    """
    from qtw_lab.venues.alpaca import AlpacaReference
    from qtw_lab.venues.feeds import steady

    with chosen(settings, profiles.checked({}), feed or settings.alpaca_data_feed, 1.0) as given:
        assets = AlpacaReference(given.settings).assets()
    return places(settings).save_assets(assets, steady()), len(assets)
