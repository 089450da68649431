"""Ready factors against pandas on one symbol, and against the leak detector on real bars."""

import numpy as np
import pandas as pd
import pytest

import qtw_lab as qtw
from qtw_lab.core import DataError
from qtw_lab.research import leaks
from qtw_lab.research.factor_measures import (
    FACTORS,
    beta,
    distance_from_high,
    dollar_volume,
    illiquidity,
    momentum,
    reversal,
    volatility,
)


@pytest.fixture(scope="module")
def bars():
    """Five stocks, of which FB lists late."""
    return qtw.Lab.offline().bars(["AAPL", "FB", "GOOG", "IBM", "MSFT"], start="2011-02-01", end="2013-03-01")


#: The same factors in pandas, for symbols that have every bar.
IN_PANDAS = {
    "momentum": (momentum, lambda b: b.close.shift(21) / b.close.shift(252) - 1),
    "reversal": (reversal, lambda b: -b.close.pct_change(21, fill_method=None)),
    "volatility": (volatility, lambda b: np.log(b.close).diff().rolling(63).std() * np.sqrt(252)),
    "illiquidity": (
        illiquidity,
        lambda b: (b.close.pct_change(fill_method=None).abs() * 1e6 / (b.close * b.volume)).rolling(21).mean(),
    ),
    "dollar_volume": (dollar_volume, lambda b: np.log((b.close * b.volume).rolling(21).mean())),
    "distance_from_high": (distance_from_high, lambda b: b.close / b.high.rolling(252).max() - 1),
}


@pytest.mark.parametrize("name", IN_PANDAS)
def test_a_factor_is_that_of_pandas(bars, name):
    factor, expected = IN_PANDAS[name]
    whole = bars.select(["AAPL", "GOOG", "IBM", "MSFT"])
    assert FACTORS[name] is factor
    pd.testing.assert_frame_equal(factor(whole), expected(whole), check_names=False, check_freq=False, rtol=1e-9)


def test_beta_is_that_of_numpy(bars):
    whole = bars.select(["AAPL", "IBM", "MSFT"])
    moves = whole.close.pct_change(fill_method=None)
    last = moves.iloc[-252:]
    market = last.mean(axis=1)
    expected = [np.cov(last[name], market)[0, 1] / market.var() for name in last]
    np.testing.assert_allclose(beta(whole).iloc[-1], expected, rtol=1e-9)


def test_betas_of_symbols_that_make_the_market_average_one(bars):
    whole = bars.select(["AAPL", "IBM", "MSFT"])
    assert beta(whole).iloc[-1].mean() == pytest.approx(1.0)


@pytest.mark.parametrize("name", FACTORS)
def test_no_ready_factor_looks_ahead(bars, name):
    short = {
        "momentum": {"lookback": 60, "skip": 5}, "distance_from_high": {"window": 60}, "beta": {"window": 60},
        "volatility": {"window": 30},
    }.get(name, {})  # fmt: skip
    report = leaks.detect(lambda b: FACTORS[name](b, **short), bars)
    assert not report.leaking, report


@pytest.mark.parametrize("name", FACTORS)
def test_a_late_listing_counts_its_own_bars_only(bars, name):
    """FB alone, from its first bar on, has the factor it has among the others; a beta knows the others by nature."""
    if name == "beta":
        return
    alone = bars.select("FB")
    kwargs = {"lookback": 100} if name == "momentum" else {"window": 100} if name == "distance_from_high" else {}
    among = FACTORS[name](bars, **kwargs)["FB"]
    np.testing.assert_allclose(among.loc[alone.index], FACTORS[name](alone, **kwargs)["FB"], rtol=1e-9)
    assert among.loc[: alone.index[0] - pd.Timedelta(days=1)].isna().all()
    assert among.notna().any()


def test_bars_without_volume_have_no_liquidity():
    bars = qtw.Lab.offline().bars(["KO", "PEP"], start="2020-01-01", end="2020-12-31", source="sp500")
    for factor in (illiquidity, dollar_volume):
        with pytest.raises(DataError, match="have no volume"):
            factor(bars)


def test_a_bar_without_trades_does_not_count_for_liquidity(bars_of):
    bars = bars_of(X={"close": [1.0, 2.0, 3.0], "volume": [10.0, 0.0, 10.0]})
    assert dollar_volume(bars, window=2)["X"].isna().tolist() == [True, True, False]
    assert dollar_volume(bars, window=2)["X"].iloc[-1] == pytest.approx(np.log((10 + 30) / 2))


def test_lengths_that_do_not_fit_are_refused(bars):
    with pytest.raises(DataError, match="skip=5 must be below lookback=5"):
        momentum(bars, lookback=5, skip=5)
    with pytest.raises(DataError, match="window=1"):
        volatility(bars, window=1)
    with pytest.raises(DataError, match="made from Bars"):
        reversal(bars.close)


def test_momentum_without_skip_is_reversal_upside_down(bars):
    pd.testing.assert_frame_equal(momentum(bars, 21, 0), -reversal(bars, 21))
