"""Strategies: signals or weights from bars. One file and one row of `STRATEGIES` each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from qtw_lab.core import DataError
from qtw_lab.core.lookup import lookup
from qtw_lab.strategies.base import Panel, Strategy, param
from qtw_lab.strategies.blend import Blend
from qtw_lab.strategies.bollinger_reversion import BollingerReversion
from qtw_lab.strategies.buy_and_hold import BuyAndHold
from qtw_lab.strategies.contract import ContractReport, Finding, check
from qtw_lab.strategies.cross_sectional_momentum import CrossSectionalMomentum
from qtw_lab.strategies.donchian_breakout import DonchianBreakout
from qtw_lab.strategies.ema_cross import EmaCross
from qtw_lab.strategies.macd import Macd
from qtw_lab.strategies.order_list import OrderList
from qtw_lab.strategies.pairs import Pairs
from qtw_lab.strategies.rsi_reversion import RsiReversion
from qtw_lab.strategies.sma_cross import SmaCross
from qtw_lab.strategies.time_series_momentum import TimeSeriesMomentum
from qtw_lab.strategies.timeframes import Slower, memory_of, slower, warmup_of
from qtw_lab.strategies.volatility_trend import VolatilityTrend

#: Every strategy of the house by name.
STRATEGIES: Final[dict[str, type[Strategy]]] = {
    "buy_and_hold": BuyAndHold,
    "sma_cross": SmaCross,
    "ema_cross": EmaCross,
    "macd": Macd,
    "rsi_reversion": RsiReversion,
    "bollinger_reversion": BollingerReversion,
    "donchian_breakout": DonchianBreakout,
    "time_series_momentum": TimeSeriesMomentum,
    "cross_sectional_momentum": CrossSectionalMomentum,
    "volatility_trend": VolatilityTrend,
    "pairs": Pairs,
    "blend": Blend,
}


def strategy(name: str, **parameters: Any) -> Strategy:
    """The strategy of that name with these parameters.

    Parameters
    ----------
    name : str
        A key of `STRATEGIES`.
    **parameters
        As the class takes them, or in the plain form that `Strategy.parameters` gives.

    Raises
    ------
    DataError
        If there is no such strategy or parameter (near misses are suggested), or a value does not fit.

    Examples
    --------
    >>> strategy("sma_cross", fast=20)
    SmaCross(fast=20, slow=50, short=False)
    >>> blend = Blend(members=(SmaCross(), Macd()))
    >>> strategy("blend", **blend.parameters) == blend
    True
    """
    kind = lookup(name, STRATEGIES, "strategy")
    if isinstance(parameters.get("members"), (list, tuple)):
        parameters["members"] = tuple(_member(member) for member in parameters["members"])
    return kind(**parameters)


def _member(given: Any) -> Any:
    """A member of a blend from its plain form; anything else as it is, for the blend to judge."""
    if not isinstance(given, Mapping):
        return given
    if set(given) != {"strategy", "parameters"} or not isinstance(given["parameters"], Mapping):
        raise DataError(f'A member of a blend is written {{"strategy": name, "parameters": {{...}}}}, not {given!r}.')
    return strategy(str(given["strategy"]), **given["parameters"])


__all__ = [
    "STRATEGIES",
    "Blend",
    "BollingerReversion",
    "BuyAndHold",
    "ContractReport",
    "CrossSectionalMomentum",
    "DonchianBreakout",
    "EmaCross",
    "Finding",
    "Macd",
    "OrderList",
    "Pairs",
    "Panel",
    "RsiReversion",
    "Slower",
    "SmaCross",
    "Strategy",
    "TimeSeriesMomentum",
    "VolatilityTrend",
    "check",
    "memory_of",
    "param",
    "slower",
    "strategy",
    "warmup_of",
]  # fmt: skip
