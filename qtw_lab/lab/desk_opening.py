"""A session from what a person fills in: of a preset of the workbench, or of plain words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from qtw_lab.core import DataError, LabError, lookup
from qtw_lab.lab import desk
from qtw_lab.ledger.amounts import number
from qtw_lab.strategies import STRATEGIES

if TYPE_CHECKING:
    from qtw_lab.lab.front import Lab
    from qtw_lab.live.trading.terms import SessionTerms


@dataclass(frozen=True, slots=True)
class Wish:
    """A session as a person asks for it; all of it texts.

    Parameters
    ----------
    name, interval, allocation : str
        Of the session; a fraction of the account up to 1, or dollars.
    preset : str
        A setup that the workbench kept; where one is named, it brings strategy, symbols, parameters and account.
    strategy, symbols, parameters, lot : str
        Without a preset: a bundled strategy, symbols parted by commas, parameters such as "fast=10, slow=30", and the
        smallest quantity.
    """

    name: str
    interval: str = "1min"
    allocation: str = "1"
    preset: str = ""
    strategy: str = "sma_cross"
    symbols: str = ""
    parameters: str = ""
    lot: str = "1"


def strategies() -> list[str]:
    """Names of the bundled strategies."""
    return list(STRATEGIES)


def presets(lab: Lab) -> list[str]:
    """Names of the setups that the workbench kept."""
    from qtw_lab.lab import workbench

    return workbench.presets(lab)


def told(lab: Lab, preset: str, strategy: str) -> str:
    """What a preset would trade, or which parameters a strategy has, in a line."""
    if not preset:
        return ", ".join(f"{name}={value}" for name, value in lookup(strategy, STRATEGIES)().parameters.items())
    from qtw_lab.lab import workbench

    try:
        setup = workbench.preset(lab, preset)
    except LabError as err:
        return str(err)
    named = ", ".join(f"{name}={value}" for name, value in setup.strategy.parameters.items())
    return f"{setup.strategy.name} ({named}): {', '.join(setup.prices.symbols)}"


def terms(lab: Lab, wish: Wish) -> SessionTerms:
    """The terms of a session that is wished for.

    Raises
    ------
    DataError
        If a figure is none, or a term does not fit.
    """
    allocation = _figure("allocation", wish.allocation)
    if wish.preset:
        from qtw_lab.lab import workbench

        return workbench.session_terms(lab, workbench.preset(lab, wish.preset), wish.name, allocation, wish.interval)
    return desk.plain_terms(
        wish.name, wish.strategy, wish.symbols, wish.interval, pairs(wish.parameters), allocation,
        _figure("smallest quantity", wish.lot),
    )  # fmt: skip


def opened(lab: Lab, wish: Wish) -> str:
    """Open the session at the desk, at work or not; what was done.

    Raises
    ------
    LabError
        If a term does not fit, or the desk cannot.
    """
    return desk.ask(lab.settings, {"do": "open", "terms": terms(lab, wish).written()})


def pairs(text: str) -> dict[str, int | float | bool | str]:
    """Parameters from a text such as "fast=10, slow=30".

    Raises
    ------
    DataError
        If a part has no name or no value, or a name stands twice.

    Examples
    --------
    >>> pairs("fast=10, band=1.5 short=false")
    {'fast': 10, 'band': 1.5, 'short': False}
    """
    found: dict[str, int | float | bool | str] = {}
    for part in text.replace(",", " ").split():
        name, _, value = part.partition("=")
        if not name or not value or name in found:
            raise DataError(f"Parameters are written as fast=10, slow=30, each once; {part!r} does not fit.")
        found[name] = _value(value)
    return found


def _value(text: str) -> int | float | bool | str:
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _figure(what: str, text: str) -> float:
    found = number(text.replace(",", ""))
    if found is None:
        raise DataError(f"The {what} {text!r} is no number; give one such as 0.5.")
    return float(found)
