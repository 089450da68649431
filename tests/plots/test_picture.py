from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nbformat
import pandas as pd
import pytest

from qtw_lab.core import DataError
from qtw_lab.plots import Picture, candles, lines
from qtw_lab.plots.picture import Shelf, height, item_json, library, titles

ROOT = Path(__file__).parents[2]

NOTEBOOK = """
import pandas as pd
from qtw_lab.plots import Slider, explore, lines, show
frame = pd.DataFrame({"x": [1.0, 3.0, 2.0]}, index=pd.date_range("2024-01-01", periods=3))
show(lines(frame, "One"))
---
show(lines(frame, "Two"))
"still inside the cell"
"""


@pytest.fixture
def figure(apple: pd.DataFrame) -> Any:
    return lines(apple[["close"]].tail(9), "Nine days")


def test_a_picture_alone_carries_all_it_needs(figure: Any) -> None:
    bundle = Picture(figure, "Nine")._repr_mimebundle_()
    assert set(bundle) == {"text/plain", "text/html"}
    assert len(bundle["text/html"]) > 1_000_000
    assert "src=" not in bundle["text/html"].rpartition("data-picture")[2]


def test_widgets_are_in_the_library_only_where_one_is_used(figure: Any) -> None:
    from bokeh.layouts import column
    from bokeh.models import Button

    assert sum(map(len, library([column(figure, Button())]))) > sum(map(len, library([figure]))) + 300_000


def test_the_library_ends_no_script_element_early(figure: Any) -> None:
    assert not any("</script" in part for part in library([figure]))
    assert "<" not in item_json(figure)
    assert json.loads(item_json(figure))["root_id"] == figure.id


def test_the_library_is_sent_once_and_again_when_its_cell_runs_again(figure: Any) -> None:
    shelf = Shelf()
    assert shelf.scripts([figure], "a")
    assert shelf.scripts([figure], "b") == ""
    assert shelf.scripts([figure], "a")
    assert shelf.scripts([figure]) == ""


def test_the_place_is_as_high_as_the_panes(apple: pd.DataFrame, figure: Any) -> None:
    assert height(figure) == 320
    assert height(candles(apple)) == 380 + 90 + 64


def test_titles_are_the_default_label(apple: pd.DataFrame, figure: Any) -> None:
    assert titles(figure) == "Nine days"
    assert titles(candles(apple, title="AAPL")) == "AAPL"


def test_only_figures_are_pictures() -> None:
    with pytest.raises(DataError, match="not DataFrame"):
        Picture(pd.DataFrame())  # type: ignore[arg-type]


def test_a_converted_notebook_shows_its_pictures_without_a_request(browser: Any, tmp_path: Path) -> None:
    from nbclient import NotebookClient
    from nbconvert import HTMLExporter

    cells = [nbformat.v4.new_code_cell(part.strip()) for part in NOTEBOOK.split("---")]
    notebook = nbformat.v4.new_notebook(cells=cells)
    NotebookClient(notebook, timeout=60, resources={"metadata": {"path": str(ROOT)}}).execute()
    outputs = [
        "".join(out["data"]["text/html"] for out in cell.outputs if "text/html" in out.get("data", {}))
        for cell in cells
    ]
    assert len(outputs[0]) > 1_000_000  # the first picture brings the library ...
    assert len(outputs[1]) < 100_000  # ... and the second relies on it
    body, _ = HTMLExporter(template_name="basic").from_notebook_node(notebook)
    path = tmp_path / "notebook.html"
    path.write_text(f"<!doctype html><html><body>{body}</body></html>", encoding="utf-8")
    window = browser.open(path)
    window.page.wait_for_function("document.querySelectorAll('[data-drawn]').length == 2", timeout=20_000)
    window.page.wait_for_timeout(700)
    assert sum(count > 200 for count in window.painted()) == 2
    assert (window.outside, window.complaints) == ([], [])
    window.page.close()


def test_a_picture_whose_library_is_missing_says_what_to_run(browser: Any, figure: Any, tmp_path: Path) -> None:
    path = tmp_path / "alone.html"
    path.write_text(f"<!doctype html><body>{Picture(figure).html()}</body>", encoding="utf-8")
    window = browser.open(path)
    window.page.wait_for_selector("text=run that cell again", timeout=9_000)
    assert window.complaints == []
    window.page.close()
