"""A thousand kills -9 of a broker's process: what was acknowledged is there afterwards, once, and accounts agree."""

import pytest
from kill_drill import drilled


@pytest.mark.parametrize("kills", [15, pytest.param(1000, marks=pytest.mark.slow)])
def test_nothing_acknowledged_is_lost_or_doubled_by_kills_at_random_moments(tmp_path, kills):
    figures = drilled(tmp_path, kills)
    print(figures)
    assert (figures.kills, figures.lost, figures.doubled, figures.wrong) == (kills, [], [], [])
    assert figures.orders > kills
    assert figures.fills > kills // 4
