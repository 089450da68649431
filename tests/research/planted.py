"""Small worlds whose truth is known, and rules for them."""

import numpy as np
import pandas as pd

import qtw_lab as qtw


def bars_of(returns, symbol="X", start="2010-01-04"):
    """Daily bars whose closes have these returns, (T,) or by symbol; the open is the close before."""
    table = returns if isinstance(returns, dict) else {symbol: returns}
    frames = {}
    for name, path in table.items():
        close = 100.0 * np.cumprod(1.0 + np.asarray(path))
        before = np.concatenate([[100.0], close[:-1]])
        frame = pd.DataFrame({"open": before, "close": close})
        frame["high"], frame["low"] = frame.max(axis=1), frame.min(axis=1)
        frames[name] = frame.assign(volume=1e6).set_index(pd.bdate_range(start, periods=len(path), tz="UTC"))
    return qtw.Bars.from_frame(pd.concat(frames, axis=1), calendar="XNYS")


def noise(seed, bars=1500, size=0.01):
    """Returns without any pattern."""
    return size * np.random.default_rng(seed).standard_normal(bars)


def momentum(seed, bars=1500, size=0.01, phi=0.25):
    """Returns of which each follows the one before: r = phi r + e."""
    shocks = noise(seed, bars, size)
    path = np.zeros(bars)
    for bar in range(1, bars):
        path[bar] = phi * path[bar - 1] + shocks[bar]
    return path


class Follow(qtw.Strategy):
    """Long after `lag` bars' gain, short after their loss."""

    lag: int = qtw.param(1, low=1, high=60)

    def signals(self, prices):
        past = qtw.indicators.lag(prices.close, self.lag)
        return np.where(np.isnan(past), np.nan, np.sign(prices.close - past))

    @property
    def warmup(self):
        return self.lag


class Prophet(qtw.Strategy):
    """Long before a gain, which it looks up."""

    size: float = qtw.param(1.0, low=0.1, high=1.0)

    def signals(self, prices):
        return self.size * (np.roll(prices.close, -1, axis=0) > prices.close)


class Idle(qtw.Strategy):
    """Never trades."""

    size: float = qtw.param(0.0, low=0.0, high=1.0)

    def signals(self, prices):
        return np.zeros(prices.close.shape)
