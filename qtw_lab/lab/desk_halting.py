"""Halts the trading of a desk, lets it go on, and watches over it."""

from __future__ import annotations

import os
import sys
from typing import NoReturn

from qtw_lab.core import Fact, Facts, Settings, VenueError
from qtw_lab.lab.desk_places import DeskPlaces, limits_of, switch


def halt(settings: Settings, *, by: str, reason: str, flatten: bool = False) -> str:
    """Trip the kill switch of the desk that was used last, and cancel its open orders; what was done.

    The switch works though nothing else does: it is tripped first, and stays so if the venue does not answer.

    Raises
    ------
    SetupError
        If there was no desk, or its folder cannot be written.
    VenueError
        If the venue did not confirm that nothing is open; trading is halted all the same.
    """
    from qtw_lab.lab import paper

    places = DeskPlaces.current(settings)
    switch(places).trip(by, reason, flatten=flatten)
    try:
        broker = paper.remote(settings)
        if flatten:
            closing = paper.flatten(broker)
            return f"Trading is halted; open orders are canceled, {len(closing)} positions are being closed."
        for order in broker.orders():
            paper.cancel_unless_over(broker, order.id)
    except VenueError as err:
        raise VenueError(f"Trading is halted, but open orders may be left: {err}") from err
    return "Trading is halted, and open orders are canceled."


def resume(settings: Settings, *, by: str, reason: str) -> str:
    """Reset the kill switch of the desk that was used last: a person says that it is safe; what was done.

    Raises
    ------
    SetupError
        If there was no desk, or its folder cannot be written.
    """
    switch(DeskPlaces.current(settings)).reset(by, reason)
    return "Trading may go on."


def watch(settings: Settings, *, flatten: bool = False, calendar: str = "XNYS") -> NoReturn:
    """Become the watcher of the desk that was used last: the kill switch's own small process, until it is ended.

    It halts trading when the desk's heartbeat stops during a session, the account cannot be read, the clock jumps, or
    the account is over the desk's limits of loss, drawdown or leverage.

    Raises
    ------
    SetupError
        If there was no desk.
    DataError
        If the desk's limits cannot be read.
    """
    from qtw_lab.core.settings import environment
    from qtw_lab.lab.passing import environment_of

    places = DeskPlaces.current(settings)
    limits = limits_of(places)
    url = settings.alpaca_trading_rest_url or "https://paper-api.alpaca.markets"
    words = ["run", "--folder", str(places.stop), "--url", url, "--calendar", calendar]
    words += ["--flatten"] if flatten else []
    for name in ("max_daily_loss", "max_drawdown", "max_leverage"):
        limit = getattr(limits, name)
        words += [] if limit is None else [f"--{name.replace('_', '-')}", str(limit)]
    keys = {name: value for name, value in environment_of(settings).items() if name.startswith("ALPACA_API_")}
    command = [sys.executable, "-m", "qtw_lab.venues.killswitch", *words]
    os.execve(sys.executable, command, {**environment(), **keys})  # noqa: S606  (our own program)


def halted(settings: Settings) -> Facts:
    """How the kill switch of the desk that was used last stands."""
    found = switch(DeskPlaces.current(settings)).status()
    return Facts(
        "Kill switch",
        (
            Fact("trading", "halted" if found.tripped else "allowed", "text", "Trading", found.reason),
            Fact("by", found.by or "nobody", "text", "By"),
        ),
    )  # fmt: skip
