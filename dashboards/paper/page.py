"""The paper desk: sessions, equity, positions, orders and fills as they are now, orders by hand, the kill switch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, TypeVar

import panel as pn

from dashboards import parts
from dashboards.paper.curve import Curve
from dashboards.paper.diverging import Diverging
from dashboards.paper.opening import Opening
from dashboards.paper.sessions import Sessions
from dashboards.paper.state import State
from dashboards.paper.switch import Switch
from dashboards.paper.tables import Fills, Orders, Positions, Refusals
from dashboards.paper.ticket import TicketCard
from dashboards.shell import Page
from qtw_lab.lab.desk_view import DeskSeen, shared

T = TypeVar("T")


class Paper(Page):
    """The trading desk of this machine, whether it is at work or not.

    Every figure is of `qtw_lab.lab.desk_view`, which reads in threads; everything that is done passes the desk.
    """

    key: ClassVar[str] = "paper"
    period: ClassVar[int] = 500

    def content(self) -> Sequence[Any]:
        """The parts of the page."""
        if not hasattr(self, "kept"):
            self.kept: dict[str, Any] = {}
            self.view = shared(self.lab.settings)
        self._shown: DeskSeen | None = None
        self.state, self.switch, self.sessions = State(self), Switch(self), Sessions(self)
        self.curve, self.ticket, self.positions = Curve(self), TicketCard(self), Positions(self)
        self.orders, self.fills, self.refusals = Orders(self), Fills(self), Refusals(self)
        self.opening, self.diverging = Opening(self), Diverging(self)
        self._parts = (
            self.state, self.switch, self.ticket, self.sessions, self.curve, self.positions, self.orders, self.fills,
            self.refusals, self.opening, self.diverging,
        )  # fmt: skip
        return [
            parts.grid(self.state.view, self.switch.view),
            parts.grid(
                _beside(
                    self.sessions.view, self.curve.view, self.positions.view, self.refusals.view, least=560, grow=2
                ),
                _beside(self.ticket.view, self.opening.view, least=380),
            ),
            parts.grid(self.orders.view, self.fills.view),
            parts.grid(self.diverging.view),
        ]

    def refresh(self) -> None:
        """Show what is new at the desk."""
        self.view.poke()
        seen = self.view.seen
        if seen is None or seen is self._shown:
            self.state.trouble(self.view.error)
            return
        self._shown = seen
        for part in self._parts:
            part.show(seen)

    def arrived(self) -> None:
        """Send the whole curve."""
        self.curve.resend()

    def rethemed(self) -> None:
        """Draw the curve again."""
        self.curve.redraw()

    # What the parts of the page use

    def t(self, key: str, **values: object) -> str:
        """A label of this page, be there a dot in its name or not; or of the pages' frame."""
        return super().t(key if key.startswith(("shell.", "page.")) else f"paper.{key}", **values)

    @property
    def seen(self) -> DeskSeen:
        """The desk as it is shown."""
        return DeskSeen() if self._shown is None else self._shown

    def hold(self, key: str, widget: Any) -> Any:
        """A widget whose value outlives a change of the language."""
        options = getattr(widget, "options", None)
        known = list(options.values()) if isinstance(options, dict) else options
        if key in self.kept and (known is None or self.kept[key] in known):
            widget.value = self.kept[key]
        self.kept[key] = widget.value
        widget.param.watch(lambda event: self.kept.update({key: event.new}), "value")
        return widget

    def forbidden(self) -> bool:
        """Whether pages only show; then it is said. Whatever acts asks here first, be its button disabled or not."""
        if self.read_only:
            self.say(self.t("shell.read_only"), "warn")
        return self.read_only

    async def act(self, what: str, task: Callable[[], T], told: Any) -> T | None:
        """What a task returns that asks something of the desk; why it could not be done stands in the pane `told`."""
        told.object = parts.message(self.t("shell.working", what=what), "busy")
        found = await self.work(what, task)
        words, mood = (
            (self._said[0], "bad") if found is None else (str(found) if isinstance(found, str) else "", "good")
        )
        told.object = f'<div role="status">{parts.message(words, mood)}</div>' if words else ""  # type: ignore[arg-type]
        self.view.hurry()
        return found


def _beside(*cards: Any, least: int, grow: int = 1) -> Any:
    """Cards below each other, which stand beside others where there is room."""
    return pn.Column(
        *(parts.grid(card) for card in cards), sizing_mode="stretch_width", margin=0,
        styles={"flex": f"{grow} 1 {least}px", "min-width": f"min({least}px, 100%)", "max-width": "100%"},
    )  # fmt: skip
