"""The universe: who is asked for, who passes, and in which order."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from qtw_lab.core import DataError
from qtw_lab.live.profile import Universe, checked
from qtw_lab.live.universe import FURTHEST, active, candidates, previous_dollars, ranked

OPEN = Universe(min_price=0.0, min_dollar_volume=0.0, min_volume=0.0)


def shot(price=10.0, volume=1_000_000, before=1_000_000, close=None, **more):
    close = price if close is None else close
    return {
        "latestTrade": {"p": price},
        "dailyBar": {"c": price, "v": volume, "vw": price},
        "prevDailyBar": {"c": close, "v": before, "vw": close},
        **more,
    }


def test_only_active_tradable_assets_count_and_each_once():
    assets = [
        {"symbol": "B", "status": "active", "tradable": True},
        {"symbol": "A"},
        {"symbol": "C", "status": "inactive"},
        {"symbol": "D", "tradable": False},
        {"symbol": "A"},
    ]
    assert active(assets) == ["A", "B"]


@pytest.mark.parametrize("asset", [{}, {"symbol": None}, {"symbol": ""}])
def test_an_asset_without_a_symbol_is_refused(asset):
    with pytest.raises(DataError, match="needs a symbol"):
        active([asset])


def test_the_prefilter_takes_the_most_traded_and_not_the_first_of_the_alphabet():
    assets = [{"symbol": f"S{number:05d}"} for number in range(11_000)]
    dollars = {f"S{number:05d}": float(number) for number in range(11_000)}
    chosen = candidates(assets, dollars, Universe(max_symbols=100, top_n=100))
    assert chosen == [f"S{number:05d}" for number in range(10_999, 10_899, -1)]


def test_named_symbols_are_asked_for_in_their_order_if_they_are_active():
    rules = checked({"universe": {"symbols": "IBM,GONE,AAPL"}}).universe
    assert candidates([{"symbol": "AAPL"}, {"symbol": "IBM"}, {"symbol": "MSFT"}], {}, rules) == ["IBM", "AAPL"]


def test_dollars_of_the_previous_session_are_shares_times_average_price_or_close():
    shots = {
        "A": {"prevDailyBar": {"c": 10.0, "v": 300, "vw": 9.0}},
        "B": {"prevDailyBar": {"c": 10.0, "v": 300}},
        "C": {"prevDailyBar": {"c": math.nan, "v": 300}},
        "D": None,
        "E": {"prevDailyBar": None},
        "F": {"prevDailyBar": {"c": 10.0, "v": -1}},
        "G": {"prevDailyBar": {"c": "10", "v": True}},
    }
    assert previous_dollars(shots) == {"A": 2700.0, "B": 3000.0, "C": 0.0, "D": 0.0, "E": 0.0, "F": 0.0, "G": 0.0}


def test_every_reason_to_leave_a_symbol_out_is_counted_once():
    shots = {
        "GOOD": shot(),
        "PENNY": shot(price=1.0, volume=10),
        "THIN": shot(volume=1000, before=1000),
        "FEW": shot(price=1000.0, volume=10_000, before=10_000),
        "NONE": {"latestTrade": {"p": 0.0}},
        "GONE": None,
    }
    found = ranked([*shots, "ABSENT", "GOOD"], shots, Universe())
    assert found.symbols == ("GOOD",)
    assert found.excluded == {
        "no snapshot": 2,
        "no price": 1,
        "price below min_price": 1,
        "dollar volume below min_dollar_volume": 1,
        "volume below min_volume": 1,
        "rank beyond top_n": 0,
    }


def test_a_minute_after_the_opening_the_previous_session_keeps_the_universe_full():
    shots = {"A": shot(volume=500, before=900_000), "B": shot(volume=0, before=10)}
    found = ranked(["A", "B"], shots, Universe())
    assert found.symbols == ("A",)
    assert found.measures["volume"].tolist() == [900_000.0]
    assert found.measures["dollar_volume"].tolist() == [9_000_000.0]


def test_the_price_is_that_of_the_newest_thing_known():
    bar = {"c": 5.0, "v": 1e6}
    found = ranked(
        ["A", "B", "C", "D"],
        {
            "A": {"latestTrade": {"p": 8.0}, "minuteBar": {"c": 7.0}, "dailyBar": bar},
            "B": {"minuteBar": {"c": 7.0}, "dailyBar": bar},
            "C": {"dailyBar": bar},
            "D": {"prevDailyBar": {"c": 4.0, "v": 1e6}},
        },
        OPEN,
    )
    assert found.table()["price"].to_dict() == {"A": 8.0, "B": 7.0, "C": 5.0, "D": 4.0}


def test_the_score_is_the_weighted_sum_of_z_scores():
    rng = np.random.default_rng(3)
    names = [f"S{number}" for number in range(50)]
    shots = {
        name: shot(price=float(p), volume=float(v), before=0, close=float(p / (1 + c)))
        for name, p, v, c in zip(
            names, rng.uniform(5, 100, 50), rng.uniform(1e5, 2e5, 50), rng.uniform(-0.05, 0.05, 50), strict=True
        )
    }
    found = ranked(names, shots, OPEN).table()

    def z(values):
        return (values - values.mean()) / values.std(ddof=0)  # pandas is the oracle

    by_hand = (
        z(np.log1p(found["dollar_volume"])) + 0.15 * z(found["change_pct"].abs()) + 0.05 * z(np.log1p(found["volume"]))
    )
    assert np.allclose(found["score"], by_hand, rtol=0, atol=1e-12)
    assert found["score"].is_monotonic_decreasing
    assert found["rank"].tolist() == list(range(1, 51))


def test_a_change_matters_where_dollars_times_weight_would_have_drowned_it():
    """In the reference 0.15 times a percentage was added to billions of dollars and never changed an order."""
    names = [f"S{number}" for number in range(20)]
    shots = {name: shot(volume=1_000_000 + place, before=0) for place, name in enumerate(names)}
    shots["S0"] = shot(volume=1_000_000, before=0, close=8.0)
    rules = OPEN.model_copy(update={"score_weights": OPEN.score_weights.model_copy(update={"change_pct": 2.0})})
    assert ranked(names, shots, rules).symbols[0] == "S0"


def test_one_wild_number_counts_as_three_deviations():
    names = [f"S{number:02d}" for number in range(100)]
    shots = {name: shot(before=0) for name in names}
    shots["S50"] = shot(before=0, close=0.01)  # a reverse split not adjusted for
    found = ranked(names, shots, OPEN).table()
    assert found.loc["S50", "score"] - found["score"].drop("S50").max() <= 0.15 * (FURTHEST + 0.2)


def test_equal_symbols_come_in_alphabetical_order_and_score_nothing():
    shots = {name: shot() for name in ("C", "A", "B")}
    found = ranked(["C", "A", "B"], shots, OPEN)
    assert found.symbols == ("A", "B", "C")
    assert found.score.tolist() == [0.0, 0.0, 0.0]


def test_an_empty_universe_is_a_fact():
    found = ranked([], {}, Universe())
    assert len(found) == 0
    assert found.table().empty
    assert "0 symbols ranked" in found._repr_html_()


def test_only_the_first_of_the_ranking_are_kept_and_the_rest_counted():
    shots = {f"S{number}": shot(volume=1e6 + number, before=0) for number in range(10)}
    found = ranked(list(shots), shots, OPEN.model_copy(update={"top_n": 4}))
    assert found.symbols == ("S9", "S8", "S7", "S6")
    assert found.excluded["rank beyond top_n"] == 6
    assert found.places == {"S9": 1, "S8": 2, "S7": 3, "S6": 4}


weird = some.one_of(
    some.none(), some.booleans(), some.text(max_size=3), some.floats(), some.integers(-(10**18), 10**18)
)
bars = some.one_of(some.none(), some.dictionaries(some.sampled_from(["c", "v", "vw", "p"]), weird))
keys = some.sampled_from(["latestTrade", "minuteBar", "dailyBar", "prevDailyBar"])


@settings(max_examples=200, deadline=None)
@given(
    shots=some.dictionaries(
        some.text("ABCD", min_size=1, max_size=2), some.one_of(some.none(), some.dictionaries(keys, bars))
    )
)
def test_whatever_a_venue_sends_the_ranking_is_finite_and_complete(shots):
    found = ranked(list(shots), shots, OPEN)
    assert np.isfinite(found.score).all()
    assert len(found) + sum(found.excluded.values()) == len(shots)
    assert set(found.symbols) <= set(shots)
    assert (found.measures["price"] > 0).all()
