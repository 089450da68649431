"""`DeskView`: a desk as it stands, for pages: read in threads, so that looking never waits and never disturbs."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

import pandas as pd

from qtw_lab.core import DataError, Fact, Facts, LabError, Settings, SetupError
from qtw_lab.lab import desk_rows, desk_tables, order_ticket
from qtw_lab.lab.desk_books import Books
from qtw_lab.lab.desk_curves import Curves
from qtw_lab.lab.desk_places import DeskPlaces, limits_of, switch
from qtw_lab.lab.desk_venue import Poll, Said, Venue, Wanted

if TYPE_CHECKING:
    from qtw_lab.live.trading.state import DeskState
    from qtw_lab.venues.killswitch import Status

#: What a desk is: none there, not at work, just starting, at work, or at work and silent.
Stage = Literal["none", "asleep", "starting", "at work", "hung"]
#: What the broker's side is: not asked so far, without keys, answering, or silent.
Link = Literal["unknown", "no keys", "answers", "silent"]

#: Seconds between two looks into the books, and between two questions to the broker.
BOOKS: Final = 0.25
BROKER: Final = 2.0
#: Seconds without a heartbeat after which a desk at work counts as hung, and without an answer a broker as silent.
HUNG: Final = 10.0
SILENT: Final = 6.0


@dataclass(frozen=True, slots=True)
class DeskSeen:
    """A desk as it was seen; what did not change since the look before is the very same object.

    Parameters
    ----------
    stage : {"none", "asleep", "starting", "at work", "hung"}
        What the desk is.
    process : int
        Number of the desk's process; 0 without one.
    silent : float or None
        Seconds since the desk's last sign of life.
    switch : Status or None
        How the kill switch stands.
    limits : DataFrame
        The limits that are set, by rule, with what each allows.
    limits_trouble : str
        Why they cannot be read, if so; then nothing is sent.
    link : {"unknown", "no keys", "answers", "silent"}
        What the broker's side is.
    trouble : str
        Why books or broker could not be read, in words.
    unanswered : float
        Seconds since the broker's last answer.
    account : Facts or None
        The account as the broker told of it last.
    sessions, positions, orders, fills, refusals : DataFrame
        See `qtw_lab.lab.desk_tables` and `qtw_lab.lab.desk_rows`.
    curves : mapping of str to Series
        Equity by session, in dollars by time.
    together : Series
        That of all sessions.
    """

    stage: Stage = "none"
    process: int = 0
    silent: float | None = None
    switch: Status | None = None
    limits: pd.DataFrame = field(default_factory=pd.DataFrame)
    limits_trouble: str = ""
    link: Link = "unknown"
    trouble: str = ""
    unanswered: float = 0.0
    account: Facts | None = None
    sessions: pd.DataFrame = field(default_factory=pd.DataFrame)
    positions: pd.DataFrame = field(default_factory=pd.DataFrame)
    orders: pd.DataFrame = field(default_factory=pd.DataFrame)
    fills: pd.DataFrame = field(default_factory=pd.DataFrame)
    refusals: pd.DataFrame = field(default_factory=pd.DataFrame)
    curves: Mapping[str, pd.Series] = field(default_factory=dict)
    together: pd.Series = field(default_factory=lambda: pd.Series(dtype=float))

    @property
    def known(self) -> bool:
        """Whether there is anything that is known of an account: an empty table says nothing where there is not."""
        return self.stage != "none" or self.account is not None

    @property
    def halted(self) -> bool:
        """Whether nothing may be sent."""
        return self.switch is not None and self.switch.tripped

    @property
    def reachable(self) -> bool:
        """Whether the broker answers, as far as is known."""
        return self.link in ("unknown", "answers")


class DeskView:
    """The desk that was used last, looked at again and again.

    Parameters
    ----------
    settings : Settings
        Of the machine.

    Notes
    -----
    `poke` returns at once. Books are read in a thread, and only what was added to them; the broker is asked in another,
    so that one that does not answer holds nothing up. `seen` is the last picture, complete in itself.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._books, self._curves = Books(settings), Curves()
        self._venue = Venue(settings, self._wanted)
        self._said: Poll[Said] = Poll(self._venue.ask, BROKER)
        self._look: Poll[DeskSeen] = Poll(self._seen, BOOKS)
        self._tables: dict[str, Any] = {}
        self._of: tuple[Any, Any] = (None, None)

    def poke(self) -> None:
        """Look again, in threads, if it is time; returns at once."""
        self._said.ask()
        self._look.ask()

    def hurry(self) -> None:
        """Something was done: look again now."""
        self._said.hurry()
        self._look.hurry()
        self.poke()

    @property
    def seen(self) -> DeskSeen | None:
        """The last picture; None before the first."""
        return self._look.answer

    @property
    def error(self) -> LabError | None:
        """Why there is no newer picture, if so."""
        return self._look.error

    def wait(self, seconds: float = 10.0) -> DeskSeen | None:
        """A picture made after this call, waited for at most so long; for scripts and tests."""
        ends = time.monotonic() + seconds
        self._look.wait(seconds)
        before = self._look.answer
        while self._look.answer is before and time.monotonic() < ends and self._look.error is None:
            self.poke()
            self._look.wait(0.05)
            time.sleep(0.01)
        return self._look.answer

    # In the thread of the books

    def _seen(self) -> DeskSeen:
        try:
            changed = self._books.look()
        except SetupError:
            said = self._said.answer
            tables = {} if said is None else self._of_account(said)
            self._tables = tables
            return DeskSeen("none", account=_account(said), **self._linked(), **tables)
        places, said = self._books.places, self._said.answer
        assert places is not None  # noqa: S101  (`look` has found it, or raised)
        if changed or not self._tables:
            self._tables |= self._of_books()
        if changed or said is not self._of[1]:
            self._tables |= self._of_account(said)
        self._of = (places, said)
        return DeskSeen(
            **_life(places), switch=switch(places).status(), account=_account(said), **_limits(places),
            **self._linked(), **self._tables,
        )  # fmt: skip

    def _of_books(self) -> dict[str, Any]:
        state, before = self._books.state, self._tables
        if self._of[0] != self._books.places:
            self._curves = Curves()
        curves = self._curves.take(state)
        old = before.get("curves", {})
        same = bool(old) and curves.keys() == old.keys() and all(curves[name] is old[name] for name in curves)
        return self._news({
            "sessions": _sessions(state), "curves": curves,
            "together": before["together"] if same else self._curves.together(),
            "refusals": desk_tables.refused(self._books.refused[-100:][::-1]),
        })  # fmt: skip

    def _of_account(self, said: Said | None) -> dict[str, Any]:
        standing = desk_rows.Standing(self._books.state, self._books.account, said)
        return self._news({
            "positions": desk_rows.positions(standing), "orders": desk_rows.orders(standing),
            "fills": desk_rows.fills(standing),
        })  # fmt: skip

    def _news(self, tables: dict[str, Any]) -> dict[str, Any]:
        """The tables, where one equals what there was before that very object: then nobody shows it again."""
        found = {}
        for name, table in tables.items():
            before = self._tables.get(name)
            same = isinstance(table, pd.DataFrame) and isinstance(before, pd.DataFrame) and table.equals(before)
            found[name] = before if same else table
        return found

    def _linked(self) -> dict[str, Any]:
        """What is known of the broker's side."""
        error, silent = self._said.error, self._said.silent
        link: Link = "unknown" if self._said.answer is None else "answers"
        if isinstance(error, SetupError):
            link = "no keys"
        elif error is not None or silent > SILENT:
            link = "silent"
        return {"link": link, "trouble": "" if error is None else str(error), "unanswered": silent}

    def _wanted(self) -> Wanted:
        """The account alone while a desk at work is told of everything; else orders, too, which books say are open."""
        from qtw_lab.live.lease import holder_of

        places, mirror = self._books.places, self._books.account.mirror
        told = places is not None and holder_of(places.root) is not None
        orders = [known.id for known in list(mirror.orders.values()) if known.open]
        return Wanted(not told, orders, list(mirror.positions()))


#: Views that are shared by all who look from this process, by where the desk is and whose the account.
_SHARED: Final[dict[tuple[Any, ...], DeskView]] = {}


def shared(settings: Settings) -> DeskView:
    """The view of the desk of these settings: one for all pages of a process, so that a broker is asked once."""
    key = settings.alpaca_api_key_id
    name = (
        settings.qtw_storage_dir, settings.alpaca_trading_rest_url, settings.alpaca_data_rest_url,
        None if key is None else key.get_secret_value(),
    )  # fmt: skip
    if name not in _SHARED:
        _SHARED[name] = DeskView(settings)
    return _SHARED[name]


@dataclass(frozen=True, slots=True)
class Compared:
    """Books and broker side by side.

    Parameters
    ----------
    table : DataFrame
        Shares by symbol: the sessions', others', the broker's, and what the fills in the books come to.
    """

    table: pd.DataFrame

    @property
    def agrees(self) -> bool:
        """Whether the broker has what the books say."""
        return bool((self.table["broker"] == self.table["books"]).all())


def compared(settings: Settings) -> Compared:
    """Compare what the desk's books say of the account with what the broker says.

    Raises
    ------
    SetupError
        If there is no desk, or there are no keys.
    VenueError
        If the broker does not answer.
    """
    from qtw_lab.lab import paper

    books = Books(settings)
    broker = paper.remote(settings)
    table = desk_tables.reconcile(broker, desk_tables.state(settings))
    books.look()
    known = books.account.mirror.positions()
    lacking = pd.DataFrame(
        [{"symbol": symbol, "sessions": 0.0, "others": 0.0, "broker": 0.0}
         for symbol in known if symbol not in set(table["symbol"])],
        columns=list(table.columns),
    ).astype(table.dtypes.to_dict() if len(table) else {})  # fmt: skip
    whole = pd.concat([table, lacking], ignore_index=True) if len(lacking) else table
    return Compared(whole.assign(books=[float(known.get(symbol, 0)) for symbol in whole["symbol"]]))


def _sessions(state: DeskState) -> pd.DataFrame:
    """Sessions as a table, with what they hold to the fourth place of a share."""
    held = [
        ", ".join(f"{order_ticket.shares(one.qty)} {symbol}" for symbol, one in sleeve.book.holdings.items())
        for sleeve in state.sleeves.values()
    ]
    return desk_tables.sessions(state).assign(held=held)


def _life(places: DeskPlaces) -> dict[str, Any]:
    """Who works at a desk, and how long ago it was last seen alive."""
    from qtw_lab.live.lease import holder_of
    from qtw_lab.venues.feeds import steady
    from qtw_lab.venues.killswitch import Heartbeat
    from qtw_lab.venues.killswitch.heartbeat import Unread

    holder = holder_of(places.root)
    if holder is None:
        return {"stage": "asleep"}
    beat = Heartbeat(places.stop / "heartbeat.json").last()
    if isinstance(beat, Unread) or beat.pid != holder.pid:
        return {"stage": "starting", "process": holder.pid}
    silent = max(0.0, (steady() - beat.at) / 1e9)
    return {"stage": "hung" if silent > HUNG else "at work", "process": holder.pid, "silent": silent}


def _account(said: Said | None) -> Facts | None:
    """The account's figures."""
    if said is None:
        return None
    account = said.account
    day = account.equity - account.last_equity
    return Facts(
        f"Account {account.id[:13]}",
        (
            Fact("equity", float(account.equity), "money", "Equity", "cash and positions at last prices"),
            Fact("day", float(day), "money", "Gain today", "since the close before"),
            Fact("cash", float(account.cash), "money", "Cash"),
            Fact("buying_power", float(account.buying_power), "money", "Buying power", "what new positions may cost"),
            Fact("blocked", "blocked" if account.blocked else "open", "text", "Account", "as the broker says"),
        ),
    )  # fmt: skip


def _limits(places: DeskPlaces) -> dict[str, Any]:
    """The limits of a desk, or why they cannot be read: then no order may be sent."""
    try:
        return {"limits": order_ticket.limits_shown(limits_of(places))}
    except DataError as err:
        return {"limits_trouble": str(err)}
