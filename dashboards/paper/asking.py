"""A question that is asked once before something is done that cannot be undone: who, why, and yes or no."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import panel as pn

from dashboards import parts

if TYPE_CHECKING:
    from dashboards.paper.page import Paper


class Question:
    """A row of fields with a button that does it and one that leaves it, hidden until it is asked.

    Parameters
    ----------
    page : Paper
        Whose.
    key : str
        Names what is remembered while the language changes.
    words, does : str
        What is asked, and the label of the button that does it.
    task : callable
        Done when the button is pressed, and awaited.
    fields : sequence of widget
        What is to be filled in.
    """

    def __init__(
        self, page: Paper, key: str, words: str, does: str, task: Callable[[], Awaitable[bool]], *fields: Any
    ) -> None:
        self._page, self._key, self._task = page, key, task
        self.words = parts.text(f"<p><strong>{words}</strong></p>")
        self.yes = pn.widgets.Button(label=does, color="danger", disabled=page.read_only)
        self.no = pn.widgets.Button(label=page.t("leave"))
        self.yes.on_click(self._done)
        self.no.on_click(lambda _: self.ask(asked=False))
        self.view = pn.Column(
            self.words, parts.row(*fields, self.yes, self.no), sizing_mode="stretch_width", margin=0,
            visible=bool(page.kept.get(key)) and not page.read_only,
        )  # fmt: skip

    def ask(self, *, asked: bool) -> None:
        """Show the question, or put it away."""
        self._page.kept[self._key] = self.view.visible = asked

    async def _done(self, _: Any) -> None:
        if self._page.forbidden() or not self.view.visible:
            return
        self.yes.disabled = True
        try:
            if await self._task():
                self.ask(asked=False)
        finally:
            self.yes.disabled = self._page.read_only
