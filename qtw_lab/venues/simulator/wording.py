"""How Alpaca's REST side words answers: refusals of its two sides, and the fields of queries."""

from __future__ import annotations

from typing import Final

from qtw_lab.ledger.refusals import RefusedError
from qtw_lab.venues.simulator.asking import Answer


def refusal(refused: RefusedError) -> Answer:
    """A refusal as an answer.

    Examples
    --------
    >>> refusal(RefusedError(404, "position does not exist", 40410000)).content()
    b'{"code":40410000,"message":"position does not exist"}'
    """
    return Answer(refused.status, dict(refused.content))


def invalid(name: str, given: str | None, mend: str = "") -> RefusedError:
    """400 of the market-data side, which has no codes."""
    return RefusedError(400, f"invalid {name}: {given}{'; ' + mend if mend else ''}")


#: What the two sides say to a request without good keys; the server asks for the keys.
UNAUTHORIZED: Final = Answer(401, {"message": "unauthorized."})
FORBIDDEN: Final = Answer(403, {"message": "forbidden."})


def truth(text: str | None) -> bool:
    """Whether a query's field says yes; clients write true, True or 1."""
    return (text or "").lower() in {"true", "1", "t"}
