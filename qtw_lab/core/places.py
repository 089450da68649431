"""Where things are, and where they are kept if nobody says where."""

from __future__ import annotations

from pathlib import Path
from typing import Final

#: The checkout this package runs from; where it is installed, the folder it is installed in.
CHECKOUT: Final = Path(__file__).resolve().parents[2]


def default_storage() -> Path:
    """`artifacts/` of the checkout this package runs from, or a folder in the user's home."""
    if (CHECKOUT / "pyproject.toml").is_file() and (CHECKOUT / "notebooks").is_dir():
        return CHECKOUT / "artifacts"
    return Path.home() / ".local" / "share" / "qtw-lab"


def environment_lock() -> Path | None:
    """The file that pins every package of the checkout this package runs from; None where it is installed."""
    lock = CHECKOUT / "requirements.lock"
    return lock if lock.is_file() else None
