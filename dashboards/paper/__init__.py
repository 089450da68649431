"""The paper desk's page."""

from dashboards.paper.page import Paper

__all__ = ["Paper"]
