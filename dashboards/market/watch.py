"""The watchlist of the market page."""

from __future__ import annotations

from typing import Any

import panel as pn

from dashboards import parts
from dashboards.market.card import Card, muted
from dashboards.sheet import Heading, Sheet
from qtw_lab.lab import market_watch


class Watch(Card):
    """The symbols somebody watches."""

    key = "watch"

    def made(self) -> Any:
        """Its layout."""
        t = self.t
        self._sheet = Sheet(
            [
                Heading("symbol", t("symbol"), "text"), Heading("close", t("last")),
                *(Heading(name, t(name), "percent", signed=True) for name in ("change_1", "change_5", "change_21")),
                Heading("position_252", t("position_252"), "percent", hint=t("position_hint")),
                Heading("time", t("date"), "text"),
            ],
            t("watchlist"), self.pager(), self.page.chosen, rows=0,
        )  # fmt: skip
        self._typed = pn.widgets.TextInput(label=t("add"), placeholder="AAPL, IBM", width=180)
        self._add = pn.widgets.Button(label=t("watch"), color="primary", disabled=self.page.read_only)
        self._drop = pn.widgets.Button(label=t("unwatch", symbol=self.page.symbol), visible=False)
        self._add.on_click(self._added)
        self._typed.param.watch(self._added, "enter_pressed")
        self._drop.on_click(self._dropped)
        return parts.card(
            self.said, self._sheet.view, parts.row(self._typed, self._add, self._drop), title=t("watchlist"), least=470
        )

    def stale(self) -> bool:
        """Whether the list was changed elsewhere."""
        return self.held is not None and self.page.lab.keepsakes.watchlist() != self.held.symbols

    async def read(self) -> None:
        """Read the list, and prices of its symbols."""
        opened = self.page.opened
        names = self.page.attempt(self.page.lab.keepsakes.watchlist)
        if opened is None or names is None:
            return
        asof = self.page.asof or None
        found = await self.page.latest("watch", "watching", lambda: market_watch.watched(opened.bars, names, asof))
        if found is not None:
            self.held = found
            await self.settle()

    def show(self) -> None:
        """Show the list."""
        symbol, held = self.page.symbol, self.held
        listed = held is not None and symbol in held.symbols
        self._drop.param.update(
            label=self.t("unwatch", symbol=symbol), disabled=self.page.read_only, visible=bool(listed)
        )
        if held is None:
            return
        self._sheet.show(held.shown)
        if held.symbols:
            unknown = self.t("watch_unknown", symbols=", ".join(held.unknown)) if held.unknown else ""
            self.say(muted(f"{self.t('watch_hint')} {unknown}".strip()))
        else:
            self.say(parts.message(self.t("watch_empty")))

    async def _added(self, _: Any) -> None:
        typed = (self._typed.value or "").replace(" ", ",")
        await self._change(lambda kept: (*kept, *(symbol for symbol in typed.split(",") if symbol)))

    async def _dropped(self, _: Any) -> None:
        gone = self.page.symbol
        await self._change(lambda kept: tuple(symbol for symbol in kept if symbol != gone))

    async def _change(self, change: Any) -> None:
        if self.page.read_only:
            return
        keepsakes = self.page.lab.keepsakes
        if self.page.attempt(lambda: keepsakes.watch(change(keepsakes.watchlist()))) is not None:
            self._typed.value = ""
            await self.read()
