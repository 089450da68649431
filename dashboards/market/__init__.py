"""The market page."""

from dashboards.market.page import Market

__all__ = ["Market"]
