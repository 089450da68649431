"""Whether something grows while it stands: samples over time, and the line through them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import psutil
from scipy import stats

#: Averages that the samples after the warm-up are made into: neighbours are not independent, averages nearly are.
BLOCKS = 12
WARM_UP = 0.2
HOUR = 3600.0
#: Of the level: what noise may at most be an excuse for.
MOST = 0.1


@dataclass(frozen=True)
class Growth:
    """The straight line of least squares through what was measured after the warm-up.

    Parameters
    ----------
    level : float
        Its mean, bytes.
    per_hour : float
        Bytes that it rises in an hour.
    error : float
        Standard error of that.
    within : float
        Bytes that it rose over what was measured.
    """

    level: float
    per_hour: float
    error: float
    within: float

    @classmethod
    def of(cls, seconds: Sequence[float], sizes: Sequence[float]) -> Growth:
        time, size = np.asarray(seconds, float), np.asarray(sizes, float)
        kept = time >= time[0] + WARM_UP * (time[-1] - time[0])
        parts = list(zip(np.array_split(time[kept], BLOCKS), np.array_split(size[kept], BLOCKS), strict=True))
        fit = stats.linregress([part.mean() for part, _ in parts], [part.mean() for _, part in parts])
        span = time[-1] - time[kept][0]
        return cls(size[kept].mean(), fit.slope * HOUR, fit.stderr * HOUR, fit.slope * span)

    def near_zero(self, share: float) -> bool:
        """Whether it rose by less than that share of its level while it was measured, as far as noise lets tell."""
        unsure = self.error * self.within / self.per_hour if self.per_hour else 0.0
        return self.within - 3 * unsure < share * self.level and self.within < MOST * self.level

    def __str__(self) -> str:
        hour = f"{self.per_hour / 1e6:+.2f} ± {self.error / 1e6:.2f} MB an hour ({self.per_hour / self.level:+.2%})"
        run = f"{self.within / 1e6:+.2f} MB ({self.within / self.level:+.2%}) in the run"
        return f"{self.level / 1e6:.1f} MB, {hour}, {run}"


@dataclass
class Samples:
    """What was measured, moment by moment."""

    seconds: list[float] = field(default_factory=list)
    process: list[float] = field(default_factory=list)
    browser: list[float] = field(default_factory=list)
    updates: list[int] = field(default_factory=list)
    nodes: list[int] = field(default_factory=list)
    listeners: list[int] = field(default_factory=list)


def stays(counts: Sequence[int]) -> bool:
    """Whether the least of the last fifth is not above that of the first after the warm-up, but for a fiftieth.

    What waits for the next collection is counted too, so that only the least says what is there for good.
    """
    kept = counts[int(WARM_UP * len(counts)) :]
    part = max(1, len(kept) // 5)
    return min(kept[-part:]) <= 1.02 * min(kept[:part])


def page_process(server: psutil.Process, kind: str) -> psutil.Process:
    """The process that holds the page: the server itself with Panel, the kernel with Voila."""
    wanted = "ipykernel_launcher" if kind == "voila" else "dashboards.serve"
    found = [one for one in [server, *server.children(recursive=True)] if wanted in " ".join(one.cmdline())]
    assert len(found) == 1, [one.cmdline() for one in found]
    return found[0]
