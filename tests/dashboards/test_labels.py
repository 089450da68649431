import string
from pathlib import Path

import pytest

from dashboards.labels import LANGUAGES, label, table
from dashboards.shell import PAGES
from qtw_lab.core import DataError

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


def test_every_page_has_a_name():
    assert all(label(f"page.{key}", language) for key in PAGES for language in LANGUAGES)


def test_an_unknown_label_is_refused_with_its_nearest():
    with pytest.raises(DataError, match=r"page\.market"):
        label("page.markt")


def test_every_label_that_a_page_asks_for_exists_and_none_is_idle():
    """Keys are looked for in the source as they stand there; those built from a part name every page or state."""
    sources = {path.stem: path.read_text(encoding="utf-8") for path in FOLDER.glob("*.py")}
    for key in table():
        page, _, name = key.partition(".")
        assert any(
            f'"{key}"' in text or f'"{name}"' in text or f"'{name}'" in text for text in sources.values()
        ) or any(
            f'f"{page}.{{' in text or ('f"' in text and name.rsplit("_", 1)[0] + "_{" in text)
            for text in sources.values()
        ), f"no page uses the label {key}"
