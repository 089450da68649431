"""`.env.example` and the readme name exactly the settings there are."""

import re

import pytest

from qtw_lab.core import Settings

NAMES = {name.upper() for name in Settings.model_fields}


def test_the_example_names_every_setting_once_and_gives_none_a_value(root):
    lines = [line for line in (root / ".env.example").read_text().splitlines() if line and not line.startswith("#")]
    assert sorted(lines) == sorted(f"{name}=" for name in NAMES)


def test_the_example_copied_as_it_is_changes_nothing(root, monkeypatch):
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
    assert Settings(_env_file=root / ".env.example") == Settings(_env_file=None)


@pytest.mark.parametrize("name", ["README.md", "README.zh-CN.md"])
def test_the_settings_table_of_the_readme_is_complete(root, name):
    rows = re.findall(r"^\| `([A-Z][A-Z_]+)` \|", (root / name).read_text(), flags=re.MULTILINE)
    assert sorted(rows) == sorted(NAMES)
