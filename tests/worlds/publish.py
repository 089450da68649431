"""``python tests/worlds/publish.py`` measures everything again, which takes minutes, and writes docs/worlds.md anew."""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path

from figures import Figure
from measures import SECTIONS

PAGE = Path(__file__).parents[2] / "docs" / "worlds.md"

HEAD = """# What was measured on worlds whose truth is known

Whole backtests on made-up markets: some that nobody can beat, some with one edge of known strength. What the
laboratory says of them is beside what it has to say. This page is written by a program
(`python tests/worlds/publish.py`). A quick test checks that every figure lies within its bounds; a slow one
(`make test-full`) measures all of it again and compares. Worlds are numbered, and the first so many are taken: none
was left out.

**Worlds without an edge.** Five years of days (1,260 bars) of one symbol with an annual volatility of 16%: in turn a
random walk, one with fat tails (Student t, 4 degrees of freedom) and one whose volatility clusters (GARCH). A bar is
a gap and eight steps, each with an expected gain of exactly 0, so that no rule that decides beforehand can expect to
gain. Costs are 5 basis points of commission, 4 of spread and 1 of slippage. Tests of luck are run free of cost where
not said otherwise: costs push a worthless rule below 0, which makes it harder to mistake for a good one.

**Worlds with an edge.** *Trends*: sessions drift, with a memory of 0.97 from day to day and a standard deviation of
0.27 of the day's own; the Sharpe ratio of following the last 20 days is derived from that in closed form. *Coins*:
strategies that toss for each day; in some worlds the market follows one of them. *Spikes*: the market rises on one
weekday in twenty, and the rule is swept over all twenty. The derivations are in `tests/worlds/worlds.py`.
"""

NOTES = {
    "Gains where nothing can be gained": """\
200 worlds for the kernel, 20 for the comparison of engines. The net Sharpe ratio is that of all worlds together.
The mean of each world's own ratio leans a little: a rule that buys weakness holds on while it loses, so its bad
worlds are its volatile ones.""",
    "P-values where nothing can be found": """\
200 worlds, 299 resamples. Uniform p-values mean that a test at any level is wrong as often as it says. SPA's lower
p-value is a bound, not a test. Size and power on plain matrices of noise, 1,000 of them, are tests of their own
(`tests/stats/test_snooping.py`). The probability of backtest overfitting (PBO) is that of 8 partitions.""",
    "Verdicts where there is nothing but luck": """\
200 worlds (400 for the coins). The best row of each sweep is judged at a level of 5%. A verdict other than luck needs
every gate. The best row judged alone, without its sweep, has only its ledger to know that it was chosen. The coins are
tries that are nearly one and the same: deflation by itself must hold its level there too.""",
    "Verdicts where there is an edge": """\
200 worlds for ratios and for detection, 60 for the gates, 40 for spikes, 30 for whole verdicts, 10 for deflation.""",
}


def row(figure: Figure) -> str:
    """Its line of the table."""
    bounds = (figure.low, figure.high) if figure.bounded else ("", "")
    shown = f"{figure.measured:.{figure.digits}f}"
    return f"| {figure.name} | {shown} | {bounds[0]} | {bounds[1]} | {figure.basis} |"


def page(measured: dict[str, list[Figure]]) -> str:
    """The page with all of them."""
    parts = [HEAD]
    for title, figures in measured.items():
        table = ["| Figure | Measured | At least | At most | Because |", "|---|--:|--:|--:|---|", *map(row, figures)]
        parts.append("\n".join([f"## {title}\n", NOTES[title], "", *table, ""]))
    return "\n".join(parts)


def rows(text: str) -> dict[str, tuple[float, float, float]]:
    """Measured figure and bounds of every row of a page; a figure without bounds has infinite ones."""
    found = {}
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| ") and len(cells) == 5 and cells[0] != "Figure":
            low, high = (float(cell or edge) for cell, edge in zip(cells[2:4], ("-inf", "inf"), strict=True))
            found[cells[0]] = (float(cells[1]), low, high)
    return found


def measured() -> dict[str, list[Figure]]:
    """Every figure anew, by its section; says how far it is."""
    found: dict[str, list[Figure]] = {}
    for title, asked in SECTIONS.items():
        found[title] = []
        for one in asked:
            started = time.monotonic()
            found[title] += one()
            print(f"{one.__name__}: {time.monotonic() - started:.0f} s", flush=True)
    return found


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        os.environ["QTW_STORAGE_DIR"] = folder  # what is tried here must not count as anybody's trials
        PAGE.write_text(page(measured()), encoding="utf-8")
    print(f"{PAGE.name} is written anew.")
