"""The engine: what comes in goes to bars, bars to decisions, and nothing else decides what comes out.

`Engine` has no clock, no chance, no file and no network: the same `Inbound` things in the same order give the same
`Outcome`, to the last bit. That is what makes a recorded session a test.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np

from qtw_lab.core import DataError
from qtw_lab.live.answers import Answer
from qtw_lab.live.bars import BarColumns
from qtw_lab.live.common import SECOND, Common
from qtw_lab.live.deciding import Deciding
from qtw_lab.live.entering import Entrances, first_bars
from qtw_lab.live.focus import Change
from qtw_lab.live.gaps import Gaps, pause
from qtw_lab.live.halts import Halts
from qtw_lab.live.liveness import Listening, complete
from qtw_lab.live.mending import Mending
from qtw_lab.live.outcome import Event, Outcome
from qtw_lab.live.profile import Profile
from qtw_lab.live.resuming import Resumed
from qtw_lab.live.rows import ROW
from qtw_lab.live.selection import Selection
from qtw_lab.live.sessions import Sessions
from qtw_lab.live.signals import SignalBoard
from qtw_lab.live.venue_time import VenueTime, tally
from qtw_lab.venues.feeds import Inbound, Kind
from qtw_lab.venues.ticks import CANCEL, CORRECTION, TRADE, Rows, Symbols
from qtw_lab.venues.wire.decoding import Decoder
from qtw_lab.venues.wire.values import moment

#: News of the link after which nothing comes any more.
_BROKEN: Final = ("down", "waiting", "refused", "fatal", "ended")

#: An event that claims to be later than the venue's time by more than 5 s does not count; `BarColumns.add` says so.
_BELIEVED: Final = 5 * SECOND

_NO_ROWS: Final = np.zeros(0, dtype=ROW)

#: Seconds of bars that are kept at least: what may be fetched again after a gap or a restart must lie within them.
LEAST_ROWS: Final = 300

#: Trades remembered for each symbol of the focus; there are bounds to all of them together.
_KEPT: Final = 4096


class Engine:
    """Universe, focus, bars and decisions, step by step.

    Parameters
    ----------
    profile : Profile
        What to watch and how to decide.
    calendar : str
        When there is trading: an exchange code, or "24/7".
    speed : float
        Seconds of the venue in a second of the reader's clock.
    resumed : Resumed, optional
        Where an earlier run stopped, to go on from there; one without entries is a first start.
    assets : sequence of mapping
        The asset master, if it is known; else it is asked for.
    asking : bool
        Whether anybody answers questions. If not, the profile must name its symbols; there is no universe then, and
        gaps stay holes.

    Raises
    ------
    DataError
        If nobody answers questions and the profile does not name its symbols.

    Examples
    --------
    >>> from qtw_lab.live.profile import checked
    >>> engine = Engine(checked({"universe": {"symbols": ["AAPL"]}}), calendar="24/7", asking=False)
    >>> engine.take(Inbound(10**18, Kind.BEAT))
    >>> engine.outcome().wanted["trades"]
    ('AAPL',)
    """

    def __init__(
        self,
        profile: Profile,
        *,
        calendar: str = "XNYS",
        speed: float = 1.0,
        resumed: Resumed | None = None,
        assets: Sequence[Mapping[str, Any]] = (),
        asking: bool = True,
    ) -> None:
        if not asking and not profile.universe.symbols:
            raise DataError("Nobody answers questions, so the profile must say whom to listen to: universe.symbols.")
        rules = profile.engine
        self.profile, self.asking = profile, asking
        self.symbols = Symbols([*(resumed.standing.symbols if resumed else ()), *(profile.universe.symbols or ())])
        self.decoder = Decoder(self.symbols)
        kept = min(max(_KEPT * profile.focus.size, 1 << 14), 1 << 20)
        rows = [max(rules.bar_limit, LEAST_ROWS // level) for level in rules.levels]
        self.columns = BarColumns(rules.levels, rows, empty=rules.empty, kept=kept)
        self.board = SignalBoard(profile.built(), profile, calendar=calendar)
        self.sessions = Sessions(calendar)
        self.time = VenueTime(speed)
        self.selection = Selection(profile, assets=[dict(asset) for asset in assets])
        self.link: dict[str, Any] = {"state": "connecting"}
        self.faults = 0
        self.received = 0
        #: How old the newest event was when the last thing came in, nanoseconds; None if that was no data.
        self.fresh: int | None = None
        self._common = Common(profile, asking, self.symbols, self.columns, self.board, self.sessions)
        self._entrances = Entrances(self._common)
        self._deciding = Deciding(self._common, self._entrances.doubt)
        self._mending = Mending(self._common)
        self._listening = Listening(self.sessions, extended=rules.extended_hours)
        self._halts = Halts()
        self._confirmed: Mapping[str, Any] | None = None
        self._clock: int | None = None
        self._clock_due, self._clock_tries = 0, 0
        self._believed = int(_BELIEVED * (max(1.0, speed) - 1.0))
        self._taking: Mapping[Kind, Callable[[Inbound], None]] = {
            Kind.DATA: self._data, Kind.LINK: self._news, Kind.ANSWER: self._said, Kind.BEAT: self._beat,
        }  # fmt: skip
        self._begun = False
        if resumed is not None:
            self._resume(resumed)

    # Coming in

    def take(self, one: Inbound) -> None:
        """Take in one thing and draw the conclusions."""
        self.received, self.fresh = one.received, None
        if not self._begun:
            self._begin()
        self._taking[one.kind](one)
        self._turn()

    def outcome(self) -> Outcome:
        """What was concluded since this was last asked."""
        found, self._common.outcome = self._common.outcome, Outcome()
        return found

    def listen(self, listener: Callable[[int, int, int], None]) -> None:
        """Tell somebody of each bar that closes, before later ones do: its length in seconds, its start, and now."""
        self._deciding.listener = listener

    @property
    def now(self) -> int | None:
        """The venue's time, nanoseconds since 1970, UTC; None before anything was heard."""
        return self.time.now(self.received)

    @property
    def counts(self) -> dict[str, int]:
        """What came in so far, by name."""
        return {**self.columns.counts, "faults": self.faults, "wild": self.time.outliers, "mended": self.gaps.mended}

    @property
    def decided_on(self) -> int:
        """Length in seconds of the bars that decisions are made on."""
        return self.profile.engine.bar_aggregate_seconds

    @property
    def gaps(self) -> Gaps:
        """Breaks of the stream that are not mended yet."""
        return self._mending.gaps

    def _begin(self) -> None:
        self._begun = True
        if not self.asking:
            symbols = (self.profile.universe.symbols or ())[: self.profile.focus.size]
            self._moved(self.selection.fixed(symbols, self.received))

    def _resume(self, resumed: Resumed) -> None:
        """Go on from where a journal ends: its bars, its focus, its decisions, and a gap since its last bar."""
        standing = resumed.standing
        if not standing.focus:
            return
        self.selection.focus = dict(standing.focus)
        focus = self.symbols.numbers(standing.focus)
        rows = np.concatenate([some[np.isin(some["symbol"], focus)] for some in resumed.rows.values()] or [_NO_ROWS])
        known = first_bars(rows)
        for since, number in sorted((since, number) for number, since in known.items()):
            self.columns.active([number], since=since)
        self.columns.restore(rows)
        self._entrances.enter([self.symbols.names[number] for number in focus.tolist() if number not in known])
        numbers = np.array(sorted(set(focus.tolist()) & standing.decisions.keys()), dtype=np.int64)
        wanted = np.array([standing.decisions[number] for number in numbers.tolist()], dtype=np.float64)
        stances = np.array([standing.stances.get(number, 0.0) for number in numbers.tolist()], dtype=np.float64)
        self.board.restore(numbers, wanted, stances)
        self._common.outcome.wanted = self._channels()
        if known:
            last = standing.closed.get(self.decided_on)
            if last is not None and last > standing.decided.get(self.decided_on, -1):
                self._deciding.undecided = last
            before = standing.gap["start"] if standing.gap is not None else self.columns.unfinished
            self._mending.broke(min(before, self.columns.unfinished), "the engine was not running")

    def _data(self, one: Inbound) -> None:
        decoded = self.decoder.decode(one.payload)
        self.faults += decoded.faults
        ticks = decoded.ticks
        if not len(ticks):
            return
        newest = self.time.take(ticks, one.received)
        now = self.now
        if now is None:
            return
        self.fresh = max(0, now - newest) if newest is not None else None
        wild = self.columns.counts["outliers"]
        self.columns.add(ticks, now=now + self._believed)
        if self.columns.counts["outliers"] != wild:
            self._doubt(ticks, now)
        trades, quotes, statuses = tally(ticks)
        self._listening.heard(now, trades=trades, quotes=quotes)
        if statuses or self._halts:
            self._heard_of_halts(ticks, now)

    def _doubt(self, ticks: Rows, now: int) -> None:
        """Some events have times that cannot be: trades, and what takes them back, have to be fetched."""
        most = self._believed + _BELIEVED
        ahead = np.isin(ticks["kind"], (TRADE, CORRECTION, CANCEL)) & (ticks["time"] > now + most)
        self._mending.doubted(np.unique(ticks["symbol"][ahead]).tolist(), now, most, self.received)

    def _heard_of_halts(self, ticks: Rows, now: int) -> None:
        missed = self._halts.take(ticks)
        if len(missed):
            self.columns.add(missed, now=now)
        self._weigh_halts(now)

    def _weigh_halts(self, now: int) -> None:
        """See whether everything that is listened to is halted: then silence means nothing."""
        halted = self._halts.market(self.symbols.numbers(self.selection.focus).tolist())
        if self._listening.halt(now, halted=halted):
            self._common.warn("Everything that is listened to is halted." if halted else "The halt of all is over.")

    def _news(self, one: Inbound) -> None:
        news = json.loads(bytes(one.payload))
        state = news["state"]
        if state != "warning":  # which says nothing of how the link is
            self.link = news
        self._common.tell("link", news)
        if state == "subscribed":
            self._confirmed = news
        elif state in _BROKEN:
            self._lost(str(news.get("reason", state)))
        if state == "fatal":
            self._common.outcome.fatal = str(news.get("reason", "the venue refused for good"))

    def _said(self, one: Inbound) -> None:
        answer = Answer.of(one.payload)
        if self._mending.answered(answer, self.received) or self._entrances.answered(answer, self.received):
            return
        if answer.question.number == self._clock:
            self._told_time(answer)
        elif self.selection.answered(answer, self.received):
            self._ranked()
        elif answer.error or self.selection.fault:
            self._common.warn(f"Asked for {answer.question.about}: {answer.error or self.selection.fault}")

    def _beat(self, one: Inbound) -> None:
        """Nothing came: only time has passed."""

    # Conclusions

    def _turn(self) -> None:
        now = self.now
        if self.asking:
            self._ask(now)
        if now is None:
            return
        self._entrances.place(now)
        if self._confirmed is not None:
            self._settle(self._confirmed, now)
        self._mending.turn(self.received, self.selection.focus)
        self._entrances.turn(self._proven(now), self.received)
        self._watch(now)
        self._deciding.close(self._watermark(now), now)
        self._deciding.revise()

    def _ask(self, now: int | None) -> None:
        """Ask for the venue's time while it is not known, and for what makes the focus."""
        if now is None and self._clock is None and self.received >= self._clock_due:
            self._clock = self._common.ask("clock", ())
        self.selection.due(self.received, self._common.ask)
        self._moved(self.selection.refocused(self.received))

    def _told_time(self, answer: Answer) -> None:
        try:
            self.time.told(moment(str((answer.data or {})["timestamp"])), self.received)
        except (KeyError, TypeError, ValueError):
            self._clock, self._clock_due = None, self.received + pause(self._clock_tries)
            self._clock_tries += 1
            self._common.warn(f"Asked for clock: {answer.error or 'the answer has no time'}")

    def _watermark(self, now: int) -> int:
        """Up to when bars may close.

        A bar waits `late_seconds` after its end. While something is to be expected, it also waits for the first event
        after its end: the stream keeps its order, so that event is the proof that nothing before it is missing.
        """
        return min(now - int(self.profile.engine.late_seconds * SECOND), self._proven(now))

    def _proven(self, now: int) -> int:
        """How far the venue's time is sure to have come: to its newest event, while something is to be expected."""
        proof = self._listening.proof(self.time.latest)
        return now if proof is None or not self._listening.expecting(now) else min(now, proof)

    def _settle(self, news: Mapping[str, Any], now: int) -> None:
        """The venue says what it sends: from now on silence means something, and a gap ends."""
        self._confirmed = None
        channels = news.get("channels") or {}
        missing = news.get("missing") or {}
        began = self._listening.confirmed(channels, now)
        wanted = self._channels()
        if complete(channels, missing, wanted):
            self._entrances.confirmed(now, {name for names in missing.values() for name in names})
        if began and self.gaps.down:
            self._mending.healed(now, self.received)

    def _lost(self, reason: str) -> None:
        """Nothing comes any more."""
        self._confirmed = None
        if self._listening.on:
            proof = self._listening.proof(self.time.latest)
            self._mending.broke(self.columns.closed if proof is None else proof, reason)
        self._listening.down()

    def _watch(self, now: int) -> None:
        reason = self._listening.silence(now)
        if reason is not None:
            self._common.warn(f"The stream is silent. {reason}")
            self._common.outcome.reconnect = reason
            self._lost("silent")

    # Focus

    def _ranked(self) -> None:
        ranked = self.selection.ranked
        if ranked is not None:
            excluded = {reason: count for reason, count in ranked.excluded.items() if count}
            best = list(ranked.symbols[:20])
            self._common.tell("universe", {"ranked": len(ranked), "excluded": excluded, "best": best})
            self._moved(self.selection.refocused(self.received, new=True))

    def _moved(self, change: Change | None) -> None:
        if change is None:
            return
        left = [move.symbol for move in change.left]
        entered = [move.symbol for move in change.entered]
        gone = self.symbols.numbers(left).tolist()
        self._deciding.left(gone)
        self.columns.inactive(gone)
        self._halts.forget(gone)
        if (now := self.now) is not None:
            self._weigh_halts(now)
        self._entrances.leave(left)
        self.symbols.numbers(entered)
        if self.profile.engine.stream_enabled:
            self._entrances.enter(entered)
        self._common.outcome.wanted = self._channels()
        if change.changed:
            self._common.outcome.steps.append(Event("focus", {"size": len(change.focus)}, change))

    def _channels(self) -> dict[str, Sequence[str]]:
        names = tuple(self.selection.focus)
        rules = self.profile.engine
        wanted = {"trades": rules.stream_trades, "quotes": rules.stream_quotes, "statuses": True}
        return {channel: names for channel, on in wanted.items() if on and rules.stream_enabled}
