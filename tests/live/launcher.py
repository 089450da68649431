"""Starts `qtw realtime run` as a new process whenever it is told to, without importing everything anew each time.

Reads lines from its input: each starts the command (profile and speed are arguments, the rest is in the environment)
in a forked process; prints its process number, and when it ends its exit status (negative: the signal that killed it).
"""

from __future__ import annotations

import os
import sys


def main(profile: str, speed: str) -> None:
    """Serve until the input ends."""
    from typer.testing import CliRunner  # noqa: F401  (everything that a command needs is imported before it is forked)

    from qtw_lab.cli.app import app
    from qtw_lab.lab import realtime  # noqa: F401
    from qtw_lab.live import bars
    from qtw_lab.live.engine import Engine
    from qtw_lab.live.profile import load
    from qtw_lab.live.sessions import Sessions
    from qtw_lab.venues import alpaca
    from qtw_lab.venues.feeds import Inbound, Kind
    from qtw_lab.venues.link import compile_framing

    bars.warm()
    compile_framing()
    Sessions("XNYS").at(1_773_151_200 * 10**9)
    engine = Engine(load(profile))
    nothing = b"[]"
    engine.take(Inbound(1_773_151_200 * 10**9, Kind.DATA, len(nothing).to_bytes(4, "little") + b"\x01" + nothing))
    alpaca.imported("alpaca.data.historical")
    alpaca.imported("alpaca.trading.client")
    print("ready", flush=True)
    for _ in sys.stdin:
        child = os.fork()
        if child == 0:
            null = os.open(os.devnull, os.O_RDWR)
            os.dup2(null, 0)
            os.dup2(2, 1)
            app(["realtime", "run", "--profile", profile, "--feed", "simulator", "--speed", speed])
            os._exit(70)  # a command ends by itself
        print(child, flush=True)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
