import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qtw_lab.core import DataError
from qtw_lab.data import MODELS, Shape, expected_index, synthetic_bars
from qtw_lab.data.synthetic import Gbm


@settings(max_examples=40, deadline=None)
@given(
    model=st.sampled_from(sorted(MODELS)),
    seed=st.integers(0, 2**40),
    volatility=st.floats(0.01, 3.0),
    drift=st.floats(-1, 1),
    holes=st.floats(0, 0.5),
    late=st.floats(0, 0.9),
    timeframe=st.sampled_from(["1D", "5min", "1h"]),
)
def test_every_bar_of_every_market_is_possible(model, seed, volatility, drift, holes, late, timeframe):
    shape = Shape(symbols=4, bars=60, holes=holes, late_listings=late, timeframe=timeframe)
    bars = synthetic_bars(model, shape, seed=seed, volatility=volatility, drift=drift)
    v = {name: array[bars.present] for name, array in bars.values.items()}
    assert (v["high"] >= np.maximum(v["open"], v["close"])).all()
    assert (v["low"] <= np.minimum(v["open"], v["close"])).all()
    assert (v["low"] > 0).all()
    assert (v["volume"] >= 1).all()
    assert (v["volume"] == np.round(v["volume"])).all()
    assert (np.isnan(bars.values["open"]) == ~bars.present).all()


def test_equal_seeds_give_equal_bars_and_others_do_not():
    shape = Shape(symbols=3, bars=50, holes=0.1, late_listings=0.5)
    prints = [synthetic_bars("garch", shape, seed=seed).fingerprint for seed in (1, 1, 2)]
    assert prints[0] == prints[1] != prints[2]


def test_gaps_change_no_price_that_remains():
    whole = synthetic_bars("gbm", Shape(symbols=5, bars=300), seed=3)
    gappy = synthetic_bars("gbm", Shape(symbols=5, bars=300, holes=0.2, late_listings=0.4), seed=3)
    assert len(gappy) == len(whole)
    for name, array in gappy.values.items():
        assert (array[gappy.present] == whole.values[name][gappy.present]).all()


def test_holes_and_late_listings_have_the_stated_frequency():
    bars = synthetic_bars("gbm", Shape(symbols=101, bars=1000, holes=0.05, late_listings=0.3), seed=5)
    first = bars.present.argmax(axis=0)
    assert (first > 0).sum() == 30
    assert first[0] == 0
    assert 100 <= first[first > 0].min() <= first.max() < 600
    inside = np.arange(1000)[:, None] > first
    missing = (~bars.present & inside).sum() / inside.sum()
    assert missing == pytest.approx(0.05, abs=4 * np.sqrt(0.05 * 0.95 / inside.sum()))
    assert bars.present[-1].all()


def test_daily_bars_lie_on_sessions_and_intraday_bars_on_the_clock_of_the_exchange():
    for timeframe in ("1D", "1h"):
        bars = synthetic_bars("gbm", Shape(bars=700, start="2012-10-22", timeframe=timeframe), seed=1)
        assert bars.index.equals(expected_index("XNYS", timeframe, "2012-10-22", "2016-12-31")[:700])


def test_a_fifth_of_the_variance_of_a_daily_bar_falls_overnight():
    v = Gbm(drift=0.0).bars(Shape(symbols=50, bars=5000), 1).values
    night = np.log(v["open"][1:] / v["close"][:-1]).var()
    day = np.log(v["close"] / v["open"]).var()
    assert night / (night + day) == pytest.approx(0.2, abs=0.005)


def test_the_mean_high_is_that_of_brownian_motion():
    """The expected maximum of driftless Brownian motion is its deviation times sqrt(2 / pi)."""
    bars = Gbm(drift=0.0).bars(Shape(symbols=50, bars=5000, timeframe="5min"), 1)
    deviation = 0.2 / np.sqrt(bars.periods_per_year)
    up, down = np.log(bars.values["high"] / bars.values["open"]), np.log(bars.values["low"] / bars.values["open"])
    assert up.mean() / deviation == pytest.approx(np.sqrt(2 / np.pi), abs=0.01)
    assert down.mean() / deviation == pytest.approx(-np.sqrt(2 / np.pi), abs=0.01)


def test_the_notes_say_that_nothing_is_real():
    assert (
        synthetic_bars("jumps", Shape(bars=5), seed=4)
        .notes[0]
        .startswith("synthetic prices, not a market: jumps, drift 0.06")
    )


@pytest.mark.parametrize(
    ("shape", "words"),
    [
        ({"bars": 0}, "at least one bar"),
        ({"symbols": 0}, "one symbol"),
        ({"symbols": ()}, "one symbol"),
        ({"holes": 1.0}, "holes=1.0"),
        ({"late_listings": -0.1}, "late_listings"),
        ({"first_price": float("nan")}, "first_price"),
        ({"timeframe": "1W"}, "resample daily ones"),
        ({"calendar": "MOON"}, "no exchange calendar"),
        ({"symbols": ("A", "A")}, "unique"),
        ({"bars": 2.5}, "whole number"),
        ({"symbols": 1.5}, "whole number"),
        ({"holes": "few"}, "must be a number"),
        ({"start": "soon"}, "not a date"),
        ({"bars": 100_000}, "end after 2200"),
    ],
)
def test_an_impossible_shape_is_refused(shape, words):
    with pytest.raises(DataError, match=words):
        synthetic_bars("gbm", Shape(**{"bars": 5} | shape), seed=1)


@pytest.mark.parametrize("seed", [-1, 1.5, "1", None, True])
def test_a_seed_is_a_whole_number(seed):
    with pytest.raises(DataError, match="seed"):
        synthetic_bars("gbm", Shape(bars=5), seed=seed)
