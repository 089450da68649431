"""What was worked out last, for all threads that may ask for it again."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Kept(Generic[K, V]):
    """Answers by question, as many as were asked for last.

    Threads may use it at once. Two that ask for the same thing while it is not there may both work it out; whoever
    keeps an answer does not change it any more.

    Parameters
    ----------
    most : int
        How many are kept.

    Examples
    --------
    >>> kept = Kept(2)
    >>> for number in (1, 2, 1, 3):
    ...     if kept.get(number) is None:
    ...         kept.put(number, number**2)
    >>> kept.get(1), kept.get(2), kept.get(3)
    (1, None, 9)
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._held: OrderedDict[K, V] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._held)

    def get(self, question: K) -> V | None:
        """The answer, or None if it is not kept."""
        with self._lock:
            found = self._held.get(question)
            if found is not None:
                self._held.move_to_end(question)
            return found

    def put(self, question: K, answer: V) -> None:
        """Keep an answer, in place of an earlier one."""
        with self._lock:
            self._held[question] = answer
            self._held.move_to_end(question)
            while len(self._held) > self._most:
                self._held.popitem(last=False)

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._held.clear()
