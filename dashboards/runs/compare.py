"""Runs of the runs page side by side: figures, what was given differently, and how the accounts grew."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import panel as pn

from dashboards import parts
from qtw_lab.lab import runs_compared, runs_view

if TYPE_CHECKING:
    from dashboards.runs.page import Runs


class Compare:
    """Two or more runs."""

    def __init__(self, page: Runs) -> None:
        self.page = page
        self._found: runs_compared.SideBySide | None = None
        self._drawn: Any = None
        self._offering = False

    def made(self) -> Any:
        """Its layout."""
        t = self.page.t
        self._pick = pn.widgets.MultiSelect(
            label=t("compared"), options={}, value=[], size=6, sizing_mode="stretch_width", css_classes=["qtw-field"],
            styles={"min-width": "min(420px, 100%)", "max-width": "100%"},
        )  # fmt: skip
        self._pick.param.watch(self._picked, "value")
        self._go = pn.widgets.Button(label=t("compare"), color="primary", css_classes=["solid"])
        self._go.on_click(self._comparing)
        self._clear = pn.widgets.Button(label=t("clear"), css_classes=["solid"])
        self._clear.on_click(self._cleared)
        self._said, self._figures, self._given = parts.text(""), parts.text(""), parts.text("")
        self._plot = pn.pane.Bokeh(None, sizing_mode="stretch_width", visible=False)
        self._drawn = None
        self.offer()
        return parts.grid(
            parts.card(
                self._pick, parts.row(self._go, self._clear), self._said, self._figures, self._given, self._plot,
                title=t("side_by_side"), least=480,
            )
        )  # fmt: skip

    def offer(self) -> None:
        """Offer the newest runs, and those that were chosen before."""
        page = self.page
        if page.table is None:
            return
        options = runs_view.offered(page.table, page.against)
        if options != self._pick.options:
            self._offering = True
            self._pick.param.update(options=options, value=[one for one in page.against if one in options.values()])
            self._offering = False

    def show(self) -> None:
        """Show what was chosen, and what came of comparing it."""
        page, t = self.page, self.page.t
        self._offering = True
        self._pick.value = [one for one in page.against if one in dict(self._pick.options).values()]
        self._offering = False
        self._go.disabled = len(page.against) < 2
        self._clear.disabled = not page.against
        found = self._found
        if found is None:
            parts.put(self._said, parts.message(t("compare_hint")))
            return
        unknown = "".join(parts.message(why, "warn", label) for label, why in found.unknown.items())
        parts.put(self._said, unknown)
        figures = found.figures.assign(figure=[self.page.titled(one) for one in found.figures["figure"]])
        heads = {"figure": t("figure"), "parameter": t("parameter")}
        parts.put(self._figures, parts.table(
            figures, t("caption_figures"), empty=t("no_figures"), named=heads, right=found.labels, tall=520
        ))  # fmt: skip
        parts.put(self._given, parts.table(
            found.parameters, t("caption_given"), empty=t("same_given"), named=heads, wide=found.labels, tall=260
        ))  # fmt: skip
        self.draw()

    def draw(self) -> None:
        """Draw how the accounts grew, in the page's colours."""
        found, theme = self._found, self.page.theme
        if found is None or found.growth.empty:
            self._plot.visible = False
            return
        if self._drawn != (id(found), theme):
            self._plot.object = runs_compared.growth_picture(found, theme).figure
            self._drawn = (id(found), theme)
        self._plot.visible = True

    def _picked(self, event: Any) -> None:
        if not self._offering:
            self.page.against = tuple(event.new)

    def _cleared(self, _: Any) -> None:
        self.page.against = ()

    async def _comparing(self, _: Any) -> None:
        page, ids = self.page, self.page.against
        self._go.disabled = True
        found = await page.work(page.t("comparing"), lambda: runs_compared.compared(page.lab, ids))
        self._go.disabled = len(page.against) < 2
        if found is not None:
            self._found = found
            await page.apply(self.show)
