"""One clear sentence when an optional part is not installed."""

from __future__ import annotations

import importlib
from types import ModuleType

from qtw_lab.core.errors import SetupError


def need(module: str, extra: str) -> ModuleType:
    """Import `module`, which the optional dependency group `extra` brings.

    Raises
    ------
    SetupError
        If it is not installed; the message names the command that installs it.

    Examples
    --------
    >>> need("json", "backtest").__name__
    'json'
    """
    try:
        return importlib.import_module(module)
    except ImportError as err:
        library = module.partition(".")[0]
        raise SetupError(
            f"{library} is not installed ({err}). Install it with: pip install 'qtw-lab[{extra}]'"
        ) from err
