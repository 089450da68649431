"""A session of the engine on a small random market, run by the real runner; nobody waits for the time to pass."""

from __future__ import annotations

from engine_venue import Driver, random_market

from qtw_lab.live.engine import Engine
from qtw_lab.live.profile import checked
from qtw_lab.live.running import Places, Runner
from qtw_lab.venues.replaying import ReplayFeed

NAMES = ("AAA", "BBB", "CCC")


def session_profile(**engine):
    """Three symbols by name, and a rule that decides often; no gate but time."""
    return checked({
        "universe": {"symbols": list(NAMES), "min_price": 0, "min_dollar_volume": 0, "min_volume": 0},
        "signals": {
            "min_volume": 0, "max_spread_bps": 10_000, "lookback_bars": 1, "entry_threshold": 0.0005,
            "exit_threshold": 0.0,
        },
        "engine": {"stale_seconds": 3600, **engine},
    })  # fmt: skip


def what_came(seed=1, seconds=60, down=(), **market):
    """Everything that comes in: news of the link, data and silence; `down` are spans without a link, in seconds."""
    venue = random_market(seed, NAMES, seconds=seconds, **market)
    engine = Engine(session_profile(), calendar="24/7", asking=False)
    return Driver(engine, venue, down=down).run(seconds).came


def places_in(folder):
    """Where a session keeps what it knows."""
    return Places(folder / "state", folder / "data")


def session_in(folder, came, **options):
    """A runner that reads what came."""
    return Runner(session_profile(), ReplayFeed(iter(came)), None, places_in(folder), calendar="24/7", **options)
