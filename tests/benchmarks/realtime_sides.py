"""Who reads the stream, each on one core in a process of its own.

``python realtime_sides.py SIDE PLAN PORT OUTPUT OFFSET CORE OPTIONS`` writes when how many messages had been taken
in, and prints one line of JSON.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
from measure import peak_mb
from pydantic import SecretStr
from realtime_stream import Plan, names, pool

from qtw_lab.live.engine import Engine
from qtw_lab.live.outcome import Event, Stances
from qtw_lab.live.outlets import Outlets
from qtw_lab.live.profile import Profile, checked
from qtw_lab.live.running import Places, Runner
from qtw_lab.venues.feeds import Kind
from qtw_lab.venues.link import Access
from qtw_lab.venues.stream import StreamFeed
from qtw_lab.venues.ticks import QUOTE, TRADE, Rows, Symbols
from qtw_lab.venues.wire.decoding import Decoder

#: Bars that are kept for each symbol and length; the rule looks at five.
ROWS = 30
#: Seconds that a side may take beyond those of its plan.
_PATIENCE = 45.0


class Taken:
    """When how many messages had been taken in, and what was concluded when.

    The room is there from the start, so that a watch on memory does not see its own notes.
    """

    def __init__(self, plan: Plan) -> None:
        self._notes = np.empty((3, plan.frames + 10_000))
        self._notes.fill(0.0)
        self._whole = self._notes[:2].view(np.int64)
        self.used = 0
        self.last = 0
        self.decided: list[tuple[int, int]] = []
        self.memory: list[float] = []

    def add(self, now: int, count: int) -> None:
        """So many messages in all by now."""
        self._whole[0, self.used], self._whole[1, self.used] = now, count
        self._notes[2, self.used] = time.process_time()
        self.used, self.last = self.used + 1, count

    def save(self, path: str) -> None:
        """Write everything."""
        moments, counts, cpu = (*self._whole[:, : self.used], self._notes[2, : self.used])
        np.savez(
            path, moments=moments, counts=counts, cpu=cpu, memory=np.array(self.memory),
            decided=np.array(self.decided, dtype=np.int64).reshape(-1, 2),
        )  # fmt: skip


class Watching(Outlets):
    """Outlets that note how far the engine is, and end the run when everything has come."""

    def __init__(self, plan: Plan, offset: int) -> None:
        super().__init__()
        self.taken, self.plan, self.offset = Taken(plan), plan, offset
        self.news: list[str] = []
        self.counts: dict[str, int] = {}
        self.runner: Runner | None = None

    def took(self, engine: Engine, now: int) -> None:
        """Note the time, once bars are updated and whatever follows from them is decided."""
        counts = engine.counts
        # Before the symbols are listened to, which begins with the first events, messages are counted as of others.
        count = counts["trades"] + counts["quotes"] + counts["inactive"]
        if count == self.taken.last:
            return
        self.taken.add(now, count)
        if count >= self.plan.messages and self.runner is not None:
            self.runner.stop("everything has come")

    def step(self, received: int, step: Rows | Stances | Event, engine: Engine) -> None:
        """Note when decisions had been written to the journal and were handed on."""
        if isinstance(step, Stances):
            self.taken.decided.append((step.time + step.level * 10**9, time.monotonic_ns() + self.offset))
        elif isinstance(step, Event) and step.kind in ("link", "gap", "warning"):
            said = step.content
            self.news.append(f"{step.kind} {said.get('state', '')} {said.get('reason', said.get('message', ''))}")

    def tell(self, now: int, status: Any, engine: Engine) -> None:
        """Once a second: how much memory there is."""
        self.counts = engine.counts
        self.taken.memory.append(resident_mb())


def resident_mb() -> float:
    """Memory this process holds now, in MB (10^6 bytes)."""
    status = Path("/proc/self/status").read_text()
    return float(status.split("VmRSS:")[1].split()[0]) * 1024 / 1e6


def profile(symbols: int, late: float = 0.25) -> Profile:
    """What the engine is told: so many symbols, the momentum rule on bars of five seconds, made of bars of one."""
    listed = names(symbols)
    return checked(
        {
            "universe": {"symbols": listed, "max_symbols": max(100, symbols), "top_n": max(1, symbols)},
            "focus": {"size": symbols},
            "engine": {"late_seconds": late, "feed": "simulator", "bar_limit": ROWS, "window": "memory"},
        }
    )


def access(port: int) -> Access:
    """The way to the server."""
    return Access(f"ws://127.0.0.1:{port}/v2/sip", SecretStr("key"), SecretStr("secret"))


def engine(plan: Plan, port: int, output: str, offset: int, options: dict[str, Any]) -> dict[str, Any]:
    """The realtime engine as it runs: feed, bars, decisions, journal; no exports."""

    def now() -> int:
        return time.monotonic_ns() + offset

    folder = Path(output).with_suffix("")
    watching = Watching(plan, offset)
    runner = Runner(
        profile(plan.symbols, options.get("late", 0.25)), StreamFeed(access(port), now=now), None,
        Places(folder / "state", folder / "data"), watching, "24/7", now=now,
        recorded=bool(options.get("recorded", False)),
    )  # fmt: skip
    watching.runner = runner
    seconds = plan.schedule[-1] / 1e9 + (0.0 if plan.rate else plan.messages / 100_000)
    ending = runner.run(seconds + _PATIENCE)
    watching.taken.save(output)
    return {"ending": ending.reason, "news": watching.news, "by_name": watching.counts}


def feed(plan: Plan, port: int, output: str, offset: int, _: dict[str, Any]) -> dict[str, Any]:
    """The feed and the decoder alone."""
    symbols = Symbols(names(plan.symbols))
    reader, decoder = StreamFeed(access(port), now=lambda: time.monotonic_ns() + offset), Decoder(symbols)
    decoder.decode(b"")
    reader.subscribe({"trades": symbols.names, "quotes": symbols.names})
    reader.open()
    taken, totals, count = Taken(plan), np.zeros(4), 0
    while count < plan.messages:
        for one in reader.read(1.0):
            if one.kind == Kind.DATA:
                ticks = decoder.decode(one.payload).ticks
                if len(ticks):
                    count += len(ticks)
                    totals += _totals(ticks)
                    taken.add(time.monotonic_ns() + offset, count)
    reader.close()
    taken.save(output)
    return {"sums": dict(zip(("trades", "quotes", "trades_price", "quotes_price"), totals.tolist(), strict=True))}


def _totals(ticks: Rows) -> Any:
    trade = ticks["kind"] == TRADE
    price = ticks["price"]
    return np.array([trade.sum(), (ticks["kind"] == QUOTE).sum(), price[trade].sum(), price[~trade].sum()])


def decoder(plan: Plan, _: int, output: str, offset: int, __: dict[str, Any]) -> dict[str, Any]:
    """The decoder alone, on payloads as large as the feed gives at a high rate, in memory."""
    stored = pool(plan)
    reader, payloads = Decoder(Symbols(names(plan.symbols))), []
    for first in range(0, stored.frames, 10):
        frames = range(first, min(first + 10, stored.frames))
        parts = [stored.wire[stored.edges[k] + 4 : stored.edges[k + 1]].tobytes() for k in frames]
        payloads.append(b"".join(len(part).to_bytes(4, "little") + b"\x02" + part for part in parts))
    reader.decode(payloads[0])
    taken, count = Taken(plan), 0
    taken.add(time.monotonic_ns() + offset, 0)
    while count < plan.messages:
        for payload in payloads:
            count += len(reader.decode(payload).ticks)
    taken.add(time.monotonic_ns() + offset, count)
    taken.save(output)
    return {"decoded": count}


def alpaca(plan: Plan, port: int, output: str, offset: int, options: dict[str, Any]) -> dict[str, Any]:
    """alpaca-py's own stream with one handler for trades and one for quotes, which count."""
    from alpaca.data.live import StockDataStream

    raw = bool(options.get("raw"))
    stream = StockDataStream("key", "secret", raw_data=raw, url_override=f"ws://127.0.0.1:{port}/v2/sip")
    taken, done = Taken(plan), threading.Event()
    found = {"trades": 0.0, "quotes": 0.0, "trades_price": 0.0, "quotes_price": 0.0}

    def counted(kind: str, letter: str, attribute: str) -> Any:
        async def handler(data: Any) -> None:
            found[kind] += 1
            found[f"{kind}_price"] += data[letter] if raw else getattr(data, attribute)
            count = int(found["trades"] + found["quotes"])
            if count % 1000 == 0 or count == 1:
                taken.add(time.monotonic_ns() + offset, count)
            if count >= plan.messages:
                done.set()

        return handler

    stream.subscribe_trades(counted("trades", "p", "price"), *names(plan.symbols))
    stream.subscribe_quotes(counted("quotes", "bp", "bid_price"), *names(plan.symbols))
    asyncio.set_event_loop_policy(None)
    threading.Thread(target=stream.run, daemon=True).start()
    done.wait(plan.messages / 1_000 + _PATIENCE)
    taken.save(output)
    return {"sums": found}


SIDES = {"engine": engine, "feed": feed, "decoder": decoder, "alpaca": alpaca}


def main(side: str, text: str, port: str, output: str, offset: str, core: str, options: str) -> None:
    """Run one side."""
    os.sched_setaffinity(0, {int(core)})
    answer = SIDES[side](Plan.loads(text), int(port), output, int(offset), json.loads(options))
    print(json.dumps(answer | {"peak_mb": peak_mb()}), flush=True)
    os._exit(0)  # the vendor's stream has no end that can be waited for


if __name__ == "__main__":
    main(*sys.argv[1:])
