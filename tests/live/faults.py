"""An engine on a small simulated market where something goes wrong: how soon it says so, and when all is well again."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import pandas as pd
from truth import SECOND, Verdict, judged

from qtw_lab.core import Settings
from qtw_lab.live.journal import read_journal
from qtw_lab.live.journal_kinds import Entry, JournalEntry
from qtw_lab.live.profile import Profile, checked
from qtw_lab.live.running import Ending, Places, Runner
from qtw_lab.live.status import read_status
from qtw_lab.venues.alpaca import AlpacaReference, alpaca_feed
from qtw_lab.venues.backoff import Backoff
from qtw_lab.venues.feeds import steady
from qtw_lab.venues.link import Limits
from qtw_lab.venues.simulator.recorded import RecordedMarket
from qtw_lab.venues.simulator.server import Simulator
from qtw_lab.venues.simulator.synthetic import SyntheticMarket
from qtw_lab.venues.ticks import CANCEL, CORRECTION, QUOTE, STATUS, TRADE

START = "2026-03-10 10:00"
ZONE = "America/New_York"
_NUMBERS = itertools.count(1)
#: News of the link that say that something is wrong.
BROKEN = ("down", "waiting", "refused", "fatal", "warning")


def small_market(
    start: str = "2026-03-10 09:59", minutes: float = 10.0, *, symbols: int = 8, rate: float = 300.0, seed: int = 3,
    scripted: Callable[[Any, Any], tuple[Any, Any]] | None = None,
) -> RecordedMarket:  # fmt: skip
    """A few of the most traded stocks, with late reports, corrections and cancels, for some minutes of New York's time.

    Parameters
    ----------
    scripted : callable, optional
        Of the rows and their arrivals: what becomes of them.
    """
    whole = SyntheticMarket(seed=seed, date=start[:10], symbols=symbols, events_per_second=rate)
    begin = pd.Timestamp(start, tz=ZONE).as_unit("ns").value
    rows, times = whole.arrivals(begin, begin + int(minutes * 60 * SECOND))
    if scripted is not None:
        rows, times = scripted(rows, times)
    keys = [tuple(key) for key in rows[["symbol", "exchange", "id"]].tolist()]
    traded = {key for key, kind in zip(keys, rows["kind"].tolist(), strict=True) if kind == TRADE}
    notice = np.isin(rows["kind"], (CORRECTION, CANCEL))
    known = np.array([key in traded for key in keys]) & notice | np.isin(rows["kind"], (TRADE, QUOTE, STATUS))
    return RecordedMarket.from_rows(rows[known], whole.symbols, arrivals=times[known])


def small_profile(names: list[str], **engine: Any) -> Profile:
    """All of them, no filter."""
    return checked({
        "universe": {"symbols": list(names), "min_price": 0, "min_dollar_volume": 0, "min_volume": 0},
        "focus": {"size": len(names)}, "signals": {"min_volume": 0},
        "engine": {"focus_refresh_seconds": 3600.0, "universe_refresh_seconds": 3600.0} | engine,
    })  # fmt: skip


@dataclass(frozen=True)
class Moment:
    """One moment: on the engine's clock and on the market's, nanoseconds since 1970."""

    wall: int
    market: int


class Drill:
    """A simulated market and an engine in a thread of its own; within the block both work.

    Parameters
    ----------
    folder : Path
        Where the engine keeps what it knows.
    market : Market
        What is played.
    speed : float
        Market seconds in a second.
    start : str
        Where the market begins, New York time.
    limits, backoff
        Of the engine's link.
    now : callable
        The engine's clock.
    profile : Profile, optional
        By default all symbols of the market.
    simulator : mapping
        Further options of the simulator.
    """

    def __init__(
        self,
        folder: Path,
        market: Any = None,
        *,
        speed: float = 5.0,
        start: str = START,
        limits: Limits | None = None,
        backoff: Backoff | None = None,
        now: Callable[[], int] | None = None,
        profile: Profile | None = None,
        **simulator: Any,
    ) -> None:
        self.market = small_market() if market is None else market
        self.speed, self.limits = speed, limits or Limits(connecting=3.0, ping=0.5, pong=1.0, answer=2.0)
        self.backoff = backoff
        self.key = f"key-{next(_NUMBERS)}"  # pauses that a venue asks for are kept by key
        options: dict[str, Any] = {"rate_limit": 0, "hold": False} | simulator
        moment = pd.Timestamp(start, tz=ZONE)
        self.simulator = Simulator(self.market, speed=speed, start=moment, keys=(self.key, "secret"), **options)
        self.places = Places(folder / "state", folder / "data")
        self.profile = profile or small_profile(self.market.symbols.names)
        self.now = now or steady
        self.calendar = "XNYS"
        self.runner: Runner | None = None
        self.ending: Ending | BaseException | None = None
        self.stopped_at = 0
        self._entries: list[JournalEntry] = []
        self._thread: threading.Thread | None = None

    def settings(self) -> Settings:
        """Pointed to the simulator."""
        return Settings(
            alpaca_api_key_id=self.key, alpaca_api_secret_key="secret", alpaca_data_feed="sip",
            alpaca_data_ws_url=self.simulator.stream_url("sip"), alpaca_data_rest_url=self.simulator.url,
            alpaca_trading_rest_url=self.simulator.url, alpaca_requests_per_minute=100_000, _env_file=None,
        )  # fmt: skip

    def begin(self) -> None:
        """Start the engine."""
        settings = self.settings()
        self.runner = Runner(
            self.profile, alpaca_feed(settings, limits=self.limits, backoff=self.backoff, now=self.now),
            AlpacaReference(settings, timeout=(2.0, 2.0)), self.places, speed=self.speed, calendar=self.calendar,
            now=self.now, version="drill",
        )  # fmt: skip
        self.ending = None
        self._thread = threading.Thread(target=self._run, args=(self.runner,), daemon=True)
        self._thread.start()

    def _run(self, runner: Runner) -> None:
        try:
            self.ending = runner.run(120.0)
        except BaseException as err:  # noqa: BLE001  (whoever waits for the thread is told)
            self.ending = err

    def halt(self) -> None:
        """Stop the engine, once it has heard and mended everything the market has told so far."""
        self.until(self.whole, 20.0, "mended its gaps")
        self.simulator.clock.pause()
        self.stopped_at, paused = self.simulator.clock.nanoseconds, self.now()
        self.quiet()
        self.until(lambda: self.whole(paused), 20.0, "mended its gaps")
        self.cut()

    def quiet(self) -> None:
        """Wait until for longer than the engine pauses between two questions no bar was written and nothing sent or
        taken in; at most 8 s.

        A market that stands still seems a silent stream after a while, and then there are gaps, and bars, without end.
        """
        ends, since, seen = time.monotonic() + 8.0, time.monotonic(), self._traffic()
        while time.monotonic() - since < 1.3 and time.monotonic() < ends:
            time.sleep(0.05)
            if (now := self._traffic()) != seen:
                since, seen = time.monotonic(), now

    def _traffic(self) -> tuple[Any, ...]:
        """What was written, taken in, sent and waits to be sent."""
        data, counts = self.simulator.state()["data"], read_status(self.places.state).content.get("counts")
        return self._bars_at(), counts, data["sent"], data["accepted"], [link["backlog"] for link in data["links"]]

    def _bars_at(self) -> int:
        return max((e.received for e in self.entries()[-200:] if e.kind == Entry.ROWS), default=0)

    def cut(self) -> None:
        """Stop the engine as it is."""
        if self.runner is not None and self._thread is not None:
            self.runner.stop()
            self._thread.join(20.0)
            assert not self._thread.is_alive(), "the engine does not stop"
        if isinstance(self.ending, BaseException):
            raise self.ending

    def __enter__(self) -> Self:
        self.simulator.start()
        self.begin()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.runner is not None and self._thread is not None and self._thread.is_alive():
            self.runner.stop()
            self._thread.join(20.0)
        self.simulator.stop()

    # What it told

    def entries(self) -> list[JournalEntry]:
        """Everything in the journal so far."""
        if self.places.journal.exists():
            self._entries += read_journal(self.places.journal, self._entries[-1].after if self._entries else None)
        return self._entries

    def moment(self) -> Moment:
        """Now."""
        return Moment(self.now(), self.simulator.clock.nanoseconds)

    def until(self, true: Callable[[], Any], seconds: float = 15.0, what: str = "come to that") -> Any:
        """What it comes to, once it is true."""
        ends = time.monotonic() + seconds
        while not (found := true()):
            last = [(e.kind.name, str(e.content)[:160]) for e in self.entries() if e.kind not in _TABLES][-6:]
            assert time.monotonic() < ends, f"the engine has not {what} in {seconds:g} s; {self.ending}; last: {last}"
            time.sleep(0.02)
        return found

    def closed_after(self, time: int, since: int = 0) -> JournalEntry | None:
        """The first bars that begin at or after a market time, of those written since a moment of our clock."""
        for entry in self.entries():
            if (
                entry.received >= since
                and entry.kind == Entry.ROWS
                and entry.content["level"][0] == 1
                and entry.content["time"][0] >= time
            ):
                return entry
        return None

    def running(self) -> None:
        """Wait until bars close."""
        begun = self.moment()
        self.until(lambda: self.closed_after(begun.market, begun.wall), 30.0, "closed a bar")

    def pass_market(self, seconds: float) -> None:
        """Wait until bars have closed so many market seconds from now."""
        aim = self.moment().market + int(seconds * SECOND)
        self.until(lambda: self.closed_after(aim - SECOND), 30.0, "closed a bar")

    def told(self, since: Moment) -> JournalEntry | None:
        """The first word of trouble since a moment."""
        return next((e for e in self.entries() if e.received >= since.wall and trouble(e)), None)

    def gaps(self, state: str, since: int = 0) -> list[JournalEntry]:
        """Entries of gaps of a state."""
        gaps = [entry for entry in self.entries() if entry.kind == Entry.GAP and entry.received >= since]
        return [entry for entry in gaps if entry.content["state"] == state]

    def whole(self, until: int | None = None) -> bool:
        """Whether every gap is filled that was open since the engine began and, if given, before a moment."""
        begun = max(entry.received for entry in self.entries() if entry.kind == Entry.START)
        opened = [gap.content["start"] for gap in self.gaps("open", begun) if until is None or gap.received < until]
        return {*opened} <= {gap.content["start"] for gap in self.gaps("filled", begun)}

    def writing_faults(self) -> dict[str, str]:
        """What its status says that it cannot write."""
        return dict(read_status(self.places.state).content.get("faults_of_writing", {}))

    def links(self) -> list[str]:
        """States of the link, in order."""
        return [entry.content["state"] for entry in self.entries() if entry.kind == Entry.LINK]

    def verdict(self) -> Verdict:
        """Its bars beside those of all trades."""
        return judged(self.places.journal, self.market, self.stopped_at, self.profile.engine.levels)


_TABLES = (Entry.ROWS, Entry.SIGNALS, Entry.DECISIONS, Entry.SYMBOLS)


def trouble(entry: JournalEntry) -> bool:
    """Whether an entry says that something is wrong."""
    if entry.kind == Entry.LINK:
        return entry.content["state"] in BROKEN
    return entry.kind == Entry.WARNING or (entry.kind == Entry.GAP and entry.content["state"] == "open")


@dataclass(frozen=True)
class Blow:
    """How a running engine took something that went wrong.

    Parameters
    ----------
    detected : float or None
        Seconds from its beginning to the first word of trouble in the journal; None if there was none.
    recovered : float
        Seconds from its end until a bar that began after it was closed and every gap filled.
    gap : bool
        Whether there was a gap.
    """

    detected: float | None
    recovered: float
    gap: bool


def struck(drill: Drill, faults: Iterable[Mapping[str, Any]], lasting: float = 0.0, *, gap: bool | None = None) -> Blow:
    """Let something go wrong in a running drill and wait until all is well again.

    Parameters
    ----------
    faults : iterable of mapping
        As entries of a scenario.
    lasting : float
        Seconds from the first to the end of all.
    gap : bool, optional
        Whether there must be a gap, or must be none.
    """
    before = drill.moment()
    for fault in faults:
        drill.simulator.fault(fault)
    time.sleep(lasting)
    after = drill.moment()
    well = drill.until(lambda: drill.closed_after(after.market), 30.0, "closed a bar after the fault")
    if gap:
        drill.until(lambda: drill.gaps("filled", before.wall), 30.0, "filled a gap")
    drill.until(drill.whole, 30.0, "filled its gaps")
    last = max([well.received, *(entry.received for entry in drill.gaps("filled", before.wall))])
    word, opened = drill.told(before), bool(drill.gaps("open", before.wall))
    assert gap is None or opened == gap, [str(e.content) for e in drill.gaps("open", before.wall)]
    detected = None if word is None else max(0.0, (word.received - before.wall) / 1e9)
    return Blow(detected, max(0.0, (last - after.wall) / 1e9), opened)
