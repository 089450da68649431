"""The realtime page."""

from dashboards.realtime.page import Realtime

__all__ = ["Realtime"]
