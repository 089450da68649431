"""An empty store whose clock stands still."""

import pytest
from stored import MOMENT

from qtw_lab.core import VirtualClock
from qtw_lab.data.store import Store


@pytest.fixture
def store(tmp_path) -> Store:
    return Store(tmp_path / "store", clock=VirtualClock(MOMENT))
