"""What sessions of a desk were worth, bar by bar: each, and all together."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from qtw_lab.live.trading.state import DeskState


class Curves:
    """Equity of the sessions of a desk, kept up at the price of what is new.

    Examples
    --------
    >>> from qtw_lab.live.trading.state import DeskState
    >>> Curves().take(DeskState())
    {}
    """

    def __init__(self) -> None:
        self._times: dict[str, list[int]] = {}
        self._values: dict[str, list[float]] = {}
        self._starts: dict[str, float] = {}
        self._made: dict[str, pd.Series] = {}

    def take(self, state: DeskState) -> dict[str, pd.Series]:
        """Equity of each session that was ever valued, in dollars by time (UTC); one without news is the same object.

        Parameters
        ----------
        state : DeskState
            The desk, further on than it was the last time.
        """
        for name, sleeve in state.sleeves.items():
            times, values = self._times.setdefault(name, []), self._values.setdefault(name, [])
            fresh = sleeve.curve[len(times) :]
            if not fresh:
                continue
            times += [mark.at for mark in fresh]
            values += [float(mark.equity) for mark in fresh]
            self._starts.setdefault(name, float(sleeve.start))
            index = pd.DatetimeIndex(np.array(times, dtype="datetime64[ns]"), tz="UTC", name="time")
            self._made[name] = pd.Series(values, index=index, name=name)
        return dict(self._made)

    def together(self, name: str = "all") -> pd.Series:
        """All sessions as one account: what they were given, and what each has gained so far, in dollars by time."""
        if not self._made:
            return pd.Series(dtype=float, index=pd.DatetimeIndex([], tz="UTC", name="time"), name=name)
        times = np.unique(np.concatenate([np.array(self._times[one]) for one in self._made]))
        total = np.zeros(len(times))
        for one in self._made:
            known = np.searchsorted(np.array(self._times[one]), times, side="right") - 1
            values = np.array([self._starts[one], *self._values[one]])
            total += values[known + 1]  # before its first bar it is worth what it was given
        index = pd.DatetimeIndex(times.astype("datetime64[ns]"), tz="UTC", name="time")
        return pd.Series(total, index=index, name=name)
