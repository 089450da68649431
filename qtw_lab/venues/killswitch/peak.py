"""The highest equity since the switch was armed, kept in a file so that a restart does not forget a loss."""

from __future__ import annotations

import contextlib
import json
from decimal import Decimal
from pathlib import Path
from typing import Final

from qtw_lab.ledger.amounts import number, plain
from qtw_lab.venues.killswitch import disk

_UNKNOWN: Final = Decimal("NaN")


class Peak:
    """The highest equity since a switch was armed.

    It begins anew whenever the switch is reset: who resets it after a drawdown has decided to go on from there.

    Parameters
    ----------
    path : pathlib.Path
        Its file.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "peak.json"
    ...     Peak(path).raised(Decimal(100), since=1), Peak(path).raised(Decimal(90), since=1)
    ...     Peak(path).raised(Decimal(90), since=2)
    (Decimal('100'), Decimal('100'))
    Decimal('90')
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._since: int | None = None
        self._highest = _UNKNOWN

    def raised(self, equity: Decimal, since: int) -> Decimal:
        """The highest equity with this one; NaN if the file is damaged, until the switch is armed anew.

        Parameters
        ----------
        equity : Decimal
            Dollars; one that is no number changes nothing.
        since : int
            When the switch was armed, nanoseconds since 1970, UTC.
        """
        if self._since is None:
            self._load(since)
        if self._since != since:
            self._since, self._highest = since, equity
            self._save()
        elif equity.is_finite() and self._highest.is_finite() and equity > self._highest:
            self._highest = equity
            self._save()
        return self._highest

    def _load(self, since: int) -> None:
        """Take what the file says; what is damaged is taken for an unknown peak of now."""
        try:
            said = json.loads(self._path.read_bytes())
            highest = number(said["highest"])
            self._since, self._highest = int(said["since"]), _UNKNOWN if highest is None else highest
        except FileNotFoundError:
            return
        except (OSError, ValueError, KeyError, TypeError):
            self._since, self._highest = since, _UNKNOWN

    def _save(self) -> None:
        content = json.dumps({"since": self._since, "highest": plain(self._highest)}).encode()
        with contextlib.suppress(OSError):  # it is known here all the same, as long as this process lives
            disk.replace(self._path, content)
