"""A misspelt name is answered with the one that was meant."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qtw_lab.core import DataError, lookup, near_misses

TABLE = {"sma_cross": 1, "ema_cross": 2, "macd": 3, "none": None}


def test_what_is_there_is_given_even_if_it_is_none():
    assert lookup("macd", TABLE) == 3
    assert lookup("none", TABLE) is None


def test_a_near_miss_is_suggested_without_regard_to_case():
    with pytest.raises(DataError, match=r"There is no strategy 'SMA_CRSS'\. Did you mean 'sma_cross'"):
        lookup("SMA_CRSS", TABLE, "strategy")
    assert near_misses("MACD", TABLE) == ["macd"]
    assert near_misses("sma_cros", TABLE, count=1) == ["sma_cross"]


def test_a_far_miss_gets_the_list_cut_at_thirty():
    with pytest.raises(DataError, match="Known: ema_cross, macd, none, sma_cross"):
        lookup("buy low sell high", TABLE)
    with pytest.raises(DataError, match="and 5 more"):
        lookup("x", {f"entry number {place:02}": place for place in range(35)})
    with pytest.raises(DataError, match="none at all"):
        lookup("x", {})


@pytest.mark.parametrize("name", [None, 5, 1.5, ["macd"], {"macd"}, b"macd", ("macd",)])
def test_a_name_is_text(name):
    with pytest.raises(DataError, match="chosen by its name"):
        lookup(name, TABLE, "strategy")


@given(st.text(max_size=60))
def test_any_text_is_found_or_refused_on_one_line(text):
    if text in TABLE:
        return
    with pytest.raises(DataError) as caught:
        lookup(text, TABLE)
    assert len(str(caught.value).splitlines()) == 1
