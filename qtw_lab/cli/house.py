"""`qtw doctor` and `qtw demo`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from rich.table import Table
from rich.text import Text

from qtw_lab.cli.printing import Json, print_facts, print_json, progress, stdout
from qtw_lab.core import Settings, SetupError
from qtw_lab.core.places import CHECKOUT
from qtw_lab.lab import Lab

if TYPE_CHECKING:
    from qtw_lab.lab.doctor import Finding

_MARKS = {"ok": ("ok", "green"), "missing": ("missing", "red"), "optional": ("not set up", "yellow")}
_MARGIN = max(len(mark) for mark, _ in _MARKS.values()) + 2


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command("doctor")(doctor)
    app.command("demo")(demo)


def doctor(json: Json = False) -> None:
    """Tell what is installed and reachable, and the command that mends what is not."""
    from qtw_lab.lab.doctor import examine

    findings = examine(Settings.load())
    missing = [finding for finding in findings if finding.state == "missing"]
    if json:
        print_json([{"what": f.what, "state": f.state, "detail": f.detail, "mend": f.mend} for f in findings])
    else:
        for finding in findings:
            _print_finding(finding)
        stdout.print("Everything needed is here." if not missing else f"{len(missing)} needed thing(s) missing.")
    raise typer.Exit(1 if missing else 0)


def _print_finding(finding: Finding) -> None:
    """One finding, its lines under each other; the command that mends it stays on one line, to be copied."""
    mark, style = _MARKS[finding.state]
    line = Table.grid(padding=(0, 2, 0, 0))
    line.add_column(width=_MARGIN - 2)
    line.add_column(overflow="fold")
    line.add_row(Text(mark, style), Text(f"{finding.what}: {finding.detail}"))
    stdout.print(line)
    if finding.mend and finding.state != "ok":
        stdout.print(f"{'':{_MARGIN}}mend: {finding.mend}", soft_wrap=True)


def demo() -> None:
    """Run the nightly research notebook on bundled data and say where its report lies."""
    lab = Lab.offline()
    notebook = notebooks_folder() / "runs" / "nightly_report.ipynb"
    stdout.print("Running notebooks/runs/nightly_report.ipynb on bundled prices, offline ...")
    with progress("notebook cells") as step:
        run = lab.run(notebook, progress=step)
    print_facts(run.facts())
    stdout.print()
    for label, path in _outcome(run):
        stdout.print(f"{label:<19}{path}", soft_wrap=True)
    stdout.print()
    stdout.print("Open the report in any browser; it needs no network. Open JupyterLab with: make lab")


def notebooks_folder() -> Path:
    """The `notebooks/` folder of the checkout this package runs from.

    Raises
    ------
    SetupError
        If the package was installed without a checkout.
    """
    folder = CHECKOUT / "notebooks"
    if not folder.is_dir():
        raise SetupError(
            "The notebooks are not installed with the package. Clone the project, change into its folder and run: "
            "make demo"
        )
    return folder


def _outcome(run: Any) -> list[tuple[str, Path]]:
    names = {
        "Report": "report.html", "Executed notebook": "notebook.ipynb", "Figures": "facts.json",
        "Manifest": "manifest.json",
    }  # fmt: skip
    return [(label, run.folder / name) for label, name in names.items() if (run.folder / name).exists()]
