"""On paper, against pandas, and against the members alone."""

import json

import numpy as np
import pandas as pd
import pytest

from qtw_lab.core import DataError
from qtw_lab.strategies import (
    Blend,
    BuyAndHold,
    DonchianBreakout,
    EmaCross,
    Macd,
    SmaCross,
    Strategy,
    TimeSeriesMomentum,
    VolatilityTrend,
    strategy,
)


def test_signals_are_spread_over_the_symbols_and_weights_taken_as_they_are(walk):
    members = (SmaCross(), VolatilityTrend())
    expected = 0.25 * SmaCross().decide(walk) / 2 + 0.75 * VolatilityTrend().decide(walk)
    blend = Blend(members=members, shares=(0.25, 0.75))
    np.testing.assert_allclose(blend.decide(walk), expected, rtol=0, atol=1e-15)


def test_shares_are_equal_if_not_given(walk):
    members = (SmaCross(), BuyAndHold(), TimeSeriesMomentum())
    equal = Blend(members=members, shares=(1 / 3, 1 / 3, 1 / 3))
    np.testing.assert_array_equal(Blend(members=members).decide(walk), equal.decide(walk))


def test_the_scale_is_target_over_the_realised_volatility_of_the_unscaled_blend(walk):
    plain = Blend(members=(SmaCross(short=True), BuyAndHold()))
    scaled = Blend(members=plain.members, target_volatility=0.05, window=40, cap=3.0)
    held = pd.DataFrame(plain.decide(walk))
    earned = (held.shift(1) * pd.DataFrame(walk.close).pct_change()).sum(axis=1, min_count=1)
    scale = (0.05 / (earned.rolling(40).std() * np.sqrt(252))).clip(upper=3.0)
    np.testing.assert_allclose(scaled.decide(walk), held.mul(scale, axis=0).to_numpy(), rtol=1e-9)
    assert np.flatnonzero(np.isfinite(scaled.decide(walk)[:, 0]))[0] == scaled.warmup == 49 + 40
    assert scale.nunique() > 100


def test_a_member_that_holds_is_carried_and_flat_before_its_first_entry(panel):
    close = [5.0, 5.0, 5.0, 6.0, 6.0, 4.0, 4.0]
    blend = Blend(members=(DonchianBreakout(entry=2, exit=2),))
    np.testing.assert_array_equal(blend.decide(panel(close))[:, 0], [np.nan, np.nan, 0.0, 1.0, 1.0, 0.0, 0.0])


def test_where_a_member_still_warms_up_the_blend_has_no_decision(walk):
    decisions = Blend(members=(BuyAndHold(), SmaCross())).decide(walk)
    assert np.isnan(decisions[:49]).all()
    assert np.isfinite(decisions[49:]).all()


def test_memory_is_the_longest_or_without_end_if_a_member_holds():
    assert Blend(members=(SmaCross(), EmaCross())).memory == EmaCross().memory
    assert Blend(members=(SmaCross(), DonchianBreakout())).memory is None
    assert Blend(members=(SmaCross(),), target_volatility=0.1, window=20).memory == 70

    class Unbounded(Strategy):
        def signals(self, prices):
            return np.ones_like(prices.close)

    assert Blend(members=(Unbounded(), SmaCross())).memory is None


def test_exposure_is_the_members_by_share_times_the_cap():
    members = (SmaCross(), VolatilityTrend(cap=3.0))
    assert Blend(members=members).exposure == 2.0
    assert Blend(members=members, target_volatility=0.1, cap=2.0).exposure == 4.0


def test_parameters_are_json_and_read_back_even_for_a_blend_of_blends():
    inner = Blend(members=(SmaCross(), Macd()), shares=(0.2, 0.3), target_volatility=0.15)
    outer = Blend(members=(inner, BuyAndHold()))
    assert strategy("blend", **json.loads(json.dumps(outer.parameters))) == outer


def test_its_repr_can_be_typed_back():
    blend = Blend(members=(SmaCross(), Macd()), target_volatility=0.15)
    assert eval(repr(blend), {"Blend": Blend, "SmaCross": SmaCross, "Macd": Macd}) == blend


def test_lists_are_taken_for_tuples():
    assert Blend(members=[SmaCross()], shares=[1]) == Blend(members=(SmaCross(),), shares=(1.0,))


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"members": ()}, "one given is none"),
        ({"members": ("sma_cross",)}, "'sma_cross'"),
        ({"members": (SmaCross,)}, "must be strategies"),
        ({"members": (SmaCross(),), "shares": (0.5, 0.5)}, "for each of 1 members"),
        ({"members": (SmaCross(), Macd()), "shares": (0.9, 0.2)}, "at most 1 in all"),
        ({"members": (SmaCross(), Macd()), "shares": (0.9, 0.0)}, "above 0"),
        ({"members": (SmaCross(), Macd()), "shares": (float("nan"), 0.5)}, "above 0"),
        ({"members": (SmaCross(),), "shares": ("all",)}, "one number"),
        ({"target_volatility": -0.1}, "out of range"),
    ],
)
def test_what_does_not_fit_is_refused(parameters, words):
    with pytest.raises(DataError, match=words):
        Blend(**parameters)


def test_arrays_of_parameters_are_refused():
    with pytest.raises(DataError, match="one set at a time"):
        Blend().with_columns({"window": np.array([20, 40])})
