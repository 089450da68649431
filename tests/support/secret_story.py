"""What happens in a session with keys: a market, engines, orders, a watcher, a notebook, and everything going wrong."""

from __future__ import annotations

import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from secret_session import HERE, KILLSWITCH, QTW, World, free_port, notebook, profile

#: Cells of a notebook that tell what they can of their keys, in every way a careless person would; the last fails in
#: the middle of a request. The braces that are single are filled in.
FIRST: Final = (
    """%xmode Verbose
import base64, os, sys
from qtw_lab import Lab
from qtw_lab.lab import paper
lab = Lab.from_settings()
broker = paper.remote(lab.settings)
print(lab, lab.settings, broker)
print(lab.settings.model_dump(), lab.settings.model_dump_json(), vars(lab.settings))""",
)
WORK: Final = (
    """print(lab.paper(symbols=3).account())
paper.status(broker)""",
    """print(lab.download({symbols}, '2023-12-01', '2024-01-03'))
lab.registry.list()""",
    """live = lab.live('profile.json', feed='iex').start()
print(live.status())
print(live.stop())
live""",
)
LAST: Final = (
    """keys = lab.settings.secrets()
print(keys, list(map(repr, keys.values())), os.environ.get('ALPACA_API_SECRET_KEY'))
print([base64.b64encode(value.encode()) for value in keys.values()], file=sys.stderr)
keys""",
    """gone = lab.settings.model_copy(update={{'alpaca_trading_rest_url': 'http://127.0.0.1:9'}})
paper.remote(gone).submit(paper.ticket('AAA', 'buy', 'never', qty='1'))""",
)


@dataclass(frozen=True)
class Market:
    """A venue that takes the keys, and what it trades."""

    url: str
    symbols: tuple[str, ...]

    @property
    def variables(self) -> dict[str, str]:
        """What points a process to it."""
        return pointed_to(self.url)


def pointed_to(url: str) -> dict[str, str]:
    """What points a process to a venue on this machine."""
    return {
        "ALPACA_TRADING_REST_URL": url, "ALPACA_DATA_REST_URL": url,
        "ALPACA_DATA_WS_URL": url.replace("http", "ws"), "ALPACA_REQUESTS_PER_MINUTE": "100000",
    }  # fmt: skip


def places(world: World, name: str) -> dict[str, str]:
    """Folders of an engine of its own."""
    return {f"REALTIME_{kind}_DIR": str(world.root / "engines" / name / kind.lower()) for kind in ("STATE", "DATA")}


def begun(world: World, name: str) -> Market:
    """A market that takes the keys, and a profile of its symbols."""
    world.start(name, sys.executable, HERE / "secret_venue.py", 0, 3, world.root / "storage" / "book.sqlite")
    url, *symbols = world.until(name, "http").splitlines()[0].split()
    profile(world.root / "cwd" / "profile.json", symbols)
    return Market(url, tuple(symbols))


def engine(world: World, name: str, given: Mapping[str, str], *words: object) -> None:
    """Start `qtw realtime run` in folders of its own."""
    command = (QTW, "realtime", "run", "--profile", "profile.json", *words)
    world.start(name, *command, **places(world, name), **given)


def worked(world: World, name: str) -> bool:
    """Whether an engine has written bars."""
    return any((world.root / "engines" / name / "data").glob("bars_*"))


def watcher(world: World, name: str, url: str) -> None:
    """Start a watcher with a switch of its own."""
    limits = ("--max-daily-loss", "0.5", "--heartbeat", 100, "--unread", 100)  # what else takes long is no matter here
    pace = ("--interval", 0.2, "--account", 0.5, "--calendar", "24/7")
    place = ("--folder", world.root / "stop" / name, "--url", url, "--flatten")
    world.start(name, *KILLSWITCH, "run", *place, *limits, *pace)


def trader(world: World, name: str, watched: str, symbol: str, given: Mapping[str, str]) -> None:
    """Start a process that trades until its venue is gone; its heartbeat is for the watcher of that name."""
    world.start(name, sys.executable, HERE / "secret_trader.py", world.root / "stop" / watched, symbol, **given)


def nowhere(world: World) -> None:
    """Begin to ask a venue that is not there; it takes its time."""
    url = f"http://127.0.0.1:{free_port()}"
    world.start("paper-nowhere", QTW, "paper", "status", **pointed_to(url))
    engine(world, "nowhere", pointed_to(url), "--feed", "simulator", "--max-seconds", 3)
    watcher(world, "watch-nowhere", url)


def refused(world: World, url: str) -> None:
    """Show the keys to a venue that has others."""
    given = pointed_to(url)
    engine(world, "refused", given, "--feed", "simulator")
    trader(world, "refused-trader", "watch-refused", "AAA", given)
    watcher(world, "watch-refused", url)
    world.start("paper-refused", QTW, "paper", "status", **given)
    world.run("trip-refused", *KILLSWITCH, *tripping(world, "watch-refused"))
    for name in ("refused", "refused-trader", "paper-refused"):
        world.ended(name, code=1)
    world.until("watch-refused", "401")
    world.stop("watch-refused")


def by_hand(world: World, market: Market) -> None:
    """Every command of `qtw paper` and its neighbours."""
    symbol = market.symbols[1]

    def qtw(name: str, *words: object, code: int = 0) -> str:
        return world.run(name, QTW, *words, code=code, **market.variables, **places(world, "own"))

    assert "quity" in qtw("status", "paper", "status")
    qtw("submit", "paper", "submit", "buy", symbol, 3, "--json")
    qtw("resting", "paper", "submit", "buy", symbol, 1, "--type", "limit", "--limit", 1, "--name", "resting")
    assert "resting" in qtw("orders", "paper", "orders", "--json")
    assert market.symbols[0] in qtw("positions", "paper", "positions")
    qtw("cancel", "paper", "cancel", "resting")
    qtw("flatten", "paper", "flatten", "--json")
    assert "both are set" in qtw("doctor", "doctor", "--json", code=1)  # a server is missing


def careless(world: World, market: Market, cells: tuple[str, ...]) -> None:
    """Begin a notebook of some of the cells above."""
    filled = [cell.format(symbols=list(market.symbols)) for cell in cells]
    name = notebook(world.root / "cwd" / "careless.ipynb", *filled).name
    world.start("notebook", QTW, "run", name, **market.variables, **places(world, "notebook"))


def kept(world: World) -> str:
    """The copy of that notebook that its run leaves behind."""
    world.ended("notebook", code=1, seconds=90.0)
    (found,) = (world.root / "storage" / "runs").glob("*-careless/notebook.ipynb")
    return found.read_text()


def halted(world: World, name: str) -> None:
    """Trip a watcher's switch, which cancels and closes everything, and arm it again."""
    world.run(f"trip-{name}", *KILLSWITCH, *tripping(world, name))
    world.until(name, "Halted")
    world.run(f"armed-{name}", *KILLSWITCH, "reset", *_by(world, name))


def bereft(world: World, market: Market, venue: str, trading: str) -> None:
    """Kill the venue while everybody works with it: the trader ends with a traceback, the others go on until told."""
    world.stop(venue, number=signal.SIGKILL, code=-signal.SIGKILL)
    world.run("submit-bereft", QTW, "paper", "submit", "buy", "AAA", "1", code=1, **market.variables)
    world.ended(trading, code=1)


def tripping(world: World, name: str) -> tuple[object, ...]:
    return ("trip", *_by(world, name), "--flatten")


def _by(world: World, name: str) -> tuple[object, ...]:
    return ("--folder", world.root / "stop" / name, "--by", "ann", "--reason", "a drill")
