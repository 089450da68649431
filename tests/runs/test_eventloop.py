"""A loop for one piece of work."""

from __future__ import annotations

import asyncio

import pytest
from jupyter_core.utils import ensure_event_loop, run_sync

from qtw_lab.runs.eventloop import with_own_loop


async def _loop():
    return asyncio.get_running_loop()


def test_the_loop_is_closed_when_the_work_ends():
    loop = with_own_loop(run_sync(_loop))
    assert loop.is_closed()


def test_the_loop_is_closed_and_its_tasks_cancelled_when_the_work_fails():
    seen = []

    def work():
        loop = ensure_event_loop()
        seen.extend([loop, loop.create_task(asyncio.sleep(60))])
        raise KeyError("x")

    with pytest.raises(KeyError):
        with_own_loop(work)
    assert seen[0].is_closed()
    assert seen[1].cancelled()


def test_each_piece_of_work_has_a_loop_of_its_own():
    assert with_own_loop(run_sync(_loop)) is not with_own_loop(run_sync(_loop))


def test_inside_a_running_loop_the_work_is_simply_done():
    async def inside():
        return with_own_loop(lambda: 42)

    assert asyncio.run(inside()) == 42
