"""The candles of the market page, with indicators over and below them."""

from __future__ import annotations

from typing import Any, Final

import panel as pn

from dashboards import parts
from dashboards.market.card import Card
from qtw_lab.lab import market_chart
from qtw_lab.lab.market_studies import STUDIES, Choice

#: Figures above the chart.
_FIGURES: Final = ("time", "close", "change", "volume", "open", "high", "low", "range_change")

#: Symbols up to which they stand in a list to choose from; of more, one is typed.
_CHOSEN: Final = 60


class Candles(Card):
    """Prices of one symbol."""

    key = "candles"

    def made(self) -> Any:
        """Its layout."""
        page = self.page
        self._pane = pn.pane.Bokeh(None, sizing_mode="stretch_width", margin=0)
        self._figures, self._notes = parts.text(""), parts.text("")
        self._symbol = self.select("symbol", "symbol", [page.symbol], 130)
        self._typed = pn.widgets.TextInput(label=self.t("symbol"), value=page.symbol, width=130)
        self._typed.param.watch(lambda event: page.chosen(event.new.strip().upper()), "value")
        self._timeframe = self.select("timeframe", "timeframe", [page.timeframe], 100)
        span = self.select("span", "range", list(market_chart.RANGES), 110, "range_")
        adjustment = self.select("adjustment", "adjustment", market_chart.ADJUSTMENTS, 130, "adjusted_")
        self._chips = parts.row()
        self._choices = parts.row(self._symbol, self._timeframe, span, adjustment)
        return parts.card(
            self._choices, self.said, self._figures,
            self._pane, self._chips, self._adding(), self._notes, title=self.t("candles"), least=560, grow=2,
        )  # fmt: skip

    def _adding(self) -> Any:
        """The row that an indicator is added by: its name, its parameters, a button."""
        options = {f"{study.label} ({self.t(study.place)})": name for name, study in STUDIES.items()}
        self._study = pn.widgets.Select(label=self.t("indicator"), options=options, width=230)
        self._add = pn.widgets.Button(label=self.t("add_indicator"), color="primary")
        self._study.param.watch(lambda _: self._knobbed(), "value")
        self._add.on_click(lambda _: self._added())
        self._row = parts.row()
        self._knobbed()
        return self._row

    def _knobbed(self) -> None:
        """Fields for the parameters of the indicator that is chosen."""
        self._knobs: list[Any] = []
        for knob in STUDIES[self._study.value].knobs:
            kind = pn.widgets.IntInput if knob.whole else pn.widgets.FloatInput
            value, low, high = ((int if knob.whole else float)(one) for one in (knob.default, knob.low, knob.high))
            step = 1 if knob.whole else 0.1
            label = self.t(f"knob_{knob.name}")
            self._knobs.append(kind(label=label, value=value, start=low, end=high, step=step, width=90))
        self._row[:] = [self._study, *self._knobs, self._add]

    def _added(self) -> None:
        values = tuple(field.value for field in self._knobs)
        made = self.page.attempt(lambda: Choice(self._study.value, values))
        if made is not None and made not in self.page.studies:
            self.page.studies = (*self.page.studies, made)
            self.chip()

    def _removed(self, word: str) -> None:
        self.page.studies = tuple(one for one in self.page.studies if self._word(one) != word)
        self.chip()

    def _word(self, one: Choice) -> str:
        return self.t("remove_indicator", name=one.label)

    async def read(self) -> None:
        """Read the bars of the symbol in its timeframe."""
        page, opened = self.page, self.page.opened
        if opened is None:
            return
        lengths = opened.offer.timeframes(page.symbol) if page.symbol in opened.offer.lengths else ()
        if lengths and page.timeframe not in lengths:
            page.timeframe = "1D" if "1D" in lengths else lengths[-1]  # which has them read
            return
        wish = market_chart.Wish(page.symbol, page.timeframe, page.span, page.adjustment, page.asof, page.studies)
        found = await page.latest("draw", "drawing", lambda: market_chart.chart(page.lab, opened.offer, wish))
        if found is not None:
            self.held = found
            await self.settle()
            await page.cards["watch"].settle()

    def show(self) -> None:
        """Draw what was read, in the theme's colours."""
        page, held = self.page, self.held
        self._offer()
        self.chip()
        if held is None:
            return
        self.say("")
        figures = page.figures(held.facts, _FIGURES)
        if self._figures.object != figures:
            self._figures.object = figures
        self._pane.object = held.picture(page.theme).figure
        cold = market_chart.warming(held)
        warning = parts.message(self.t("warming", names=", ".join(cold)), "warn") if cold else ""
        self._notes.object = warning + self.notes(held.notes)

    def chip(self) -> None:
        """Show what can be taken away, before it is drawn: what was pressed answers at once."""
        self.chips(self._chips, [self._word(one) for one in self.page.studies], self._removed)

    def _offer(self) -> None:
        """Let those symbols and timeframes be chosen that the source has."""
        page, opened = self.page, self.page.opened
        if opened is None:
            return
        symbols = list(opened.offer.symbols)
        few = len(symbols) <= _CHOSEN
        asked = self._symbol if few else self._typed
        if self._choices[0] is not asked:
            self._choices[0] = asked
        if few:
            _options(self._symbol, symbols, page.symbol)
        elif self._typed.value != page.symbol:
            self._typed.value = page.symbol
        if page.symbol in opened.offer.lengths:
            _options(self._timeframe, list(opened.offer.timeframes(page.symbol)), page.timeframe)


def _options(select: Any, options: list[str], value: str) -> None:
    """Let these be chosen from, with this one chosen, if that is not so already."""
    if value in options and (select.options != options or select.value != value):
        select.param.update(options=options, value=value)
