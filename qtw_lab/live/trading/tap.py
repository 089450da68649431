"""Bars as they close, handed from the engine's thread to the desk's."""

from __future__ import annotations

import queue
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from qtw_lab.live.engine import Engine
from qtw_lab.live.rows import Flag
from qtw_lab.live.trading.sleeve import Seen
from qtw_lab.venues.moments import SECOND


@dataclass(frozen=True, slots=True)
class Bars:
    """The last bars of one length of some symbols, copied: a window as a board takes it.

    Parameters
    ----------
    open, high, low, close, volume : ndarray, (T, N)
        float64; NaN where nothing is known.
    times : ndarray of int64, (T,)
        Start of each, nanoseconds since 1970, UTC.
    flags : ndarray of uint32, (T, N)
        Bits of `qtw_lab.live.rows.Flag`.
    numbers : ndarray of int64, (N,)
        The symbol of each column.
    names : tuple of str
        The same by name.
    bid, ask : ndarray, (N,)
        The last quotes; NaN without any.
    seconds : int
        Length of a bar.
    now : int
        The venue's time when they closed, nanoseconds since 1970, UTC.
    daily : bool
        Whether they are of whole sessions that are over, told while the next one trades.
    """

    open: npt.NDArray[np.float64]
    high: npt.NDArray[np.float64]
    low: npt.NDArray[np.float64]
    close: npt.NDArray[np.float64]
    volume: npt.NDArray[np.float64]
    times: npt.NDArray[np.int64]
    flags: npt.NDArray[np.uint32]
    numbers: npt.NDArray[np.int64]
    names: tuple[str, ...]
    bid: npt.NDArray[np.float64]
    ask: npt.NDArray[np.float64]
    seconds: int
    now: int
    daily: bool = False

    @property
    def end(self) -> int:
        """When the last of them ended."""
        return int(self.times[-1]) + self.seconds * SECOND

    def of(self, symbols: Iterable[str]) -> Bars:
        """Those of some symbols, in the order asked; one that is not known is left out."""
        places = {name: place for place, name in enumerate(self.names)}
        own = [places[symbol] for symbol in symbols if symbol in places]
        prices = {name: getattr(self, name)[:, own] for name in ("open", "high", "low", "close", "volume", "flags")}
        names = tuple(self.names[place] for place in own)
        return Bars(
            **prices, times=self.times, numbers=self.numbers[own], names=names, bid=self.bid[own], ask=self.ask[own],
            seconds=self.seconds, now=self.now, daily=self.daily,
        )  # fmt: skip

    def seen(self) -> dict[str, Seen]:
        """Prices that can be traded at: the last close with the last quote, of those that have a close.

        A close is as old as the end of the last bar in which there was a trade; one of before these bars is at least as
        old as their beginning.
        """
        found: dict[str, Seen] = {}
        columns = (self.names, self.close[-1].tolist(), self.bid.tolist(), self.ask.tolist(), self._ages().tolist())
        for name, close, bid, ask, age in zip(*columns, strict=True):
            if close > 0:
                found[name] = Seen(close, bid, ask, age) if 0 < bid <= ask else Seen.at(close, age)
        return found

    def _ages(self) -> npt.NDArray[np.int64]:
        """Nanoseconds since the last bar with a trade ended, of each symbol."""
        traded = (self.flags & Flag.EMPTY) == 0
        last = len(self.times) - 1 - np.argmax(traded[::-1], axis=0)
        ends = np.where(traded.any(axis=0), self.times[last] + self.seconds * SECOND, self.times[0])
        found: npt.NDArray[np.int64] = np.maximum(self.now - ends, 0)
        return found


class Tap:
    """Takes the bars of some lengths as an engine closes them, for another thread to read.

    Parameters
    ----------
    rows : mapping of int to int
        By length of bar in seconds, how many of them a window is to have.
    symbols : iterable of str
        Of these symbols.
    """

    def __init__(self, rows: dict[int, int], symbols: Iterable[str]) -> None:
        self._rows, self._symbols = dict(rows), tuple(symbols)
        self._queue: queue.SimpleQueue[Bars] = queue.SimpleQueue()

    def closed(self, engine: Engine, seconds: int, time: int, now: int) -> None:
        """A bar closed: called by the engine, in its thread."""
        if seconds not in self._rows:
            return
        window = engine.columns.window(seconds, self._rows[seconds])
        if not len(window.times) or int(window.times[-1]) != time:
            return
        wanted = engine.symbols.numbers(self._symbols).tolist()
        places = {number: place for place, number in enumerate(window.numbers.tolist())}
        own = [places[number] for number in wanted if number in places]
        if not own:
            return
        names = tuple(engine.symbols.names[int(window.numbers[place])] for place in own)
        prices = {name: getattr(window, name)[:, own].copy() for name in ("open", "high", "low", "close", "volume")}
        self._queue.put(
            Bars(
                **prices, flags=window.flags[:, own].copy(), times=window.times.copy(),
                numbers=window.numbers[own].astype(np.int64), names=names, bid=window.bid[own].copy(),
                ask=window.ask[own].copy(), seconds=seconds, now=now,
            )
        )  # fmt: skip

    def read(self, seconds: float) -> Bars | None:
        """The next that closed, waited for at most so many seconds."""
        try:
            return self._queue.get(timeout=seconds)
        except queue.Empty:
            return None
