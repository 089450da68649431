"""The pages served by Panel: one process for all readers, with a session for each, which ends when he leaves."""

from __future__ import annotations

import signal
from collections.abc import Callable, Mapping
from typing import Any, Final

from bokeh.document import Document
from bokeh.server.server import BaseServer
from bokeh.server.tornado import BokehTornado
from panel.io import document
from panel.io.application import build_applications
from panel.io.resources import DIST_DIR
from tornado.ioloop import IOLoop

from dashboards.labels import label
from dashboards.serving import Serving
from qtw_lab.lab import Lab
from qtw_lab.lab.publishing_plan import Plan

#: Where a page is below the server's address.
PLACE: Final = "{}"

#: Milliseconds: how long a session outlives its reader, how often that is looked at, how often a sign of life is sent.
_UNUSED: Final = 15_000
_LOOKED: Final = 5_000
_ALIVE: Final = 20_000


_dispatch = document._dispatch_msgs  # noqa: SLF001  (see below)


async def _dispatched(doc: Document) -> None:
    """Send what waits for a document, as Panel's own function of this place does, and what came to wait meanwhile.

    Panel's leaves a message unsent that was put there while another was being written: the browser shows it when the
    next one comes, be that a minute later. It is internal to Panel 1.9, which is why pyproject.toml holds Panel below
    1.10; a test leaves a message so.
    """
    await _dispatch(doc)
    while doc in document._WRITE_MSGS and doc not in document._WRITE_BLOCK:  # noqa: SLF001  (as above)
        document._WRITE_BLOCK[doc] = True  # noqa: SLF001  (as above)
        await _dispatch(doc)


def serve(plan: Plan, lab: Lab, pages: Mapping[str, Callable[[], Any]]) -> None:
    """Serve until told to stop."""
    vars(document)["_dispatch_msgs"] = _dispatched
    serving, loop = Serving(plan, lab, PLACE), IOLoop.current()
    titles = {key: f"{label(f'page.{key}')} | QTW Lab" for key in pages}
    inner = BokehTornado(
        build_applications(dict(pages), title=titles), extra_websocket_origins=plan.origins(), xsrf_cookies=True,
        unused_session_lifetime_milliseconds=_UNUSED, check_unused_sessions_milliseconds=_LOOKED,
        keep_alive_milliseconds=_ALIVE, use_index=False, redirect_root=False,
        ico_path=str(DIST_DIR / "images" / "favicon.ico"),
    )  # fmt: skip
    http = serving.door(inner)
    http.add_sockets(sockets := serving.bound())
    server = BaseServer(loop, inner, http)
    server.start()
    signal.signal(signal.SIGTERM, lambda *_: loop.add_callback_from_signal(loop.stop))
    try:
        serving.run(loop, sockets[0].getsockname()[1])
    finally:
        server.stop()
