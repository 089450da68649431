"""The backtest workbench's page."""

from dashboards.workbench.page import Workbench

__all__ = ["Workbench"]
