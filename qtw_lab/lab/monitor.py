"""`Monitor`: the realtime engine of this machine as a page shows it, and what starts and stops it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import pandas as pd

from qtw_lab.core import DataError, Facts, Settings
from qtw_lab.lab import monitor_tables as tables
from qtw_lab.lab import realtime
from qtw_lab.lab.monitor_condition import LIMIT, Condition, condition_of
from qtw_lab.lab.monitor_tail import Beats, Tail
from qtw_lab.live.client import Live
from qtw_lab.live.following import Follower
from qtw_lab.live.following_kept import Keep
from qtw_lab.live.status import read_status

if TYPE_CHECKING:
    from qtw_lab.lab.front import Lab

#: Profiles of the house, and feeds, in the order in which they are offered.
TEMPLATES: Final = ("retail_second", "retail_minute")
FEEDS: Final = ("simulator", "iex", "sip", "delayed_sip", "test")

#: The profile of the last start, which `Live` leaves in the state folder.
_LAST: Final = "realtime_profile.json"


class Monitor:
    """Looks at an engine, whoever started it; never disturbs it, and keeps bounded memory however long it looks.

    Parameters
    ----------
    settings : Settings
        They say where the engine keeps what it knows.
    keep : Keep, optional
        How much of its journal is kept.
    clock : callable
        Seconds since 1970.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     monitor = Monitor(Settings(qtw_storage_dir=folder, _env_file=None))
    ...     monitor.condition().state, monitor.focus(5).empty
    ('never', True)
    """

    def __init__(self, settings: Settings, keep: Keep | None = None, clock: Callable[[], float] = time.time) -> None:
        self.settings, self._clock = settings, clock
        self.places = realtime.places(settings)
        self.follower = Follower(self.places.journal, keep)
        self.beats = Beats(self.places.data / "metrics.ndjson")
        self.log = Tail(self.places.state / "engine.log", 40)
        self._live = Live(realtime.profile_of("retail_second"), self.places)

    def condition(self) -> Condition:
        """How the engine is."""
        return condition_of(read_status(self.places.state, fresh_seconds=LIMIT), self._clock(), self.follower.ended)

    def facts(self) -> Facts:
        """Its figures, as `Live.facts` has them."""
        return self._live.facts()

    @property
    def slow(self) -> bool:
        """Whether the next `follow` takes longer than a moment: the end of the journal has to be found first."""
        return self.follower.far

    def follow(self) -> bool:
        """Take in what the engine wrote into its journal since the last call; whether that was everything.

        Raises
        ------
        DataError
            If its journal was written by another version.
        """
        return self.follower.follow()

    def glance(self) -> None:
        """Take in what it measured and printed since the last call."""
        self.beats.follow()
        self.log.follow()

    @property
    def told(self) -> int:
        """Changes whenever something happened: whenever `churn`, `gaps`, `events` or `universe` may be others."""
        return self.follower.told

    # What it decides on

    @property
    def levels(self) -> tuple[int, ...]:
        """Lengths of its bars, in seconds."""
        return self.follower.levels

    @property
    def decided_on(self) -> int:
        """Length of the bars that it decides on; 5 if no journal says so."""
        rules = self.follower.started.get("profile", {}).get("engine", {})
        return int(rules.get("bar_aggregate_seconds", 5))

    @property
    def speed(self) -> float:
        """Seconds of the venue in one of ours; 1 if no journal says so."""
        return float(self.follower.started.get("speed", 1.0))

    @property
    def symbols(self) -> list[str]:
        """Its focus, best first."""
        return list(self.follower.focus)

    # Tables

    def focus(self, level: int, find: str = "", order: str = "rank") -> pd.DataFrame:
        """Its focus; see `qtw_lab.lab.monitor_tables.focus_table` and `chosen`."""
        whole = tables.focus_table(self.follower, level, round(self._clock() * 1e9))
        return tables.chosen(whole, find, order)

    def bars(self, symbol: str, level: int) -> pd.DataFrame:
        """The last bars of a symbol; see `qtw_lab.lab.monitor_tables.bars_table`."""
        return tables.bars_table(self.follower, symbol, level)

    def signals(self, last: int = 40, *, held: bool = True) -> pd.DataFrame:
        """Its last signals; see `qtw_lab.lab.monitor_tables.signals_table`."""
        return tables.signals_table(self.follower, last, held=held)

    def churn(self, last: int = 20) -> pd.DataFrame:
        """The last changes of the focus; see `qtw_lab.lab.monitor_tables.churn_table`."""
        return tables.churn_table(self.follower, last)

    def gaps(self, last: int = 20) -> pd.DataFrame:
        """The last gaps; see `qtw_lab.lab.monitor_tables.gaps_table`."""
        return tables.gaps_table(self.follower, last)

    def events(self, last: int = 30) -> pd.DataFrame:
        """What happened lately; see `qtw_lab.lab.monitor_tables.events_table`."""
        return tables.events_table(self.follower, last)

    def universe(self) -> tuple[int | None, dict[str, int]]:
        """How many symbols were ranked last, and how many were left out by which reason."""
        said = self.follower.universe
        ranked = said.get("ranked")
        return (None if ranked is None else int(ranked)), {str(k): int(v) for k, v in said.get("excluded", {}).items()}

    # Start and stop

    def profiles(self) -> dict[str, str]:
        """What an engine can be started with, by name: the house's, that of the last start, and files of your own.

        Your own are JSON files in the folder ``realtime/profiles`` of the storage folder.
        """
        found = {name: name for name in TEMPLATES}
        last = self.places.state / _LAST
        if last.exists():
            found["last"] = str(last)
        folder = self.settings.qtw_storage_dir / "realtime" / "profiles"
        return found | {path.stem: str(path) for path in sorted(folder.glob("*.json")) if path.stem not in found}

    def start(self, lab: Lab, profile: str, feed: str, speed: float) -> None:
        """Start an engine in a process of its own and wait until it runs; it goes on when the page is closed.

        Parameters
        ----------
        lab : Lab
            Whose settings it gets.
        profile : str
            A name of `profiles`.
        feed : str
            One of `FEEDS`.
        speed : float
            Of a simulator: its seconds in one of ours.

        Raises
        ------
        DataError
            If there is no such profile, or it is wrong, or the speed is none.
        SetupError
            If one runs already, or it does not start; the message has its last words.
        """
        known = self.profiles()
        if profile not in known:
            raise DataError(f"There is no profile {profile!r}. There are: {', '.join(known)}.")
        if not 0 < speed < float("inf"):
            raise DataError(f"A speed of {speed:g} is none: give venue seconds a second above 0, such as 10.")
        self._live = lab.live(known[profile], feed=feed, speed=speed).start()

    def stop(self) -> None:
        """Ask the engine to stop and wait until it has.

        Raises
        ------
        SetupError
            If it has not stopped after twenty seconds.
        """
        self._live.stop()
