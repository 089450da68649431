"""``python tests/live/publish_faults.py`` lets everything go wrong anew, for minutes, and writes docs/faults.md."""

from __future__ import annotations

import os
import random
import resource
import signal
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from engine_processes import Processes, killed, settled, working
from fault_cases import CASES, Case
from faults import Drill, small_market, struck
from truth import Verdict

from qtw_lab.live.running import Ending
from qtw_lab.venues.feeds import steady

PAGE = Path(__file__).parents[2] / "docs" / "faults.md"
KILLS = 200

HEAD = """# What was done to the realtime engine, and what became of its bars

A real engine on a simulated venue (8 symbols, a few hundred events a second, with late reports, corrections and
cancels), on one machine over loopback. One thing goes wrong; then every bar in the engine's journal is compared, to the
last bit, with bars made by another, slow program from the final list of all trades the venue knew when the engine was
stopped. This page is written by a program (`python tests/live/publish_faults.py`). A quick test checks that every row
holds; others let the same faults happen again, the slow one with 200 kills (`make test-full`).

*Detected after*: seconds from the beginning of the fault to the first word of it in the journal; "-" where nothing is
lost and nothing need be said. *Recovered after*: seconds from its end until a bar that began after it was closed and
every gap filled. A bar of one second that begins after the fault's end closes at least a second later, so no stream
recovers faster than that by this measure. *Bars*: all that had to be there, of 1, 5 and 60 seconds. *Wrong*: not equal
in open, high, low, close, volume, VWAP or count.

What this does not say: the simulator's late reports and notices come within a minute. A correction that comes later
than that, while the engine is not connected, is not asked for again. Bars from before a symbol was listened to are as
the venue knew them when it was asked.
"""

COLUMNS = (
    "Fault", "Detected after, s", "at most", "Recovered after, s", "at most", "Bars", "Missing", "Twice", "Wrong",
    "With a hole", "Unreadable",
)  # fmt: skip


@dataclass(frozen=True)
class Line:
    """A row of the table; bounds beside what they bound."""

    name: str
    detected: float | None
    detected_most: float
    recovered: float | None
    recovered_most: float
    verdict: Verdict | None

    def row(self) -> str:
        """As a row of the page."""
        v = self.verdict
        counts = [str(n) for n in (v.bars, v.missing, v.duplicates, v.different, v.holes, v.unreadable)] if v else []
        times = [
            *(("-", "-") if self.detected is None else (f"{self.detected:.3f}", f"{self.detected_most:g}")),
            *(("-", "-") if self.recovered is None else (f"{self.recovered:.2f}", f"{self.recovered_most:g}")),
        ]
        return "| " + " | ".join([self.name, *times, *(counts or ["-"] * 6)]) + " |"


def of_case(case: Case, folder: Path) -> Line:
    """One fault of a running stream."""
    with Drill(folder, speed=2.0, now=lambda: steady() - 3600 * 10**9) as drill:
        drill.running()
        blow = struck(drill, case.faults, case.lasting, gap=case.gap)
        drill.pass_market(10)
        drill.halt()
    detected = None if case.silent and not blow.gap else blow.detected
    return Line(case.name, detected, case.detected, blow.recovered, case.recovered, drill.verdict())


def refused(code: int, folder: Path) -> Line:
    """A refusal for good: how soon the engine has ended, after one attempt."""
    drill = Drill(folder)
    drill.simulator.start()
    drill.simulator.fault({"kind": "auth", "code": code})
    with drill:
        ending = drill.until(lambda: drill.ending, 15.0, "ended")
        attempts = drill.simulator.state()["data"]["accepted"]
    assert isinstance(ending, Ending)
    assert ending.failed
    assert attempts == 1
    first = drill.entries()[0].received
    word = next(e.received for e in drill.entries() if str(e.content).find("fatal") > 0)
    return Line(f"{code} in answer to the keys: ends after one attempt", (word - first) / 1e9, 5.0, None, 0.0, None)


def dead(drill: Drill, processes: Processes) -> Line:
    """Kills at random moments."""
    lives = random.Random(11)
    worked = killed(drill, processes, [lives.uniform(0.02, 2.5) for _ in range(KILLS)])
    return again(f"kill -9 at {KILLS} random moments ({worked} of them after bars were written)", drill, processes)


def torn(drill: Drill, processes: Processes) -> Line:
    """A last record of which a part is missing."""
    working(drill, processes)
    drill.pass_market(10)
    processes.end(signal.SIGKILL)
    newest = max(drill.places.journal.glob("*.log"))
    os.truncate(newest, newest.stat().st_size - 17)
    drill._entries.clear()
    return again("kill -9, and the journal's last record is torn", drill, processes)


def paused(drill: Drill, processes: Processes) -> Line:
    """A process that stands still."""
    working(drill, processes)
    assert processes.pid is not None
    os.kill(processes.pid, signal.SIGSTOP)
    time.sleep(3.0)
    os.kill(processes.pid, signal.SIGCONT)
    moment = drill.moment()
    well = drill.until(lambda: drill.closed_after(moment.market), 30.0, "closed a bar")
    verdict = settled(drill, processes)
    return Line("the process stands still for 3 s", None, 0.0, (well.received - moment.wall) / 1e9, 8.0, verdict)


def full(drill: Drill, processes: Processes) -> Line:
    """A disk without space, for three seconds."""
    working(drill, processes)
    assert processes.pid is not None
    most = resource.prlimit(processes.pid, resource.RLIMIT_FSIZE)
    written = max(path.stat().st_size for path in drill.places.journal.glob("*.log"))
    resource.prlimit(processes.pid, resource.RLIMIT_FSIZE, (written + 5000, most[1]))
    began = time.monotonic()
    drill.until(lambda: "journal" in drill.writing_faults(), 10.0, "said that it cannot write")
    detected = time.monotonic() - began
    time.sleep(3.0)
    resource.prlimit(processes.pid, resource.RLIMIT_FSIZE, most)
    moment = drill.moment()
    well = drill.until(lambda: drill.closed_after(moment.market), 30.0, "closed a bar")
    verdict = settled(drill, processes)
    return Line("disk full for 3 s", detected, 3.0, (well.received - moment.wall) / 1e9, 8.0, verdict)


def again(name: str, drill: Drill, processes: Processes) -> Line:
    """Start once more and wait until everything is whole: seconds from the start, which loads what was resumed."""
    moment = drill.moment()
    processes.start()
    well = drill.until(lambda: drill.closed_after(moment.market), 60.0, "closed a bar")
    drill.until(drill.whole, 30.0, "mended its gaps")
    return Line(name, None, 0.0, (well.received - moment.wall) / 1e9, 15.0, settled(drill, processes))


def of_processes(folder: Path, *parts: Callable[[Drill, Processes], Line]) -> list[Line]:
    """What happens to the process and its disk, each in a folder of its own."""
    found = []
    for part in parts:
        place = folder / part.__name__
        place.mkdir()
        drill = Drill(place, small_market(minutes=40.0, rate=150.0), speed=2.0)
        drill.simulator.start()
        with Processes(drill, place) as processes:
            found.append(part(drill, processes))
            print(found[-1].row(), flush=True)
        drill.simulator.stop()
    return found


def of_streams(folder: Path) -> list[Line]:
    """Everything that happens between the engine and the venue."""
    found = []
    for number, case in enumerate(CASES):
        found.append(of_case(case, folder / f"stream{number}"))
        print(found[-1].row(), flush=True)
    return found + [refused(code, folder / f"refused{code}") for code in (401, 402, 409)]


def page(lines: list[Line]) -> str:
    """The page with all of them."""
    table = [
        "| " + " | ".join(COLUMNS) + " |",
        "|---" + "|--:" * (len(COLUMNS) - 1) + "|",
        *(one.row() for one in lines),
    ]
    return HEAD + "\n" + "\n".join(table) + "\n"


def cells(text: str) -> list[list[str]]:
    """The table's rows, by cell."""
    rows = [
        [cell.strip() for cell in line.strip().strip("|").split("|")] for line in text.splitlines() if line[:2] == "| "
    ]
    return [row for row in rows if len(row) == len(COLUMNS) and row[0] != COLUMNS[0]]


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch, ThreadPoolExecutor(3) as pool:
        folder = Path(scratch)
        parts = [
            pool.submit(of_streams, folder), pool.submit(of_processes, folder, full, paused, torn),
            pool.submit(of_processes, folder, dead),
        ]  # fmt: skip
        measured = [line for part in parts for line in part.result()]
    PAGE.write_text(page(measured), encoding="utf-8")
    print(f"{PAGE.name} is written anew.")
