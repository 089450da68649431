"""A simulator and the settings that point to it, for desks at work in this process or another."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from qtw_lab.core import Settings
from qtw_lab.lab import desk_tables, realtime
from qtw_lab.live.trading.state import DeskState
from qtw_lab.venues.brokers import Broker
from qtw_lab.venues.simulator.choosing import chosen_market
from qtw_lab.venues.simulator.server import Simulator


@contextlib.contextmanager
def exchange(
    folder: Path, *, speed: float = 10.0, start: str = "10:00", **more
) -> Iterator[tuple[Simulator, Settings]]:
    """A synthetic market of three symbols, SAAAA to SAAAC, and settings with a storage folder of their own."""
    with Simulator(chosen_market(symbols=3), speed=speed, start=start, rate_limit=0, **more) as served:
        bare = Settings(qtw_storage_dir=folder, _env_file=None)
        yield served, realtime.pointed_to(bare, served)


def state(settings: Settings) -> DeskState:
    """What the desk that was used last knows; nothing before there was one."""
    with contextlib.suppress(Exception):
        return desk_tables.state(settings)
    return DeskState()


def until(true: Callable[[], bool], seconds: float = 200.0, what: str = "") -> None:
    """Wait until something is true; the first engine on a machine compiles for a minute."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, what or "it did not come to that"
        time.sleep(0.05)


def whole(found: DeskState, broker: Broker) -> None:
    """Every order of the desk is at the venue once, its fills are given out once, and sessions come to the account."""
    assert found.faults() == []
    known = {order.client_order_id: order for order in broker.orders("all")}
    assert len(known) == len(broker.orders("all"))
    assert known.keys() <= found.orders.keys()
    for name, order in found.orders.items():
        assert name in known or order.status in ("refused", "abandoned", "crossed"), order
        assert abs(order.filled) == (known[name].filled_qty if name in known else 0), order
    assert sorted(found.executions) == sorted(fill.execution for fill in broker.fills())
    table = desk_tables.reconcile(broker, found)
    assert (table["others"] == 0).all(), table


class Beside(threading.Thread):
    """Does something beside a desk that works in the main thread; what it raises is raised at the end."""

    def __init__(self, work: Callable[[], None]) -> None:
        super().__init__(daemon=True)
        self._work, self.error = work, None

    def run(self) -> None:
        """Do it."""
        try:
            self._work()
        except BaseException as err:  # noqa: BLE001  (it is raised in the main thread)
            self.error = err

    def __enter__(self) -> Beside:
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.join(200.0)
        if self.error is not None:
            raise self.error
