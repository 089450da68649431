"""The table of thousands of rows, without a browser; `test_market.py` uses it in one."""

import time
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from dashboards import stage
from dashboards.sheet import Heading, Sheet

#: Bokeh's own call; it mends nothing of ours to hear of it.
pytestmark = pytest.mark.filterwarnings("ignore:The inplace keyword in DataFrame.reset_index")

WORDS = dict.fromkeys(("first", "previous", "next", "last", "page", "find"), "word")
HEADS = [
    Heading("symbol", "Symbol", "text"),
    Heading("close", "<Close>"),
    Heading("change", "Change", "percent", signed=True),
]


@pytest.fixture(autouse=True, scope="module")
def _ready():
    stage.ready()


def table(rows: int) -> pd.DataFrame:
    return pd.DataFrame(
        {"change": np.linspace(-5, 5, rows), "symbol": [f"S{n}" for n in range(rows)], "close": np.arange(float(rows))},
        index=range(10, 10 + rows),
    )


def test_the_columns_stand_in_the_order_of_the_headings():
    sheet = Sheet(HEADS, "All", WORDS)
    sheet.show(table(3))
    assert list(sheet.view[0].value) == ["symbol", "close", "change"]
    assert sheet.view[0].titles["close"] == "&lt;Close&gt;"


def test_equal_rows_are_not_sent_again():
    sheet = Sheet(HEADS, "All", WORDS)
    sheet.show(table(3))
    sent = []
    sheet.view[0].param.watch(sent.append, "value")
    sheet.show(table(3))
    assert sent == []
    sheet.show(table(4))
    assert len(sent) == 1


def test_without_rows_nothing_stands_there_and_it_comes_back():
    sheet = Sheet(HEADS, "All", WORDS)
    sheet.show(table(0))
    assert not hasattr(sheet.view[0], "pagination")
    sheet.show(table(2))
    assert len(sheet.view[0].value) == 2
    sheet.show(table(0))
    assert not hasattr(sheet.view[0], "pagination")


def test_a_click_names_the_row_by_its_first_column():
    picked = []
    sheet = Sheet(HEADS, "All", WORDS, picked.append)
    sheet._clicked(SimpleNamespace(row=0))
    sheet.show(table(5))
    for row in (3, 99):
        sheet._clicked(SimpleNamespace(row=row))
    assert picked == ["S3"]


def test_a_caption_is_data_to_the_script():
    sheet = Sheet(HEADS, 'He said "</script>" \\', WORDS)
    sheet.show(table(1))
    assert 'caption = "He said \\"</script>\\" \\\\";' in sheet.view[0].title_formatters["symbol"].js_code


def test_thousands_of_rows_are_made_and_changed_in_a_moment():
    sheet = Sheet(HEADS, "All", WORDS, filtered=True)
    begun = time.perf_counter()
    sheet.show(table(10_000))
    sheet.show(table(9_999))
    assert time.perf_counter() - begun < 2.0  # some hundredths on a quiet core
