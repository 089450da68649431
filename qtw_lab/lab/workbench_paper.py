"""From the workbench to the paper desk: whether a setup can be sent, and a session of its terms."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtw_lab.core import DataError, Settings
from qtw_lab.lab.workbench_setup import Setup
from qtw_lab.ledger import Stops

if TYPE_CHECKING:
    from qtw_lab.lab.front import Lab
    from qtw_lab.live.trading.terms import SessionTerms


def hindrance(settings: Settings, setup: Setup | None) -> str:
    """Why a setup cannot be sent to the paper desk, and what to do, in one paragraph; empty if it can.

    Examples
    --------
    >>> from qtw_lab import Lab
    >>> hindrance(Lab.offline().settings, Setup.usual()).partition(".")[0]
    'There are no keys to a trading account'
    """
    if settings.alpaca_api_key_id is None:
        return (
            "There are no keys to a trading account. Start one here with `qtw simulator serve`, set "
            "ALPACA_TRADING_REST_URL=http://127.0.0.1:8765, ALPACA_API_KEY_ID=sim-key and "
            "ALPACA_API_SECRET_KEY=sim-secret, and start the pages again; or give the keys of Alpaca's paper account."
        )
    if setup is None:
        return ""
    if setup.stops != Stops():
        return (
            "This setup has protective stops, which sessions do not have yet: the session would trade otherwise than "
            "this backtest. Set the stops to 0, run it again, and look whether you still want it."
        )
    if setup.execution != "next_open":
        return (
            f"This setup fills by {setup.execution!r}; a session trades as soon as it has decided, which is "
            "'next_open'. Choose that, run it again, and look whether you still want it."
        )
    if setup.sizing.measured:
        return (
            f"The sizing rule {setup.sizing.rule} looks at past prices, which sessions do not do yet. Choose all_in, "
            "fraction, fixed_cash or fixed_shares, and run it again."
        )
    return ""


def session_terms(lab: Lab, setup: Setup, name: str, allocation: float, interval: str) -> SessionTerms:
    """A session of a setup's terms: the same strategy, symbols, sizing, costs and account.

    Parameters
    ----------
    lab : Lab
        Of the machine.
    setup : Setup
        What was tested.
    name : str
        Of the session, unique at the desk for ever.
    allocation : float
        A fraction of the account up to 1, or dollars above 1.
    interval : str
        Length of the bars it decides on.

    Raises
    ------
    DataError
        If the setup has what sessions do not have yet, or a term does not fit.
    """
    reason = hindrance(lab.settings, setup)
    if reason:
        raise DataError(reason)
    return lab.session(
        name, setup.strategy, setup.prices.symbols, interval, allocation=allocation, sizing=setup.sizing,
        costs=setup.costs, account=setup.account,
    )  # fmt: skip


def send(lab: Lab, terms: SessionTerms) -> str:
    """Open a session at the paper desk, whether it is at work or not; what was done, and what is left to do.

    Raises
    ------
    LabError
        If the desk or its account cannot be reached, or there is a session of this name.
    """
    desk = lab.desk()
    done = desk.open(terms)
    return done if desk.alive else f"{done} The desk is not at work: start it with `qtw paper run`."
