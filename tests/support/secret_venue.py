"""A process with a market that takes the keys of its settings; `qtw simulator serve` has keys of its own.

Its arguments are a port, how many symbols there are, and the file of the account.
"""

import signal
import sys
import threading

from qtw_lab.core import Settings


def main(port: str, symbols: str, book: str) -> None:
    """Serve until SIGTERM; prints the address."""
    from qtw_lab.lab import realtime

    settings = Settings.load()
    keys = tuple(settings.secret(name).get_secret_value() for name in ("ALPACA_API_KEY_ID", "ALPACA_API_SECRET_KEY"))
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    market = {"symbols": int(symbols), "start": "10:00", "book": book, "rate_limit": 0}
    with realtime.simulator(port=int(port), keys=keys, **market) as simulator:
        print(simulator.url, " ".join(simulator.market.symbols.names), flush=True)
        print(simulator, simulator.terms, simulator.state(), flush=True)
        ended.wait()


if __name__ == "__main__":
    main(*sys.argv[1:])
