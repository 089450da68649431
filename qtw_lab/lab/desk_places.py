"""Where the desk of an account keeps what it knows, its limits, and its kill switch."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtw_lab.core import DataError, Settings, SetupError, lookup
from qtw_lab.core.files import write_text
from qtw_lab.ledger.limits import Limits

if TYPE_CHECKING:
    from qtw_lab.venues.killswitch import KillSwitch


@dataclass(frozen=True, slots=True)
class DeskPlaces:
    """Where the desk of one account keeps what it knows.

    Parameters
    ----------
    root : Path
        Its folder.
    """

    root: Path

    @classmethod
    def of(cls, settings: Settings, account: str) -> DeskPlaces:
        """The desk of an account, by the account's id; it is the one that `current` gives from then on."""
        root = settings.qtw_storage_dir / "paper" / "desks"
        write_text(root / "current.json", json.dumps({"account": account}))
        return cls(root / account[:13])

    @classmethod
    def current(cls, settings: Settings) -> DeskPlaces:
        """The desk that was used last.

        Raises
        ------
        SetupError
            If there was none.
        """
        root = settings.qtw_storage_dir / "paper" / "desks"
        try:
            account = str(json.loads((root / "current.json").read_text(encoding="utf-8"))["account"])
        except (OSError, ValueError, KeyError, TypeError) as err:
            raise SetupError("There is no desk here yet; `qtw paper run` begins one.") from err
        return cls(root / account[:13])

    def file(self, name: str) -> Path:
        """One of its books: desk, outbox, mirror or guard."""
        return self.root / f"{name}.sqlite"

    @property
    def stop(self) -> Path:
        """The folder of its kill switch, and of the heartbeat that is watched."""
        return self.root / "stop"

    @property
    def limits(self) -> Path:
        """The file of its limits."""
        return self.root / "limits.json"


def limits_of(places: DeskPlaces) -> Limits:
    """The limits of a desk: of its file, or none.

    Raises
    ------
    DataError
        If the file cannot be read; no order may be sent then.
    """
    if not places.limits.exists():
        return Limits()
    try:
        return limits_from(json.loads(places.limits.read_text(encoding="utf-8")))
    except (OSError, ValueError, DataError) as err:
        raise DataError(f"The limits in {places.limits.name} cannot be read: {err}") from err


def limits_from(said: Any) -> Limits:
    """Limits from plain values, by their names.

    Raises
    ------
    DataError
        If one is not known or does not fit.

    Examples
    --------
    >>> limits_from({"max_daily_loss": 0.02, "banned": ["GME"]}).max_daily_loss
    Decimal('0.02')
    """
    if not isinstance(said, dict):
        raise DataError(f"Limits are a mapping of names to figures, not {type(said).__name__}.")
    known = {entry.name: entry for entry in fields(Limits)}
    figures: dict[str, Any] = {}
    for name, value in said.items():
        lookup(name, known, "limit")
        if isinstance(value, list) and not all(isinstance(one, str) for one in value):
            raise DataError(f"The limit {name} is a list of symbols such as AAPL, not {value!r}.")
        figures[name] = frozenset(value) if isinstance(value, list) else value
    return Limits(**figures)


def switch(places: DeskPlaces) -> KillSwitch:
    """The kill switch of a desk."""
    from qtw_lab.venues.killswitch import KillSwitch

    return KillSwitch(places.stop)


def is_there(settings: Settings) -> bool:
    """Whether a desk was ever used with this storage folder."""
    try:
        return DeskPlaces.current(settings).file("desk").exists()
    except SetupError:
        return False
