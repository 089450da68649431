"""Trades that are remembered: to know a duplicate, and to take a trade back that was corrected or cancelled. Compiled.

Two generations of a hash table take turns: when the newer is full, the older is forgotten and takes the new trades, so
that memory is bounded and at least one full generation is always known. Slots hold the number of their generation's
filling with the entry's place, so that forgetting costs nothing.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np

from qtw_lab.live.kernels_compiled import inlined

#: One trade that is remembered, or what is known of one that has not come: it was cancelled or replaced. `second` is
#: the id of the trade that was put in its place; `next` leads to another trade of the same bar; `stamp` says which
#: filling of a gap brought it last.
KEPT: Final = np.dtype(
    [
        ("time", "i8"), ("id", "i8"), ("second", "i8"), ("price", "f8"), ("size", "f8"), ("symbol", "i4"),
        ("next", "i4"), ("stamp", "i4"), ("exchange", "u1"), ("effect", "u1"), ("state", "u1"), ("spare", "u1"),
    ]
)  # fmt: skip

#: Bits of an entry's state: its trade is known; it was cancelled; it was replaced by a corrected one.
KNOWN: Final = 1
CANCELLED: Final = 2
REPLACED: Final = 4

#: Two trades of the same exchange and id this far apart (ns) are of different days.
HALF_A_DAY: Final = 43_200 * 10**9

#: Places in `Memory.state`: the generation in use, then for each of both its entries, its filling and its newest time;
#: and up to what event time a trade may have been forgotten.
TURN: Final = 0
USED: Final = 1
FILLING: Final = 3
NEWEST: Final = 5
FORGOTTEN: Final = 7
STAMP: Final = 8

_LOW: Final = 0xFFFFFFFF


class Memory(NamedTuple):
    """The arrays of the table: entries of both generations one after the other, their slots, and the bookkeeping."""

    entries: Any
    slots: Any
    state: Any


def memory(kept: int) -> Memory:
    """An empty table that remembers at least the last `kept` trades."""
    size = 1 << max(2 * kept - 1, 1).bit_length()
    state = np.zeros(16, dtype=np.int64)
    state[FILLING : FILLING + 2] = 1
    state[NEWEST : NEWEST + 2] = state[FORGOTTEN] = np.iinfo(np.int64).min
    entries, slots = np.empty(2 * kept, dtype=KEPT), np.empty((2, size), dtype=np.int64)
    # Written to now, so that the system does not have to find the memory in the middle of a batch.
    entries.view(np.uint8).fill(0)
    slots.fill(0)
    return Memory(entries, slots, state)


@inlined
def _home(symbol: int, exchange: int, number: int, size: int) -> Any:
    mixed = np.uint64(number) * np.uint64(0x9E3779B97F4A7C15)
    mixed ^= (np.uint64(symbol) << np.uint64(8) | np.uint64(exchange)) * np.uint64(0xC2B2AE3D27D4EB4F)
    mixed = (mixed ^ (mixed >> np.uint64(29))) * np.uint64(0xBF58476D1CE4E5B9)
    return np.int64((mixed ^ (mixed >> np.uint64(32))) & np.uint64(size - 1))


@inlined
def find(store: Memory, symbol: int, exchange: int, number: int, time: int) -> tuple[int, int]:
    """The entry of a trade, and else that of the same exchange and id at another time of the day; -1 for none.

    Where several other times are known, the newest entry counts.
    """
    size, kept = store.slots.shape[1], len(store.entries) // 2
    home = _home(symbol, exchange, number, size)
    near = -1
    for back in range(2):
        turn = store.state[TURN] ^ back
        filling, slot = store.state[FILLING + turn], home
        while True:
            held = store.slots[turn, slot]
            if held >> 32 != filling:
                break
            place = turn * kept + (held & _LOW)
            entry = store.entries[place]
            if entry.id == number and entry.symbol == symbol and entry.exchange == exchange:
                if entry.time == time:
                    return place, place
                if near < 0 and abs(entry.time - time) < HALF_A_DAY:
                    near = place
            slot = (slot + 1) & (size - 1)
    return -1, near


@inlined
def keep(store: Memory, symbol: int, exchange: int, number: int, time: int) -> Any:
    """Make a new entry, of which nothing is known yet, and give its place. One with id 0 is not to be found again."""
    kept, size = len(store.entries) // 2, store.slots.shape[1]
    turn = store.state[TURN]
    if store.state[USED + turn] == kept:
        turn = _forget(store)
    used = store.state[USED + turn]
    store.state[USED + turn] = used + 1
    store.state[NEWEST + turn] = max(store.state[NEWEST + turn], time)
    if number != 0:
        filling, slot = store.state[FILLING + turn], _home(symbol, exchange, number, size)
        while store.slots[turn, slot] >> 32 == filling:
            slot = (slot + 1) & (size - 1)
        store.slots[turn, slot] = filling << 32 | used
    entry = store.entries[turn * kept + used]
    entry.time, entry.id, entry.second, entry.symbol, entry.exchange = time, number, 0, symbol, exchange
    entry.state, entry.effect, entry.next, entry.stamp = 0, 0, -1, 0
    return turn * kept + used


@inlined
def room(store: Memory, entries: int) -> None:
    """See to it that so many entries can be made before anything is forgotten."""
    if store.state[USED + store.state[TURN]] + entries > len(store.entries) // 2:
        _forget(store)


@inlined
def _forget(store: Memory) -> Any:
    turn = store.state[TURN] ^ 1
    store.state[FORGOTTEN] = max(store.state[FORGOTTEN], store.state[NEWEST + turn])
    store.state[USED + turn] = 0
    store.state[FILLING + turn] += 1
    store.state[NEWEST + turn] = np.iinfo(np.int64).min
    store.state[TURN] = turn
    return turn


@inlined
def kill(store: Memory, place: int) -> None:
    """Cancel a trade and every trade that was put in its place."""
    steps = 0
    while place >= 0 and steps < 64 and not store.entries[place].state & CANCELLED:
        entry = store.entries[place]
        entry.state |= CANCELLED
        if not entry.state & REPLACED:
            break
        exact, near = find(store, entry.symbol, entry.exchange, entry.second, entry.time)
        place = exact if exact >= 0 else near
        steps += 1
