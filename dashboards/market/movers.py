"""The movers of the market page."""

from __future__ import annotations

import html
from typing import Any, Final

import panel as pn

from dashboards import parts
from dashboards.market.card import Card, muted
from dashboards.sheet import Heading, Sheet
from qtw_lab.lab import market_screen

#: Rows of a list.
_ROWS: Final = 10


class Movers(Card):
    """What moved most."""

    key = "movers"

    def made(self) -> Any:
        """Its layout."""
        window = self.select("window", "window", market_screen.WINDOWS, 210, "window_")
        group = self.select("lists", "lists", list(market_screen.MOVES), 190, "lists_")
        group.param.watch(lambda _: self.show(), "value")
        self._sheets: dict[str, tuple[Sheet, Any]] = {}
        self._lists = pn.FlexBox(flex_wrap="wrap", gap="14px 28px", sizing_mode="stretch_width", margin=0)
        return parts.card(parts.row(window, group), self.said, self._lists, title=self.t("movers"), least=480)

    async def read(self) -> None:
        """Rank the symbols."""
        page, opened = self.page, self.page.opened
        if opened is None:
            return
        window, asof = page.window, page.asof
        found = await page.latest("move", "moving", lambda: market_screen.moved(opened.bars, window, asof, _ROWS))
        if found is not None:
            self.held = found
            await self.settle()

    def show(self) -> None:
        """Show the lists of the group that is chosen."""
        if self.held is None:
            return
        names = market_screen.MOVES[self.page.lists]
        fresh = tuple(self._sheets) != names
        if fresh:
            self._sheets = {name: self._sheet(name) for name in names}
        for name, (sheet, none) in self._sheets.items():
            table = market_screen.listed(self.held, name)
            sheet.show(table)
            none.visible = not len(table)
        if fresh:
            self._lists[:] = [
                pn.Column(parts.text(f"<h3>{html.escape(self.t(f'list_{name}'))}</h3>"), none, sheet.view, margin=0,
                          styles={"flex": "1 1 220px", "min-width": "0", "max-width": "100%"})
                for name, (sheet, none) in self._sheets.items()
            ]  # fmt: skip
        words = self.t("movers_said", universe=f"{self.held.universe:,}", asof=f"{self.held.asof:%Y-%m-%d}")
        self.say(muted(words) + self.notes(self.held.notes))

    def _sheet(self, name: str) -> tuple[Sheet, Any]:
        columns = market_screen.told_of_list(name, self.page.window)
        heads = [Heading("symbol", self.t("symbol"), "text"), *(self.heading(one) for one in columns)]
        sheet = Sheet(heads, self.t(f"list_{name}"), self.pager(), self.page.chosen, rows=0, tight=True)
        return sheet, parts.text(parts.message(self.t("none")), visible=False)
