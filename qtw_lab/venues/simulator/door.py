"""The simulator's one port: requests by REST, and handshakes that become links."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import math
import re
from collections.abc import Callable, Coroutine, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from http.client import responses
from typing import Any, Final, TypeAlias

from tornado.http1connection import HTTP1Connection
from tornado.httputil import (
    HTTPConnection,
    HTTPHeaders,
    HTTPMessageDelegate,
    HTTPServerConnectionDelegate,
    RequestStartLine,
    ResponseStartLine,
)
from tornado.iostream import StreamClosedError

from qtw_lab.core import DataError
from qtw_lab.ledger.refusals import RefusedError
from qtw_lab.venues.simulator.asking import Answer, Request, Route, reply
from qtw_lab.venues.simulator.faults import Faults
from qtw_lab.venues.simulator.limits import RateLimit
from qtw_lab.venues.simulator.link import Link, accepted
from qtw_lab.venues.simulator.stream import FEEDS, DataStreams
from qtw_lab.venues.simulator.updates import UpdateStreams
from qtw_lab.venues.simulator.wording import FORBIDDEN, UNAUTHORIZED, refusal

_log = logging.getLogger(__name__)

#: Paths of the market-data side, which words its refusals in a way of its own.
_DATA: Final = re.compile(r"/(v2/stocks|v1beta\d+)(/.*)?")
_TOO_MANY: Final = {"code": 42910000, "message": "rate limit exceeded"}
_TOO_MANY_DATA: Final = {"message": "too many requests."}
_BROKEN: Final = {"code": 50010000, "message": "internal server error occurred"}
_PAGE: Final = "<html><head><title>{0} {1}</title></head><body><h1>{0} {1}</h1></body></html>"

#: What answers a control request: from the body to what is told.
Control: TypeAlias = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class House:
    """Everything behind the door.

    Parameters
    ----------
    routes : sequence of Route
        The REST side.
    data, updates : DataStreams, UpdateStreams
        The streams.
    faults : Faults
        What is wrong at the moment.
    limit : RateLimit
        Of requests.
    desk : concurrent.futures.Executor
        Where requests are worked on.
    controls : mapping
        What answers a method and path under /simulator, such as "GET /simulator/state".
    """

    routes: Sequence[Route]
    data: DataStreams
    updates: UpdateStreams
    faults: Faults
    limit: RateLimit
    desk: Executor
    controls: Mapping[str, Control]


class Door(HTTPServerConnectionDelegate):
    """Whoever knocks is let in as a `Visit`."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.links: set[Link] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    def start_request(self, server_conn: object, request_conn: HTTPConnection) -> HTTPMessageDelegate:  # noqa: ARG002  (tornado's signature)
        """One request, or one handshake."""
        return Visit(self, request_conn)

    def begin(self, work: Coroutine[Any, Any, None]) -> None:
        """Do something beside everything else until it is done or the door closes."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Reset every link and give up what is being answered."""
        for link in tuple(self.links):
            link.reset()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


class Visit(HTTPMessageDelegate):
    """One request from its first line to its answer."""

    def __init__(self, door: Door, connection: HTTPConnection) -> None:
        self._door, self._house, self._connection = door, door.house, connection
        self._line: RequestStartLine | None = None
        self._headers = HTTPHeaders()
        self._body: list[bytes] = []
        self._gone = False

    def headers_received(self, start_line: Any, headers: HTTPHeaders) -> None:
        """Note what is asked; a handshake is answered at once."""
        self._line, self._headers = start_line, headers
        if headers.get("Upgrade", "").lower() == "websocket":
            self._open(start_line.path.partition("?")[0])

    def data_received(self, chunk: bytes) -> None:
        """Keep a part of the body."""
        self._body.append(chunk)

    def finish(self) -> None:
        """Answer, now that all was heard."""
        self._door.begin(self._answer())

    def on_connection_close(self) -> None:
        """Note that nobody waits for the answer any more."""
        self._gone = True

    def _open(self, path: str) -> None:
        """Make a link of the connection, if it asks for a stream there is."""
        feed = path.rsplit("/", 1)[-1]
        welcome = accepted(self._headers)
        data = path == f"/v2/{feed}" and feed in FEEDS
        if welcome is None or not (data or path == "/stream") or not isinstance(self._connection, HTTP1Connection):
            return  # refused once the request is complete
        stream = self._connection.detach()
        link = Link(stream, self._house.data.terms.buffer_bytes)
        link.put(welcome)
        binary = "msgpack" in self._headers.get("Content-Type", "")
        key, secret = self._keys()
        house = self._house
        if data:
            self._door.begin(self._linked(link, house.data.serve(link, feed, binary=binary, key=key, secret=secret)))
        else:
            self._door.begin(self._linked(link, house.updates.serve(link, binary=binary, key=key, secret=secret)))

    async def _linked(self, link: Link, talk: Coroutine[Any, Any, None]) -> None:
        self._door.links.add(link)
        try:
            await talk
        finally:
            self._door.links.discard(link)
            link.reset()

    def _keys(self) -> tuple[str | None, str | None]:
        """Key and secret from the headers, by Alpaca's names or as Basic authentication."""
        key = self._headers.get("APCA-API-KEY-ID")
        if key is not None:
            return key, self._headers.get("APCA-API-SECRET-KEY")
        scheme, _, given = self._headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "basic":
            return None, None
        try:
            key, colon, secret = base64.b64decode(given, validate=True).decode().partition(":")
        except ValueError:
            return None, None
        return (key, secret) if colon else (None, None)

    async def _answer(self) -> None:
        assert self._line is not None  # noqa: S101  (tornado calls finish after headers_received)
        key = self._headers.get("Idempotency-Key", "")
        request = Request.of(self._line.method, self._line.path, b"".join(self._body), key)
        try:
            if "Upgrade" in self._headers:
                await self._send(Answer(400, {"message": f"{request.path} is no stream, or the handshake is none."}))
            elif request.path.startswith("/simulator"):
                await self._send(self._controlled(request))
            else:
                await self._serve(request)
        except StreamClosedError:
            self._gone = True
        except Exception:  # noqa: BLE001  (the outermost loop of a request: what fails in it is logged and answered with 500)
            _log.exception("%s %s failed", request.method, request.path)
            await self._send(Answer(500, dict(_BROKEN)))

    async def _serve(self, request: Request) -> None:
        """Answer as the venue does: keys, then the limit, then the work, with the faults around them."""
        asked, faults = f"{request.method} {request.path}", self._house.faults
        data = _DATA.fullmatch(request.path) is not None
        key, secret = self._keys()
        refusal = faults.on("auth", "rest")
        if not self._house.data.terms.known(key, secret) or refusal is not None:
            await self._send(FORBIDDEN if data else UNAUTHORIZED)
            return
        allowance = self._house.limit.ask(str(key))
        headers = allowance.headers
        hang = faults.take("rest_hang", asked)
        if hang is not None:
            await self._hang(hang)
        fault = faults.take("rest_429", asked)
        if fault is not None:
            headers |= {"Retry-After": str(math.ceil(fault["retry_after"])), "X-RateLimit-Remaining": "0"}
        if fault is not None or not allowance.granted:
            await self._send(Answer(429, dict(_TOO_MANY_DATA if data else _TOO_MANY), headers))
            return
        fault = faults.take("rest_5xx", asked)
        if fault is not None and fault["when"] == "before":
            await self._fail(fault["code"], headers, html=fault["html"])
            return
        answer = await self._worked(request)
        if fault is not None:
            await self._fail(fault["code"], headers, html=fault["html"])
            return
        answer = Answer(answer.status, answer.body, {**headers, **answer.headers})
        cut = faults.take("partial_page", asked)
        await self._send(answer, cut=None if cut is None else cut["what"])

    async def _worked(self, request: Request) -> Answer:
        try:
            return await asyncio.get_running_loop().run_in_executor(
                self._house.desk, reply, self._house.routes, request
            )
        except RefusedError as err:
            return refusal(err)

    async def _hang(self, fault: Any) -> None:
        """Wait until the fault is over or the client has gone."""
        while not self._gone and any(one is fault for one in self._house.faults.running("rest_hang")):
            await asyncio.sleep(0.01)

    def _controlled(self, request: Request) -> Answer:
        control = self._house.controls.get(f"{request.method} {request.path}")
        if control is None:
            return Answer(404, {"message": f"There are: {', '.join(self._house.controls)}."})
        try:
            return Answer(200, control(json.loads(request.body) if request.body else None))
        except (DataError, ValueError) as err:
            return Answer(400, {"message": str(err)})

    async def _fail(self, code: int, headers: Mapping[str, str], *, html: bool) -> None:
        if html:
            page = _PAGE.format(code, responses[code]).encode()
            await self._write(code, page, {**headers, "Content-Type": "text/html"})
        else:
            await self._send(Answer(code, {"message": responses[code].lower()}, headers))

    async def _send(self, answer: Answer, cut: str | None = None) -> None:
        content = answer.content()
        if cut == "broken":
            content = content[: len(content) // 2]
        headers = {"Content-Type": "application/json; charset=UTF-8"} if content else {}
        await self._write(answer.status, content, {**headers, **answer.headers}, short=cut == "cut")

    async def _write(self, status: int, content: bytes, headers: Mapping[str, str], *, short: bool = False) -> None:
        """Write an answer; a short one ends in its middle, and the connection with it."""
        if self._gone:
            return
        head = HTTPHeaders(dict(headers))
        if status != 204:
            head["Content-Length"] = str(len(content))
        line = ResponseStartLine("HTTP/1.1", status, responses.get(status, "Unknown"))
        if short and isinstance(self._connection, HTTP1Connection):
            await self._connection.write_headers(line, head, content[: len(content) // 2])
            self._connection.close()
            return
        await self._connection.write_headers(line, head, content)
        self._connection.finish()
