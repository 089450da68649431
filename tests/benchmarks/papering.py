"""How many orders a second a paper account acknowledges: ``python papering.py FOLDER COUNT`` measures once, in JSON."""

from __future__ import annotations

import json
import sqlite3
import statistics
import sys
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

from processes import HERE, timed

FULL, QUICK = 2000, 100
#: The commits of SQLite alone, to which the others are compared.
LIMIT = "commits of SQLite alone, one row of 400 bytes"


def _broker(store: Any) -> Any:
    """An account at a market of one quote, which stands."""
    import numpy as np
    import pandas as pd

    from qtw_lab.core import VirtualClock
    from qtw_lab.venues.paper.broker import PaperBroker
    from qtw_lab.venues.simulator.recorded import RecordedMarket
    from qtw_lab.venues.ticks import QUOTE, TICK, Symbols

    opening = pd.Timestamp("2024-01-02 14:30", tz="UTC")
    row = np.zeros(1, TICK)
    row["kind"], row["time"], row["price"], row["size"] = QUOTE, opening.value, 99.9, 1e6
    row["other_price"], row["other_size"] = 100.1, 1e6
    market = RecordedMarket.from_rows(row, Symbols(["AAA"]))
    return PaperBroker(market, VirtualClock(opening + pd.Timedelta(seconds=5)), 10**9, store=store)


def _ticket(number: int, kind: str) -> Any:
    from qtw_lab.ledger.tickets import Ticket

    limit = Decimal(1) if kind == "limit" else None
    return Ticket("AAA", "buy", kind, "day", qty=Decimal(1), limit_price=limit, client_order_id=f"{kind}{number}")


def measured(folder: Path, count: int) -> list[dict[str, Any]]:
    """Seconds of each kind of work.

    Raises
    ------
    RuntimeError
        If an order is missing, or the book does not add up.
    """
    from qtw_lab.venues.paper.state import State
    from qtw_lab.venues.paper.store import MemoryStore, SqliteStore

    found: list[dict[str, Any]] = []

    def clocked(name: str, items: int, work: Callable[[], Any]) -> None:
        began = time.perf_counter()
        work()
        found.append({"name": name, "seconds": time.perf_counter() - began, "items": items})

    plain = sqlite3.connect(folder / "plain.sqlite", isolation_level=None)
    plain.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; CREATE TABLE t (content TEXT);")
    clocked(LIMIT, count, lambda: [plain.execute("INSERT INTO t VALUES (?)", ("x" * 400,)) for _ in range(count)])
    plain.close()
    for name, store in (("in memory", MemoryStore()), ("durable", SqliteStore(folder / "book.sqlite"))):
        broker = _broker(store)

        def fill(broker: Any = broker) -> None:
            for number in range(count):
                broker.submit(_ticket(number, "market"))
                broker.poll()

        def rest(broker: Any = broker) -> None:
            for number in range(count // 4):
                broker.submit(_ticket(number, "limit"))

        clocked(f"market orders accepted, filled and told, {name}", count, fill)
        clocked(f"limit orders acknowledged beside up to {count // 4:,} open ones, {name}", count // 4, rest)
        wanted = count + count // 4
        if len(broker.orders) != wanted or len(broker.book.fills) != count or broker.state.faults():
            raise RuntimeError(f"{len(broker.orders)} orders and {len(broker.book.fills)} fills of {wanted}")
        if name == "durable":
            clocked("events folded into an account again", broker.state.events, lambda s=store: State.of(s.read()))
        store.close()
    return found + _looped(folder, count)


def _looped(folder: Path, count: int) -> list[dict[str, Any]]:
    """The whole loop: a bar closes, the strategy is asked, orders are sized, netted, sent, filled and given back.

    Raises
    ------
    RuntimeError
        If the books do not add up.
    """
    import qtw_lab as qtw
    from qtw_lab.live.trading.bar_replay import BarReplay
    from qtw_lab.live.trading.terms import SessionTerms
    from qtw_lab.venues.paper.store import MemoryStore, SqliteStore

    bars = qtw.Lab.offline().bars(["AAPL", "IBM", "MSFT"], source="stocks").tail(min(2 * count, 2000))
    found = []
    for name in ("in memory", "durable"):
        stores = {
            part: MemoryStore() if name == "in memory" else SqliteStore(folder / f"loop-{part}.sqlite")
            for part in ("book", "notes", "sent", "known")
        }
        replay = BarReplay(bars, **stores)
        replay.desk.open(SessionTerms.given("loop", "volatility_trend", list(bars.symbols), "1D"))
        began = time.perf_counter()
        replay.run()
        seconds = time.perf_counter() - began
        orders = len(replay.desk.state.orders)
        if replay.desk.state.faults() or replay.paper.state.faults():
            raise RuntimeError("the books do not add up")
        for what, items in (
            ("bars of three symbols through the whole loop", len(bars)),
            ("orders of that loop", orders),
        ):
            found.append({"name": f"{what}, {name}", "seconds": seconds, "items": items})
        for store in stores.values():
            store.close()
    return found


def run(repeats: int, folder: Path, *, quick: bool, say: Callable[[str], None] = print) -> list[dict[str, Any]]:
    """Every pace as a median of so many processes, each with a new book.

    Raises
    ------
    Unusable
        If an order was missing, or it could not be measured.
    """
    runs = []
    for turn in range(repeats):
        place = folder / f"paper{turn}"
        place.mkdir()
        _, printed = timed([sys.executable, str(HERE / "papering.py"), str(place), str(QUICK if quick else FULL)])
        runs.append(json.loads(printed.splitlines()[-1]))
        say(f"  paper: run {turn + 1} of {repeats} done")
    return [_median(list(lines)) for lines in zip(*runs, strict=True)]


def _median(lines: list[dict[str, Any]]) -> dict[str, Any]:
    seconds = statistics.median(line["seconds"] for line in lines)
    return {**lines[0], "seconds": seconds, "rate": lines[0]["items"] / seconds}


def lines(paces: list[dict[str, Any]]) -> list[str]:
    """The figures as text, each beside the commits of SQLite alone, which a durable order cannot be faster than."""
    limit = next(pace["rate"] for pace in paces if pace["name"] == LIMIT)
    found = ["### paper: orders of a paper account, the book adding up", ""]
    found += ["| work | items | a second | of SQLite's commits |", "|---|--:|--:|--:|"]
    for pace in paces:
        found.append(f"| {pace['name']} | {pace['items']:,} | {pace['rate']:,.0f} | {pace['rate'] / limit:.2f} |")
    found += ["", "- an order that is filled at once takes two commits: it is acknowledged before it meets the market"]
    found += ["- the durable loop writes four books: the account's, the desk's, its outbox and its mirror"]
    return [*found, ""]


if __name__ == "__main__":
    print(json.dumps(measured(Path(sys.argv[1]), int(sys.argv[2]))))
