"""Whatever the parameters and however broken the bars: no crash, no peeking, no decision without a bar."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as some

from qtw_lab.core import DataError
from qtw_lab.strategies import STRATEGIES, Blend, Panel
from qtw_lab.strategies.base import Bounds
from qtw_lab.strategies.cross_sectional_momentum import _PERIODS

LONGEST = 120  # windows and walks stay short, so that both warm and cold decisions are met


@some.composite
def walks(draw, width=None):
    """A panel of random walks with late listings, holes, ties and stretches where nothing moves."""
    rng = np.random.default_rng(draw(some.integers(0, 2**32 - 1)))
    shape = (draw(some.integers(1, 2 * LONGEST)), width or draw(some.integers(1, 4)))
    steps = rng.normal(0.0, draw(some.sampled_from([0.0, 0.001, 0.02, 0.5])), shape)
    steps[rng.random(shape) < draw(some.sampled_from([0.0, 0.5, 0.95]))] = 0.0
    close = np.exp(np.clip(np.cumsum(steps, axis=0), -50, 50)) * 50.0
    if draw(some.booleans()):
        close = np.maximum(np.round(close), 1.0)
    gone = rng.random(shape) < draw(some.sampled_from([0.0, 0.05, 0.5, 1.0]))
    for column, listing in enumerate(rng.integers(0, shape[0] + 1, shape[1])):
        if draw(some.booleans()):
            gone[:listing, column] = True
    close[gone] = np.nan
    spread = 1.0 + np.abs(rng.normal(0.0, 0.01, shape))
    days = np.arange(shape[0], dtype=np.int64) * draw(some.sampled_from([1, 1, 9])) * 86_400_000_000_000
    return Panel(close, close * spread, close / spread, close, np.where(gone, np.nan, 100.0), days, 252.0)


@some.composite
def settings_of(draw, kind):
    """A strategy of that class with any parameters its bounds and its own check allow."""
    values = {}
    for name, entry in kind.declared().items():
        bounds = entry.metadata.get("bounds")
        if not isinstance(bounds, Bounds):
            continue
        if isinstance(entry.default, bool):
            values[name] = draw(some.booleans())
        elif isinstance(entry.default, int):
            values[name] = draw(some.integers(int(bounds.low), int(min(bounds.high, LONGEST))))
        elif isinstance(entry.default, float):
            values[name] = draw(some.floats(bounds.low, min(bounds.high, 100.0)))
        else:
            values[name] = draw(some.sampled_from(sorted(_PERIODS)))
    if kind is Blend:
        chosen = draw(
            some.lists(some.sampled_from(sorted(set(STRATEGIES) - {"blend", "pairs"})), min_size=1, max_size=3)
        )
        values["members"] = tuple(draw(settings_of(STRATEGIES[name])) for name in chosen)
    for ordered in (values, in_order(values), in_order(values, falling=True)):
        try:
            return kind(**ordered)
        except DataError:
            continue  # parameters that have to rise, or fall, in the order of their declaration
    return reject()


def in_order(values, *, falling=False):
    """The same values with the whole numbers among them sorted, and the fractions among them."""
    arranged = dict(values)
    for kind in (int, float):
        names = [name for name, value in values.items() if type(value) is kind]
        arranged |= zip(names, sorted((values[name] for name in names), reverse=falling), strict=True)
    return arranged


@pytest.mark.parametrize("name", STRATEGIES)
@settings(max_examples=60, deadline=None)
@given(data=some.data())
def test_any_allowed_parameters_decide_on_any_bars(name, data):
    strategy = data.draw(settings_of(STRATEGIES[name]))
    prices = data.draw(walks(width=2 if name == "pairs" else None))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        decisions = strategy.decide(prices)
    assert decisions.shape == prices.close.shape
    assert np.isnan(decisions[np.isnan(prices.close)]).all()
    assert not np.isfinite(decisions[: strategy.warmup]).any()
    if strategy.scope == "symbol" and not strategy.holds:
        seen = np.cumsum(np.isfinite(prices.close), axis=0)
        assert np.isfinite(decisions[np.isfinite(prices.close) & (seen > strategy.warmup)]).all()
    cut = data.draw(some.integers(1, len(decisions)))
    known = Panel(*(getattr(prices, part)[:cut] for part in ("open", "high", "low", "close", "volume", "times")), 252.0)
    np.testing.assert_array_equal(strategy.decide(known), decisions[:cut])
