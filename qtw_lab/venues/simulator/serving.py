"""The simulator as a process of its own: one line of addresses, then service until it is told to end."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable

from qtw_lab.venues.simulator.server import KEYS, Simulator


def serve(simulator: Simulator, say: Callable[[str], None], max_seconds: float | None = None) -> None:
    """Serve in this thread until interrupted, terminated, or so many seconds are over.

    Parameters
    ----------
    simulator : Simulator
        Not started.
    say : callable
        Is given one line with the addresses, once clients can connect.
    max_seconds : float, optional
        Of real time, from that line on.

    Raises
    ------
    SetupError
        If the port cannot be listened to.
    Exception
        Whatever the market raised, should it fail.
    """

    async def alone() -> None:
        stopping, loop = asyncio.Event(), asyncio.get_running_loop()
        for sort in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(sort, stopping.set)

        def ready() -> None:
            say(addresses(simulator))
            if max_seconds is not None:
                loop.call_later(max_seconds, stopping.set)

        await simulator.serve(ready, stopping)

    asyncio.run(alone())


def addresses(simulator: Simulator) -> str:
    """One line that says where the simulator is."""
    key, secret = next(iter(simulator.terms.keys.items()))
    shown = f"key {key}, secret {secret}" if simulator.terms.keys == dict([KEYS]) else "your own keys"
    streams = f"{simulator.stream_url('iex')} (also sip, test), {simulator.updates_url} (trade updates)"
    now = f"market time {simulator.clock.now().isoformat()}, speed {simulator.clock.speed:g}"
    return f"Simulator at {simulator.url} (REST), {streams}; {shown}; {now}"
