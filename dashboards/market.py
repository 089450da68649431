"""The market page: prices of the symbols somebody watches, and the market ranked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import panel as pn

from dashboards import parts
from dashboards.shell import Page


class Market(Page):
    """Watchlist, candles, movers and a screener."""

    key: ClassVar[str] = "market"

    def content(self) -> Sequence[Any]:
        """The parts of the page."""
        self._chart = pn.pane.Bokeh(None, sizing_mode="stretch_width")
        self._pick = pn.widgets.Select(name="Symbol", options=["AAPL", "IBM", "MSFT"], value="AAPL", width=160)
        self._pick.param.watch(lambda _: self.rethemed(), "value")
        self._count = 0
        self._tick = parts.text("0")
        self._bars = self.lab.bars(["AAPL", "IBM", "MSFT"], "2010-01-01", "2012-12-31")
        self.rethemed()
        button = pn.widgets.Button(name="Movers", button_type="primary")
        button.on_click(self._movers)
        self._list = parts.text(parts.message("Press Movers."))
        return [
            parts.grid(
                parts.card(parts.row(self._pick, button), self._tick, self._chart, least=480, grow=2),
                parts.card(self._list, title="Movers"),
            )
        ]

    async def _movers(self, _: Any) -> None:
        found = await self.work("movers", lambda: self.lab.top_movers(self._bars))
        if found is not None:
            self._list.object = parts.table(found.lists["gainers"].reset_index(), "Gainers", empty="None.")

    def refresh(self) -> None:
        """Count."""
        self._count += 1
        self._tick.object = f"<b id='n'>{self._count}</b>"

    def rethemed(self) -> None:
        """Draw the candles."""
        self._chart.object = self.lab.chart(self._bars, self._pick.value, self.theme).figure
