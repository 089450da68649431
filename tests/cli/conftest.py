"""The command line in this process, on a storage folder of its own."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from qtw_lab.cli import main, printing


@dataclass(frozen=True)
class Answer:
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output as one strict JSON document."""
        return json.loads(self.out, parse_constant=_refused)


def _refused(constant: str) -> None:
    raise AssertionError(f"{constant} is not strict JSON")


@pytest.fixture
def storage(tmp_path, monkeypatch) -> Path:
    """An empty storage folder in the settings, no keys, and a working folder without `.env`."""
    for name in ("ALPACA_API_KEY_ID", "ALPACA_API_SECRET_KEY", "QTW_KEYRING"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("QTW_STORAGE_DIR", str(tmp_path / "store"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "store"


@pytest.fixture
def qtw(storage, capsys, monkeypatch) -> Callable[..., Answer]:
    """Call `qtw` with these words; the screen is 80 columns wide."""
    monkeypatch.setattr(printing.stdout, "width", 80)
    monkeypatch.setattr(printing.stderr, "width", 80)

    def call(*words: object) -> Answer:
        capsys.readouterr()
        code = main([str(word) for word in words])
        return Answer(code, *capsys.readouterr())

    return call


@pytest.fixture
def prices(tmp_path) -> Callable[..., Path]:
    """Write a CSV of weekdays from 2024-01-02 with these closes."""

    def write(name: str, *closes: float) -> Path:
        import pandas as pd

        days = pd.bdate_range("2024-01-02", periods=len(closes))
        rows = [f"{day:%Y-%m-%d},{c},{c + 1},{c - 1},{c},100" for day, c in zip(days, closes, strict=True)]
        path = tmp_path / name
        path.write_text("\n".join(["Date,Open,High,Low,Close,Volume", *rows]) + "\n")
        return path

    return write
