"""`TradingDesk`: a notebook's hand on a desk that runs in a process of its own."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

import pandas as pd

from qtw_lab.core import DataError, Facts, Settings, SetupError
from qtw_lab.core.files import write_text
from qtw_lab.core.settings import environment
from qtw_lab.lab import desk, desk_halting, desk_places, desk_tables

if TYPE_CHECKING:
    from qtw_lab.lab.divergence import Divergence
    from qtw_lab.ledger.tickets import Ticket
    from qtw_lab.live.trading.preview import Preview
    from qtw_lab.live.trading.state import DeskState
    from qtw_lab.live.trading.terms import SessionTerms

_POLL: Final = 0.1
_LOG: Final = "desk.log"


@dataclass
class TradingDesk:
    """A desk in a process of its own: started, watched, commanded and stopped from here.

    A ``with`` block starts it, and stops it at the end in any case. Reading never disturbs it.

    Parameters
    ----------
    settings : Settings
        Of the machine: whose account, whose market data, where everything is kept.
    opening : sequence of SessionTerms
        Sessions to open if there are none of these names yet.
    arguments : sequence of str
        Further arguments of ``qtw paper run``.
    variables : mapping of str to str
        Environment of its process, on top of this one's.
    """

    settings: Settings
    opening: Sequence[SessionTerms] = ()
    arguments: Sequence[str] = ()
    variables: Mapping[str, str] = field(default_factory=dict, repr=False)
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    def start(self, seconds: float | None = None, patience: float = 180.0) -> Self:
        """Start the desk and wait until it works.

        Parameters
        ----------
        seconds : float, optional
            End by itself after so long.
        patience : float
            How long to wait for it.

        Raises
        ------
        SetupError
            If it does not start; the message has its last words.
        DataError
            If a strategy is not known to other processes.
        """
        from qtw_lab.live.trading.terms import reference_of

        for terms in self.opening:
            if reference_of(terms.strategy).startswith("__main__:"):
                raise DataError(
                    f"The strategy of {terms.name} is defined in this notebook, which the desk's process does not "
                    "know. Put it into a .py file beside the notebook and import it from there."
                )
        root = self.settings.qtw_storage_dir / "paper"
        command = [sys.executable, "-m", "qtw_lab", "paper", "run", *self.arguments]
        if self.opening:
            said = json.dumps([terms.written() for terms in self.opening])
            command += ["--session", str(write_text(root / "opening.json", said))]
        if seconds is not None:
            command += ["--max-seconds", str(seconds)]
        root.mkdir(parents=True, exist_ok=True)
        with (root / _LOG).open("wb") as log:
            self._process = subprocess.Popen(  # noqa: S603  (our own interpreter, arguments not through a shell)
                command, stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, start_new_session=True,
                env={**environment(), **self.variables},
            )  # fmt: skip
        names = {terms.name for terms in self.opening}
        self.wait(lambda: self.alive and names <= self.state().sleeves.keys(), patience, "begun")
        return self

    @property
    def alive(self) -> bool:
        """Whether a desk is at work where this one was used last."""
        from qtw_lab.live.lease import holder_of

        with contextlib.suppress(SetupError):
            return holder_of(desk_places.DeskPlaces.current(self.settings).root) is not None
        return False

    def wait(self, until: Callable[[], bool], seconds: float = 120.0, what: str = "done so") -> None:
        """Wait until something is true.

        Raises
        ------
        SetupError
            If it is not within so many seconds, or the desk has ended meanwhile.
        """
        end = time.monotonic() + seconds
        while not until():
            ended = self._process is not None and self._process.poll() is not None
            if ended or time.monotonic() > end:
                how = "has ended" if ended else f"has not {what} within {seconds:g} s"
                raise SetupError(f"The desk {how}. Its last words: {self.words() or 'none'}")
            time.sleep(_POLL)

    def words(self, lines: int = 5) -> str:
        """The last lines that it wrote for people."""
        path = self.settings.qtw_storage_dir / "paper" / _LOG
        with contextlib.suppress(OSError):
            return "\n".join(path.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])
        return ""

    def stop(self, seconds: float = 30.0) -> None:
        """Let it end, and wait for that; positions and open orders stay as they are.

        Raises
        ------
        SetupError
            If it does not end.
        """
        process = self._process
        if process is None or process.poll() is not None:
            return
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise SetupError(f"The desk (process {process.pid}) does not end; kill it if it hangs.") from None

    def kill(self) -> None:
        """End it as a crash would, by ``kill -9``; for trying out what becomes of its orders."""
        if self._process is not None:
            os.kill(self._process.pid, signal.SIGKILL)
            self._process.wait()

    # How it stands

    def state(self) -> DeskState:
        """What is known: sessions and their orders; nothing before it has begun."""
        from qtw_lab.live.trading.state import DeskState

        try:
            return desk_tables.state(self.settings)
        except SetupError:
            return DeskState()

    def sessions(self) -> pd.DataFrame:
        """Its sessions: what they are, hold, and are worth, in dollars."""
        return desk_tables.sessions(self.state())

    def curve(self, session: str) -> pd.DataFrame:
        """Equity and cash of a session at the close of each bar, in dollars, by time (UTC)."""
        return desk_tables.curve(self.state(), session)

    def fills(self, session: str | None = None) -> pd.DataFrame:
        """What sessions traded, or one of them."""
        return desk_tables.fills(self.state(), session)

    def orders(self) -> pd.DataFrame:
        """Orders of the sessions and what became of them."""
        return desk_tables.orders(self.state())

    def refusals(self) -> pd.DataFrame:
        """Orders that were not sent, or that the broker refused, with the reasons."""
        return desk_tables.refusals(self.settings)

    def reconcile(self) -> pd.DataFrame:
        """Shares by symbol: the sessions', others', and the broker's."""
        from qtw_lab.lab import paper

        return desk_tables.reconcile(paper.remote(self.settings), self.state())

    def halted(self) -> Facts:
        """How its kill switch stands."""
        return desk_halting.halted(self.settings)

    def diverge(self, session: str) -> Divergence:
        """Why a session and its backtest differ; see `qtw_lab.lab.divergence`."""
        from qtw_lab.lab.divergence import diverge

        return diverge(self.settings, session)

    # What people want of it

    def open(self, terms: SessionTerms) -> str:
        """Open a session; what was done."""
        return desk.ask(self.settings, {"do": "open", "terms": terms.written()})

    def change(self, session: str, what: str) -> str:
        """Let a session "pause", "continue", "close" what it holds, or "stop"; what was done."""
        return desk.ask(self.settings, {"do": what, "session": session})

    def preview(self, ticket: Ticket) -> Preview:
        """What an order by hand would come to, and every limit; as `qtw_lab.lab.order_ticket.preview`."""
        from qtw_lab.lab import order_ticket

        return order_ticket.preview(self.settings, ticket)

    def send(self, ticket: Ticket) -> str:
        """Send an order by hand, once; as `qtw_lab.lab.order_ticket.send`."""
        from qtw_lab.lab import order_ticket

        return order_ticket.send(self.settings, ticket)

    def cancel(self, order: str) -> str:
        """Cancel an order that no session sent; as `qtw_lab.lab.order_ticket.cancel`."""
        from qtw_lab.lab import order_ticket

        return order_ticket.cancel(self.settings, order)

    def halt(self, by: str, reason: str, *, flatten: bool = False) -> str:
        """Halt trading until a person resumes it; what was done."""
        return desk_halting.halt(self.settings, by=by, reason=reason, flatten=flatten)

    def resume(self, by: str, reason: str) -> str:
        """Let trading go on; what was done."""
        return desk_halting.resume(self.settings, by=by, reason=reason)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _repr_mimebundle_(self, **kwargs: object) -> dict[str, Any]:  # noqa: ARG002  (called by Jupyter)
        table = self.sessions()
        return {"text/plain": table.to_string(index=False), "text/html": table.to_html(index=False)}


def limits_written(settings: Settings, limits: Mapping[str, Any]) -> Path:
    """Write the limits of the desk that was used last; they count from its next start.

    Raises
    ------
    SetupError
        If there was no desk.
    DataError
        If a limit is not known or does not fit; nothing is written then.
    """
    places = desk_places.DeskPlaces.current(settings)
    desk_places.limits_from(dict(limits))
    return write_text(places.limits, json.dumps(dict(limits), indent=1))
