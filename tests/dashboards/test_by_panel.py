"""Panel's server sends everything, and soon."""

from bokeh.document import Document
from looped import finished
from panel.io import document

from dashboards import by_panel


class Socket:
    """A connection's end that notes what is sent."""


class Connection:
    _socket = Socket()


def test_a_message_that_was_left_behind_is_sent(monkeypatch):
    sent, doc, connection = [], Document(), Connection()
    monkeypatch.setitem(
        document.extra_socket_handlers, Socket, lambda conn, events=None, msg=None: sent.append(msg) or []
    )
    document._WRITE_MSGS[doc] = {connection: ["left"]}
    finished(document._dispatch_msgs(doc))
    assert sent == []  # what Panel's own function does; should this fail, ours is not needed any more
    finished(by_panel._dispatched(doc))
    assert sent == ["left"]
    assert doc not in document._WRITE_MSGS
    assert doc not in document._WRITE_BLOCK
