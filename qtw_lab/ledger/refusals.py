"""What an order can be refused for, in the words and under the codes of Alpaca's trading side.

Codes and messages are those that public reports of users show (the issue threads of alpacahq/alpaca-py and
alpacahq/Alpaca-API, and Alpaca's article "How to fix common trading API errors at Alpaca"); where the venue words a
refusal in a way that could not be found, the sentence is our own under the code of its kind.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qtw_lab.core import VenueError


class RefusedError(VenueError):
    """A request that is refused, in the venue's own words.

    Parameters
    ----------
    status : int
        The HTTP status.
    message : str
        The venue's sentence.
    code : int, optional
        The venue's eight-digit code; market data has none.
    more : mapping, optional
        Further fields of the body.

    Examples
    --------
    >>> RefusedError(404, "position does not exist", 40410000).content
    {'code': 40410000, 'message': 'position does not exist'}
    """

    def __init__(
        self, status: int, message: str, code: int | None = None, more: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.content = {**(more or {}), **({} if code is None else {"code": code}), "message": message}


def unprocessable(message: str, **more: Any) -> RefusedError:
    """422, the code of an order or a field that cannot be."""
    return RefusedError(422, message, 42210000, more)


def malformed(message: str) -> RefusedError:
    """422, the code of a request that is not formed as it should be."""
    return RefusedError(422, message, 40010001)


def forbidden(message: str, **more: Any) -> RefusedError:
    """403, the code of what the account may not do now."""
    return RefusedError(403, message, 40310000, more)


def absent(message: str) -> RefusedError:
    """404, the code of what is not there."""
    return RefusedError(404, message, 40410000)
