"""Where this machine keeps its data, runs and trials, known without loading the settings if it can be."""

from __future__ import annotations

import os
from pathlib import Path

from qtw_lab.core.places import default_storage

_VARIABLE = "QTW_STORAGE_DIR"


def storage_folder() -> Path:
    """The folder that `Settings.qtw_storage_dir` names.

    The settings are only loaded where the variable alone does not answer (it begins with ~, or there is an `.env`):
    that takes a tenth of a first backtest's time.

    Raises
    ------
    DataError
        As `Settings.load`.

    Examples
    --------
    >>> from qtw_lab.core import Settings
    >>> storage_folder() == Settings.load().qtw_storage_dir
    True
    """
    given = os.environ.get(_VARIABLE, "").strip()
    if given and not given.startswith("~"):
        return Path(given)
    if not given and not Path(".env").exists():
        return default_storage()
    from qtw_lab.core.settings import Settings

    return Settings.load().qtw_storage_dir
