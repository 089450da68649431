"""Machine code kept on disk: it is used again while nothing has changed, and never after any part of it has."""

import ast
import importlib
import inspect
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import qtw_lab
from qtw_lab.indicators.compiled import compiled as plain
from qtw_lab.venues.compiled import compiled, fingerprint, sources, stamped

HOUSE = Path(qtw_lab.__file__).parent
ASK = "from qtw_lab.venues.outer import twice; print(twice(1), sum(twice.stats.cache_hits.values()))"
OUTER = """
from qtw_lab.venues.compiled import compiled
from qtw_lab.venues.inner import more

@compiled
def twice(value):
    return 2 * more(value)
"""
INNER = """
from qtw_lab.venues import far
from qtw_lab.venues.compiled import compiled

STEP = far.{name}

@compiled
def more(value):
    return value + STEP
"""


def modules() -> list:
    """The modules of venues and live that compile something."""
    files = [path for room in ("venues", "live") for path in (HOUSE / room).rglob("*.py")]
    mention = [
        path for path in files if "import compiled" in path.read_text() or "_compiled import" in path.read_text()
    ]
    return [".".join(path.relative_to(HOUSE.parent).with_suffix("").parts) for path in sorted(mention)]


def origins(module) -> dict[str, Path]:
    """Names that a module imports from this package, and the files they come from."""
    found = {}
    for node in ast.walk(ast.parse(inspect.getsource(module))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("qtw_lab."):
            for alias in node.names:
                inside = importlib.import_module(node.module)
                value = getattr(inside, alias.name)
                source = value if inspect.ismodule(value) else inside
                found[alias.asname or alias.name] = Path(inspect.getfile(source))
    return found


def drawn_on(dispatcher, seen: set) -> set[Path]:
    """Files whose functions and numbers a compiled function contains, by the names in its code."""
    function = dispatcher.py_func
    if function in seen:
        return set()
    seen.add(function)
    module = inspect.getmodule(function)
    known, found = origins(module), {Path(inspect.getfile(module))}
    for name in function.__code__.co_names:
        if name in known:
            found.add(known[name])
        value = function.__globals__.get(name)
        if hasattr(value, "py_func"):
            found |= drawn_on(value, seen)
    return found


@pytest.mark.parametrize("name", modules())
def test_the_stamp_of_every_compiled_function_has_every_file_it_draws_on(name):
    module = importlib.import_module(name)
    own = [value for value in vars(module).values() if hasattr(value, "py_func") and value.__module__ == name]
    kept = [dispatcher for dispatcher in own if hasattr(getattr(dispatcher, "_cache", None), "_cache_file")]
    for dispatcher in kept:
        path = Path(inspect.getfile(module))
        lacking = drawn_on(dispatcher, set()) - sources(path)
        assert not lacking, f"{name}.{dispatcher.__name__} draws on {lacking}"
        stamp = dispatcher._cache._cache_file._source_stamp
        assert name == "qtw_lab.live.venue_time" or stamp[1] == fingerprint(path)  # it draws on nothing but itself


def test_modules_that_compile_are_found():
    assert {"qtw_lab.venues.conditions", "qtw_lab.live.kernels_add", "qtw_lab.venues.wire.unpacking"} <= set(modules())


def test_what_is_not_compiled_is_given_back_as_it_is():
    assert stamped(len) is len


def test_a_change_anywhere_below_is_seen_though_size_and_time_of_the_file_stay(tmp_path):
    shutil.copytree(HOUSE, tmp_path / "qtw_lab", ignore=shutil.ignore_patterns("__pycache__", "*.csv*", "*.parquet"))
    room = tmp_path / "qtw_lab" / "venues"
    parts = {"outer": OUTER, "inner": INNER.format(name="SMALL"), "far": "SMALL = 10\nLARGE = 20\n"}

    def answer(**changed: str) -> str:
        for name, text in changed.items():
            path = room / f"{name}.py"
            path.write_text(text)
            os.utime(path, ns=(10**18, 10**18))
            for bytecode in room.glob(f"__pycache__/{name}.*.pyc"):
                bytecode.unlink()
        environment = {name: value for name, value in os.environ.items() if name != "NUMBA_CACHE_DIR"}
        environment["PYTHONPATH"] = str(tmp_path)
        run = [sys.executable, "-c", ASK]
        return subprocess.run(run, env=environment, check=True, capture_output=True, text=True, cwd=tmp_path).stdout

    assert answer(**parts) == "22 0\n"
    assert answer() == "22 1\n"
    assert answer(inner=INNER.format(name="LARGE")) == "42 0\n"
    assert answer(far="SMALL = 10\nLARGE = 30\n") == "62 0\n"


def test_a_plain_function_of_the_room_below_is_stamped_the_same_way():
    @plain
    def one() -> int:
        return 1

    before = one._cache._cache_file._source_stamp
    stamped(one)
    assert one._cache._cache_file._source_stamp == (before, fingerprint(Path(__file__)))
    assert compiled(lambda: 2)() == 2
