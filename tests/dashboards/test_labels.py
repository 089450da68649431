import string
from pathlib import Path

import pytest

from dashboards.labels import LANGUAGES, label, table, titled
from dashboards.shell import PAGES
from qtw_lab import Costs, backtest
from qtw_lab.core import DataError
from qtw_lab.lab import Lab

FOLDER = Path(__file__).resolve().parents[2] / "dashboards"


def test_every_label_is_there_in_every_language():
    assert all(set(row) == set(LANGUAGES) and all(row.values()) for row in table().values())


@pytest.mark.parametrize("key", sorted(table()))
def test_a_label_has_the_same_blanks_in_every_language(key):
    blanks = {
        tuple(sorted(name for _, name, _, _ in string.Formatter().parse(text) if name))
        for text in table()[key].values()
    }
    assert len(blanks) == 1


def test_a_figure_is_called_by_its_own_title_in_english():
    for key, row in table().items():
        if key.startswith("fact."):
            assert titled(row["en"], "zh") == row["zh"]
            assert titled(row["en"]) == row["en"]
            assert label(key, "zh") == row["zh"]


def test_the_figures_of_a_backtest_have_names_in_every_language():
    bars = Lab.offline().bars("AAPL", start="2010-01-01", end="2011-12-31")
    result = backtest("sma_cross", bars, costs=Costs(commission_bps=5, spread_bps=2))
    assert [fact.title for fact in result.facts() if titled(fact.title, "zh") == fact.title] == []


def test_every_page_has_a_name():
    assert all(label(f"page.{key}", language) for key in PAGES for language in LANGUAGES)


def test_an_unknown_label_is_refused_with_its_nearest():
    with pytest.raises(DataError, match=r"page\.market"):
        label("page.markt")


def test_no_label_is_idle():
    """Keys are looked for in the sources of pages and lab: whole, without the page's name, or as the start of one."""
    sources = [*FOLDER.glob("**/*.py"), *(FOLDER.parent / "qtw_lab" / "lab").glob("**/*.py")]
    written = "".join(path.read_text(encoding="utf-8") for path in sources).replace("'", '"')
    idle = []
    for key in table():
        page, _, name = key.partition(".")
        starts = [name[: place + 1] for place, letter in enumerate(name) if letter == "_"]
        wanted = [f'"{key}"', f'"{name}"', f'"{page}.{{', *(f'"{start}{end}' for start in starts for end in '"{')]
        if not any(one in written for one in wanted):
            idle.append(key)
    assert "; ".join(idle) == ""
