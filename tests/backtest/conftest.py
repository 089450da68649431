"""Strategies that do as they are told, to test the engine and not the rule."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from qtw_lab.strategies import Panel, Strategy


def pytest_addoption(parser):
    parser.addoption("--regenerate-hashes", action="store_true", help="pin the present order lists anew")


class Told(Strategy):
    """Gives the signals it was made with."""

    holds = True
    script: tuple = ()

    def signals(self, prices: Panel) -> Any:
        return np.array(self.script, dtype=float).reshape(prices.close.shape)


class ToldWeights(Strategy):
    """Gives the weights it was made with."""

    holds = True
    exposure = 4.0
    script: tuple = ()

    def weights(self, prices: Panel) -> Any:
        return np.array(self.script, dtype=float).reshape(prices.close.shape)


def _script(values: Sequence[Any]) -> tuple:
    return tuple(np.asarray(values, dtype=float).reshape(-1).tolist())


@pytest.fixture(scope="session")
def told():
    """A strategy that gives these signals, bar by bar (rows) and symbol by symbol (columns)."""
    return lambda *values: Told(script=_script(values))


@pytest.fixture(scope="session")
def told_weights():
    """A strategy that gives these weights."""
    return lambda *values: ToldWeights(script=_script(values))
