"""A process that trades until its venue is gone, shows everything it is made of, and ends with a traceback.

Its arguments are a folder for its files and what it buys.
"""

import sys
import time
import traceback
from decimal import Decimal
from pathlib import Path
from types import TracebackType

from qtw_lab.core import Settings
from qtw_lab.ledger.tickets import Ticket


def main(folder: str, symbol: str) -> None:
    """Trade; prints "ready" once orders may be sent."""
    from qtw_lab.venues.alpaca_broker import AlpacaBroker
    from qtw_lab.venues.killswitch.heartbeat import HEARTBEAT, Heartbeat
    from qtw_lab.venues.mirror import Mirror
    from qtw_lab.venues.outbox import Outbox
    from qtw_lab.venues.paper.store import SqliteStore
    from qtw_lab.venues.trade_updates import TradeUpdates, updates_access
    from qtw_lab.venues.trader import Trader

    place, settings = Path(folder), Settings.load()
    broker = AlpacaBroker(settings, timeout=(1.0, 1.0))
    access = updates_access(settings)
    updates = TradeUpdates(access)
    sent = Outbox(broker, SqliteStore(place / "outbox.sqlite"), time.time_ns)
    mirror = Mirror(broker, SqliteStore(place / "mirror.sqlite"), time.time_ns)
    trader = Trader(broker, sent, mirror, updates, every=0.5)
    for one in (settings, broker, access, updates, sent, mirror, trader):
        print(repr(one), str(one), vars(one))
    heart, count = Heartbeat(place / HEARTBEAT), 0
    trader.open()
    while True:
        heart.beat(time.time_ns())
        trader.turn(0.1)
        if trader.ready or count > 2:  # once it has traded, it does not care: a venue that is gone must end it
            order = trader.submit(Ticket(symbol, "buy", "market", "day", qty=Decimal(1), client_order_id=f"t{count}"))
            print(order, mirror.positions(), flush=True)
            count += 1
            print(*["ready"] * (count == 3), flush=True)
            time.sleep(0.2)


def with_locals(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """The most talkative of all tracebacks: it shows the variables of each frame."""
    sys.stderr.writelines(traceback.TracebackException(kind, error, trace, capture_locals=True).format())


if __name__ == "__main__":
    sys.excepthook = with_locals
    main(*sys.argv[1:])
