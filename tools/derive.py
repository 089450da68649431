"""Derive the conda files from pyproject.toml and requirements.lock, so that every way to install agrees.

    python tools/derive.py            write environment.yml and binder/environment.yml
    python tools/derive.py --check    write nothing; exit 1 if a file differs from what would be written

Bounds come from pyproject.toml. What conda-forge lacks, or follows too late for our lower bounds, pip installs in
the version of requirements.lock.
"""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent

#: Distribution names that are spelt otherwise on conda-forge.
CONDA_NAMES = {"duckdb": "python-duckdb", "jupyter-bokeh": "jupyter_bokeh"}

#: Installed by pip, because conda-forge has no package, one under doubtful terms, or one older than our lower bound.
PIP_ONLY = frozenset({
    "alpaca-py", "axe-playwright-python", "bokeh-sampledata", "cronsim", "editables", "exchange-calendars",
    "pandas-stubs", "playwright", "py-rattler", "ta-lib", "types-pyyaml", "vectorbt",
})  # fmt: skip


@dataclass(frozen=True)
class Target:
    """One file to derive: where it goes, whom it serves and which extras it holds."""

    path: str
    purpose: str
    extras: tuple[str, ...]


TARGETS = (
    Target(
        "environment.yml",
        "For conda users: conda env create -f environment.yml && conda activate qtw-lab && pip install --no-deps -e .",
        ("backtest", "research", "search", "dask", "live", "redis", "dashboards", "dev"),
    ),
    Target(
        "binder/environment.yml",
        "For Binder; binder/postBuild installs the project itself.",
        ("backtest", "research", "search", "dask", "live", "redis", "dashboards"),
    ),
)


def direct_requirements(project: Mapping[str, object], extras: Iterable[str]) -> list[Requirement]:
    """The requirements of the core and of `extras`, sorted by name."""
    listed = list(project["dependencies"])  # type: ignore[call-overload]  # a list of text, says the format
    optional: Mapping[str, list[str]] = project["optional-dependencies"]  # type: ignore[assignment]  # as above
    for extra in extras:
        listed += optional[extra]
    return sorted(map(Requirement, listed), key=lambda need: canonicalize_name(need.name))


def locked_versions(lock: str) -> dict[str, str]:
    """Version by canonical name, from lines such as ``numpy==2.4.6``."""
    pins = re.findall(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([^\s;]+)", lock, flags=re.MULTILINE)
    return {canonicalize_name(name): version for name, version in pins}


def conda_spec(need: Requirement) -> str:
    """A requirement as conda writes it: ``numpy >=2.2,<2.5``."""
    name = CONDA_NAMES.get(canonicalize_name(need.name), canonicalize_name(need.name))
    bounds = ",".join(sorted(map(str, need.specifier), key=lambda part: part.startswith("<")))
    return f"{name} {bounds}".strip()


def pip_spec(need: Requirement, locked: Mapping[str, str]) -> str:
    """A requirement pinned to the locked version, extras kept: ``vectorbt[rust]==1.2.0``."""
    extras = f"[{','.join(sorted(need.extras))}]" if need.extras else ""
    return f"{canonicalize_name(need.name)}{extras}=={locked[canonicalize_name(need.name)]}"


def environment(target: Target, project: Mapping[str, object], locked: Mapping[str, str]) -> str:
    """The text of one conda environment file."""
    needs = direct_requirements(project, target.extras)
    python = str(project["requires-python"]).removeprefix(">=")
    by_conda = [conda_spec(need) for need in needs if canonicalize_name(need.name) not in PIP_ONLY]
    by_pip = [pip_spec(need, locked) for need in needs if canonicalize_name(need.name) in PIP_ONLY]
    lines = [
        "# Derived from pyproject.toml and requirements.lock by `make derive`; do not edit by hand.",
        f"# {target.purpose}",
        f"name: {project['name']}",
        "channels:",
        "  - conda-forge",
        "  - nodefaults",
        "dependencies:",
        f"  - python={python}",
        "  - pip",
        *(f'  - "{spec}"' for spec in sorted(by_conda)),
        "  - pip:",
        *(f'      - "{spec}"' for spec in sorted(by_pip)),
    ]
    return "\n".join(lines) + "\n"


def derived(root: Path = ROOT) -> dict[Path, str]:
    """Text of every derived file by its path."""
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    locked = locked_versions((root / "requirements.lock").read_text(encoding="utf-8"))
    return {root / target.path: environment(target, project, locked) for target in TARGETS}


def main(arguments: list[str]) -> int:
    """Write the files, or with ``--check`` say which ones are out of date."""
    stale = [path for path, text in derived().items() if not path.is_file() or path.read_text(encoding="utf-8") != text]
    if "--check" in arguments:
        for path in stale:
            print(f"{path.relative_to(ROOT)} is out of date; run: make derive", file=sys.stderr)
        return 1 if stale else 0
    for path in stale:
        path.parent.mkdir(exist_ok=True)
        path.write_text(derived()[path], encoding="utf-8")
        print(f"wrote {path.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
