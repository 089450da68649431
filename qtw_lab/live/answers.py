"""Questions the engine asks the venue, and what it makes of the answers."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

import numpy as np
import pandas as pd

from qtw_lab.core import DataError, LabError
from qtw_lab.venues.feeds import Reference
from qtw_lab.venues.ticks import CANCEL, CORRECTION, TICK, Rows, Symbols
from qtw_lab.venues.wire.values import row_of

About = Literal["assets", "snapshots", "trades", "calendar", "clock"]

#: What Alpaca's REST field `u` says of a trade that no longer stands, and of one that stands in place of another.
_CANCELED: Final = "canceled"
_INCORRECT: Final = "incorrect"
_CORRECTED: Final = "corrected"

#: Symbols in one request for snapshots or trades: addresses are limited in length.
_AT_ONCE: Final = 200


@dataclass(frozen=True, slots=True)
class Question:
    """Something to ask the venue.

    Parameters
    ----------
    number : int
        Of the question; its answer carries it.
    about : {"assets", "snapshots", "trades", "calendar", "clock"}
        What.
    symbols : tuple of str
        Of which symbols; all if it does not matter.
    start, end : int
        Of which span, nanoseconds since 1970, UTC; the end excluded.
    urgent : bool
        Whether bars wait for the answer: it is asked before others that are in line.
    """

    number: int
    about: About
    symbols: tuple[str, ...] = ()
    start: int = 0
    end: int = 0
    urgent: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """What the venue said, or why it did not.

    Parameters
    ----------
    question : Question
        To what.
    data : object
        The answer in the wire's words; None after an error.
    error : str, optional
        Why there is none.
    """

    question: Question
    data: Any = None
    error: str | None = None

    def payload(self) -> bytes:
        """As it is recorded: JSON."""
        return json.dumps({"question": asdict(self.question), "data": self.data, "error": self.error}).encode()

    @classmethod
    def of(cls, payload: bytes | memoryview) -> Answer:
        """From what was recorded."""
        given = json.loads(bytes(payload))
        asked = given["question"]
        return cls(Question(**{**asked, "symbols": tuple(asked["symbols"])}), given["data"], given["error"])


def asked(reference: Reference, question: Question) -> Answer:
    """Ask; whatever goes wrong becomes the answer's error."""
    try:
        return Answer(question, _said(reference, question))
    except LabError as err:
        return Answer(question, error=str(err))
    except Exception as err:  # noqa: BLE001  (a question must never end the engine; its text may hold what was sent)
        return Answer(question, error=f"the venue's answer could not be used ({type(err).__name__})")


def _said(reference: Reference, question: Question) -> Any:
    if question.about == "assets":
        return reference.assets()
    if question.about == "clock":
        return reference.clock()
    if question.about == "calendar":
        return reference.calendar(_date(question.start), _date(question.end))
    found: dict[str, Any] = {}
    for place in range(0, len(question.symbols), _AT_ONCE):
        some = question.symbols[place : place + _AT_ONCE]
        if question.about == "snapshots":
            found |= reference.snapshots(some)
        else:
            found |= reference.trades(some, question.start, question.end)
    return found


def trade_rows(said: Mapping[str, Iterable[Mapping[str, Any]]], symbols: Symbols) -> Rows:
    """Trades in the words of REST as rows of `TICK` by time; those that were cancelled or replaced are left out.

    Raises
    ------
    DataError
        If one lacks what a trade must have.

    Examples
    --------
    >>> trade = {"t": "2024-01-02T14:30:00.000000001Z", "p": 10.5, "s": 100, "i": 7, "x": "V", "z": "A", "c": ["@"]}
    >>> trade_rows({"X": [trade]}, Symbols())["time"].tolist()
    [1704205800000000001]
    """
    void = (_CANCELED, _INCORRECT)
    kept = [(name, trade) for name, trades in said.items() for trade in trades or () if trade.get("u") not in void]
    rows = _rows(kept, symbols)
    return rows[np.argsort(rows["time"], kind="stable")]


def void_rows(said: Mapping[str, Iterable[Mapping[str, Any]]], symbols: Symbols) -> Rows:
    """What was taken back among trades in the words of REST, as the stream would have said it: rows of `TICK`.

    A cancelled trade becomes a cancel. One that was replaced becomes a correction by the first trade of the same venue
    and time that is called corrected, if there is one; else a cancel.

    Examples
    --------
    >>> trade = {"t": "2024-01-02T14:30:00Z", "p": 10.5, "s": 100, "i": 7, "x": "V", "z": "A", "c": ["@"]}
    >>> said = {"X": [{**trade, "u": "incorrect"}, {**trade, "i": 8, "p": 10.4, "u": "corrected"}]}
    >>> void_rows(said, Symbols())[["kind", "id", "second_id", "price"]].tolist()
    [(99, 7, 8, 10.4)]
    """
    found: list[tuple[str, Mapping[str, Any]]] = []
    replaced: list[int | None] = []
    for name, trades in said.items():
        given = list(trades or ())
        put = {(t["t"], t.get("x")): t for t in reversed(given) if t.get("u") == _CORRECTED}
        for trade in given:
            other = put.get((trade["t"], trade.get("x"))) if trade.get("u") == _INCORRECT else None
            if trade.get("u") in (_CANCELED, _INCORRECT):
                found.append((name, other or trade))
                replaced.append(None if other is None else int(trade.get("i") or 0))
    rows = _rows(found, symbols)
    for row, number in zip(rows, replaced, strict=True):
        row["kind"] = CANCEL if number is None else CORRECTION
        if number is not None:
            row["second_id"], row["id"] = row["id"], number
    named: Rows = rows[rows["id"] != 0]
    return named


def _rows(trades: list[tuple[str, Mapping[str, Any]]], symbols: Symbols) -> Rows:
    try:
        return np.array([row_of({**trade, "T": "t", "S": name}, symbols) for name, trade in trades], dtype=TICK)
    except DataError as err:
        raise DataError(f"The venue's history holds a trade that cannot be read: {err}") from err


def _date(moment: int) -> str:
    return f"{pd.Timestamp(moment, unit='ns', tz='UTC').tz_convert('America/New_York'):%Y-%m-%d}"
