"""The columns that an equity curve is drawn from, for a figure that is there already and gets new points."""

from __future__ import annotations

import numpy as np
import pandas as pd

from qtw_lab.plots.tables import FloatArray, milliseconds, moments, numbers
from qtw_lab.plots.thinning import drawn_places


def equity_columns(curve: pd.Series) -> dict[str, FloatArray]:
    """What the source of `equity` holds: times in milliseconds, equity, and the drawdown as a fraction.

    Parameters
    ----------
    curve : Series
        Equity, as for `equity`.

    Raises
    ------
    DataError
        If it is not numbers, or not in order of time.

    Examples
    --------
    >>> days = pd.date_range("2024-01-02", periods=3)
    >>> equity_columns(pd.Series([100.0, 120.0, 90.0], index=days))["drawdown"].round(4).tolist()
    [0.0, 0.0, -0.25]
    """
    index, values = moments(curve, "equity curve"), numbers(curve, "equity curve")
    peak = np.fmax.accumulate(values) if len(values) else values
    below = values / np.where(peak > 0, peak, np.nan) - 1.0
    columns = {"time": milliseconds(index).astype(np.float64), "equity": values, "drawdown": below}
    kept = drawn_places([values, below])
    return {name: column[kept] for name, column in columns.items()}
