"""Why a session and its backtest differ, cause by cause."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import panel as pn

from dashboards import parts
from dashboards.paper.sessions import signed

if TYPE_CHECKING:
    from dashboards.paper.page import Paper
    from qtw_lab.lab.desk_view import DeskSeen
    from qtw_lab.lab.divergence import Divergence

#: Differences that are shown one by one.
_ROWS = 100


class Diverging:
    """The card of the comparison."""

    def __init__(self, page: Paper) -> None:
        self._page, t = page, page.t
        self._found: Divergence | None = page.kept.get("diverging.found")
        self._pick = pn.widgets.Select(label=t("session"), options=[], width=170)
        self.compare = pn.widgets.Button(label=t("diverge"), color="primary", width=150, disabled=True)
        self.compare.on_click(self._compared)
        self._told = parts.text("")
        self._result = parts.text(parts.message(t("diverge_none")))
        self.view = parts.card(
            parts.row(self._pick, self.compare), self._told, self._result, title=t("diverging"), least=480
        )  # fmt: skip
        self._draw()

    def show(self, seen: DeskSeen) -> None:
        """Offer the sessions there are."""
        options = list(seen.curves)
        if list(self._pick.options) != options:
            kept = self._page.kept.get("diverging.chosen", "")
            self._pick.param.update(options=options, value=kept if kept in options else next(iter(options), None))
        self.compare.disabled = not options

    async def _compared(self, _: Any) -> None:
        page, name = self._page, self._pick.value
        if not name:
            return
        page.kept["diverging.chosen"] = name
        found = await page.act(page.t("diverge"), lambda: page.lab.desk().diverge(name), self._told)
        if found is not None:
            self._found = page.kept["diverging.found"] = found
            self._draw()

    def _draw(self) -> None:
        found, t = self._found, self._page.t
        if found is None:
            return
        columns = {name: t(f"col.{name}") for name in ("cause", "count", "effect", "meaning", "time", "symbol", "note")}
        causes = parts.table(
            found.table(), t("causes_caption", session=found.session), empty=t("diverge_equal"), named=columns,
            signed=("effect",), wide=("meaning",), written={"effect": signed},
        )  # fmt: skip
        details = parts.table(
            found.details().tail(_ROWS), t("details_caption"), empty=t("diverge_equal"), named=columns,
            signed=("effect",), wide=("note",), written={"effect": signed}, tall=260,
        )  # fmt: skip
        parts.put(
            self._result,
            self._page.figures(found.facts(), ("bars", "session_gain", "backtest_gain", "total")) + causes + details,
        )
