"""A made-up stream of market data as frames on the wire, to be stamped and sent, and what its bars must be."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from qtw_lab.indicators.compiled import compiled
from qtw_lab.venues.ticks import QUOTE, TICK, TRADE, Rows, Symbols, condition_mask
from qtw_lab.venues.wire.encoding import encode

#: Messages that are made once and sent again and again, each time with new times and new ids.
POOL = 400_000
#: Seconds from one frame of a prelude to the next.
GENTLE = 0.05
#: A moment and an id that stand in the made messages where the real ones go; both take their longest form.
_MOMENT, _ID = 1_234_567_890_123_456_789, 0x5EED_5EED_5EED_5EED
_TIME_MARK = b"\xd7\xff" + ((_MOMENT % 10**9) << 34 | _MOMENT // 10**9).to_bytes(8)
_ID_MARK = b"\xcf" + _ID.to_bytes(8)


@dataclass(frozen=True)
class Plan:
    """What is sent.

    Parameters
    ----------
    symbols : int
        How many; every one is as frequent as any other, which is the hardest case for the caches of a processor.
    rate : int
        Messages a second; 0 sends as fast as the other side takes them.
    messages : int
        In all; a whole number of frames.
    frame : int
        Messages of a frame.
    quotes : float
        Share of quotes; the rest are trades.
    prelude : int
        How many of the frames go first, one every 50 ms, while the reader begins to listen to its symbols. They count
        as messages; no speed and no lag is taken of them, but the largest of theirs is told.
    """

    symbols: int = 1_000
    rate: int = 250_000
    messages: int = 1_000_000
    frame: int = 100
    quotes: float = 0.9
    prelude: int = 0

    @classmethod
    def over(cls, symbols: int, rate: int, seconds: float, prelude: float = 0.0) -> Self:
        """A steady stream of so many seconds, after a prelude of so many."""
        first = int(prelude / GENTLE)
        return cls(symbols, rate, int(rate * seconds) // 100 * 100 + 100 * first, prelude=first)

    @property
    def frames(self) -> int:
        """How many frames there are."""
        return self.messages // self.frame

    @property
    def schedule(self) -> npt.NDArray[np.int64]:
        """When each frame is due, nanoseconds from the first; a rate of 0 knows only the prelude."""
        gentle = np.arange(self.prelude) * GENTLE * 1e9
        step = self.frame / self.rate * 1e9 if self.rate else 0.0
        steady = self.prelude * GENTLE * 1e9 + np.arange(self.frames - self.prelude) * step
        return np.concatenate([gentle, steady]).astype(np.int64)

    def dumps(self) -> str:
        """As JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def loads(cls, text: str) -> Self:
        """From JSON."""
        return cls(**json.loads(text))


def names(count: int) -> list[str]:
    """Names of symbols, all of four letters."""
    letters = np.array(list("ABCDEFGHIJKLMNOPQRSTUVWXYZ"))
    digits = np.arange(count)[:, None] // 26 ** np.arange(3, -1, -1) % 26
    return ["".join(row) for row in letters[digits]]


def made(plan: Plan, seed: int = 7) -> Rows:
    """The rows of a pool: prices in cents that wander by symbol, round lots, quotes a cent or two wide."""
    rng = np.random.default_rng(seed)
    count = min(POOL, plan.messages)
    rows = np.zeros(count, dtype=TICK)
    trade = rng.random(count) >= plan.quotes
    rows["kind"] = np.where(trade, TRADE, QUOTE)
    rows["symbol"] = rng.integers(0, plan.symbols, count)
    level = rng.integers(1_000, 50_000, plan.symbols)[rows["symbol"]]
    cents = level + rng.integers(-10, 11, count)
    rows["price"], rows["size"] = cents / 100, rng.integers(1, 20, count) * 100
    rows["other_price"] = np.where(trade, np.nan, (cents + rng.integers(1, 3, count)) / 100)
    rows["other_size"] = np.where(trade, np.nan, rng.integers(1, 20, count) * 100)
    rows["exchange"], rows["tape"], rows["flag"] = ord("V"), ord("A"), np.where(trade, 0, ord("Q"))
    rows["conditions"] = np.where(trade, condition_mask("@"), condition_mask("R"))
    rows["time"], rows["id"] = _MOMENT, np.where(trade, _ID, 0)
    return rows


@dataclass(frozen=True)
class Pool:
    """Frames one after the other, and where their times and ids stand.

    Parameters
    ----------
    rows : TICK rows
        What the messages say.
    wire : uint8 array
        Websocket frames of a server, unmasked.
    edges : int64 array (F + 1,)
        Where each frame begins, and the end.
    times, ids : int64 arrays
        Places of the eight bytes of each moment and each trade id.
    trades : int64 array (F + 1,)
        How many trades there are before each frame.
    """

    rows: Rows
    wire: npt.NDArray[np.uint8]
    edges: npt.NDArray[np.int64]
    times: npt.NDArray[np.int64]
    ids: npt.NDArray[np.int64]
    trades: npt.NDArray[np.int64]

    @property
    def frames(self) -> int:
        """How many."""
        return len(self.edges) - 1

    def stamp(self, first: int, stamps: npt.NDArray[np.int64], sent: int) -> memoryview:
        """Set times and ids of the frames from `first` on, and give their bytes.

        Parameters
        ----------
        first : int
            Place of the first frame.
        stamps : int64 array
            The moment of each frame, nanoseconds since 1970.
        sent : int
            How many trades went before; the ids go on from there.
        """
        per = len(self.rows) // self.frames
        _stamp(self.wire, self.times, self.ids, self.trades, first, stamps, per, sent + 1)
        return self.wire[self.edges[first] : self.edges[first + len(stamps)]].data


def pool(plan: Plan) -> Pool:
    """The pool of a plan; the same in every process."""
    rows, symbols = made(plan), Symbols(names(plan.symbols))
    parts = [_framed(encode(part, symbols)) for part in np.split(rows, range(plan.frame, len(rows), plan.frame))]
    wire = b"".join(parts)
    edges = np.cumsum([0, *map(len, parts)])
    times, ids = _places(wire, _TIME_MARK), _places(wire, _ID_MARK)
    trades = (rows["kind"] == TRADE).reshape(-1, plan.frame).sum(axis=1)
    if len(times) != len(rows) or len(ids) != trades.sum():
        raise RuntimeError("the marks of times and ids cannot be told from the rest of the messages")
    return Pool(
        rows, np.frombuffer(bytearray(wire), dtype=np.uint8), edges, times + 2, ids + 1, np.cumsum([0, *trades])
    )


def _framed(content: bytes) -> bytes:
    size = len(content)
    head = b"\x82" + (bytes([size]) if size < 126 else b"\x7e" + size.to_bytes(2) if size < 1 << 16 else
                      b"\x7f" + size.to_bytes(8))  # fmt: skip
    return head + content


def _places(content: bytes, mark: bytes) -> npt.NDArray[np.int64]:
    found, at = [], content.find(mark)
    while at >= 0:
        found.append(at)
        at = content.find(mark, at + len(mark))
    return np.array(found, dtype=np.int64)


@compiled
def _stamp(
    wire: Any, times: Any, ids: Any, trades: Any, first: int, stamps: Any, per: int, number: int
) -> None:  # pragma: no cover (compiled)
    for frame in range(len(stamps)):
        seconds = stamps[frame] // 1000000000
        word = np.uint64((stamps[frame] - seconds * 1000000000) << 34 | seconds)
        place = first + frame
        for message in range(place * per, (place + 1) * per):
            at = times[message]
            for byte in range(8):
                wire[at + byte] = (word >> np.uint64(56 - 8 * byte)) & np.uint64(255)
        for trade in range(trades[place], trades[place + 1]):
            at = ids[trade]
            own = np.uint64(number) | np.uint64(1 << 62)  # long enough for the longest form
            for byte in range(8):
                wire[at + byte] = (own >> np.uint64(56 - 8 * byte)) & np.uint64(255)
            number += 1


def sums(plan: Plan) -> dict[str, float]:
    """Counts of trades and quotes of a whole plan, and the sums of their prices."""
    rows = made(plan)
    times, rest = divmod(plan.messages, len(rows))
    found = {}
    for name, kind in (("trades", TRADE), ("quotes", QUOTE)):
        chosen = rows["kind"] == kind
        price = np.where(chosen, rows["price"], 0.0)
        found[name] = float(times * chosen.sum() + chosen[:rest].sum())
        found[f"{name}_price"] = float(times * price.sum() + price[:rest].sum())
    return found


def bars_of(plan: Plan, stamps: npt.NDArray[np.int64], seconds: int) -> dict[str, npt.NDArray[Any]]:
    """The bars of a stream by plain sorting and reducing, independent of the engine.

    Parameters
    ----------
    plan : Plan
        What was sent.
    stamps : int64 array (F,)
        When, by frame.
    seconds : int
        Length of the bars.

    Returns
    -------
    dict of str to ndarray
        time, symbol, open, high, low, close, volume and count of every bar that has a trade, by time and symbol.
    """
    rows, length = made(plan), seconds * 10**9
    place = np.arange(plan.messages) % len(rows)
    place = place[rows["kind"][place] == TRADE]
    frame = np.flatnonzero(rows["kind"][np.arange(plan.messages) % len(rows)] == TRADE) // plan.frame
    begin = stamps[frame] // length * length
    price, size, symbol = rows["price"][place], rows["size"][place], rows["symbol"][place].astype(np.int64)
    order = np.lexsort((np.arange(len(place)), symbol, begin))  # sent order is the order of (time, id)
    begin, price, size, symbol = begin[order], price[order], size[order], symbol[order]
    new = np.append(True, (begin[1:] != begin[:-1]) | (symbol[1:] != symbol[:-1]))
    first = np.flatnonzero(new)
    last = np.append(first[1:], len(begin)) - 1
    return {
        "time": begin[first], "symbol": symbol[first], "open": price[first], "close": price[last],
        "high": np.maximum.reduceat(price, first), "low": np.minimum.reduceat(price, first),
        "volume": np.add.reduceat(size, first), "count": last - first + 1,
    }  # fmt: skip
