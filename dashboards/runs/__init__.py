"""The runs page."""

from dashboards.runs.page import Runs

__all__ = ["Runs"]
