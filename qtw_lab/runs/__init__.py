"""Executed notebooks and other work, recorded so that they can be found, compared and made again."""

from qtw_lab.runs.notebook import NotebookError, execute
from qtw_lab.runs.registry import Registry
from qtw_lab.runs.results import write_data
from qtw_lab.runs.run import DataUse, Run

__all__ = ["DataUse", "NotebookError", "Registry", "Run", "execute", "write_data"]
