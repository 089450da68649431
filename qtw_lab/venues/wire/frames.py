"""Frames of a websocket (RFC 6455, section 5) as messages of a stream: the compiled part of `framing`."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from qtw_lab.venues.compiled import compiled
from qtw_lab.venues.wire.memory import big_eight_at, byte_at, copy, put_byte, within

Bytes = npt.NDArray[np.uint8]
Places = npt.NDArray[Any]

#: Why a stream of frames cannot be read on.
PROBLEMS: Final = (
    "",
    "a frame has reserved bits set, though no extension was agreed on",
    "a frame of the server is masked",
    "a frame has an opcode that the protocol does not know",
    "a control frame is fragmented or longer than 125 bytes",
    "a continuation came without a message to continue",
    "a message began within another",
    "a message is longer than {longest} bytes",
)
#: What the kernel stopped at, beside a problem: no whole frame is left; a control frame; no room in the outbox.
DRY, CONTROLLED, FULL = -1, -2, -3
#: Places of the kernel's state: unread bytes of the inbox from and to, end of the outbox, where the message begins that
#: is not whole yet (-1: none), its opcode, the longest message, and of a control frame the opcode, start and end.
AT, STOP, OUT, BEGUN, KIND, LONGEST, SORT, FROM, TO = range(9)


@within
def _checked(first: int, second: int, size: int, held: int, longest: int) -> int:
    """The problem with a frame's head, 0 for none; `held` bytes of its message came before, -1 if none has begun."""
    opcode = first & 15
    if first & 0x70:
        return 1
    if second & 0x80:
        return 2
    if opcode > 10 or 2 < opcode < 8:
        return 3
    if opcode >= 8:
        return 4 if size > 125 or first < 0x80 else 0
    if (opcode == 0) != (held >= 0):
        return 5 if opcode == 0 else 6
    return 7 if size < 0 or max(held, 0) + size > longest else 0


@within
def _sizes(data: int, at: int, held: int) -> tuple[int, int]:
    """Bytes of a frame's content and of its head; 0 for the head while not all of it is there."""
    size = byte_at(data, at + 1) & 127
    if size < 126:
        return size, 2
    if size == 126:
        return (byte_at(data, at + 2) << 8 | byte_at(data, at + 3), 4) if held >= 4 else (0, 0)
    return (big_eight_at(data, at + 2), 10) if held >= 10 else (0, 0)


@within
def _put(inbox: int, body: int, size: int, outbox: int, state: Places, first: int) -> None:
    """Add a frame's content to the message that it belongs to, and end the message if the frame does."""
    if state[3] < 0:
        state[3], state[4] = state[2], first & 15
        state[2] += 5
    copy(outbox + state[2], inbox + body, size)
    state[2] += size
    if first & 0x80:
        whole = state[2] - state[3] - 5
        for place in range(4):
            put_byte(outbox, state[3] + place, whole >> (8 * place))
        put_byte(outbox, state[3] + 4, state[4])
        state[3] = -1


@compiled
def frames(inbox: Bytes, state: Places, outbox: Bytes) -> int:
    """Copy whole frames of the inbox as messages to the outbox until something has to be seen to; say what."""
    data: Any = np.int64(inbox.ctypes.data)
    out: Any = np.int64(outbox.ctypes.data)
    result = -1
    while result == -1 and state[1] - state[0] >= 2:
        at, held = state[0], state[1] - state[0]
        first = byte_at(data, at)
        size, head = _sizes(data, at, held)
        if head == 0:
            break
        begun = state[2] - state[3] - 5 if state[3] >= 0 else -1
        problem = _checked(first, byte_at(data, at + 1), size, begun, state[5])
        if problem:
            result = problem
        elif held - head < size:
            break
        elif first & 8:
            state[6], state[7], state[8] = first & 15, at + head, at + head + size
            state[0] += head + size
            result = -2
        elif state[2] + 5 + size > len(outbox):
            result = -3
        else:
            _put(data, at + head, size, out, state, first)
            state[0] += head + size
    return result
