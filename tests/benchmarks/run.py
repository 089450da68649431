"""Run the benchmarks: results are compared before times, every side has processes of its own, ratios are of one run.

``python tests/benchmarks/run.py [--quick] [--only NAME ...] [--repeats N] [--heavy] [--docs]``; ``--only validation``
takes all cases of the validation lab and its ledger, ``--only realtime`` what is measured of the realtime engine.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import counting
import growth
import pages
import papering
import realtime
import realtime_lines
import start
import tables
import validation
from cases import CASES as GRIDS
from cases import HEAVY
from processes import PEERS, ROOT, Unusable, run_case

PAGE = ROOT / "docs" / "benchmarks.md"
ARTIFACTS = ROOT / "artifacts" / "bench"
CASES = (*GRIDS, *validation.CASES)
NAMES = (*(case.name for case in CASES), "start", "growth", "ledger", "paper", "pages", "realtime")
#: Names that stand for several.
GROUPS = {"validation": (*(case.name for case in validation.CASES), "ledger")}


def arguments(given: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--quick", action="store_true", help="small sizes, to see that everything runs")
    names = (*NAMES, *GROUPS)
    parser.add_argument("--only", nargs="+", choices=names, metavar="NAME", help=f"some of: {', '.join(names)}")
    parser.add_argument("--repeats", type=int, help="runs of each side, of which the median counts (5; quick 2)")
    parser.add_argument("--heavy", action="store_true", help="vectorbt on the long grid too: minutes and over 12 GB")
    parser.add_argument("--docs", action="store_true", help="write the figures into docs/benchmarks.md")
    asked = parser.parse_args(given)
    if asked.docs and asked.only:
        parser.error("--docs takes the figures of one whole run; leave out --only")
    return asked


def chosen_names(only: list[str] | None) -> list[str]:
    """What is measured, groups spelled out."""
    return list(NAMES) if not only else [name for given in only for name in GROUPS.get(given, (given,))]


def prepare_peers(say: Any = print) -> None:
    """Make the environment of the other tools, or say that it could not be made."""
    done = subprocess.run(["sh", str(ROOT / "tools" / "bench_setup.sh"), str(PEERS.parents[1]), sys.executable],
                          capture_output=True, text=True, check=False)  # fmt: skip
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        say(f"backtesting.py and backtrader are left out, their environment could not be made: {reason}")


def measured_start(repeats: int, folder: Path) -> dict[str, Any] | None:
    """The fresh processes, with the ratio that has a target."""
    try:
        programs = start.run(repeats, folder, print)
    except Unusable as err:
        print(f"  {err}")
        return None
    ratio = programs[start.OURS]["seconds"] / programs[start.BARE]["seconds"]
    return {
        "programs": programs, "bare": start.BARE, "ratio": ratio, "bound": start.MOST, "met": ratio <= start.MOST,
        "imports": start.import_profile(),
    }  # fmt: skip


#: What has no other side to be compared with: who measures it, and who writes it.
PACES: dict[str, tuple[Any, Any]] = {
    "ledger": (counting.run, tables.ledger_lines), "paper": (papering.run, papering.lines),
    "pages": (pages.run, pages.lines),
}  # fmt: skip


def measure_paces(report: dict[str, Any], chosen: list[str], repeats: int, folder: Path) -> None:
    """Measure, print and note those that are chosen; what could not be measured, or went wrong, is not noted."""
    for name in [name for name in PACES if name in chosen]:
        measure, told = PACES[name]
        try:
            report[name] = measure(min(repeats, 3), folder, quick=report["quick"])
        except Unusable as err:
            print(f"  {name}: not measured, {err}")
        else:
            print("\n".join(told(report[name])), flush=True)


def measured_realtime(folder: Path, *, quick: bool) -> dict[str, Any] | None:
    """How much the realtime engine takes; None if it could not be measured, or came to other bars."""
    try:
        return realtime.run(folder, quick=quick)
    except Unusable as err:
        print(f"  realtime: not measured, {err}")
        return None


def main() -> int:
    """Run, print, write; 1 if results differ or something of ours could not be measured."""
    asked = arguments()
    chosen = chosen_names(asked.only)
    repeats = asked.repeats or (2 if asked.quick else 5)
    if "event_driven" in chosen:
        prepare_peers()
    report: dict[str, Any] = {
        "date": dt.datetime.now(tz=dt.UTC).date().isoformat(), "quick": asked.quick, "repeats": repeats,
        "machine": tables.machine(PEERS), "cases": {}, "start": None, "growth": None,
        "ledger": None, "paper": None, "pages": None, "realtime": None,
    }  # fmt: skip
    failed = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for case in [case for case in CASES if case.name in chosen]:
            extra = (HEAVY,) if asked.heavy and case.name == "long_grid" else ()
            outcome = run_case(case, case.quick if asked.quick else case.full, repeats, folder, extra, print)
            report["cases"][case.name] = tables.record(outcome, judged=not asked.quick)
            print("\n".join(tables.case_lines(case.name, report["cases"][case.name])), flush=True)
            if not outcome.equal or case.sides[0].label in outcome.absent:
                failed.append(case.name)
        if "start" in chosen and (found := measured_start(repeats, folder)):
            report["start"] = found
            print("\n".join(tables.start_lines(found)), flush=True)
        if "growth" in chosen:
            report["growth"] = [fit.asdict() for fit in growth.run(min(repeats, 3), folder, quick=asked.quick)]
            print("\n".join(tables.growth_lines(report["growth"])), flush=True)
        measure_paces(report, chosen, repeats, folder)
        if "realtime" in chosen and (streams := measured_realtime(folder, quick=asked.quick)):
            report["realtime"] = streams
            print("\n".join(realtime_lines.lines(streams, judged=not asked.quick)), flush=True)
    ARTIFACTS.mkdir(parents=True, exist_ok=True)
    kind = ("-quick" if asked.quick else "") + ("-partial" if asked.only else "")
    path = ARTIFACTS / f"{report['date']}{kind}.json"
    path.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    print(f"Written: {path.relative_to(ROOT)}")
    if asked.docs:
        tables.write_docs(PAGE, report)
        print(f"Written: {PAGE.relative_to(ROOT)}")
    if failed:
        print(f"No ratios for {', '.join(failed)}: results differ or our side failed.", file=sys.stderr)
    missing = [
        name for name in ("start", "ledger", "paper", "pages", "realtime") if name in chosen and not report[name]
    ]
    return 1 if failed or missing else 0


if __name__ == "__main__":
    sys.exit(main())
