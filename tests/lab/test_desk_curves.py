"""Equity of sessions, and of all together."""

import pandas as pd

from qtw_lab.lab.desk_curves import Curves
from qtw_lab.live.trading.state import DeskState
from qtw_lab.live.trading.terms import SessionTerms
from qtw_lab.venues.paper.events import Event

SECOND = 10**9


def opened(name, cash):
    return Event(
        "opened", 1, name, {"terms": SessionTerms.given(name, "sma_cross", "X", "1min").written(), "cash": cash}
    )


def marked(name, second, fee="0"):
    return Event("charged", second * SECOND, name, {"kind": "FEE", "symbol": "", "amount": fee, "note": ""}), Event(
        "marked", second * SECOND, name, {"prices": {}}
    )


def at(second):
    return pd.Timestamp(second * SECOND, unit="ns", tz="UTC")


def test_a_curve_grows_and_one_without_news_is_the_same():
    state, curves = DeskState.of([opened("a", "100"), opened("b", "50"), *marked("a", 10, "-1")]), Curves()
    first = curves.take(state)
    assert first["a"].to_dict() == {at(10): 99.0}
    assert list(first) == ["a"]  # the other was never valued
    for event in (*marked("a", 20, "-2"), *marked("b", 20, "5")):
        state.apply(event)
    second = curves.take(state)
    assert second["a"].to_dict() == {at(10): 99.0, at(20): 97.0}
    assert second["b"].to_dict() == {at(20): 55.0}
    third = curves.take(state)
    assert all(third[name] is second[name] for name in third)


def test_all_together_are_worth_what_they_were_given_and_have_gained():
    events = [
        opened("a", "100"),
        opened("b", "50"),
        *marked("a", 10, "-1"),
        *marked("b", 20, "5"),
        *marked("a", 30, "2"),
    ]
    curves = Curves()
    assert curves.together().empty
    curves.take(DeskState.of(events))
    # b counts with its 50 before its first bar
    assert curves.together().to_dict() == {at(10): 149.0, at(20): 154.0, at(30): 156.0}
