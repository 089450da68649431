"""Where things are kept if nobody says where."""

from __future__ import annotations

from pathlib import Path


def default_storage() -> Path:
    """`artifacts/` of the checkout this package runs from, or a folder in the user's home."""
    checkout = Path(__file__).resolve().parents[2]
    if (checkout / "pyproject.toml").is_file() and (checkout / "notebooks").is_dir():
        return checkout / "artifacts"
    return Path.home() / ".local" / "share" / "qtw-lab"
