"""How far a piece of work is."""

from qtw_lab.core import RunError
from qtw_lab.lab.workbench_steps import Step, StoppedError, never, silent


def test_a_step_knows_its_share_or_that_there_is_none():
    assert Step("sweep", 1, 4).share == 0.25
    assert Step("verdict").share is None


def test_where_nobody_listens_nothing_happens_and_nothing_ends():
    assert silent(Step("prices")) is None
    assert never() is False
    assert issubclass(StoppedError, RunError)
