"""Asks the venue, one question after the other, in a thread of its own; the answers come in like everything else."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable

from qtw_lab.live.answers import Question, asked
from qtw_lab.venues.feeds import Inbound, Kind, Reference


class Asker:
    """Puts questions to a venue while its owner goes on.

    Parameters
    ----------
    reference : Reference
        Who is asked.
    now : callable
        The owner's clock, nanoseconds since 1970, UTC.

    Notes
    -----
    The thread dies with its process: a venue that does not answer never keeps an engine from ending.
    """

    def __init__(self, reference: Reference, now: Callable[[], int]) -> None:
        self._reference, self._now = reference, now
        self._questions: queue.PriorityQueue[tuple[int, int, Question | None]] = queue.PriorityQueue()
        self._answers: queue.SimpleQueue[Inbound] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="questions", daemon=True)
        self._thread.start()

    def ask(self, question: Question) -> None:
        """Put a question in line, before all that are less urgent."""
        self._questions.put((1 if question.urgent else 2, question.number, question))

    def answers(self) -> list[Inbound]:
        """What was answered since this was last called."""
        found = []
        while True:
            try:
                found.append(self._answers.get_nowait())
            except queue.Empty:
                return found

    def close(self) -> None:
        """Ask nothing any more."""
        self._questions.put((0, 0, None))

    def _work(self) -> None:
        while (question := self._questions.get()[2]) is not None:
            answer = asked(self._reference, question)
            self._answers.put(Inbound(self._now(), Kind.ANSWER, answer.payload()))
