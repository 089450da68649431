"""The import contracts hold, and they catch what they are for."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

LINT = Path(sys.executable).with_name("lint-imports")
HEAVY = (
    "numba",
    "vectorbt",
    "bokeh",
    "cv2",
    "sklearn",
    "plotly",
    "duckdb",
    "pyarrow",
    "pandas",
    "IPython",
    "papermill",
)


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    return subprocess.run(
        [LINT, "--no-cache"], check=False, cwd=folder, env=environment, capture_output=True, text=True, timeout=120
    )


def test_the_contracts_hold(root):
    done = lint(root)
    assert done.returncode == 0, done.stdout + done.stderr


def skeleton(root: Path, folder: Path) -> Path:
    """A package with the same modules, all empty but for the signed exceptions, under the same contracts."""
    package = folder / "qtw_lab"
    shutil.copy(root / ".importlinter", folder)
    for path in (root / "qtw_lab").rglob("*.py"):
        twin = package / path.relative_to(root / "qtw_lab")
        twin.parent.mkdir(parents=True, exist_ok=True)
        twin.touch()
    contracts = (root / ".importlinter").read_text()
    for module, library in re.findall(r"^    qtw_lab\.core\.(\w+) -> (\w+)$", contracts, flags=re.MULTILINE):
        with (package / "core" / f"{module}.py").open("a") as file:
            file.write(f"import {library}\n")
    return folder


def test_the_empty_skeleton_keeps_the_contracts(root, tmp_path):
    done = lint(skeleton(root, tmp_path))
    assert done.returncode == 0, done.stdout + done.stderr


#: Module -> line planted in it, the contract that must break, and words of the complaint.
BREACHES = (
    ("core/below", "import qtw_lab.ledger.costs", "Rooms import only", "qtw_lab.core.below -> qtw_lab.ledger.costs"),
    ("stats/beside", "import qtw_lab.indicators", "Rooms import only", "qtw_lab.stats.beside -> qtw_lab.indicators"),
    ("plots/beside", "import qtw_lab.runs", "Rooms import only", "qtw_lab.plots.beside -> qtw_lab.runs"),
    ("unplaced/__init__", "", "Rooms import only", "qtw_lab.unplaced"),
    ("data/one", "import qtw_lab.data.two", "No cycles", "qtw_lab.data"),
    ("data/two", "import qtw_lab.data.one", "No cycles", "qtw_lab.data"),
    ("strategies/net", "import socket", "Plain rooms touch", "qtw_lab.strategies.net -> socket"),
    ("core/process", "import subprocess", "Plain rooms touch", "qtw_lab.core.process -> subprocess"),
    (
        "strategies/round",
        "import qtw_lab.core.process",
        "Plain rooms touch",
        "qtw_lab.strategies is not allowed to import sub",
    ),
    ("ledger/heavy", "import vectorbt", "Plain rooms touch", "qtw_lab.ledger.heavy -> vectorbt"),
    ("backtest/second", "import vectorbt", "Each heavy library", "qtw_lab.backtest.second -> vectorbt"),
    ("plots/pages", "import panel", "Each heavy library", "qtw_lab.plots.pages -> panel"),
    ("runs/figures", "import qtw_lab.stats", "plots, runs and insight", "qtw_lab.runs.figures -> qtw_lab.stats"),
    ("data/keys", "import keyring", "Only core.settings", "qtw_lab.data.keys -> keyring"),
)


@pytest.fixture(scope="module")
def complaint(root, tmp_path_factory) -> str:
    """What import-linter says when every breach is planted."""
    folder = skeleton(root, tmp_path_factory.mktemp("breached"))
    for module, line, *_ in BREACHES:
        path = folder / "qtw_lab" / f"{module}.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(line + "\n")
    done = lint(folder)
    assert done.returncode == 1
    return done.stdout


@pytest.mark.parametrize(("contract", "words"), [breach[2:] for breach in BREACHES], ids=[b[0] for b in BREACHES])
def test_a_planted_breach_is_caught(complaint, contract, words):
    assert re.search(rf"^{re.escape(contract)}.* BROKEN\b", complaint, flags=re.MULTILINE)
    assert words in complaint


def test_importing_the_package_loads_no_heavy_library():
    code = f"import sys, qtw_lab; print([name for name in {HEAVY} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"


def test_the_core_needs_no_more_than_pandas_and_pydantic():
    beyond = [name for name in HEAVY if name not in ("pandas", "pyarrow")]  # pandas loads pyarrow itself
    code = f"import sys, qtw_lab.core; print([name for name in {beyond} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"
