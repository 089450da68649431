"""What an import graph cannot see: libraries loaded by name, and files, clocks and chance used without an import."""

import ast
import configparser
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

import pytest

PLAIN_ROOMS = ("core", "indicators", "stats", "ledger", "strategies")

#: Modules of the plain rooms whose whole purpose is the environment, the clock or the file system.
SIGNED = {
    "qtw_lab.core.settings",
    "qtw_lab.core.storage",
    "qtw_lab.core.places",
    "qtw_lab.core.clock",
    "qtw_lab.core.files",
}

#: Attributes that read a clock or a file, or write one.
OUTSIDE = {
    "now", "today", "utcnow", "read_text", "read_bytes", "write_text", "write_bytes", "read_csv", "read_parquet",
    "read_excel", "read_json", "read_pickle", "read_sql", "to_csv", "to_parquet", "to_pickle", "to_excel", "to_sql",
    "loadtxt", "savetxt", "memmap", "fromfile", "tofile", "urlopen",
}  # fmt: skip

#: Built-in functions that do the same.
BUILT_IN = {"open", "input", "print"}

#: Names under numpy.random that need no global state.
PURE_RANDOM = {"default_rng", "Generator", "SeedSequence", "PCG64", "Philox", "BitGenerator"}

LOADERS = {"need", "import_module", "__import__", "importorskip"}


@pytest.fixture(scope="module")
def trees(root) -> dict[str, ast.Module]:
    """The syntax tree of every module by its dotted name."""
    paths = sorted((root / "qtw_lab").rglob("*.py"))
    return {dotted(root, path): ast.parse(path.read_text(encoding="utf-8")) for path in paths}


def dotted(root: Path, path: Path) -> str:
    return ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__")


def called(node: ast.Call) -> str:
    """The last part of the name of what is called."""
    return node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")


def loaded(tree: ast.Module) -> Iterator[str]:
    """Top-level names of everything a module imports, by statement or by name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield (node.module or "").partition(".")[0]
        elif isinstance(node, ast.Call) and called(node) in LOADERS and node.args:
            name = node.args[0]
            if isinstance(name, ast.Constant) and isinstance(name.value, str):
                yield name.value.partition(".")[0]


def seams(root: Path) -> dict[str, list[str]]:
    """Each heavy library of the import contract and the modules that may load it."""
    contract = configparser.ConfigParser()
    contract.read(root / ".importlinter")
    section = contract["importlinter:contract:seams"]
    allowed: dict[str, list[str]] = {name: [] for name in section["forbidden_modules"].split()}
    for line in filter(None, section["ignore_imports"].splitlines()):
        seam, _, library = line.partition(" -> ")
        allowed[library].append(seam)
    return allowed


def test_every_heavy_library_is_loaded_by_its_seam_alone(root, trees):
    allowed = seams(root)
    breaches = [
        f"{module} loads {library}"
        for module, tree in trees.items()
        for library in sorted(set(loaded(tree)) & set(allowed))
        if not any(fnmatch(module, seam.replace(".**", ".*")) for seam in allowed[library])
    ]
    assert breaches == []


def test_a_heavy_library_has_one_seam_but_for_bokeh_in_plots_and_alpaca_for_history_and_now(root):
    several = {library: names for library, names in seams(root).items() if len(names) > 1}
    assert several == {
        "bokeh": ["qtw_lab.plots", "qtw_lab.plots.**"],
        "alpaca": ["qtw_lab.data.alpaca", "qtw_lab.venues.alpaca"],
    }


def test_libraries_loaded_by_name_are_seen(root):
    planted = "from qtw_lab.core.extras import need\ndef f():\n    return need('vectorbt.portfolio', 'backtest')\n"
    assert "vectorbt" in set(loaded(ast.parse(planted)))
    assert seams(root)["vectorbt"] == ["qtw_lab.backtest.vectorbt_engine"]


def outside_uses(tree: ast.Module) -> Iterator[str]:
    """Uses of files, the clock and global chance that need no forbidden import."""
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id in ("open", "input", "print")
        ):
            yield f"{node.func.id}() in line {node.lineno}"
        elif isinstance(node, ast.Attribute) and node.attr in OUTSIDE:
            yield f".{node.attr} in line {node.lineno}"
        elif isinstance(node, ast.Call) and called(node) == "default_rng" and not node.args and not node.keywords:
            yield f"default_rng() without a seed in line {node.lineno}"
        elif (
            isinstance(node, ast.Attribute)
            and isinstance(node.value, ast.Attribute)
            and node.value.attr == "random"
            and node.attr not in PURE_RANDOM
        ):
            yield f"random.{node.attr} in line {node.lineno}"


def test_plain_rooms_use_no_file_clock_or_global_chance(trees):
    rooms = tuple(f"qtw_lab.{room}" for room in PLAIN_ROOMS)
    plain = {m: tree for m, tree in trees.items() if m.startswith(rooms) and m not in SIGNED}
    breaches = [f"{module}: {use}" for module, tree in plain.items() for use in outside_uses(tree)]
    assert breaches == []


@pytest.mark.parametrize(
    "line",
    [
        "open('x')",
        "pd.Timestamp.now()",
        "np.random.normal()",
        "np.random.default_rng()",
        "frame.to_csv('x')",
        "print(1)",
    ],
)
def test_such_a_use_is_seen(line):
    assert list(outside_uses(ast.parse(line)))


@pytest.mark.parametrize(
    "line", ["np.random.default_rng(seed)", "generator.normal()", "np.random.Generator", "bars.open"]
)
def test_harmless_uses_pass(line):
    assert list(outside_uses(ast.parse(line))) == []


def test_the_environment_is_read_in_the_settings_alone(trees):
    readers = [
        module
        for module, tree in trees.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr in ("environ", "getenv")
    ]
    assert set(readers) <= {"qtw_lab.core.settings", "qtw_lab.core.storage"}
