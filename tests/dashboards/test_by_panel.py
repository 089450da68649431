"""Panel's server sends everything, and soon."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

from bokeh.document import Document
from panel.io import document

from dashboards import by_panel


class Socket:
    """A connection's end that notes what is sent."""


class Connection:
    _socket = Socket()


def run(work, *arguments):
    """In a thread of its own: the browser of other tests keeps a loop in this one."""
    with ThreadPoolExecutor(1) as pool:
        pool.submit(lambda: asyncio.run(work(*arguments))).result()


def test_a_message_that_was_left_behind_is_sent(monkeypatch):
    sent, doc, connection = [], Document(), Connection()
    monkeypatch.setitem(
        document.extra_socket_handlers, Socket, lambda conn, events=None, msg=None: sent.append(msg) or []
    )
    document._WRITE_MSGS[doc] = {connection: ["left"]}
    run(document._dispatch_msgs, doc)
    assert sent == []  # what Panel's own function does; should this fail, ours is not needed any more
    run(by_panel._dispatched, doc)
    assert sent == ["left"]
    assert doc not in document._WRITE_MSGS
    assert doc not in document._WRITE_BLOCK
