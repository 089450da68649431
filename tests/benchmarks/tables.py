"""The figures of a run as JSON, and as the table of docs/benchmarks.md."""

from __future__ import annotations

import os
import platform
import re
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import pages
import papering
import realtime_lines
from cases import work_mb
from processes import Outcome

BEGIN, END = "<!-- figures: begin -->", "<!-- figures: end -->"
#: Combinations of the grid that tools running one at a time are extrapolated to.
LARGE = 4_950
PACKAGES = ("numpy", "pandas", "numba", "vectorbt", "vectorbt-rust", "arch", "ffn", "skfolio")


def machine(peers: Path) -> dict[str, Any]:
    """Cores, processor, memory and versions; nothing that names the machine."""
    facts: dict[str, Any] = {
        "cores": os.cpu_count(), "cpu": _processor(), "system": platform.system(),
        "python": platform.python_version(), "versions": {},
    }  # fmt: skip
    for package in ("qtw-lab", *PACKAGES):
        try:
            facts["versions"][package] = version(package)
        except PackageNotFoundError:
            facts["versions"][package] = "not installed"
    if peers.exists():
        pinned = (Path(__file__).parent / "requirements.txt").read_text()
        facts["versions"] |= dict(re.findall(r"^(back\w+)==(\S+)", pinned, flags=re.MULTILINE))
    return facts


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    found = re.search(r"^model name\s*:\s*(.+)$", cpuinfo.read_text(), flags=re.MULTILINE) if cpuinfo.exists() else None
    return found[1] if found else platform.processor() or platform.machine()


def record(outcome: Outcome, *, judged: bool = True) -> dict[str, Any]:
    """One case for JSON; ratios only where the results agree, targets only of the full sizes."""
    case, size, medians = outcome.case, outcome.size, outcome.medians()
    sides = {}
    singly = {side.label for side in case.sides if side.singly}
    for label, figures in medians.items():
        fastest, slowest = outcome.samples[label].range()
        sides[label] = dict(figures) | {
            "fastest": fastest, "slowest": slowest, "runs": len(outcome.samples[label].seconds),
            "singly": label in singly,
        }  # fmt: skip
        if case.grid:
            sides[label]["ns_per_bar_step"] = figures["seconds"] / size.steps * 1e9
            sides[label]["seconds_per_combination"] = figures["seconds"] / len(size.pairs)
    answer: dict[str, Any] = {
        "title": case.title, "shape": case.shape_of(size), "combinations": len(size.pairs) if case.grid else 1,
        "bars": size.bars, "symbols": size.symbols, "equal": outcome.equal, "tolerance": case.tolerance,
        "comparisons": [c.text() for c in outcome.comparisons], "absent": outcome.absent, "sides": sides,
        "notes": list(case.notes), "ratios": {}, "targets": [],
        "told": case.told(outcome.reference) if case.told and outcome.reference else None,
    }  # fmt: skip
    first = case.sides[0].label
    if outcome.equal and first in medians:
        for label, figures in medians.items():
            if label != first:
                answer["ratios"][label] = {
                    "time": figures["seconds"] / medians[first]["seconds"],
                    "memory": figures["peak_mb"] / medians[first]["peak_mb"],
                    "work_memory": work_mb(figures) / work_mb(medians[first]),
                }
        for target in case.targets if judged else ():
            try:
                value = float(target.value(medians))
            except KeyError:  # a side that was not measured
                continue
            answer["targets"].append(
                {"text": target.text, "value": value, "bound": target.bound, "met": target.met(value)}
            )
    return answer


def case_lines(name: str, case: dict[str, Any]) -> list[str]:
    """One case as text for the terminal and, being Markdown, for the docs."""
    lines = [f"### {name}: {case['title']}", "", f"{case['shape']}.", ""]
    lines += [
        "| | time | ratio | ns per bar-step | cold process | peak memory | ratio | for the work | ratio |",
        "|---|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for label, side in case["sides"].items():
        ratio = case["ratios"].get(label, {})
        cold, steps = side.get("cold_seconds"), side.get("ns_per_bar_step")
        cells = [
            label, _seconds(side["seconds"]), _times(ratio.get("time")), f"{steps:,.1f}" if steps else "",
            _seconds(cold) if cold else "", f"{side['peak_mb']:,.0f} MB", _times(ratio.get("memory")),
            f"{work_mb(side):,.0f} MB", _times(ratio.get("work_memory")),
        ]  # fmt: skip
        lines.append("| " + " | ".join(cells) + " |")
    lines.append("")
    if not case["equal"]:
        lines.append("**The results differ, so there are no ratios.**")
    lines += [f"- {text}" for text in case["comparisons"]]
    lines += [f"- {case['told']}"] if case["told"] else []
    lines += [extrapolated(label, side) for label, side in case["sides"].items() if side["singly"]]
    for label, why in case["absent"].items():
        lines.append(f"- {label} was not measured: {why}")
    for target in case["targets"]:
        verdict = "met" if target["met"] else "NOT met"
        lines.append(f"- target {verdict}: {target['value']:,.3g} {target['text']} (bound {target['bound']:g})")
    lines += [f"- {note}" for note in case["notes"]]
    return [*lines, ""]


def extrapolated(label: str, side: dict[str, Any]) -> str:
    """What one combination takes, and the grid of the first case at that rate, called what it is."""
    each = side["seconds_per_combination"]
    return (
        f"- {label}: {_seconds(each)} a combination; extrapolated, not measured: {_seconds(each * LARGE)} "
        f"for {LARGE:,} combinations"
    )


def _seconds(value: float) -> str:
    return f"{value:,.2f} s" if value >= 1 else f"{value * 1e3:,.1f} ms"


def _brief(value: float) -> str:
    """A time that may be far below a millisecond."""
    return _seconds(value) if value >= 1e-3 else f"{value * 1e6:,.2f} µs"


def _times(value: float | None) -> str:
    return "" if value is None else f"{value:,.1f}×"


def start_lines(start: dict[str, Any]) -> list[str]:
    """The fresh processes as text."""
    lines = ["### start: a fresh process, from its start to printed statistics", ""]
    lines += ["| program | time | of the bare import |", "|---|--:|--:|"]
    bare = start["programs"][start["bare"]]["seconds"]
    for name, figures in start["programs"].items():
        lines.append(f"| {name} | {_seconds(figures['seconds'])} | {figures['seconds'] / bare:.2f}× |")
    verdict = "met" if start["met"] else "NOT met"
    lines += ["", f"- target {verdict}: {start['ratio']:.2f} of the bare import (bound {start['bound']:g})"]
    costs = ", ".join(f"{package} {ms:.0f} ms" for package, ms in start["imports"][:10])
    return [*lines, f"- where our imports go, module by module and slowed down by the profile: {costs}", ""]


def growth_lines(slopes: list[dict[str, Any]]) -> list[str]:
    """The fitted slopes as text."""
    lines = ["### growth: log-log slopes of our grid, 1 is proportional", ""]
    lines += ["| against | from | to | time | peak memory | smallest | largest |", "|---|--:|--:|--:|--:|--:|--:|"]
    for fit in slopes:
        low, high = fit["peak_mb"][0], fit["peak_mb"][-1]
        lines.append(
            f"| {fit['dimension']} | {fit['counts'][0]:,} | {fit['counts'][-1]:,} | {fit['time_slope']:.2f} "
            f"| {fit['memory_slope']:.2f} | {low:,.0f} MB | {high:,.0f} MB |"
        )
    return [*lines, ""]


def ledger_lines(paces: list[dict[str, Any]]) -> list[str]:
    """How fast the ledger of trials counts, as text."""
    lines = ["### ledger: how fast trials are counted, their number being right", ""]
    lines += ["| work | trials | time | a trial | trials a second |", "|---|--:|--:|--:|--:|"]
    for pace in paces:
        each = _brief(pace["seconds"] / pace["items"])
        lines.append(
            f"| {pace['name']} | {pace['items']:,} | {_seconds(pace['seconds'])} | {each} | {pace['rate']:,.0f} |"
        )
    lines += ["", "- each add opens the file, commits and closes it: the disk of the temporary folder sets the pace"]
    lines += ["- the count after every step was what had been entered, or no figure would stand here"]
    return [*lines, ""]


def markdown(report: dict[str, Any]) -> str:
    """Everything of a report, to stand between the markers."""
    facts = report["machine"]
    versions = ", ".join(f"{name} {number}" for name, number in facts["versions"].items())
    kind = "a quick run: sizes are small, ratios are not those of the targets" if report["quick"] else "a full run"
    lines = [
        (f"Measured on {report['date']} ({kind}), {facts['cores']} cores of {facts['cpu']}, {facts['system']}, "
        f"Python {facts['python']}; {versions}. Medians of {report['repeats']} runs."), "",
    ]  # fmt: skip
    for name, case in report["cases"].items():
        lines += case_lines(name, case)
    if report.get("start"):
        lines += start_lines(report["start"])
    if report.get("growth"):
        lines += growth_lines(report["growth"])
    if report.get("ledger"):
        lines += ledger_lines(report["ledger"])
    if report.get("paper"):
        lines += papering.lines(report["paper"])
    if report.get("pages"):
        lines += [*pages.lines(report["pages"]), ""]
    if report.get("realtime"):
        lines += realtime_lines.lines(report["realtime"], judged=not report["quick"])
    return "\n".join(lines).strip()


def write_docs(page: Path, report: dict[str, Any]) -> None:
    """Replace what stands between the markers of the page."""
    text = page.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    page.write_text(f"{before}{BEGIN}\n{markdown(report)}\n{END}{after}", encoding="utf-8")
