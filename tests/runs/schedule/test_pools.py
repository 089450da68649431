import os
import sys
import time

import pytest

from qtw_lab.core import SetupError
from qtw_lab.runs.schedule.pools import LocalPool

TELLS = "import os; print(os.getpid() == os.getsid(0) == os.getpgid(0), os.environ['COLOUR'], 'attempt')"


@pytest.fixture
def pool(records, tmp_path):
    def make(*words: str):
        environment = {"COLOUR": "red", "PATH": os.environ["PATH"]}
        return LocalPool(records, 2, lambda one: [*words, str(one.attempts)], environment, tmp_path / "logs")

    return make


def test_an_attempt_gets_a_session_and_group_of_its_own_and_a_log(records, due, entry, pool, tmp_path):
    made = pool(sys.executable, "-c", f"{TELLS}; import sys; print(sys.argv[1])")
    eye = made.start(due(records, entry()))
    while not eye.look():
        time.sleep(0.01)
    assert (tmp_path / "logs" / "night.log").read_text().split() == ["True", "red", "attempt", "1"]
    assert made.places() == 2


def test_the_log_is_begun_anew_by_each_attempt(records, due, entry, pool, tmp_path):
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "night.log").write_text("what came before")
    eye = pool(sys.executable, "-c", "print('now')").start(due(records, entry()))
    while not eye.look():
        time.sleep(0.01)
    assert (tmp_path / "logs" / "night.log").read_text() == "now\n"


def test_a_process_that_cannot_be_started_is_an_error_of_the_setup(records, due, entry, pool):
    with pytest.raises(SetupError, match="The process of night of 2024-01-02 14:30:00 UTC cannot be started"):
        pool("/no/such/program").start(due(records, entry()))
