"""Compiled kernels over the last `window` bars; signatures as in `columns.Kernel`.

A sliding sum remembers rounding. Means and sums therefore use compensated summation; second moments and ramps start
afresh every `window` bars, which costs one more addition a bar, so that an error never outlives its window.
"""

from __future__ import annotations

import math

import numpy as np

from qtw_lab.indicators.columns import FloatArray, IntArray
from qtw_lab.indicators.compiled import compiled

#: A sum of squares that falls below this share of its peak has lost digits and is computed afresh.
_LOST = 1e-4


@compiled
def sum_into(x: FloatArray, start: int, n: int, y: FloatArray, mean: bool) -> None:
    """Sum or mean of the last n values, from bar `start` on.

    The order of operations is that of pandas: first the leaving value is taken off, then the new one is added, each
    with its own compensation; n equal values have exactly that mean; a mean of values of one sign keeps that sign.
    """
    total, lost_in, lost_out = 0.0, 0.0, 0.0
    repeats, negatives = 0, 0
    for i in range(start, x.shape[0]):
        value = x[i]
        if n == 1:
            y[i] = value
            continue
        if i - start >= n:
            gone = x[i - n]
            term = -gone - lost_out
            grown = total + term
            lost_out = grown - total - term
            total = grown
            if math.copysign(1.0, gone) < 0.0:
                negatives -= 1
        term = value - lost_in
        grown = total + term
        lost_in = grown - total - term
        total = grown
        if math.copysign(1.0, value) < 0.0:
            negatives += 1
        repeats = repeats + 1 if i > start and value == x[i - 1] else 1
        if i - start >= n - 1:
            y[i] = _read(total, value, n, repeats, negatives, mean)


@compiled
def _read(total: float, value: float, n: int, repeats: int, negatives: int, mean: bool) -> float:
    """The sum or mean that the state of `sum_into` stands for."""
    if repeats >= n:
        return value if mean else value * n
    if not mean:
        return total
    result = total / n
    if (negatives == 0 and result < 0.0) or (negatives == n and result > 0.0):
        return 0.0
    return result


@compiled
def rolling_sum(values: FloatArray, counts: IntArray, p: IntArray, out: FloatArray) -> None:
    """Sum of the last p[0] values."""
    for j in range(out.shape[1]):
        m = min(j, counts.shape[0] - 1)
        sum_into(values[0, m, : counts[m]], 0, p[0, j], out[0, j], mean=False)


@compiled
def rolling_mean(values: FloatArray, counts: IntArray, p: IntArray, out: FloatArray) -> None:
    """Mean of the last p[0] values."""
    for j in range(out.shape[1]):
        m = min(j, counts.shape[0] - 1)
        sum_into(values[0, m, : counts[m]], 0, p[0, j], out[0, j], mean=True)


@compiled
def extreme_into(x: FloatArray, n: int, sign: float, y: FloatArray) -> None:
    """Largest (sign 1) or smallest (sign -1) of the last n values, with a queue of candidates."""
    size = x.shape[0]
    if n > size:
        return
    queue = np.empty(size, dtype=np.int64)
    head, tail = 0, 0
    for i in range(size):
        while tail > head and sign * x[queue[tail - 1]] <= sign * x[i]:
            tail -= 1
        queue[tail] = i
        tail += 1
        if queue[head] <= i - n:
            head += 1
        if i >= n - 1:
            y[i] = x[queue[head]]


@compiled
def rolling_max(values: FloatArray, counts: IntArray, p: IntArray, out: FloatArray) -> None:
    """Largest of the last p[0] values."""
    for j in range(out.shape[1]):
        m = min(j, counts.shape[0] - 1)
        extreme_into(values[0, m, : counts[m]], p[0, j], 1.0, out[0, j])


@compiled
def rolling_min(values: FloatArray, counts: IntArray, p: IntArray, out: FloatArray) -> None:
    """Smallest of the last p[0] values."""
    for j in range(out.shape[1]):
        m = min(j, counts.shape[0] - 1)
        extreme_into(values[0, m, : counts[m]], p[0, j], -1.0, out[0, j])


@compiled
def moments(x: FloatArray, first: int, last: int) -> tuple[float, float]:
    """Mean and sum of squared deviations of ``x[first:last]``, in two passes, the mean's rounding taken out."""
    mean = 0.0
    for i in range(first, last):
        mean += x[i]
    mean /= last - first
    squares, rest = 0.0, 0.0
    for i in range(first, last):
        squares += (x[i] - mean) ** 2
        rest += x[i] - mean
    return mean, max(squares - rest * rest / (last - first), 0.0)


@compiled
def deviation_into(x: FloatArray, n: int, ddof: int, y: FloatArray) -> None:
    """Standard deviation of the last n values; exactly 0 if they are equal, NaN if n does not exceed ddof."""
    size = x.shape[0]
    if n > size or n <= ddof:
        return
    mean, squares, peak = 0.0, 0.0, 0.0
    repeats = 0
    for i in range(size):
        repeats = repeats + 1 if i > 0 and x[i] == x[i - 1] else 1
        if i < n - 1:
            continue
        if repeats >= n:
            mean, squares = x[i], 0.0
        elif (i + 1) % n == 0:
            mean, squares = moments(x, i + 1 - n, i + 1)
            peak = squares
        else:
            step = x[i] - x[i - n]
            before = mean
            mean += step / n
            squares += step * (x[i] - mean + x[i - n] - before)
            if squares < _LOST * peak:
                mean, squares = moments(x, i + 1 - n, i + 1)
                peak = squares
            peak = max(peak, squares)
        y[i] = math.sqrt(squares / (n - ddof))


@compiled
def rolling_std(values: FloatArray, counts: IntArray, p: IntArray, out: FloatArray) -> None:
    """Standard deviation of the last p[0] values with p[1] - 1 degrees of freedom taken off."""
    for j in range(out.shape[1]):
        m = min(j, counts.shape[0] - 1)
        deviation_into(values[0, m, : counts[m]], p[0, j], p[1, j] - 1, out[0, j])


@compiled
def ramp_into(x: FloatArray, n: int, y: FloatArray, slope: bool) -> None:
    """Linearly weighted mean (weights 1 to n), or least-squares slope a bar, of the last n values.

    Values are taken relative to one of them, so that the level of a price does not eat the digits of its slope.
    """
    size = x.shape[0]
    base, ramp, total = 0.0, 0.0, 0.0
    for i in range(n - 1, size):
        if (i + 1) % n == 0:
            base, ramp, total = x[i], 0.0, 0.0
            for k in range(n):
                ramp += k * (x[i + 1 - n + k] - base)
                total += x[i + 1 - n + k] - base
        else:
            ramp += (n - 1) * (x[i] - base) - (total - (x[i - n] - base))
            total += x[i] - x[i - n]
        if slope:
            y[i] = (ramp - 0.5 * (n - 1) * total) / (n * (n * n - 1.0) / 12.0)
        else:
            y[i] = base + (ramp + total) / (0.5 * n * (n + 1))


@compiled
def weighted_mean(values: FloatArray, counts: IntArray, p: IntArray, out: FloatArray) -> None:
    """Mean of the last p[0] values with weights 1 to p[0]."""
    for j in range(out.shape[1]):
        m = min(j, counts.shape[0] - 1)
        ramp_into(values[0, m, : counts[m]], p[0, j], out[0, j], slope=False)


@compiled
def rolling_slope(values: FloatArray, counts: IntArray, p: IntArray, out: FloatArray) -> None:
    """Least-squares slope a bar over the last p[0] values."""
    for j in range(out.shape[1]):
        m = min(j, counts.shape[0] - 1)
        ramp_into(values[0, m, : counts[m]], p[0, j], out[0, j], slope=True)


@compiled
def lagged(values: FloatArray, counts: IntArray, p: IntArray, out: FloatArray) -> None:
    """The value p[0] bars ago."""
    for j in range(out.shape[1]):
        m = min(j, counts.shape[0] - 1)
        for i in range(p[0, j], counts[m]):
            out[0, j, i] = values[0, m, i - p[0, j]]


@compiled
def crossings(values: FloatArray, counts: IntArray, p: IntArray, out: FloatArray) -> None:  # noqa: ARG001  (`Kernel`)
    """1 where the first input is above the second and was not a bar before, else 0."""
    for j in range(out.shape[1]):
        m = min(j, counts.shape[0] - 1)
        x, level = values[0, m], values[1, m]
        for i in range(counts[m]):
            out[0, j, i] = 1.0 if i > 0 and x[i] > level[i] and x[i - 1] <= level[i - 1] else 0.0


@compiled
def comoments(x: FloatArray, z: FloatArray, first: int, last: int) -> tuple[float, float, float, float, float]:
    """Both means, both sums of squared deviations and the sum of their products over ``[first:last]``."""
    mean_x, xx = moments(x, first, last)
    mean_z, zz = moments(z, first, last)
    xz = 0.0
    for i in range(first, last):
        xz += (x[i] - mean_x) * (z[i] - mean_z)
    return mean_x, mean_z, xx, zz, xz


@compiled
def relation_into(x: FloatArray, z: FloatArray, n: int, y: FloatArray, correlation: bool) -> None:
    """Correlation of the last n pairs, or slope of x on z; NaN if what it divides by does not vary."""
    mean_x, mean_z, xx, zz, xz, peak_x, peak_z = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    same_x, same_z = 0, 0
    for i in range(x.shape[0]):
        same_x = same_x + 1 if i > 0 and x[i] == x[i - 1] else 1
        same_z = same_z + 1 if i > 0 and z[i] == z[i - 1] else 1
        if i < n - 1:
            continue
        fresh = (i + 1) % n == 0
        if not fresh:
            step_x, step_z = x[i] - x[i - n], z[i] - z[i - n]
            old_x, old_z = mean_x, mean_z
            mean_x += step_x / n
            mean_z += step_z / n
            xx += step_x * (x[i] - mean_x + x[i - n] - old_x)
            zz += step_z * (z[i] - mean_z + z[i - n] - old_z)
            xz += step_x * (z[i] - mean_z) + step_z * (x[i - n] - old_x)
            fresh = xx < _LOST * peak_x or zz < _LOST * peak_z
        if fresh:
            mean_x, mean_z, xx, zz, xz = comoments(x, z, i + 1 - n, i + 1)
            peak_x, peak_z = xx, zz
        peak_x, peak_z = max(peak_x, xx), max(peak_z, zz)
        if same_z >= n or (correlation and same_x >= n):
            y[i] = np.nan
        elif correlation:
            y[i] = min(max(xz / math.sqrt(xx * zz), -1.0), 1.0)
        else:
            y[i] = 0.0 if same_x >= n else xz / zz


@compiled
def rolling_correlation(values: FloatArray, counts: IntArray, p: IntArray, out: FloatArray) -> None:
    """Correlation of the two inputs over the last p[0] bars."""
    for j in range(out.shape[1]):
        m = min(j, counts.shape[0] - 1)
        relation_into(values[0, m, : counts[m]], values[1, m, : counts[m]], p[0, j], out[0, j], correlation=True)


@compiled
def rolling_beta(values: FloatArray, counts: IntArray, p: IntArray, out: FloatArray) -> None:
    """Slope of the first input on the second over the last p[0] bars."""
    for j in range(out.shape[1]):
        m = min(j, counts.shape[0] - 1)
        relation_into(values[0, m, : counts[m]], values[1, m, : counts[m]], p[0, j], out[0, j], correlation=False)
