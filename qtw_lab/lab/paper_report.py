"""The day at the desk on one page: what sessions are worth, what they traded, what was refused, and why they differ.

It reads the desk's books and disturbs nobody; the broker is asked for its positions if it answers.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from qtw_lab.core import DataError, Fact, Facts, LabError, Settings, VenueError
from qtw_lab.lab import desk_halting, desk_tables
from qtw_lab.lab.report import Report

if TYPE_CHECKING:
    from qtw_lab.lab.divergence import Divergence
    from qtw_lab.live.trading.state import DeskState
    from qtw_lab.plots import Section

#: Rows of a table on the page; the books have all of them.
_LISTED: Final = 25
_ZONE: Final = "America/New_York"


def daily(settings: Settings, date: str | None = None) -> Report:
    """The report of one day of the desk that was used last.

    Parameters
    ----------
    settings : Settings
        Of the machine.
    date : str, optional
        On the exchange's clocks, YYYY-MM-DD; by default the last on which a session was valued.

    Raises
    ------
    SetupError
        If there is no desk.
    DataError
        If no session was valued on that day.
    """
    from qtw_lab.plots import Section, report_html

    state = desk_tables.state(settings)
    day = _day(state, date)
    lead, balances = _lead(settings, state, day), _balances(state, day)
    sections = [Section("Sessions", balances, "Gains are those of the day, valued at the last bar of each session.")]
    sections += list(_curves(state, day))
    sections += list(_trades(settings, state, day))
    sections += list(_divergences(settings, state))
    title = f"Paper trading on {day:%Y-%m-%d}"
    return Report(report_html(title, lead, sections, ["Times are those of New York."]), lead, ())


def _day(state: DeskState, date: str | None) -> pd.Timestamp:
    """The day that is asked for, or the last there is."""
    days = {_local(mark.at).normalize() for sleeve in state.sleeves.values() for mark in sleeve.curve}
    if not days:
        raise DataError("No session of this desk was ever valued; let `qtw paper run` work while the market is open.")
    wanted = max(days) if date is None else pd.Timestamp(date, tz=_ZONE)
    if wanted not in days:
        known = ", ".join(f"{day:%Y-%m-%d}" for day in sorted(days)[-5:])
        raise DataError(f"No session was valued on {date}; the last days are {known}.")
    return wanted


def _lead(settings: Settings, state: DeskState, day: pd.Timestamp) -> Facts:
    orders = [order for order in state.orders.values() if _of(order.at, day) or _fills_of(state, order.name, day)]
    refused = [order for order in orders if order.status == "refused"]
    gain = sum(float(row["gain"]) for row in _balances(state, day).to_dict("records"))
    halted = desk_halting.halted(settings)
    faults = state.faults()
    return Facts(
        "The day",
        (
            Fact("gain", gain, "money", "Gain of all sessions"),
            Fact("sessions", len(state.sleeves), "count", "Sessions"),
            Fact("orders", len(orders), "count", "Orders"),
            Fact("refused", len(refused), "count", "Orders refused"),
            Fact("costs", _fees(state, day), "money", "Fees", "where the broker tells them with the fill"),
            Fact("trading", str(halted["trading"]), "text", "Trading now"),
        ),
        (*(f"The books do not add up: {fault}." for fault in faults),),
    )  # fmt: skip


def _balances(state: DeskState, day: pd.Timestamp) -> pd.DataFrame:
    """Each session at the end of a day."""
    rows = []
    for sleeve in state.sleeves.values():
        marks = [mark for mark in sleeve.curve if _of(mark.at, day)]
        if not marks:
            continue
        before = [mark for mark in sleeve.curve if _local(mark.at) < day]
        start = before[-1].equity if before else sleeve.start
        rows.append(
            {
                "session": sleeve.name, "status": sleeve.status, "strategy": sleeve.terms.strategy.name,
                "interval": sleeve.terms.interval, "equity": round(float(marks[-1].equity), 2),
                "gain": round(float(marks[-1].equity - start), 2),
                "gain %": round(float((marks[-1].equity - start) / start) * 100, 3),
                "fills": sum(_of(fill.at, day) for fill in sleeve.fills()),
            }
        )  # fmt: skip
    return pd.DataFrame(rows)


def _curves(state: DeskState, day: pd.Timestamp) -> Iterator[Section]:
    from qtw_lab.plots import Section, equity

    for sleeve in state.sleeves.values():
        marks = [mark for mark in sleeve.curve if _of(mark.at, day)]
        if len(marks) > 1:
            values = pd.Series([float(mark.equity) for mark in marks], index=[_local(mark.at) for mark in marks])
            yield Section(f"Equity of {sleeve.name}", equity(values, title=f"{sleeve.name}: {sleeve.terms.strategy!r}"))


def _trades(settings: Settings, state: DeskState, day: pd.Timestamp) -> Iterator[Section]:
    from qtw_lab.plots import Section

    fills = desk_tables.fills(state)
    fills["time"] = fills["time"].dt.tz_convert(_ZONE)
    today = fills[fills["time"].dt.normalize() == day].drop(columns="order")
    if len(today):
        note = "" if len(today) <= _LISTED else f"The last {_LISTED} of {len(today)}."
        shown = today.tail(_LISTED).assign(time=lambda table: table["time"].dt.strftime("%H:%M:%S"))
        yield Section("Fills", shown, note)
    orders = desk_tables.orders(state)
    refused = orders[orders["status"].isin(["refused", "abandoned", "rejected"])]
    if len(refused):
        yield Section(
            "Orders that were refused", refused[["symbol", "qty", "status", "sessions", "reason"]].tail(_LISTED)
        )
    with contextlib.suppress(VenueError, LabError):
        yield Section(
            "Who holds what", desk_tables.reconcile(_broker(settings), state),
            "Shares of the sessions, of others (by hand, or from before), and what the broker says now.",
        )  # fmt: skip


def _divergences(settings: Settings, state: DeskState) -> Iterator[Section]:
    from qtw_lab.lab.divergence import diverge
    from qtw_lab.plots import Section

    for name in state.sleeves:
        try:
            found: Divergence = diverge(settings, name)
        except DataError as err:
            yield Section(f"{name} beside its backtest", f"There is no comparison: {err}")
            continue
        note = (
            f"Since its beginning the session gained {float(found.session_gain):,.2f}, its backtest on the bars as "
            f"they are known now {float(found.backtest_gain):,.2f}; the causes come to the difference exactly."
        )
        table = found.table()
        table["effect"] = table["effect"].round(2) + 0.0
        table = table[(table["cause"] != "rounding") | (table["effect"] != 0)]
        yield Section(f"{name} beside its backtest", table if len(table) else "No difference.", note)


def _broker(settings: Settings) -> Any:
    from qtw_lab.lab import paper

    return paper.remote(settings)


def _fees(state: DeskState, day: pd.Timestamp) -> float:
    return sum(float(fill.fee) for one in state.sleeves.values() for fill in one.fills() if _of(fill.at, day))


def _fills_of(state: DeskState, order: str, day: pd.Timestamp) -> bool:
    return any(fill.order == order and _of(fill.at, day) for one in state.sleeves.values() for fill in one.fills())


def _of(at: int, day: pd.Timestamp) -> bool:
    return bool(_local(at).normalize() == day)


def _local(at: int) -> pd.Timestamp:
    return pd.Timestamp(at, unit="ns", tz="UTC").tz_convert(_ZONE)
