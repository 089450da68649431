"""The figures of the model are measured again on the bundled data; the pattern of chance on many draws."""

import numpy as np
import pytest

from qtw_lab.data.sample import sample_bars
from qtw_lab.venues.simulator.synthetic_chance import keyed, normal_table, poisson, rough_normal
from qtw_lab.venues.simulator.synthetic_day import hours_of, paths
from qtw_lab.venues.simulator.synthetic_model import MEASURED, cross_section
from qtw_lab.venues.simulator.synthetic_prices import bridge

FIVE = ("AAPL", "FB", "GOOG", "IBM", "MSFT")
CAPS = "AAPL,AMD,BAC,BBY,CVX,GE,HD,JNJ,JPM,KO,LLY,MRK,MSFT,PEP,PFE,PG,RRC,UNH,WMT,XOM"


@pytest.fixture(scope="module")
def five():
    return {name: sample_bars(name, adjustment="raw", dataset="stocks") for name in FIVE}


@pytest.fixture(scope="module")
def caps():
    return sample_bars(CAPS, dataset="sp500").close.tail(252)


def column(bars, name):
    return getattr(bars, name).iloc[-252:, 0]


def test_the_most_traded_stock_is_apple(five):
    traded = {name: (column(bars, "close") * column(bars, "volume")).median() for name, bars in five.items()}
    assert max(traded, key=traded.get) == "AAPL"
    assert pytest.approx(traded["AAPL"], rel=0.01) == MEASURED.top_dollar_volume


def test_volatilities_are_those_of_twenty_five_stocks(five, caps):
    own = [np.log(column(bars, "close")).diff().std() for bars in five.values()]
    annual = np.log(np.concatenate([own, np.log(caps).diff().std()]) * 252**0.5)
    assert np.exp(annual.mean()) == pytest.approx(MEASURED.volatility, rel=0.01)
    assert annual.std(ddof=1) == pytest.approx(MEASURED.volatility_spread, rel=0.02)


def test_the_share_of_the_night_is_that_of_five_stocks(five):
    shares = []
    for bars in five.values():
        night = np.log(column(bars, "open") / column(bars, "close").shift()).var()
        session = np.log(column(bars, "close") / column(bars, "open")).var()
        shares.append(night / (night + session))
    assert np.mean(shares) == pytest.approx(MEASURED.overnight, abs=0.01)


def test_volume_price_and_correlation_are_measured(five, caps):
    spread = np.mean([np.log(column(bars, "volume")).std() for bars in five.values()])
    assert spread == pytest.approx(MEASURED.volume_spread, abs=0.01)
    together = np.corrcoef(np.log(caps).diff().dropna().to_numpy().T)
    assert together[np.triu_indices(20, 1)].mean() == pytest.approx(MEASURED.correlation, abs=0.002)
    last = np.log(caps.iloc[-1])
    assert np.exp(last.mean()) == pytest.approx(MEASURED.price, rel=0.01)
    assert last.std() == pytest.approx(MEASURED.price_spread, abs=0.01)


def test_a_whole_market_trades_on_the_order_of_a_hundred_billion_dollars():
    stocks = cross_section(seed=1, count=10_000)
    assert stocks.dollar_volume.max() == pytest.approx(MEASURED.top_dollar_volume)
    assert 100e9 < stocks.dollar_volume.sum() < 250e9
    large = np.argsort(-stocks.dollar_volume)[:200]
    annual = stocks.volatility[large] * 252**0.5
    assert np.exp(np.log(annual).mean()) == pytest.approx(MEASURED.volatility, rel=0.12)
    assert (stocks.spread / stocks.price)[large].mean() < 0.2 * np.median(stocks.spread / stocks.price)


def test_a_small_market_is_the_most_traded_part_of_a_large_one():
    whole, part = (cross_section(seed=1, count=count).dollar_volume for count in (10_000, 50))
    assert np.sort(part) == pytest.approx(np.sort(whole)[-50:], rel=1e-9)


def test_paths_have_the_volatility_and_correlation_of_the_model():
    hours = hours_of("2024-01-05")
    made = paths(hours, 1, np.full(4000, 0.02), 0.36, 0.0)
    assert made[-1].std() == pytest.approx(0.02, rel=0.03)
    session = made[hours.closes // 60] - made[hours.opens // 60]
    assert session.std() == pytest.approx(0.02 * 0.8, rel=0.03)
    minutes = np.diff(paths(hours, 1, np.full(200, 0.02), 0.36, 0.4).astype(float), axis=0)
    together = np.corrcoef((minutes / minutes.std(axis=1, keepdims=True)).T)
    assert together[np.triu_indices(200, 1)].mean() == pytest.approx(0.4, abs=0.06)


def test_a_bridge_is_tied_at_both_ends_and_widest_between():
    seed = np.uint64(5)
    assert bridge(seed, 1, 2, 0) == bridge(seed, 1, 2, 60) == 0.0
    values = np.array([[bridge(seed, n, 2, at) for at in (15, 30, 31)] for n in range(4000)])
    variance = [at * (60 - at) / 3600 for at in (15, 30, 31)]
    assert values.var(axis=0) == pytest.approx(variance, rel=0.08)
    assert np.diff(values[:, 1:], axis=1).var() == pytest.approx(1 / 60 - 1 / 3600, rel=0.08)


@pytest.mark.parametrize("mean", [0.001, 0.5, 7.0, 39.0, 41.0, 300.0])
def test_counts_are_poisson(mean):
    drawn = np.array([poisson(mean, np.uint64(keyed(np.uint64(9), 1, place, 0))) for place in range(20_000)])
    assert drawn.mean() == pytest.approx(mean, abs=4 * (mean / 20_000) ** 0.5)
    assert drawn.var() == pytest.approx(mean, rel=0.06 if mean > 0.1 else 0.8)


def test_normal_numbers_are_normal():
    table = normal_table(seed=2, stream=1, rows=200, columns=200)
    assert abs(table.mean()) < 0.02
    assert table.std() == pytest.approx(1.0, abs=0.02)
    assert np.mean(table**4) == pytest.approx(3.0, abs=0.15)
    rough = np.array([rough_normal(np.uint64(keyed(np.uint64(1), 1, place, 0))) for place in range(20_000)])
    assert rough.std() == pytest.approx(1.0, abs=0.02)
    assert abs(rough).max() < 3.47
