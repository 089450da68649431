"""The package itself: light to import, complete by name, and callable where a room is also a function."""

import importlib
import json
import subprocess
import sys
from types import ModuleType

import pytest

import qtw_lab

HEAVY = (
    "numpy", "pandas", "numba", "vectorbt", "bokeh", "alpaca", "duckdb", "pyarrow", "sklearn", "torch", "cv2", "panel",
    "papermill", "nbformat", "ipywidgets", "IPython", "pydantic", "typer", "rich", "exchange_calendars", "skfolio",
    "matplotlib", "plotly",
)  # fmt: skip


def loaded(statement: str) -> set[str]:
    """The modules a fresh process has after this statement, by their first name."""
    code = f"import json, sys; {statement}; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    return {name.partition(".")[0] for name in json.loads(done.stdout)}


def test_importing_the_package_loads_no_library_at_all():
    assert not loaded("import qtw_lab; dir(qtw_lab); qtw_lab.__version__") & set(HEAVY)


def test_the_names_of_every_day_load_pandas_and_no_engine_chart_or_venue():
    names = "qtw_lab.Bars, qtw_lab.Costs, qtw_lab.Facts, qtw_lab.Settings, qtw_lab.DataError"
    found = loaded(f"import qtw_lab; {names}")
    assert "pandas" in found
    assert not found & {"numba", "vectorbt", "bokeh", "alpaca", "duckdb", "papermill", "cv2", "sklearn", "ipywidgets"}


def test_the_lab_loads_no_optional_library_before_it_is_needed():
    found = loaded("import qtw_lab; qtw_lab.Lab.offline()")
    assert not found & {"vectorbt", "bokeh", "alpaca", "papermill", "ipywidgets", "IPython", "skfolio", "websockets"}


def test_every_public_name_resolves_and_is_listed():
    assert len(set(qtw_lab.__all__)) == len(qtw_lab.__all__)
    for name in qtw_lab.__all__:
        assert getattr(qtw_lab, name) is not None
        assert getattr(qtw_lab, name) is getattr(qtw_lab, name)
    assert dir(qtw_lab) == sorted(qtw_lab.__all__)


def test_the_promised_names_are_there():
    assert set(qtw_lab.__all__) >= {
        "Lab", "Bars", "backtest", "sweep", "Costs", "Sizing", "Stops", "strategies", "Strategy", "param", "Facts",
        "LabError", "DataError", "SetupError", "VenueError", "RunError",
    }  # fmt: skip


def test_a_star_import_brings_exactly_the_public_names():
    space: dict[str, object] = {}
    exec("from qtw_lab import *", space)
    assert set(space) - {"__builtins__"} == set(qtw_lab.__all__)


@pytest.mark.parametrize("name", ["backtests", "Bar", "_nothing", "engine"])
def test_an_unknown_name_is_an_attribute_error_that_names_it(name):
    with pytest.raises(AttributeError, match=f"module 'qtw_lab' has no attribute '{name}'"):
        getattr(qtw_lab, name)
    with pytest.raises(ImportError, match=f"cannot import name '{name}'"):
        exec(f"from qtw_lab import {name}")


def test_backtest_is_both_the_function_and_its_room():
    from qtw_lab import backtest, sweep
    from qtw_lab.backtest import Result
    from qtw_lab.backtest import backtest as inner
    from qtw_lab.backtest.engine import backtest as function

    assert backtest is qtw_lab.backtest
    assert isinstance(backtest, ModuleType)
    assert inner.__wrapped__ is function  # what people call also counts
    bars = qtw_lab.Lab.offline().bars("AAPL", "2012-01-01", "2012-12-31")
    result = backtest("buy_and_hold", bars)
    assert isinstance(result, Result)
    assert result.order_hash == function("buy_and_hold", bars).order_hash
    assert callable(sweep)
    assert not isinstance(sweep, ModuleType)
    assert importlib.import_module("qtw_lab.backtest.engine") is qtw_lab.backtest.engine
    assert "Simulate a strategy on bars" in backtest.__doc__


@pytest.mark.parametrize("order", ["qtw_lab.backtest.engine, qtw_lab.backtest.sweep", "qtw_lab.lab"])
def test_backtest_and_sweep_stay_callable_whatever_was_imported_first(order):
    code = f"import {order}; import qtw_lab; print(callable(qtw_lab.backtest), callable(qtw_lab.sweep))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "True True\n"


def test_the_version_is_that_of_the_distribution():
    from importlib.metadata import version

    assert qtw_lab.__version__ == version("qtw-lab")
