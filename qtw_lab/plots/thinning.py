"""Fewer points for drawing a long series, without hiding an extreme."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from qtw_lab.plots.tables import FloatArray

#: Series up to this length are drawn whole.
WHOLE: Final = 5_000

#: Stretches a longer one is parted into: about as many as a wide screen has columns of pixels.
STRETCHES: Final = 1_250


def drawn_places(columns: Sequence[FloatArray], whole: int = WHOLE, stretches: int = STRETCHES) -> npt.NDArray[np.intp]:
    """Which points of series on one time axis are drawn: all of them, or of each stretch those that show.

    Of every stretch of a long series are kept the first and the last point, the lowest and the highest of each column,
    and the first missing one, so that a line is broken where it was broken. At the width of the whole series the
    picture is that of all points, to a pixel; zooming in shows the points kept.

    Parameters
    ----------
    columns : sequence of ndarray, (T,)
        What is drawn on the common axis; NaN where missing.
    whole : int
        Series up to this length are kept whole.
    stretches : int
        How many stretches a longer one is parted into.

    Returns
    -------
    ndarray
        Numbers of the points, ascending.

    Examples
    --------
    >>> values = np.zeros(10_000)
    >>> values[7_777] = 1.0
    >>> places = drawn_places([values])
    >>> len(places) < 4_000, 7_777 in places
    (True, True)
    """
    length = len(columns[0])
    if length <= whole:
        return np.arange(length, dtype=np.intp)
    size = -(-length // stretches)
    starts = np.arange(0, length, size)
    chosen = [starts, np.minimum(starts + size, length) - 1]
    short = size * len(starts) - length
    for values in columns:
        table = np.concatenate([values, np.full(short, values[-1])]).reshape(len(starts), size)
        missing = np.isnan(table)
        chosen += [starts + np.where(missing, edge, table * way).argmin(axis=1)
                   for way, edge in ((1.0, np.inf), (-1.0, np.inf))]  # fmt: skip
        broken = missing.any(axis=1)
        chosen.append(starts[broken] + missing[broken].argmax(axis=1))
    return np.unique(np.minimum(np.concatenate(chosen), length - 1)).astype(np.intp)
