"""Questions and answers of the simulator's REST side, without any network: what came in, what goes out, who answers."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, TypeAlias
from urllib.parse import parse_qs, unquote, urlsplit

#: What an answer carries: JSON, or nothing.
Body: TypeAlias = dict[str, Any] | list[Any] | None


@dataclass(frozen=True, slots=True)
class Request:
    """One question by REST.

    Parameters
    ----------
    method : str
        GET, POST, PUT, PATCH or DELETE.
    path : str
        The path, percent signs undone, without the query.
    query : mapping of str to list of str
        The query's fields, each with every value that it was given.
    body : bytes
        What was sent along.
    place : mapping of str to str
        What the route's pattern found in the path, such as the symbol.
    key : str
        The client's name for it (the header Idempotency-Key), so that it is not done twice; empty where there is none.

    Examples
    --------
    >>> asked = Request.of("GET", "/v2/stocks/bars?symbols=AAPL,IBM&limit=5")
    >>> asked.path, asked.one("limit"), asked.several("symbols")
    ('/v2/stocks/bars', '5', ['AAPL', 'IBM'])
    """

    method: str
    path: str
    query: Mapping[str, Sequence[str]] = field(default_factory=dict)
    body: bytes = b""
    place: Mapping[str, str] = field(default_factory=dict)
    key: str = ""

    @classmethod
    def of(cls, method: str, target: str, body: bytes | Mapping[str, Any] | None = None, key: str = "") -> Request:
        """The question that a request line asks; a mapping becomes a JSON body."""
        parts = urlsplit(target)
        content = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        query = parse_qs(parts.query, keep_blank_values=True)
        return cls(method.upper(), unquote(parts.path), query, content, key=key)

    def one(self, name: str) -> str | None:
        """The last value of a query's field; None where it is absent or empty."""
        values = self.query.get(name) or [""]
        return values[-1] or None

    def several(self, name: str) -> list[str]:
        """The values of a field that may list several, by commas or by being given again."""
        return [part.strip() for value in self.query.get(name, ()) for part in value.split(",") if part.strip()]


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer by REST.

    Parameters
    ----------
    status : int
        The HTTP status.
    body : dict, list or None
        JSON, or nothing.
    headers : mapping of str to str
        Beyond Content-Type, which is the server's matter.

    Examples
    --------
    >>> Answer(200, {"price": 1.5}).content()
    b'{"price":1.5}'
    """

    status: int
    body: Body = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def content(self) -> bytes:
        """The body's bytes: JSON without blanks; none at all where there is no body."""
        if self.body is None:
            return b""
        return json.dumps(self.body, separators=(",", ":"), allow_nan=False).encode()


#: What answers a question.
Handler: TypeAlias = Callable[[Request], Answer]


@dataclass(frozen=True, slots=True)
class Route:
    """A method, the paths it is for, and who answers; the names of the pattern's groups are those of `Request.place`.

    Examples
    --------
    >>> route = Route("GET", r"/v2/stocks/(?P<symbol>[^/]+)/bars", lambda asked: Answer(200, [asked.place["symbol"]]))
    >>> reply([route], Request.of("GET", "/v2/stocks/AAPL/bars")).body
    ['AAPL']
    """

    method: str
    pattern: str
    handler: Handler


_NOWHERE: Final = {"code": 40410000, "message": "endpoint not found."}
_WRONG_METHOD: Final = {"code": 40510000, "message": "method not allowed."}


def reply(routes: Sequence[Route], request: Request) -> Answer:
    """The answer of the first route that fits: 404 where no path does, 405 where one does by another method."""
    known = False
    for route in routes:
        found = re.fullmatch(route.pattern, request.path)
        if found is None:
            continue
        known = True
        if route.method == request.method:
            place = {name: value for name, value in found.groupdict().items() if value is not None}
            return route.handler(replace(request, place=place))
    return Answer(405, dict(_WRONG_METHOD)) if known else Answer(404, dict(_NOWHERE))
