"""The witness is the bundled table itself, read on its own."""

import numpy as np
import pytest

from qtw_lab.core import DataError
from qtw_lab.data.sample import sample_bars
from qtw_lab.venues.market import SECOND
from qtw_lab.venues.simulator.market_bundled import BundledMarket

NIGHT = 6 * 3600 * SECOND
FIELDS = ("open", "high", "low", "close", "volume")


def real(name, date, adjustment="raw"):
    bars = sample_bars(name, date, date, adjustment=adjustment, dataset="stocks")
    return [float(getattr(bars, field)[name].iloc[0]) for field in FIELDS]


@pytest.mark.parametrize(
    ("names", "date", "seed"),
    [
        (("AAPL", "FB", "GOOG", "IBM", "MSFT"), "2012-10-31", 0),
        (("AAPL", "FB"), "2012-11-23", 1),
        (("AAPL", "IBM"), "2008-10-10", 2),
        (("MSFT",), "2003-02-18", 3),
    ],
)
def test_open_high_low_close_and_volume_are_the_real_ones(names, date, seed):
    market = BundledMarket(names, date, seed)
    first, last = market.span
    bars = market.bars(range(len(names)), "1Day", first - NIGHT, last, last)
    for number, name in enumerate(names):
        assert [float(bars[number][field]) for field in FIELDS] == real(name, date)


def test_the_path_between_is_another_for_another_seed():
    one, other = (BundledMarket("IBM", "2012-10-31", seed) for seed in (0, 1))
    span = (one.span[0], one.span[1], one.span[1])
    assert one.bars([0], 60, *span).tolist() != other.bars([0], 60, *span).tolist()
    again = BundledMarket("IBM", "2012-10-31", 0)
    assert one.bars([0], 60, *span).tolist() == again.bars([0], 60, *span).tolist()


def test_the_days_before_are_real_and_adjusted_only_for_what_had_happened():
    market = BundledMarket("MSFT", "2003-02-18")
    first, last = market.span
    span = (first - 5 * 24 * 3600 * SECOND, first - NIGHT, last)
    raw, split, paid, both = (market.bars([0], "1Day", *span, kind) for kind in ("raw", "split", "dividend", "all"))
    close, volume = real("MSFT", "2003-02-14")[3:]
    assert (raw["close"][-1], raw["volume"][-1]) == (close, volume)
    # Two for one on 2003-02-18: halved prices, twice the shares.
    assert (split["close"][-1], split["volume"][-1]) == (close / 2, volume * 2)
    assert market.previous_daily([0], last)["close"].tolist() == [close]
    assert paid["volume"].tolist() == raw["volume"].tolist()
    # A dividend of 8 cents on 2003-02-19 came later and is in none of them.
    assert both["close"][-1] == close / 2


def test_a_dividend_lowers_earlier_prices_by_its_part():
    market = BundledMarket("MSFT", "2004-11-15")
    first, last = market.span
    span = (first - 5 * 24 * 3600 * SECOND, first - NIGHT, last)
    raw, split, paid = (market.bars([0], "1Day", *span, kind)[-1]["close"] for kind in ("raw", "split", "dividend"))
    # Three dollars and the quarterly eight cents.
    assert paid / raw == pytest.approx(1 - 3.08 / raw, abs=2e-3)
    assert split == raw


def test_prices_of_the_session_stay_within_the_real_range():
    market = BundledMarket("IBM", "2012-10-31")
    hours = market.hours
    start, end = (hours.begin + at * SECOND for at in (hours.opens, hours.closes))
    bars = market.bars([0], 60, start, end, market.span[1])
    low, high = real("IBM", "2012-10-31")[2:0:-1]
    assert bars["low"].min() == low
    assert bars["high"].max() == high
    assert len(bars) == 390
    assert np.abs(np.diff(np.log(bars["close"]))).max() < 0.01


def test_a_stock_that_did_not_trade_is_named():
    with pytest.raises(DataError, match="FB did not trade"):
        BundledMarket("AAPL,FB", "2010-01-05")
    with pytest.raises(DataError, match="no session"):
        BundledMarket("AAPL", "2012-10-29")
    with pytest.raises(DataError, match="XYZ"):
        BundledMarket("XYZ", "2012-10-31")
    with pytest.raises(DataError, match="did not trade"):
        BundledMarket("AAPL", "2020-01-06")
