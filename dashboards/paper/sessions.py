"""The sessions of the desk: what each is, holds and is worth, and what can be done with it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import panel as pn

from dashboards import parts
from dashboards.paper.asking import Question
from qtw_lab.lab import desk

if TYPE_CHECKING:
    from dashboards.paper.page import Paper
    from qtw_lab.lab.desk_view import DeskSeen

#: What can be done with a session, by its status; the last two cannot be taken back, and are asked for once more.
_MAY = {
    "running": ("pause", "close", "stop"), "paused": ("continue", "close", "stop"), "closing": ("stop",), "stopped": (),
}  # fmt: skip
_FINAL = ("close", "stop")


class Sessions:
    """The card of the sessions."""

    def __init__(self, page: Paper) -> None:
        self._page, t = page, page.t
        self._frame: Any = None
        self._table, self._told = parts.Region(t("sessions"), tall=260), parts.text("")
        self._pick = pn.widgets.Select(label=t("session"), options=[], width=170)
        self._chosen = str(page.kept.get("sessions.chosen", ""))
        self._buttons = {
            what: pn.widgets.Button(label=t(what), width=88, disabled=True) for what in ("pause", "continue", *_FINAL)
        }
        self._sure = {
            what: Question(page, f"sessions.{what}", t(f"{what}_asked"), t(f"{what}_now"), partial(self._do, what))
            for what in _FINAL
        }
        self._pick.param.watch(self._choose, "value")
        for what, button in self._buttons.items():
            button.on_click(partial(self._pressed, what))
        self.view = parts.card(
            self._table, parts.row(self._pick, *self._buttons.values()), *(one.view for one in self._sure.values()),
            self._told, title=t("sessions"), least=520,
        )  # fmt: skip

    def show(self, seen: DeskSeen) -> None:
        """Show the table, and offer what may be done."""
        if seen.sessions is self._frame:
            return
        self._frame, t = seen.sessions, self._page.t
        names = ("session", "status", "strategy", "interval", "symbols", "equity", "gain", "fills", "held")
        markup = parts.table(
            seen.sessions, t("sessions_caption"), empty=t("sessions_none"), signed=("gain",), wide=("held",), bare=True,
            named={name: t(f"col.{name}") for name in names},
            written={"gain": signed, "status": lambda value: t(f"status.{value}")},
        )  # fmt: skip
        parts.put(self._table, markup)
        options = [] if seen.sessions.empty else [str(name) for name in seen.sessions["session"]]
        if list(self._pick.options) != options:
            chosen = self._chosen if self._chosen in options else next(iter(options), None)
            self._pick.param.update(options=options, value=chosen)
        self._offer()

    def _choose(self, event: Any) -> None:
        self._chosen = self._page.kept["sessions.chosen"] = event.new or ""
        for question in self._sure.values():
            question.ask(asked=False)
        self._offer()

    def _offer(self) -> None:
        """Let those buttons be pressed that fit the session's status."""
        may = () if self._page.read_only else _MAY.get(self._status(), ())
        for what, button in self._buttons.items():
            button.disabled = what not in may

    def _status(self) -> str:
        frame = self._page.seen.sessions
        found = [] if frame.empty else frame.loc[frame["session"] == self._chosen, "status"].tolist()
        return str(found[0]) if found else ""

    async def _pressed(self, what: str, _: Any) -> None:
        if self._page.forbidden():
            return
        if what in _FINAL:
            self._sure[what].ask(asked=True)
        else:
            await self._do(what)

    async def _do(self, what: str) -> bool:
        page, name = self._page, self._chosen
        task = partial(desk.ask, page.lab.settings, {"do": what, "session": name})
        return await page.act(f"{page.t(what)} {name}", task, self._told) is not None


def signed(value: Any) -> str:
    """An amount with its sign, so that it is not told by its colour alone.

    Examples
    --------
    >>> signed(5.0), signed(-1234.5), signed(0.0)
    ('+5.00', '-1,234.50', '0.00')
    """
    text = "" if parts.shown(value) == "" else f"{value:+,.2f}"
    return "0.00" if text in ("+0.00", "-0.00") else text
