"""The front door: names and settings become working parts here and nowhere else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtw_lab.lab.front import Download, Lab

if TYPE_CHECKING:
    from qtw_lab.lab.report import Report

__all__ = ["Download", "Lab", "Report"]


def __getattr__(name: str) -> Any:
    """Fetch `Report` when it is first asked for: it brings the plots, which a first backtest does without."""
    if name != "Report":
        raise AttributeError(f"module 'qtw_lab.lab' has no attribute {name!r}")
    from qtw_lab.lab.report import Report

    return Report
