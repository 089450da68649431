"""How much the realtime engine takes on one core: events from the socket to bars and signals, beside alpaca-py.

``python realtime.py [NAME ...]`` streams some of it and prints the figures as JSON.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from processes import HERE, Unusable, apart_from_people, timed
from realtime_stream import GENTLE, Plan, bars_of, sums

#: Seconds that a side may take beyond what its plan needs.
_PATIENCE = 240.0
#: Lags of this share of messages are told.
SHARES = (50.0, 99.0, 99.9)


@dataclass(frozen=True)
class Run:
    """One stream read by one side.

    Parameters
    ----------
    name : str
        What it is called.
    side : str
        Who reads; a key of `realtime_sides.SIDES`.
    plan : Plan
        What is sent.
    options : dict
        For the side.
    """

    name: str
    side: str
    plan: Plan
    options: dict[str, Any] = field(default_factory=dict)


def cores() -> tuple[int, int]:
    """The core of who reads and the core of who sends.

    Raises
    ------
    Unusable
        If there are no two.
    """
    allowed = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    if len(allowed) < 2:
        raise Unusable("a stream needs a core to be sent from and one to be read on")
    return allowed[1], allowed[0]


def streamed(run: Run, folder: Path) -> dict[str, Any]:
    """Send a plan to a side, and everything that both noted.

    Raises
    ------
    Unusable
        If one of them failed.
    """
    reading, sending = cores()
    offset = str(time.time_ns() - time.monotonic_ns())
    sent_file, taken_file = folder / "sent.npz", folder / "taken.npz"
    environment = apart_from_people(str(folder))
    sender, port = None, "0"
    if run.side != "decoder":
        command = [sys.executable, str(HERE / "realtime_blaster.py"), run.plan.dumps(), str(sent_file), offset]
        sender = subprocess.Popen(
            [*command, str(sending)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=HERE,
            env=environment,
        )  # fmt: skip
        port = sender.stdout.readline().strip() if sender.stdout else ""
    try:
        command = [sys.executable, str(HERE / "realtime_sides.py"), run.side, run.plan.dumps(), port, str(taken_file)]
        done = subprocess.run(
            [*command, offset, str(reading), json.dumps(run.options)], capture_output=True, text=True, check=False,
            cwd=HERE, env=environment, timeout=run.plan.messages / max(run.plan.rate, 5_000) + _PATIENCE,
        )  # fmt: skip
        if done.returncode:
            raise Unusable((done.stderr.strip().splitlines() or ["it gave no reason"])[-1])
        told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    except subprocess.TimeoutExpired:
        raise Unusable("it did not end") from None
    finally:
        if sender is not None:
            sender.communicate("", timeout=30)
    with np.load(taken_file) as stored:
        told |= dict(stored)
    if sender is not None:
        with np.load(sent_file) as stored:
            told |= dict(stored)
    return told


def lags(moments: npt.NDArray[np.int64], counts: npt.NDArray[np.int64], stamps: Any, frame: int) -> Any:
    """Seconds from the moment in each frame's messages to when they had been taken in, a value a frame.

    The stream keeps its order and loses nothing, so the number of messages taken in says which they were.
    """
    whole = counts // frame
    taken = moments[np.searchsorted(whole, np.arange(1, whole[-1] + 1))]
    return (taken - stamps[: len(taken)]) / 1e9


def signal_lags(decided: Any, stamps: Any) -> Any:
    """Seconds from the first event after the end of a bar to its decisions; rows (end, moment they were out)."""
    first = np.searchsorted(stamps, decided[:, 0])
    known = (first > 0) & (first < len(stamps))
    return (decided[known, 1] - stamps[first[known]]) / 1e9


def differing_bars(journal: Path, plan: Plan, stamps: Any) -> dict[str, int]:
    """Bars of the journal beside those of plain sorting: how many there are, and how many of them are not equal."""
    from qtw_lab.live.journal import Entry, read_journal
    from qtw_lab.live.rows import ROW, Flag

    parts = [entry.content for entry in read_journal(journal) if entry.kind == Entry.ROWS]
    rows = np.concatenate(parts) if parts else np.zeros(0, dtype=ROW)
    found = {"bars": 0, "differing": 0}
    for level in (1, 5) if len(rows) else ():
        mine = rows[rows["level"] == level]
        if not len(mine):
            continue
        mine = mine[np.lexsort((mine["revision"], mine["symbol"], mine["time"]))]
        last = np.append((mine["symbol"][1:] != mine["symbol"][:-1]) | (mine["time"][1:] != mine["time"][:-1]), True)
        mine = mine[last]
        begun, ended = mine["time"].min(), mine["time"].max()
        mine = mine[(mine["flags"] & int(Flag.EMPTY)) == 0]
        theirs = bars_of(plan, stamps, level)
        there = (theirs["time"] >= begun) & (theirs["time"] <= ended)
        size = int(there.sum())
        if len(mine) != size or not size:
            return {"bars": size, "differing": max(size, len(mine), 1)}
        equal = np.ones(size, dtype=bool)
        for name, values in theirs.items():
            equal &= mine[name] == values[there]
        found["bars"] += size
        found["differing"] += int((~equal).sum())
    return found


def figures(run: Run, told: dict[str, Any], folder: Path) -> dict[str, Any]:
    """What a run comes to; speeds and lags are those after the prelude."""
    plan, frames = run.plan, run.plan.frame
    moments, counts, cpu = told["moments"], told["counts"], told["cpu"]
    begin = int(np.searchsorted(counts, plan.prelude * frames, side="right")) if plan.prelude else 0
    seconds = (moments[-1] - moments[begin]) / 1e9
    found: dict[str, Any] = {
        "name": run.name, "side": run.side, "symbols": plan.symbols, "offered": plan.rate,
        "messages": int(counts[-1]), "lost": max(0, plan.messages - int(counts[-1])), "peak_mb": told["peak_mb"],
        "seconds": float(seconds), "rate": float((counts[-1] - counts[begin]) / seconds),
        "cpu": float((cpu[-1] - cpu[begin]) / seconds), "equal": True, "memory_mb": told["memory"].tolist(),
    }  # fmt: skip
    if "sums" in told:
        wanted = sums(plan)
        found["equal"] = all(abs(told["sums"][name] - value) <= 1e-9 * value for name, value in wanted.items())
    if run.side == "engine":
        found |= differing_bars(folder / "taken" / "state" / "journal", plan, told["stamps"])
        troubles = [line for line in told["news"] if line.partition(" ")[0] != "link" or "down" in line]
        found |= {"by_name": told["by_name"], "ending": told["ending"], "news": troubles}
        found["equal"] = found["bars"] > 0 and found["differing"] == 0 and not troubles
        found["signals_ms"] = (signal_lags(told["decided"], told["stamps"]) * 1e3).tolist()
    if plan.rate and run.side in ("engine", "feed"):
        lag = lags(moments, counts, told["stamps"], frames) * 1e3
        found["start_ms"] = float(lag[: plan.prelude].max(initial=0.0))
        found["lag_ms"] = _spread(lag[plan.prelude :])
        late = told["late"] / 1e6
        found["late_ms"] = _spread(late[plan.prelude :])
        found["sent_ms"] = _spread((lag - late[: len(lag)])[plan.prelude :])
    return found


def _spread(values: Any) -> list[float]:
    """The shares of `SHARES`, and the most."""
    return [*np.percentile(values, SHARES).tolist(), float(values.max())]


def runs(*, quick: bool) -> list[Run]:
    """Everything that is streamed, in order."""
    seconds, begin = (2.0, 6.5) if quick else (8.0, 8.0)
    rates = (50_000,) if quick else (250_000, 500_000, 1_000_000, 1_500_000, 2_000_000)
    found = [
        Run(f"pace {symbols} {rate}", "engine", Plan.over(symbols, rate, seconds, begin))
        for symbols in ((1_000,) if quick else (1_000, 10_000)) for rate in rates
    ]  # fmt: skip
    most, many = (96_000, 1_000) if quick else (6_000_000, 10_000)
    free = {side: Plan(many, 0, most // part) for side, part in
            (("engine", 1), ("feed", 1), ("decoder", 1), ("raw", 12), ("parsed", 24))}  # fmt: skip
    first = int(begin / GENTLE)
    rate = rates[0]
    return [
        *found,
        Run("burst", "engine", Plan.over(many, 50_000 if quick else 1_500_000, 1.0, begin)),
        Run("signals", "engine", Plan.over(many, rate, 6.0 if quick else 31.0, begin), {"late": 0.0}),
        Run("recorded", "engine", Plan.over(many, rate, seconds, begin), {"recorded": True}),
        Run("free engine", "engine", replace(free["engine"], messages=free["engine"].messages + 100 * first,
                                             prelude=first)),
        Run("free feed", "feed", free["feed"]),
        Run("free decoder", "decoder", free["decoder"]),
        Run("free alpaca-py raw", "alpaca", free["raw"], {"raw": True}),
        Run("free alpaca-py", "alpaca", free["parsed"]),
        Run("soak", "engine", Plan.over(1_000, rate, 5.0 if quick else 120.0, begin)),
    ]  # fmt: skip


def run(folder: Path, *, quick: bool, only: Collection[str] = (), say: Callable[[str], None] = print) -> dict[str, Any]:
    """Stream everything, and take a session in.

    Raises
    ------
    Unusable
        If a side failed, or its results were not equal to what was sent.
    """
    found: dict[str, Any] = {"streams": []}
    for one in runs(quick=quick):
        if only and not any(one.name.startswith(name) for name in only):
            continue
        place = folder / one.name.replace(" ", "-")
        place.mkdir()
        stream = figures(one, streamed(one, place), place)
        shutil.rmtree(place)
        if not stream["equal"]:
            raise Unusable(f"{one.name}: what was taken in is not what was sent ({stream})")
        found["streams"].append(stream)
        say(f"  realtime: {one.name}, {stream['rate']:,.0f} messages a second, {stream['cpu']:.0%} of a core")
    if not only or "day" in only:
        size = ("100", "500", "600") if quick else ("1000", "5000", "23400")
        _, printed = timed([sys.executable, str(HERE / "realtime_day.py"), *size])
        found["day"] = json.loads(printed.splitlines()[-1])
        say(f"  realtime: a session taken in within {found['day']['seconds']:,.0f} s")
    return found


def main() -> None:
    """Some of the streams, by the beginning of their names: figures as JSON."""
    with tempfile.TemporaryDirectory() as folder:
        found = run(Path(folder), quick=False, only=sys.argv[1:], say=lambda text: print(text, file=sys.stderr))
    print(json.dumps(found))


if __name__ == "__main__":
    main()
