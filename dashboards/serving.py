"""What both servers of pages have in common: how they begin, what they tell who started them, and how they end."""

from __future__ import annotations

import json
import os
import socket
import sys
from dataclasses import dataclass
from typing import Any, Final

from tornado.httpserver import HTTPServer
from tornado.ioloop import IOLoop
from tornado.netutil import bind_sockets
from tornado.web import Application

from dashboards.doors import Rules, door
from dashboards.labels import label
from dashboards.papers import routes
from dashboards.shell import PAGES
from qtw_lab.core import SetupError
from qtw_lab.lab import Lab
from qtw_lab.lab.publishing_plan import Plan

#: The end of this pipe means that who started us is gone, however that came about.
_LIFELINE: Final = 0


@dataclass(frozen=True)
class Serving:
    """A server of pages, before it listens.

    Parameters
    ----------
    plan : Plan
        Where it listens, and to whom.
    lab : Lab
        Whose runs' papers are given out.
    place : str
        Where a page is below the server's address, with its key in braces.
    """

    plan: Plan
    lab: Lab
    place: str

    def bound(self) -> list[socket.socket]:
        """Sockets that listen at the address of the plan, and nowhere else.

        Raises
        ------
        SetupError
            If it is taken, or none of this machine.
        """
        plan = self.plan
        try:
            return bind_sockets(plan.port, plan.ip)
        except (OSError, UnicodeError) as err:
            raise SetupError(
                f"The pages cannot be served at {plan.ip}, port {plan.port}: {getattr(err, 'strerror', None) or err}. "
                "Choose another port with --port (0: any that is free), or an address of this machine with --ip."
            ) from err

    def door(self, inner: Application) -> HTTPServer:
        """A server that lets those requests through to `inner` that are fit."""
        first = f"/{self.place.format(PAGES[0])}"
        rules = Rules(self.plan, self.lab.keepsakes.preferences().language)
        return HTTPServer(door(inner, rules, first, routes(self.lab)))

    def run(self, loop: IOLoop, port: int) -> None:
        """Say where the pages are, and run until whoever started this says to end, or is gone."""
        pages = {label(f"page.{key}"): self.place.format(key) for key in PAGES}
        loop.add_handler(_LIFELINE, lambda *_: _read(loop), IOLoop.READ)
        loop.add_callback(tell, {"port": port, "pages": pages})
        loop.start()


def tell(said: dict[str, Any]) -> None:
    """Say something to whoever started this; all else goes to the log."""
    sys.stdout.write(json.dumps(said) + "\n")
    sys.stdout.flush()


def _read(loop: IOLoop) -> None:
    if not os.read(_LIFELINE, 4096):
        loop.remove_handler(_LIFELINE)
        loop.stop()
