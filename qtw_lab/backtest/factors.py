"""What happened between prices, from the factors that adjust them, measured with the noise of rounded prices."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Final

import numpy as np
import numpy.typing as npt

from qtw_lab.core import DataError

FloatArray = npt.NDArray[np.float64]

#: Adjusted prices of which nine in ten are multiples of one of these were rounded to it.
_TICKS: Final = (0.01, 0.001, 0.0001)
_MOSTLY: Final = 0.9
#: Relative noise of factors whose prices were not rounded, wide enough for prices kept in single precision.
_EXACT: Final = 1e-6
#: From which step on a factor is asked whether it is a split, where nobody says so, and how much of the price a
#: dividend of the same day may be. A split of 6 for 5 or less is taken for a dividend.
_SPLIT_STEP: Final = 1.2
_DIVIDEND_BESIDE: Final = 0.1
_RATIOS: Final = tuple(
    sorted(
        {Fraction(n) for n in range(2, 101)}
        | {Fraction(1, n) for n in range(2, 1001)}
        | {Fraction(text) for text in ("5/4", "4/3", "3/2", "5/3", "5/2", "7/2", "2/3", "3/4")}
    )
)
#: Largest denominator of a ratio that a measured step is taken to mean.
_LARGEST_DENOMINATOR: Final = 100


@dataclass(frozen=True, slots=True)
class Levels:
    """An adjustment factor as constants between steps.

    Each bar says that its factor lies within half a tick over the close of what was measured. A constant holds for as
    long as one value fits all bars since the last step, and is the middle of the values that do.

    Parameters
    ----------
    level, error : ndarray
        Length T: the constant at each bar, and how far it may be off.
    steps : tuple of int
        The bars at which a new constant begins; never 0.
    """

    level: FloatArray
    error: FloatArray
    steps: tuple[int, ...]

    @classmethod
    def of(cls, factor: FloatArray, closes: FloatArray, tick: float | None) -> Levels:
        """The levels of a measured factor.

        Parameters
        ----------
        factor : ndarray
            Length T, adjusted over raw close, positive, without holes.
        closes : ndarray
            Length T, raw.
        tick : float, optional
            To what the adjusted closes were rounded, 0 for not at all; found from them if None.

        Examples
        --------
        >>> Levels.of(np.array([0.5, 0.5, 1.0]), np.array([20.0, 20.2, 10.1]), 0.0).steps
        (2,)
        """
        rounding = _rounding(factor * closes, closes) if tick is None else tick
        half = rounding / 2 / closes + _EXACT * factor
        low, high = factor - half, factor + half
        steps, begin = [], 0
        level, error = factor.copy(), half.copy()
        while begin < len(factor):
            fits = np.maximum.accumulate(low[begin:]) <= np.minimum.accumulate(high[begin:])
            end = len(factor) if fits.all() else begin + int(np.argmin(fits))
            least, most = low[begin:end].max(), high[begin:end].min()
            level[begin:end], error[begin:end] = (least + most) / 2, (most - least) / 2
            steps.append(begin)
            begin = end
        return cls(level, error, tuple(steps[1:]))

    def step(self, place: int) -> tuple[float, float]:
        """By how much the factor grows at that bar, and the uncertainty of it."""
        before, after = self.level[place - 1], self.level[place]
        ratio = after / before
        return float(ratio), float(ratio * (self.error[place - 1] / before + self.error[place] / after))


def _rounding(adjusted: FloatArray, closes: FloatArray) -> float:
    """The coarsest tick of which most adjusted prices are multiples; 0 if there is none."""
    moved = adjusted[np.abs(adjusted - closes) > _EXACT * closes]  # the others are as traded, and say nothing
    for tick in _TICKS:
        near = np.abs(moved - np.round(moved / tick) * tick) <= tick * 1e-5 + moved * 2e-7
        if near.size and near.mean() >= _MOSTLY:
            return tick
    return 0.0


def meant_ratio(step: float, error: float) -> float:
    """The simplest ratio within the uncertainty of a measured one; the measured one if that is not simple.

    Examples
    --------
    >>> meant_ratio(1.99987, 0.0003), meant_ratio(0.66661, 0.0001) == 2 / 3, meant_ratio(1.046187, 1e-8)
    (2.0, True, 1.046187)
    """
    for denominator in range(1, _LARGEST_DENOMINATOR + 1):
        simple = Fraction(step).limit_denominator(denominator)
        inverse = 1 / Fraction(1 / step).limit_denominator(denominator) if step < 1 else simple
        for ratio in (simple, inverse):
            if ratio > 0 and abs(float(ratio) - step) <= error:
                return float(ratio)
    return step


def guessed_split(step: float, error: float, label: str) -> float:
    """The split in a step of the factor for splits and dividends, where nobody has told them apart.

    A step of a fifth or more, or downwards, is the largest usual ratio that leaves a dividend of less than a tenth of
    the price; a step up that leaves more is a dividend altogether.

    Parameters
    ----------
    step, error : float
        As `Levels.step`.
    label : str
        Symbol and date, for the error.

    Raises
    ------
    DataError
        If the factor falls by what no usual split explains.

    Examples
    --------
    >>> guessed_split(2.0204, 1e-6, "X"), guessed_split(0.1, 1e-7, "X"), guessed_split(1.11, 1e-6, "X")
    (2.0, 0.1, 1.0)
    """
    if 1.0 - error <= step < _SPLIT_STEP:
        return 1.0
    fitting = [float(ratio) for ratio in _RATIOS if 1 - _DIVIDEND_BESIDE < float(ratio) / (step + error) <= 1.0]
    if fitting:
        return fitting[-1]
    if step > 1.0:
        return 1.0
    raise DataError(
        f"Actions: the factor of {label} falls to {step:.6g} of itself, which no dividend explains and no usual split. "
        "Give the prices adjusted for splits alone as well, or check that raw and adjusted prices belong together."
    )


def dividend_of(split: float, step: float, error: float, close: float, label: str) -> float:
    """Cash for a share after the split, from the step of the factor; within the uncertainty there is none.

    Parameters
    ----------
    split : float
        New shares for one old.
    step, error : float
        As `Levels.step`, of the factor for splits and dividends.
    close : float
        Last raw close before.
    label : str
        Symbol and date, for the error.

    Raises
    ------
    DataError
        If the factor grows less than the split asks for.

    Examples
    --------
    >>> round(dividend_of(2.0, 2.0 / 0.98, 0.0, 100.0, "X"), 9)
    1.0
    """
    share = 1.0 - split / step
    doubt = split * error / step**2
    if abs(share) <= doubt:
        return 0.0
    if share < 0:
        raise DataError(
            f"Actions: the factor of {label} grows by {step:.6g}, less than the split of {split:.6g} of that day, as "
            "if holders had paid a dividend. Check that raw and adjusted prices belong together; if the adjusted "
            "prices were rounded, say to what with tick=0.01."
        )
    return close / split * share
