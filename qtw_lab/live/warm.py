"""Compile what the engine runs and leave it on disk: ``python -m qtw_lab.live.warm``, as `make setup` does."""

from __future__ import annotations

import struct
import sys
import time
from typing import Final

import numpy as np

from qtw_lab.live import bars
from qtw_lab.live.halts import Halts
from qtw_lab.live.profile import Profile
from qtw_lab.live.venue_time import VenueTime, tally
from qtw_lab.strategies import Panel
from qtw_lab.venues.link import compile_framing
from qtw_lab.venues.ticks import QUOTE, STATUS, TICK, TRADE, Symbols
from qtw_lab.venues.wire.decoding import Decoder
from qtw_lab.venues.wire.encoding import encode

#: The opcode of a binary websocket message.
_BINARY: Final = 2


def warm(profile: Profile | None = None) -> None:
    """Run everything that is compiled once, so that no event of a session has to wait for it.

    Parameters
    ----------
    profile : Profile, optional
        Its strategy decides once too.
    """
    chosen = Profile() if profile is None else profile
    bars.warm(chosen.engine.levels)
    compile_framing()
    symbols = Symbols(["A"])
    ticks = np.zeros(2, dtype=TICK)
    ticks["kind"], ticks["time"], ticks["id"] = [TRADE, QUOTE], 10**18, [1, 0]
    for name in ("price", "size", "other_price", "other_size"):
        ticks[name] = 1.0
    content = encode(ticks, symbols)
    decoded = Decoder(symbols).decode(struct.pack("<IB", len(content), _BINARY) + content)
    clock = VenueTime()
    for received in (1, 2):
        clock.take(decoded.ticks, received)
    tally(decoded.ticks)
    halted = ticks[:1].copy()
    halted["kind"], halted["flag"] = STATUS, ord("H")
    Halts().take(halted)
    _decide(chosen)


def _decide(profile: Profile) -> None:
    """Let the strategy decide on a few bars; two symbols are enough for any."""
    strategy = profile.built()
    length = max(2, strategy.warmup + 2)
    close = 100.0 + np.add.outer(np.sin(np.arange(float(length))), [0.0, 1.0])
    times = np.arange(length, dtype=np.int64) * 10**9
    strategy.decide(Panel(close, close, close, close, close, times, 252.0))


if __name__ == "__main__":
    began = time.perf_counter()
    warm()
    sys.stdout.write(f"Compiled in {time.perf_counter() - began:.0f} s\n")
