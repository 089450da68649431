"""The storage folder without the settings is the one the settings give."""

import subprocess
import sys
from pathlib import Path

import pytest

from qtw_lab.core import Settings
from qtw_lab.core.places import default_storage
from qtw_lab.core.storage import storage_folder


@pytest.mark.parametrize("value", ["/somewhere/else", "relative/place", "~/lab", "", "  "])
def test_it_is_what_the_settings_say(monkeypatch, tmp_path, value):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("QTW_STORAGE_DIR", value)
    assert storage_folder() == Settings.load().qtw_storage_dir


def test_a_file_of_settings_is_read(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("QTW_STORAGE_DIR", raising=False)
    assert storage_folder() == default_storage()
    (tmp_path / ".env").write_text("QTW_STORAGE_DIR=/from/the/file\n")
    assert storage_folder() == Path("/from/the/file") == Settings.load().qtw_storage_dir


def test_the_settings_are_not_loaded_for_it():
    code = "import sys; from qtw_lab.core.storage import storage_folder as f; f(); print('pydantic' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "False\n"
