"""Statistics: a number from returns. The only definitions in the house."""

from qtw_lab.stats import performance

__all__ = ["performance"]
