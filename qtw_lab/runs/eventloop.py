"""An event loop for one piece of work, closed when it ends."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable
from typing import TypeVar

from qtw_lab.core.extras import need

T = TypeVar("T")


def with_own_loop(work: Callable[[], T]) -> T:
    """What `work` returns, run in this thread with an event loop of its own.

    Jupyter's libraries make a loop for every thread that calls them and never close it; a worker that runs notebooks in
    threads would lose two sockets a run. Inside a running loop (a notebook that runs a notebook) they use one
    background thread for good, and `work` is simply called.

    Examples
    --------
    >>> with_own_loop(lambda: 42)
    42
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return contextvars.Context().run(_looped, work)
    return work()


def _looped(work: Callable[[], T]) -> T:
    loop: asyncio.AbstractEventLoop = need("jupyter_core.utils", "dashboards").ensure_event_loop()
    try:
        return work()
    finally:
        left = asyncio.all_tasks(loop)
        for task in left:
            task.cancel()
        loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        loop.close()
        asyncio.set_event_loop(None)
