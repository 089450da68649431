"""A venue that repeats the keys it was shown, wherever an answer has room for words."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

import msgpack
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection, serve

#: What is answered where something is asked that has to succeed, so that a watcher comes to close positions.
_GOOD: Final[Mapping[str, Any]] = {
    "DELETE /v2/orders": [],
    "GET /v2/orders": [],
    "GET /v2/clock": {"is_open": True, "next_open": ""},
    "GET /v2/positions": [{"symbol": "AAA", "qty": "1", "qty_available": "1", "side": "long", "current_price": "1"}],
}


class _Rest(BaseHTTPRequestHandler):
    """Refuses, in words that have the keys in them."""

    def _answer(self) -> None:
        said = f"no {self.headers['APCA-API-SECRET-KEY']} of {self.headers['APCA-API-KEY-ID']}"
        asked = f"{self.command} {self.path.partition('?')[0]}"
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        refusal = {"message": said, "code": 40310000}
        if asked in _GOOD:
            self._send(200, _GOOD[asked])
        elif asked == "DELETE /v2/positions":
            self._send(207, [{"symbol": "AAA", "status": 403, "body": refusal}])
        else:
            self._send(403, refusal)

    do_GET = do_POST = do_DELETE = do_PATCH = _answer  # noqa: N815  (the standard library's names)

    def _send(self, status: int, body: Any) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def _stream(link: ServerConnection) -> None:
    """Warn with the keys, cut where a message is cut, and then close with them."""
    with contextlib.suppress(ConnectionClosed):
        link.send(msgpack.packb([{"T": "success", "msg": "connected"}]))
        shown = msgpack.unpackb(link.recv())
        link.send(msgpack.packb([{"T": "success", "msg": "authenticated"}]))
        for words in (f"no {shown['secret']} of {shown['key']}", f"{'no ' * 90}{shown['secret']}"):
            link.send(msgpack.packb([{"T": "error", "code": 405, "msg": words}]))
        link.close(1008, f"no {shown['secret']} of {shown['key']}")


@contextlib.contextmanager
def echo() -> Iterator[tuple[str, str]]:
    """Serve for the time of the block; addresses of REST and of the stream."""
    rest = ThreadingHTTPServer(("127.0.0.1", 0), _Rest)
    with serve(_stream, "127.0.0.1", 0) as stream:
        for server in (rest, stream):
            threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{rest.server_port}", f"ws://127.0.0.1:{stream.socket.getsockname()[1]}"
        finally:
            rest.shutdown()
            rest.server_close()
