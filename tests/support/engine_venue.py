"""A venue for tests of the engine: a small random market, its stream in payloads, and its answers to questions."""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from qtw_lab.live.answers import Answer
from qtw_lab.live.outcome import Event, Stances
from qtw_lab.live.rows import ROW
from qtw_lab.venues.feeds import Inbound, Kind
from qtw_lab.venues.ticks import (
    CANCEL,
    CORRECTION,
    QUOTE,
    TICK,
    TRADE,
    Symbols,
    condition_letters,
    condition_mask,
)
from qtw_lab.venues.wire.encoding import encode

SECOND = 10**9
START = 1_704_205_800 * SECOND  # a whole minute; 14:30 UTC on a Tuesday
#: The reader's clock is this far ahead of the venue's, so that nobody can mistake the one for the other.
AHEAD = 987_654_321_123_456_789 // 7
STEP = SECOND // 4

_CONDITIONS = [condition_mask(c) for c in ("@", "@", "@", "I", "T", "Z", "4")]


def random_market(seed, names=("AAA", "BBB", "CCC", "DDD", "EEE"), seconds=60, rate=1.5, *, late=True):
    """Events and when each arrives: trades, quotes, late reports, repetitions, corrections and cancels, by arrival.

    In the first ten seconds all goes well: what is corrected before a symbol's first bar is never learned.
    """
    rng = np.random.default_rng(seed)
    symbols, rows, arrivals, number = Symbols(names), [], [], 0
    for symbol in range(len(names)):
        count = rng.poisson(rate * seconds)
        times = START + np.sort(rng.integers(0, seconds * SECOND, count))
        prices = np.round(20 + symbol + np.cumsum(rng.normal(0, 0.03, count)), 2)
        for time, price in zip(times.tolist(), prices.tolist(), strict=True):
            number += 1
            trade = np.zeros(1, dtype=TICK)
            trade["kind"], trade["symbol"], trade["time"], trade["id"] = TRADE, symbol, time, number
            trade["price"], trade["size"] = price, rng.choice([1, 50, 100, 0.5, 333])
            trade["conditions"], trade["exchange"], trade["tape"] = rng.choice(_CONDITIONS), ord("V"), ord("C")
            arrived = time + int(rng.integers(1, SECOND // 20))
            well = not late or time < START + 10 * SECOND
            if not well and rng.random() < 0.08:
                arrived += int(rng.integers(0, 9 * SECOND))
            rows.append(trade)
            arrivals.append(arrived)
            if not well:
                _amended(rng, trade, arrived, rows, arrivals)
        quotes = np.arange(START, START + seconds * SECOND, SECOND // 5) + int(rng.integers(0, SECOND // 5))
        for time in quotes.tolist():
            quote = np.zeros(1, dtype=TICK)
            quote["kind"], quote["symbol"], quote["time"] = QUOTE, symbol, time
            quote["price"], quote["other_price"] = 20 + symbol, 20.01 + symbol
            rows.append(quote)
            arrivals.append(time + int(rng.integers(1, SECOND // 20)))
    order = np.argsort(np.array(arrivals), kind="stable")
    ticks = np.concatenate(rows)
    nothing = ticks["kind"] == TRADE
    ticks["other_price"][nothing] = ticks["other_size"][nothing] = np.nan
    return Venue(symbols, ticks[order], np.array(arrivals)[order])


def _amended(rng, trade, arrived, rows, arrivals):
    chance = rng.random()
    if chance < 0.04:  # it comes twice
        rows.append(trade.copy())
        arrivals.append(arrived + int(rng.integers(0, 5 * SECOND)))
    elif chance < 0.12:
        made = trade.copy()
        made["kind"] = CANCEL
        if chance < 0.08:
            made["kind"], made["second_id"] = CORRECTION, 1_000_000 + int(trade["id"][0])
            made["price"] = np.round(trade["price"] + 0.05, 2)
        rows.append(made)
        arrivals.append(arrived + int(rng.integers(1, 8 * SECOND)))


@dataclass
class Venue:
    """What happened, and what could be known of it when."""

    symbols: Symbols
    ticks: np.ndarray
    arrivals: np.ndarray
    #: While this is set every question is answered by this error.
    fault: str | None = None

    def stream(self, begin, end):
        """What arrives then, as a payload; nothing if there is none."""
        some = self.ticks[(self.arrivals >= begin) & (self.arrivals < end)]
        return payload(some, self.symbols) if len(some) else b""

    def answer(self, question, now):
        """The answer, as the reader gets it at the venue's time `now`."""
        if self.fault is not None:
            return Inbound(now + AHEAD, Kind.ANSWER, Answer(question, error=self.fault).payload())
        data = {
            "clock": lambda: {"timestamp": rfc(now - SECOND // 100)},
            "assets": lambda: [{"symbol": name} for name in self.symbols.names],
            "snapshots": lambda: {name: self._shot(name) for name in question.symbols},
            "trades": lambda: self.trades(question, now),
        }[question.about]()
        return Inbound(now + AHEAD, Kind.ANSWER, Answer(question, data).payload())

    def _shot(self, name):
        place = self.symbols.names.index(name)
        bar = {"o": 20.0, "h": 21.0, "l": 19.0, "c": 20.0, "v": 1e7 - place * 1e5, "vw": 20.0}
        return {"latestTrade": {"p": 20.0}, "dailyBar": bar, "prevDailyBar": bar}

    def trades(self, question, now):
        """By symbol, in the words of REST."""
        there = self.ticks[self.arrivals <= now]
        marks, said = {}, {name: [] for name in question.symbols}
        for row in there[(there["kind"] == CANCEL) | (there["kind"] == CORRECTION)]:
            marks[int(row["symbol"]), int(row["id"])] = "canceled" if row["kind"] == CANCEL else "incorrect"
        seen = set()
        for row in there[np.isin(there["kind"], (TRADE, CORRECTION))]:
            name, corrected = self.symbols.names[row["symbol"]], row["kind"] == CORRECTION
            number = int(row["second_id"] if corrected else row["id"])
            if name not in said or not question.start <= row["time"] < question.end or (name, number) in seen:
                continue
            seen.add((name, number))
            word = {
                "t": rfc(int(row["time"])), "p": float(row["price"]), "s": float(row["size"]), "i": number, "x": "V",
                "z": "C", "c": condition_letters(int(row["conditions"])),
            }  # fmt: skip
            mark = "corrected" if corrected else marks.get((int(row["symbol"]), number))
            said[name].append(word if mark is None else {**word, "u": mark})
        return said


def payload(ticks, symbols):
    """One binary message."""
    content = encode(ticks, symbols)
    return struct.pack("<IB", len(content), 2) + content


def rfc(moment):
    """A moment as text, to the nanosecond."""
    return f"{pd.Timestamp(moment - moment % SECOND, unit='ns'):%Y-%m-%dT%H:%M:%S}.{moment % SECOND:09d}Z"


def news(now, state, **more):
    """News of the link."""
    return Inbound(now + AHEAD, Kind.LINK, json.dumps({"state": state, **more}).encode())


@dataclass
class Driver:
    """Runs an engine on a venue step by step, as the loop of a process would, and keeps what came in and out.

    The stream breaks and is silent when told; the venue answers a question one step after it was put.
    """

    engine: object
    venue: Venue
    down: tuple = ()  # spans (begin, end) of the venue's time, in seconds after the start, without a link
    mute: tuple = ()  # spans in which nothing comes on a link from before, and nobody says why
    delay: int = 1  # steps until an answer or a confirmation
    came: list = field(default_factory=list)
    outcomes: list = field(default_factory=list)
    after: list = field(default_factory=list)  # called after every step with the venue's time
    _due: list = field(default_factory=list)
    _wanted: dict = field(default_factory=dict)
    _up: bool = True
    _linked: int = 0

    def run(self, seconds, begin=0):
        """From second to second after the start of the market."""
        for now in range(START + int(begin * SECOND) + STEP, START + int(seconds * SECOND) + 1, STEP):
            for one in self._things(now):
                self.give(one)
            for call in self.after:
                call(now)
        return self

    def give(self, one):
        """Let the engine take one thing."""
        self.came.append(one)
        self.engine.take(one)
        self.take_up(one.received - AHEAD)

    def take_up(self, now):
        """Carry out what the engine concluded."""
        outcome = self.engine.outcome()
        self.outcomes.append(outcome)
        self._due += [(now + self.delay * STEP, "answer", question) for question in outcome.questions]
        if outcome.wanted is not None:
            self._wanted = outcome.wanted
            self._due.append((now + self.delay * STEP, "confirm", None))
        if outcome.reconnect is not None:
            self._due.append((now, "reconnect", None))

    def _things(self, now):
        began = self._at(now, self.down)
        if began and self._up:
            self._up = False
            yield news(now, "down", reason="test")
        elif not began and not self._up:
            self._up = True
            yield news(now, "up")
            self._due.append((now, "confirm", None))
        ready = [one for one in self._due if one[0] <= now]
        self._due = [one for one in self._due if one[0] > now]
        for _, what, question in ready:
            if what == "answer":
                yield self.venue.answer(question, now)
            elif what == "reconnect":
                yield news(now, "down", reason="silent")
                self._linked = now
                self._due.append((now + self.delay * STEP, "confirm", None))
            elif self._up:
                counts = {channel: len(names) for channel, names in self._wanted.items() if names}
                yield news(now, "subscribed", channels=counts, missing={})
        muted = any(self._linked < START + begin * SECOND <= now < START + end * SECOND for begin, end in self.mute)
        heard = self._up and self._wanted and not muted
        content = self.venue.stream(now - STEP, now) if heard else b""
        yield Inbound(now + AHEAD, Kind.DATA, content) if content else Inbound(now + AHEAD, Kind.BEAT)

    @staticmethod
    def _at(now, spans):
        return any(START + begin * SECOND <= now < START + end * SECOND for begin, end in spans)


def steps_of(outcomes):
    """All steps in order."""
    return [step for outcome in outcomes for step in outcome.steps]


def as_bytes(outcome):
    """Everything an outcome says, as bytes."""
    parts = [repr((outcome.questions, outcome.wanted, outcome.reconnect, outcome.fatal)).encode()]
    for step in outcome.steps:
        if isinstance(step, Event):
            parts.append(repr(step).encode())
        elif isinstance(step, Stances):
            parts += [repr(step[:2]).encode(), *(array.tobytes() for array in step[2:])]
        else:
            parts.append(step.tobytes())
    return b"|".join(parts)


def bars_of(steps, names):
    """The bars in their last revision by (level, symbol, start), as slow_bars.py has them; fails if one comes twice."""
    found, revisions = {}, {}
    for rows in steps:
        if not isinstance(rows, np.ndarray) or rows.dtype != ROW:
            continue
        for row in rows:
            key = (int(row["level"]), names[row["symbol"]], int(row["time"]))
            assert key not in revisions or row["revision"] > revisions[key], f"{key} came twice"
            revisions[key] = int(row["revision"])
            values = [float(row[name]) for name in ("open", "high", "low", "close", "volume", "vwap")]
            found[key] = (*values, int(row["count"]), bool(row["flags"] & 1))
    return found


def flags_of(steps, names):
    """The flags of each bar in its last revision."""
    found = {}
    for rows in steps:
        if isinstance(rows, np.ndarray) and rows.dtype == ROW:
            for row in rows:
                found[int(row["level"]), names[row["symbol"]], int(row["time"])] = int(row["flags"])
    return found
