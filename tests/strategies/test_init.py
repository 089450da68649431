"""The table and choosing by name."""

import numpy as np
import pytest

from qtw_lab.core import DataError
from qtw_lab.strategies import STRATEGIES, Blend, Panel, SmaCross, strategy


def test_every_key_is_the_name_of_its_class():
    assert {name: kind().name for name, kind in STRATEGIES.items()} == {name: name for name in STRATEGIES}


def test_a_misspelt_name_or_parameter_gets_a_suggestion():
    with pytest.raises(DataError, match="Did you mean 'sma_cross'"):
        strategy("sma_crss")
    with pytest.raises(DataError, match="Did you mean 'slow'"):
        strategy("sma_cross", slw=3)


@pytest.mark.parametrize("member", [{"strategy": "sma_cross"}, {"strategy": "sma_cross", "parameters": 3}, {}])
def test_a_member_not_in_its_plain_form_is_refused(member):
    with pytest.raises(DataError, match="member of a blend is written"):
        strategy("blend", members=[member])


def test_members_may_be_strategies_and_plain_forms_mixed():
    plain = {"strategy": "sma_cross", "parameters": {"fast": 5}}
    assert strategy("blend", members=[SmaCross(), plain]) == Blend(members=(SmaCross(), SmaCross(fast=5)))


@pytest.mark.parametrize("name", sorted(set(STRATEGIES) - {"buy_and_hold"}))
def test_one_bar_less_than_the_memory_is_not_enough_where_the_memory_has_an_end(name, walk):
    """Tight, not just sufficient; exponential averages, whose memory is a bound, decide from less."""
    chosen = strategy(name)
    if name in ("ema_cross", "macd", "rsi_reversion"):
        assert chosen.warmup + 1 < chosen.memory < 1000
        return
    assert chosen.memory == chosen.warmup + 1
    rows = slice(0, chosen.memory - 1)
    parts = (getattr(walk, part)[rows] for part in ("open", "high", "low", "close", "volume", "times"))
    assert not np.isfinite(chosen.decide(Panel(*parts, walk.periods_per_year))).any()
