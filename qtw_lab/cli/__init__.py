"""The `qtw` command: thin, over the same `Lab` a notebook uses."""

from qtw_lab.cli.app import main

__all__ = ["main"]
