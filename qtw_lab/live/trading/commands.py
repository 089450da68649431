"""What people want of a desk that is at work in another process: small files that it reads, answers and removes."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from qtw_lab.core import DataError, LabError, SetupError
from qtw_lab.core.files import write_text
from qtw_lab.venues.moments import identity

_EVERY: Final = 0.05


class Commands:
    """A folder of commands, each answered once.

    Parameters
    ----------
    folder : Path
        Made when it is first written to.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     inbox = Commands(Path(folder))
    ...     name = inbox.put({"do": "pause", "session": "first"}, 1)
    ...     inbox.take(lambda said: f"{said['session']} is paused")
    ...     inbox.answer(name, 0.0)
    'first is paused'
    """

    def __init__(self, folder: Path) -> None:
        self._folder = Path(folder)

    def put(self, said: dict[str, Any], now: int) -> str:
        """Leave a command, and say by which name its answer will be there.

        Raises
        ------
        SetupError
            If the folder cannot be written.
        """
        name = f"{now:020d}-{identity('command', now, json.dumps(said, sort_keys=True))[:8]}"
        write_text(self._folder / f"{name}.json", json.dumps(said))
        return name

    def take(self, do: Callable[[dict[str, Any]], str]) -> None:
        """Do what is asked, oldest first; the answer is what was done, or why it could not be."""
        for path in sorted(self._folder.glob("*.json")) if self._folder.is_dir() else ():
            try:
                done, text = True, do(_read(path))
            except (LabError, ValueError, KeyError, TypeError, AttributeError, ArithmeticError) as err:
                done, text = False, str(err)
            write_text(path.with_suffix(".answer"), json.dumps({"done": done, "text": text}))
            path.unlink()

    def answer(self, name: str, seconds: float) -> str:
        """What became of a command, waited for at most so many seconds.

        Raises
        ------
        LabError
            If it could not be done, in the words of why.
        SetupError
            If nobody answered; the command is taken back then.
        """
        path, until = self._folder / f"{name}.answer", time.monotonic() + seconds
        while not path.exists():
            if time.monotonic() >= until:
                (self._folder / f"{name}.json").unlink(missing_ok=True)
                raise SetupError("The desk does not answer; is `qtw paper run` at work, and not hung?")
            time.sleep(_EVERY)
        said = json.loads(path.read_text(encoding="utf-8"))
        path.unlink()
        if not said["done"]:
            raise LabError(said["text"])
        return str(said["text"])


def _read(path: Path) -> dict[str, Any]:
    """A command. Whatever else a file has is answered: a desk that it ended would find it again at its next start."""
    said = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(said, dict):
        raise DataError(f"A command is a mapping such as {{'do': 'pause', 'session': 'first'}}, not {said!r}.")
    return said
