"""Memory over a whole session, taken in as fast as it goes: ``python realtime_day.py SYMBOLS RATE SECONDS``.

No socket and no journal: payloads as a feed gives them go into the engine, and what it concludes is counted.
"""

from __future__ import annotations

import json
import sys
import time
from itertools import pairwise
from typing import Any

import numpy as np
from measure import peak_mb
from realtime_sides import profile, resident_mb
from realtime_stream import Plan, Pool, pool

from qtw_lab.live.engine import Engine
from qtw_lab.live.rows import ROW
from qtw_lab.live.warm import warm
from qtw_lab.venues.feeds import Inbound, Kind

#: Start of the session, Monday 2 March 2026, 14:30 UTC; how long after an event it is received; seconds of the session
#: from one look at the memory to the next.
_OPENING, _WAY, _EVERY = 1_772_461_800 * 10**9, 200_000, 300


def payload(stored: Pool, first: int, stamps: Any, trades: int) -> bytes:
    """Frames as a feed gives them: each after its length and opcode, without the websocket's heads."""
    wire = bytes(stored.stamp(first, stamps, trades))
    edges = (stored.edges[first : first + len(stamps) + 1] - stored.edges[first]).tolist()
    parts = [wire[a + 4 : b] for a, b in pairwise(edges)]
    return b"".join(len(part).to_bytes(4, "little") + b"\x02" + part for part in parts)


def day(symbols: int, rate: int, seconds: int) -> dict[str, Any]:
    """Take a session in; ten payloads a second of it, or one for each frame if there are fewer."""
    plan = Plan.over(symbols, rate, seconds)
    stored, told = pool(plan), profile(symbols)
    warm(told)
    engine = Engine(told, calendar="24/7", asking=False)
    news = {"state": "subscribed", "channels": {"trades": symbols, "quotes": symbols}, "missing": {}}
    engine.take(Inbound(_OPENING, Kind.LINK, json.dumps(news).encode()))
    schedule, at_once = plan.schedule + _OPENING, max(1, rate // plan.frame // 10)
    done = trades = rows = 0
    memory: list[tuple[int, float]] = []
    began, look = time.perf_counter(), 0
    while done < plan.frames:
        place = done % stored.frames
        stop = min(done + at_once, done + stored.frames - place, plan.frames)
        stamps = schedule[done:stop]
        engine.take(Inbound(int(stamps[-1]) + _WAY, Kind.DATA, payload(stored, place, stamps, trades)))
        rows += sum(len(step) for step in engine.outcome().steps if isinstance(step, np.ndarray) and step.dtype == ROW)
        trades += int(stored.trades[place + stop - done] - stored.trades[place])
        done = stop
        second = int((stamps[-1] - _OPENING) // 10**9)
        if second >= look:
            memory.append((second, resident_mb()))
            look += _EVERY
    counts = engine.counts
    return {
        "symbols": symbols, "rate": rate, "session": seconds, "seconds": time.perf_counter() - began, "rows": rows,
        "messages": plan.messages, "lost": plan.messages - counts["trades"] - counts["quotes"] - counts["inactive"],
        "memory": memory, "peak_mb": peak_mb(), "journal_gb": rows * ROW.itemsize / 1e9,
    }  # fmt: skip


if __name__ == "__main__":
    print(json.dumps(day(*map(int, sys.argv[1:4]))))
