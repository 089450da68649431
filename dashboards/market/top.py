"""What the market page shows: the source, and the day up to which it is known."""

from __future__ import annotations

import html
from typing import Any

import panel as pn

from dashboards import parts
from dashboards.market.card import Card


class Top(Card):
    """Which prices the page shows, and up to which day."""

    key = "top"

    def made(self) -> Any:
        """Its layout."""
        self._source = self.select("source", "source", [self.page.source], 200)
        self._asof = pn.widgets.TextInput(
            label=self.t("asof"), value=self.page.asof, width=320, placeholder="YYYY-MM-DD"
        )
        self._asof.param.watch(lambda event: self.page.param.update(asof=event.new.strip()), "value")
        return parts.grid(parts.card(parts.row(self._source, self._asof), self.said))

    def show(self) -> None:
        """Show what can be opened, and what is."""
        opened = self.page.opened
        if opened is None:
            return
        names = list(opened.offers)
        if self._source.options != names or self._source.value != opened.offer.name:
            self._source.param.update(options=names, value=opened.offer.name)
        index, caveats = opened.bars.index, (*opened.offer.notes, *opened.bars.notes)
        words = self.t(
            "symbols", title=opened.offer.title, count=f"{len(opened.bars.symbols):,}", first=f"{index[0]:%Y-%m-%d}",
            last=f"{index[-1]:%Y-%m-%d}",
        )  # fmt: skip
        self.say(f"<p>{html.escape(words)}</p>{self.notes(caveats)}")
