"""What faults do to links: those that strike at once, and those that last."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from qtw_lab.venues.simulator.faults import Faults, malformed
from qtw_lab.venues.simulator.link import Link
from qtw_lab.venues.simulator.scenario import Fault
from qtw_lab.venues.simulator.stream import DataStreams
from qtw_lab.venues.simulator.updates import UpdateStreams

Effect = Callable[[Fault], Awaitable[None]]


class Effects:
    """Strikes links as faults begin, and lets them be as faults end.

    Faults that only change answers or events (such as rest_429, auth, late) need nothing here: whoever answers asks
    `Faults` about them.

    Parameters
    ----------
    faults : Faults
        What is wrong at the moment.
    data, updates : DataStreams, UpdateStreams
        Whose links.
    close, reopen : callable
        End the whole server's service, and begin it anew.
    """

    def __init__(
        self, faults: Faults, data: DataStreams, updates: UpdateStreams, close: Callable[[], Awaitable[None]],
        reopen: Callable[[], Awaitable[None]],
    ) -> None:  # fmt: skip
        self._faults, self._data, self._updates = faults, data, updates
        self._close, self._reopen = close, reopen
        self._begins: dict[str, Effect] = {
            "drop": self._drop, "close": self._end_links, "mute": self._mute, "drip": self._drip, "error": self._error,
            "malformed": self._malformed, "restart": self._restart,
        }  # fmt: skip
        self._ends: dict[str, Effect] = {"mute": self._unmute, "drip": self._flow, "restart": self._restarted}

    async def turn(self) -> None:
        """Do what is due now."""
        begun, over = self._faults.turn()
        for effects, faults in ((self._ends, over), (self._begins, begun)):
            for fault in faults:
                effect = effects.get(fault.kind)
                if effect is not None:
                    await effect(fault)

    def _links(self, on: str) -> list[Link]:
        data = [session.link for session in self._data.sessions] if on in ("data", "all") else []
        return data + ([session.link for session in self._updates.sessions] if on in ("updates", "all") else [])

    async def _drop(self, fault: Fault) -> None:
        for link in self._links(fault["on"]):
            link.reset()

    async def _end_links(self, fault: Fault) -> None:
        await asyncio.gather(*(link.close(fault["code"], fault["reason"]) for link in self._links(fault["on"])))

    async def _mute(self, fault: Fault) -> None:
        for link in self._links(fault["on"]):
            link.muted = True

    async def _unmute(self, fault: Fault) -> None:
        for on in ("data", "updates"):
            if fault["on"] in (on, "all") and self._faults.on("mute", on) is None:
                for link in self._links(on):
                    link.muted = False

    async def _drip(self, fault: Fault) -> None:
        for link in self._links(fault["on"]):
            link.drip(fault["bytes_per_second"])

    async def _flow(self, fault: Fault) -> None:
        for on in ("data", "updates"):
            other = self._faults.on("drip", on)
            if fault["on"] in (on, "all"):
                for link in self._links(on):
                    link.drip(0 if other is None else other["bytes_per_second"])

    async def _error(self, fault: Fault) -> None:
        for session in tuple(self._data.sessions):
            session.refuse(fault["code"], fault["message"], last=fault["then_close"] or None)

    async def _malformed(self, fault: Fault) -> None:
        for session in tuple(self._data.sessions):
            for _ in range(fault["times"]):
                session.link.send(*malformed(fault["what"], binary=session.binary))

    async def _restart(self, fault: Fault) -> None:  # noqa: ARG002  (every effect is given its fault)
        await self._close()

    async def _restarted(self, fault: Fault) -> None:  # noqa: ARG002  (as above)
        if not self._faults.running("restart"):
            await self._reopen()
