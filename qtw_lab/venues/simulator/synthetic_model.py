"""What a synthetic stock is like: size, volatility, price, spread and activity, and where each figure comes from.

*Measured* on the bundled daily data (`qtw_lab.data.sample`; the last 252 sessions of each stock, and a test measures
them again): the dollar volume of the most traded stock, the level and dispersion of volatility, the share of the
variance that falls overnight, the correlation between stocks, the day-to-day dispersion of volume, the level and
dispersion of price.

*Assumed*, because daily bars of large companies cannot show it: how far dollar volume falls off between 10,000 symbols;
that smaller stocks are more volatile and cheaper; the pattern of a day (`synthetic_day`); sizes, exchanges and
conditions of trades; quotes. Activity and spreads follow the invariance hypothesis of Kyle & Obizhaeva (2016, "Market
Microstructure Invariance: Empirical Hypotheses", Econometrica 84), in which with trading activity W, the product of
daily volatility and dollar volume, the number of trades grows as W^(2/3) and the spread in units of daily volatility
falls as W^(-1/3).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import Final

import numpy as np
import numpy.typing as npt

from qtw_lab.venues.simulator.market_assets import LISTINGS
from qtw_lab.venues.simulator.synthetic_chance import normal_table, uniform_table

FloatArray = npt.NDArray[np.float64]

#: Sessions in a year, by which volatilities are annual.
YEAR: Final = 252


@dataclass(frozen=True, slots=True)
class Calibration:
    """Figures measured on the bundled data.

    Parameters
    ----------
    top_dollar_volume : float
        Median daily dollar volume of the most traded stock (AAPL, data set "stocks").
    volatility, volatility_spread : float
        Geometric mean of the stocks' annual volatilities, and standard deviation of their logarithms (25 stocks).
    overnight : float
        Share of the variance between close and open (mean of 5 stocks).
    correlation : float
        Mean correlation of daily log returns (data set "sp500").
    volume_spread : float
        Standard deviation of the logarithm of daily volume (mean of 5 stocks).
    price, price_spread : float
        Geometric mean of the last closes, and standard deviation of their logarithms (data set "sp500").
    """

    top_dollar_volume: float = 10.2e9
    volatility: float = 0.295
    volatility_spread: float = 0.38
    overnight: float = 0.36
    correlation: float = 0.376
    volume_spread: float = 0.41
    price: float = 117.0
    price_spread: float = 0.79


MEASURED: Final = Calibration()

#: Assumed: standard deviation of log dollar volume over 10,000 symbols. With the most traded at its measured volume
#: they trade some 150 billion dollars a day together, the order of US stocks in the years of the data.
DOLLAR_VOLUME_SPREAD: Final = 2.5
#: Assumed: how many symbols a whole market has; a smaller one is made of its most traded stocks.
WHOLE_MARKET: Final = 10_000
#: Assumed: by how much volatility rises and price falls with each standard deviation of dollar volume below the large
#: companies of the bundled data, which stand three above the median.
SMALLER_MOVES_MORE: Final = 0.12
SMALLER_IS_CHEAPER: Final = 0.40
LARGE: Final = 3.0
#: Assumed: the level of the spread, 10 basis points of the price for Kyle and Obizhaeva's benchmark stock (daily
#: volatility 2%, a million shares of 40 dollars a day).
SPREAD_AT_BENCHMARK: Final = 10e-4
BENCHMARK_VOLATILITY: Final = 0.02
BENCHMARK_ACTIVITY: Final = 0.02 * 40e6

#: Assumed: of every five rows one is a trade; the reference study of the US tapes found 1 in 3.4 to 1 in 5.
TRADE_SHARE: Final = 0.2

_LEAST_PRICE: Final = 0.4
#: Assumed: dollars a day of a stock that hardly trades.
_LEAST_DOLLARS: Final = 5_000.0
_SHARES_LISTED: Final = (("NASDAQ", 0.42), ("NYSE", 0.30), ("ARCA", 0.20), ("BATS", 0.06), ("AMEX", 0.02))

_STREAM_ORDER: Final = 101
_STREAM_STOCK: Final = 102
_STREAM_LISTING: Final = 103


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Stocks:
    """A cross-section of stocks, arrays of shape (N,).

    Parameters
    ----------
    volatility : float64
        Standard deviation of a day's log return, close to close.
    price : float64
        Close of the day before.
    volume : float64
        Shares that a typical day trades.
    spread : float64
        Dollars between bid and ask in a calm moment, before rounding to ticks.
    activity : float64
        Share of the market's rows.
    exchange, tape : uint8
        Letter of the listing exchange, and of the tape.
    listing : tuple of str
        Alpaca's name of the listing exchange.
    """

    volatility: FloatArray
    price: FloatArray
    volume: FloatArray
    spread: FloatArray
    activity: FloatArray
    exchange: npt.NDArray[np.uint8]
    tape: npt.NDArray[np.uint8]
    listing: tuple[str, ...]

    @property
    def dollar_volume(self) -> FloatArray:
        """Dollars that a typical day trades."""
        return self.volume * self.price


def described(volatility: FloatArray, price: FloatArray, volume: FloatArray, listing: tuple[str, ...]) -> Stocks:
    """Stocks of that daily volatility, price and volume, their spreads and activity by invariance.

    Examples
    --------
    >>> one = described(np.array([0.02]), np.array([40.0]), np.array([1e6]), ("NYSE",))
    >>> one.spread.round(4).tolist(), one.activity.tolist()
    ([0.04], [1.0])
    """
    worth = volatility * volume * price
    spread = SPREAD_AT_BENCHMARK * price * volatility / BENCHMARK_VOLATILITY * np.cbrt(BENCHMARK_ACTIVITY / worth)
    activity = np.cbrt(worth) ** 2
    codes = [LISTINGS[name] for name in listing]
    return Stocks(
        volatility=volatility,
        price=price,
        volume=volume,
        spread=spread,
        activity=activity / activity.sum(),
        exchange=np.array([code for code, _ in codes], dtype=np.uint8),
        tape=np.array([tape for _, tape in codes], dtype=np.uint8),
        listing=listing,
    )


def cross_section(seed: int, count: int, figures: Calibration = MEASURED) -> Stocks:
    """The `count` most traded stocks of a market drawn with that seed, in random order.

    Dollar volumes are the quantiles of a log-normal distribution, the first at its measured value; volatilities and
    prices are log-normal around levels that depend on it.

    Examples
    --------
    >>> stocks = cross_section(seed=1, count=500)
    >>> round(float(stocks.dollar_volume.max()) / 1e9, 1)
    10.2
    """
    whole = max(count, WHOLE_MARKET)
    quantile = NormalDist().inv_cdf
    heights = np.array([quantile(1.0 - (rank + 0.5) / whole) for rank in range(count)])
    size = np.exp(DOLLAR_VOLUME_SPREAD * (heights - heights[0])) * figures.top_dollar_volume
    order = np.argsort(uniform_table(seed, _STREAM_ORDER, 1, count)[0], kind="stable")
    size, below = np.maximum(size[order], _LEAST_DOLLARS), np.maximum(LARGE - heights[order], 0.0)
    drawn = normal_table(seed, _STREAM_STOCK, 2, count)
    annual = figures.volatility * np.exp(figures.volatility_spread * drawn[0] + SMALLER_MOVES_MORE * below)
    price = figures.price * np.exp(figures.price_spread * drawn[1] - SMALLER_IS_CHEAPER * below)
    price = np.maximum(np.round(price, 2), _LEAST_PRICE)
    bounds = np.cumsum([share for _, share in _SHARES_LISTED])
    chosen = np.searchsorted(bounds[:-1], uniform_table(seed, _STREAM_LISTING, 1, count)[0])
    listing = tuple(_SHARES_LISTED[place][0] for place in chosen)
    return described(annual / math.sqrt(YEAR), price, size / price, listing)
