"""Messages of the market-data stream, msgpack or JSON, as rows."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from qtw_lab.core import DataError
from qtw_lab.venues.ticks import BAR, TICK, Rows, Symbols
from qtw_lab.venues.wire import columns, layout, values
from qtw_lab.venues.wire.columns import BARS, DONE, FAULTS, FROM, FULL, LOOKS, MESSAGE, TICKS, TO, WORDS

#: Opcodes of websocket frames that carry messages.
TEXT: Final = 1
BINARY: Final = 2

#: Irregular messages of msgpack that one payload may have looked at; the rest are quarantined unseen, so that no
#: payload takes longer than about a second.
_LOOKS: Final = 100_000


@dataclass(frozen=True, slots=True)
class Decoded:
    """What a payload held.

    Parameters
    ----------
    ticks : array of TICK, shape (M,)
        Trades, quotes, corrections, cancels, statuses and price limits in the order of the wire. A view, good until the
        decoder is used again.
    bars : array of BAR, shape (B,)
        The venue's own bars, minute, updated and daily, in the order of the wire. A view as well.
    others : list of dict
        Control messages and messages of kinds not known here, as they came; timestamps of msgpack are nanoseconds.
    faults : int
        How many messages were quarantined: not readable, without a field they must have, or with a value that cannot
        be. A tail that cannot be read counts as one, whatever it may have held.
    """

    ticks: Rows
    bars: Rows
    others: list[dict[str, Any]]
    faults: int


class Decoder:
    """Reads payloads of `Kind.DATA`.

    Nothing that a payload holds makes it raise, hang, or read beyond the end.

    Parameters
    ----------
    symbols : Symbols
        Gives the numbers; symbols that come up for the first time get theirs.
    capacity : int
        Rows of each kind to have room for at first; it grows.

    Examples
    --------
    >>> text = b'[{"T":"t","S":"IBM","i":7,"x":"N","p":101.5,"s":100,"t":"2024-01-02T14:30:00.5Z","z":"A"}]'
    >>> payload = len(text).to_bytes(4, "little") + bytes([TEXT]) + text
    >>> decoded = Decoder(Symbols()).decode(payload)
    >>> decoded.ticks["price"], decoded.faults
    (array([101.5]), 0)
    """

    def __init__(self, symbols: Symbols, capacity: int = 1 << 16) -> None:
        if capacity < 1:
            raise DataError(f"capacity={capacity} rows cannot hold anything: give 1 or more.")
        self.symbols = symbols
        self._plan = layout.plan()
        plan = self._plan
        self._addresses = plan.fields.ctypes.data, plan.wanted.ctypes.data, plan.bits.ctypes.data
        self._state = np.zeros(9, dtype=np.int64)
        self._others: list[dict[str, Any]] = []
        self._ticks, self._bars = np.zeros(capacity, dtype=TICK), np.zeros(capacity, dtype=BAR)
        self._tick_words, self._bar_words = _words(self._ticks), _words(self._bars)

    def decode(self, payload: bytes | memoryview) -> Decoded:
        """The rows of a payload: messages, each after its length (4 bytes, little endian) and its opcode (1 byte)."""
        data = np.frombuffer(payload, dtype=np.uint8)
        data.flags.writeable = False
        state, symbols = self._state, self.symbols
        state[:] = 0
        state[LOOKS] = _LOOKS
        self._others = []
        stopped = FULL
        while stopped != DONE:
            stopped = columns.unpacked_rows(
                data, state, self._tick_words, self._bar_words, self._addresses, symbols.keys, symbols.slots
            )
            if stopped == MESSAGE:
                self._look(data[state[FROM] : state[TO]].tobytes())
            elif stopped == WORDS:
                self._read(data[state[FROM] : state[TO]].tobytes())
            elif stopped == FULL:
                self._make_room()
        return Decoded(self._ticks[: state[TICKS]], self._bars[: state[BARS]], self._others, int(state[FAULTS]))

    def _look(self, content: bytes) -> None:
        """Read a message of msgpack the careful way."""
        try:
            self._message(values.message_of(content)[0])
        except DataError:
            self._state[FAULTS] += 1

    def _read(self, content: bytes) -> None:
        """Read a frame of JSON."""
        try:
            found = json.loads(content)
        except (ValueError, RecursionError):
            self._state[FAULTS] += 1
            return
        for message in found if isinstance(found, list) else [found]:
            self._message(message)

    def _make_room(self) -> None:
        """Double the room that is used up."""
        if self._state[TICKS] == len(self._ticks):
            self._ticks = np.concatenate([self._ticks, np.zeros_like(self._ticks)])
            self._tick_words = _words(self._ticks)
        if self._state[BARS] == len(self._bars):
            self._bars = np.concatenate([self._bars, np.zeros_like(self._bars)])
            self._bar_words = _words(self._bars)

    def _message(self, message: Any) -> None:
        kind = message.get("T") if isinstance(message, dict) else None
        if not isinstance(kind, str):
            self._state[FAULTS] += 1
        elif kind not in layout.FIELDS:
            self._others.append(message)
        else:
            try:
                row = values.row_of(message, self.symbols)
            except DataError:
                self._state[FAULTS] += 1
                return
            self._make_room()
            rows, place = (self._bars, BARS) if kind in layout.BARS else (self._ticks, TICKS)
            rows[self._state[place]] = row
            self._state[place] += 1


def _words(rows: Rows) -> npt.NDArray[np.int64]:
    """Rows as words of 64 bits, of the same memory."""
    return rows.view(np.int64).reshape(-1, layout.WORDS)
