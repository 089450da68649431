"""Is the edge real? Every name below is fetched when first used, so that one question does not load all the others."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from qtw_lab.research.trials import Trial as Trial
    from qtw_lab.research.trials import TrialLedger as TrialLedger
    from qtw_lab.research.validation import ValidationReport as ValidationReport
    from qtw_lab.research.validation import validate as validate

#: Name -> the module it is fetched from.
_HOMES = {
    "Trial": "trials", "TrialLedger": "trials", "ValidationReport": "validation", "validate": "validation",
}  # fmt: skip

__all__ = ["Trial", "TrialLedger", "ValidationReport", "validate"]


def __getattr__(name: str) -> Any:
    """Fetch a name from its module on first use."""
    if name not in _HOMES:
        raise AttributeError(f"module 'qtw_lab.research' has no attribute {name!r}")
    found = getattr(import_module(f"qtw_lab.research.{_HOMES[name]}"), name)
    globals()[name] = found
    return found
