"""Compiled kernels that remember: exponential, Wilder and Kaufman averages and what is built on them.

Signatures as in `columns.Kernel`. Start values, first bars and answers to a division by nothing are those of TA-Lib
(https://ta-lib.org), so that figures can be laid beside those of other tools.
"""

from __future__ import annotations

import numpy as np

from qtw_lab.indicators.columns import FloatArray, IntArray
from qtw_lab.indicators.compiled import compiled
from qtw_lab.indicators.rolling import extreme_into, sum_into

#: TA-Lib takes two prices for equal if they differ by less than this share of their sum: the last digits of
#: (high + low + close) / 3 depend on the order of adding, and must not decide whether money flowed in or out.
_ROUNDING = 1e-14


@compiled
def apart(a: float, b: float) -> float:
    """The difference a - b; exactly 0 if it is no more than rounding."""
    gap = a - b
    return gap if abs(gap) > _ROUNDING * (abs(a) + abs(b)) else 0.0


@compiled
def smooth_into(x: FloatArray, first: int, last: int, n: int, weight: float, y: FloatArray) -> None:
    """Exponential average with the given weight of the new value; the mean of the n values up to `last` starts it."""
    if last >= x.shape[0]:
        return
    level = 0.0
    for i in range(first, last + 1):
        level += x[i]
    level /= n
    y[last] = level
    for i in range(last + 1, x.shape[0]):
        level += weight * (x[i] - level)
        y[i] = level


@compiled
def exponential(values: FloatArray, counts: IntArray, p: IntArray, out: FloatArray) -> None:
    """Exponential average with weight 2 / (p[0] + 1)."""
    for j in range(out.shape[1]):
        m = min(j, counts.shape[0] - 1)
        n = p[0, j]
        smooth_into(values[0, m, : counts[m]], 0, n - 1, n, 2.0 / (n + 1.0), out[0, j])


@compiled
def wilder(values: FloatArray, counts: IntArray, p: IntArray, out: FloatArray) -> None:
    """Exponential average with weight 1 / p[0]."""
    for j in range(out.shape[1]):
        m = min(j, counts.shape[0] - 1)
        n = p[0, j]
        smooth_into(values[0, m, : counts[m]], 0, n - 1, n, 1.0 / n, out[0, j])


@compiled
def kaufman(values: FloatArray, counts: IntArray, p: IntArray, out: FloatArray) -> None:
    """Kaufman's average: window p[0], spans p[1] and p[2]; starts from the close before its first value."""
    for j in range(out.shape[1]):
        m = min(j, counts.shape[0] - 1)
        x, n = values[0, m], p[0, j]
        fast, slow = 2.0 / (p[1, j] + 1.0), 2.0 / (p[2, j] + 1.0)
        level = x[n - 1] if n <= counts[m] else 0.0
        path = 0.0
        for i in range(n, counts[m]):
            if i % n == 0:
                path = 0.0
                for k in range(i - n + 1, i + 1):
                    path += abs(x[k] - x[k - 1])
            else:
                path += abs(x[i] - x[i - 1]) - abs(x[i - n] - x[i - n - 1])
            net = abs(x[i] - x[i - n])
            efficiency = 1.0 if path <= net or path <= _ROUNDING * abs(x[i]) else net / path
            weight = (efficiency * (fast - slow) + slow) ** 2
            level += weight * (x[i] - level)
            out[0, j, i] = level


@compiled
def strength(values: FloatArray, counts: IntArray, p: IntArray, out: FloatArray) -> None:
    """Relative strength index: share of gains in Wilder's averages of gains and losses; 0 if there are neither."""
    for j in range(out.shape[1]):
        m = min(j, counts.shape[0] - 1)
        x, n = values[0, m], p[0, j]
        gain, loss = 0.0, 0.0
        for i in range(1, counts[m]):
            change = x[i] - x[i - 1]
            up, down = max(change, 0.0), max(-change, 0.0)
            if i <= n:
                gain += up / n
                loss += down / n
            else:
                gain = (gain * (n - 1) + up) / n
                loss = (loss * (n - 1) + down) / n
            if i >= n:
                moved = gain + loss
                out[0, j, i] = 100.0 * gain / moved if moved > 0.0 else 0.0


@compiled
def convergence(values: FloatArray, counts: IntArray, p: IntArray, out: FloatArray) -> None:
    """MACD line, signal and histogram for fast p[0], slow p[1], signal p[2]; both averages start on the same bar."""
    for j in range(out.shape[1]):
        m = min(j, counts.shape[0] - 1)
        x = values[0, m, : counts[m]]
        fast, slow, signal = p[0, j], p[1, j], p[2, j]
        line, slower = out[0, j], np.empty(x.shape[0])
        smooth_into(x, slow - fast, slow - 1, fast, 2.0 / (fast + 1.0), line)
        smooth_into(x, 0, slow - 1, slow, 2.0 / (slow + 1.0), slower)
        for i in range(slow - 1, x.shape[0]):
            line[i] -= slower[i]
        first = slow + signal - 2
        smooth_into(line[: x.shape[0]], slow - 1, first, signal, 2.0 / (signal + 1.0), out[1, j])
        line[:first] = np.nan
        for i in range(first, x.shape[0]):
            out[2, j, i] = line[i] - out[1, j, i]


@compiled
def ranges_into(high: FloatArray, low: FloatArray, close: FloatArray, y: FloatArray) -> None:
    """True range of every bar after the first."""
    for i in range(1, close.shape[0]):
        y[i] = max(high[i], close[i - 1]) - min(low[i], close[i - 1])


@compiled
def true_range(values: FloatArray, counts: IntArray, p: IntArray, out: FloatArray) -> None:  # noqa: ARG001  (`Kernel`)
    """True range."""
    for j in range(out.shape[1]):
        m = min(j, counts.shape[0] - 1)
        bars = values[:, m, : counts[m]]
        ranges_into(bars[0], bars[1], bars[2], out[0, j])


@compiled
def average_range(values: FloatArray, counts: IntArray, p: IntArray, out: FloatArray) -> None:
    """Wilder's average of the true range over p[0] bars; the first bar has none."""
    for j in range(out.shape[1]):
        m = min(j, counts.shape[0] - 1)
        bars, n = values[:, m, : counts[m]], p[0, j]
        ranges = np.empty(counts[m])
        ranges_into(bars[0], bars[1], bars[2], ranges)
        smooth_into(ranges, 1, n, n, 1.0 / n, out[0, j])


@compiled
def directional(values: FloatArray, counts: IntArray, p: IntArray, out: FloatArray) -> None:
    """ADX, +DI and -DI over p[0] bars: Wilder's running sums start with p[0] - 1 moves."""
    for j in range(out.shape[1]):
        m = min(j, counts.shape[0] - 1)
        high, low, close, n = values[0, m], values[1, m], values[2, m], p[0, j]
        plus, minus, span, trend = 0.0, 0.0, 0.0, 0.0
        for i in range(1, counts[m]):
            keep = 1.0 if i < n else 1.0 - 1.0 / n
            up, down = high[i] - high[i - 1], low[i - 1] - low[i]
            plus = plus * keep + (up if up > 0.0 and up > down else 0.0)
            minus = minus * keep + (down if down > 0.0 and down > up else 0.0)
            span = span * keep + max(high[i], close[i - 1]) - min(low[i], close[i - 1])
            if i < n:
                continue
            moved = span > 0.0
            rise, fall = (100.0 * plus / span, 100.0 * minus / span) if moved else (0.0, 0.0)
            out[1, j, i], out[2, j, i] = rise, fall
            if moved and rise + fall > 0.0:
                strength_now = 100.0 * abs(rise - fall) / (rise + fall)
                trend = trend + strength_now / n if i < 2 * n else (trend * (n - 1) + strength_now) / n
            if i >= 2 * n - 1:
                out[0, j, i] = trend


@compiled
def stochastic(values: FloatArray, counts: IntArray, p: IntArray, out: FloatArray) -> None:
    """Slow stochastic %K and %D: window p[0], smoothed over p[1], signal over p[2]; 0 where high and low are one."""
    for j in range(out.shape[1]):
        m = min(j, counts.shape[0] - 1)
        bars, n = values[:, m, : counts[m]], p[0, j]
        place_into(bars[0], bars[1], bars[2], n, out[1, j])
        sum_into(out[1, j, : counts[m]], n - 1, p[1, j], out[0, j], mean=True)
        out[1, j, :] = np.nan
        sum_into(out[0, j, : counts[m]], n + p[1, j] - 2, p[2, j], out[1, j], mean=True)
        out[0, j, : n + p[1, j] + p[2, j] - 3] = np.nan


@compiled
def place_into(high: FloatArray, low: FloatArray, close: FloatArray, n: int, y: FloatArray) -> None:
    """Where the close lies between the lowest low (0) and the highest high (100) of n bars; 0 if they are one."""
    top, bottom = np.empty(close.shape[0]), np.empty(close.shape[0])
    extreme_into(high, n, 1.0, top)
    extreme_into(low, n, -1.0, bottom)
    for i in range(n - 1, close.shape[0]):
        span = apart(top[i], bottom[i])
        y[i] = 100.0 * (close[i] - bottom[i]) / span if span != 0.0 else 0.0


@compiled
def williams(values: FloatArray, counts: IntArray, p: IntArray, out: FloatArray) -> None:
    """How far the close lies below the highest high of p[0] bars, in percent of their span; 0 if there is no span."""
    for j in range(out.shape[1]):
        m = min(j, counts.shape[0] - 1)
        bars, n, y = values[:, m, : counts[m]], p[0, j], out[0, j]
        bottom = np.empty(counts[m])
        extreme_into(bars[0], n, 1.0, y)
        extreme_into(bars[1], n, -1.0, bottom)
        for i in range(n - 1, counts[m]):
            span = apart(y[i], bottom[i])
            y[i] = -100.0 * (y[i] - bars[2, i]) / span if span != 0.0 else 0.0


@compiled
def commodity(values: FloatArray, counts: IntArray, p: IntArray, out: FloatArray) -> None:
    """Commodity channel index of the typical price over p[0] bars; 0 where it does not vary."""
    for j in range(out.shape[1]):
        m = min(j, counts.shape[0] - 1)
        x, n = values[0, m], p[0, j]
        for i in range(n - 1, counts[m]):
            mean = 0.0
            for k in range(i - n + 1, i + 1):
                mean += x[k]
            mean /= n
            spread = 0.0
            for k in range(i - n + 1, i + 1):
                spread += abs(x[k] - mean)
            away = apart(x[i], mean)
            out[0, j, i] = away / (0.015 * spread / n) if away != 0.0 and spread != 0.0 else 0.0


@compiled
def money_flow(values: FloatArray, counts: IntArray, p: IntArray, out: FloatArray) -> None:
    """Share of money that flowed on rising typical prices over p[0] moves; 0 if none flowed."""
    for j in range(out.shape[1]):
        m = min(j, counts.shape[0] - 1)
        price, volume = values[0, m], values[1, m]
        rising, moving = np.zeros(counts[m]), np.zeros(counts[m])
        for i in range(1, counts[m]):
            change = apart(price[i], price[i - 1])
            moving[i] = price[i] * volume[i] if change != 0.0 else 0.0
            rising[i] = moving[i] if change > 0.0 else 0.0
        total = np.empty(counts[m])
        sum_into(rising, 1, p[0, j], out[0, j], mean=False)
        sum_into(moving, 1, p[0, j], total, mean=False)
        for i in range(p[0, j], counts[m]):
            out[0, j, i] = min(max(100.0 * out[0, j, i] / total[i], 0.0), 100.0) if total[i] > 0.0 else 0.0


@compiled
def balance(values: FloatArray, counts: IntArray, p: IntArray, out: FloatArray) -> None:  # noqa: ARG001  (`Kernel`)
    """On-balance volume, started by the first bar's volume."""
    for j in range(out.shape[1]):
        m = min(j, counts.shape[0] - 1)
        close, volume = values[0, m], values[1, m]
        level = 0.0
        for i in range(counts[m]):
            if i == 0 or close[i] > close[i - 1]:
                level += volume[i]
            elif close[i] < close[i - 1]:
                level -= volume[i]
            out[0, j, i] = level
