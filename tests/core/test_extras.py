"""A missing part is one sentence with the command that brings it."""

import sys

import pytest

from qtw_lab.core import SetupError
from qtw_lab.core.extras import need


def test_what_is_installed_is_imported():
    assert need("json", "live") is sys.modules["json"]
    assert need("os.path", "live").__name__ in ("posixpath", "ntpath")


@pytest.mark.parametrize("module", ["no_such_library_at_all", "no_such_library_at_all.part"])
def test_what_is_not_installed_names_the_command(module):
    with pytest.raises(SetupError, match=r"^no_such_library_at_all is not installed .*pip install 'qtw-lab\[vision\]'"):
        need(module, "vision")


def test_a_library_that_cannot_be_loaded_says_what_it_lacks(tmp_path, monkeypatch):
    (tmp_path / "half_installed.py").write_text("import a_missing_dependency\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(SetupError, match="No module named 'a_missing_dependency'") as caught:
        need("half_installed", "rl")
    assert isinstance(caught.value.__cause__, ImportError)


def test_a_fault_that_is_no_missing_part_is_not_called_one(tmp_path, monkeypatch):
    (tmp_path / "broken_inside.py").write_text("1 / 0\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ZeroDivisionError):
        need("broken_inside", "rl")
