"""The screener of the market page."""

from __future__ import annotations

import io
from typing import Any

import panel as pn

from dashboards import parts
from dashboards.market.card import Card, muted
from dashboards.sheet import Heading, Sheet
from qtw_lab.lab import market_screen


class Screener(Card):
    """Every symbol of the source, sorted and filtered."""

    key = "screener"

    def made(self) -> Any:
        """Its layout."""
        t = self.t
        columns = self.select("columns", "columns", list(market_screen.GROUPS), 160, "columns_")
        columns.param.watch(lambda _: self._columned(), "value")
        tradable = self.select("tradable", "tradable", (False, True), 190, "tradable_")
        names = {t(f"col_{name}"): name for name in market_screen.GROUPS["all"]}
        self._column = pn.widgets.Select(label=t("bound_column"), options=names, value="change_5", width=190)
        self._low = pn.widgets.TextInput(label=t("bound_low"), width=100)
        self._high = pn.widgets.TextInput(label=t("bound_high"), width=100)
        add = pn.widgets.Button(label=t("bound_add"), color="primary")
        add.on_click(lambda _: self._added())
        file = pn.widgets.FileDownload(callback=self._csv, filename="screen.csv", label=t("download"), embed=False)
        self._chips, self._place = parts.row(), pn.Column(sizing_mode="stretch_width", margin=0)
        self._columned()
        return parts.card(
            parts.row(columns, tradable, self._column, self._low, self._high, add, file), self._chips, self.said,
            self._place, title=t("screener"), least=480,
        )  # fmt: skip

    async def read(self) -> None:
        """Screen the symbols."""
        page, opened = self.page, self.page.opened
        if opened is None:
            return
        bounds, asof, tradable = page.bounds, page.asof, page.tradable
        found = await page.latest(
            "screen", "screening", lambda: market_screen.screened(opened.bars, bounds, asof, tradable=tradable)
        )
        if found is not None:
            self.held = found
        await self.settle()

    def show(self) -> None:
        """Show what passes."""
        self.chips(self._chips, [self._word(one) for one in self.page.bounds], self._removed)
        if self.held is None:
            return
        screen, table = self.held.screen, self.held.table
        self._sheet.show(table)
        words = self.t(
            "screen_said", passed=f"{screen.passed:,}", universe=f"{screen.universe:,}", asof=f"{screen.asof:%Y-%m-%d}"
        )
        self.say((muted(words) if len(table) else parts.message(self.t("screen_empty"))) + self.notes(screen.notes))

    def _columned(self) -> None:
        """Lay out the columns that are chosen."""
        heads = [self.heading(market_screen.told(name)) for name in market_screen.GROUPS[self.page.columns]]
        self._sheet = Sheet(
            [Heading("symbol", self.t("symbol"), "text"), *heads], self.t("screener"), self.pager(), self.page.chosen,
            rows=15, filtered=True,
        )  # fmt: skip
        if self.held is not None:
            self._sheet.show(self.held.table)
        self._place[:] = [self._sheet.view]

    def _added(self) -> None:
        typed = str(self._column.value), self._low.value or "", self._high.value or ""
        made = self.page.attempt(lambda: market_screen.read_bound(*typed))
        if made is not None and made not in self.page.bounds:
            self._low.value = self._high.value = ""
            self.page.bounds = (*self.page.bounds, made)

    def _removed(self, word: str) -> None:
        self.page.bounds = tuple(one for one in self.page.bounds if self._word(one) != word)

    def _word(self, one: market_screen.Bound) -> str:
        return self.t("bound_remove", name=f"{self.t(f'col_{one.column}')} {one.said}")

    def _csv(self) -> io.BytesIO:
        return io.BytesIO((self.held.csv() if self.held is not None else "").encode())
