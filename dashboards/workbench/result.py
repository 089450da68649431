"""What came of a backtest, in cards: what it rests on, equity, trades on candles, figures with their uncertainty."""

from __future__ import annotations

import html
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import panel as pn

from dashboards import parts
from qtw_lab.core import Facts, LabError

if TYPE_CHECKING:
    from dashboards.workbench.page import Workbench
    from qtw_lab.lab import workbench as bench

#: Trades on a page of their table.
_ROWS: Final = 50

#: Columns of the table of trades that are not written as any number.
_WRITTEN: Final[parts.Written] = {
    "return": parts.percent, "entry_time": lambda value: parts.shown(value).removesuffix(" 00:00:00"),
    "exit_time": lambda value: parts.shown(value).removesuffix(" 00:00:00"),
}  # fmt: skip


class Picture:
    """The place of a figure, or of the sentence why there is none."""

    def __init__(self) -> None:
        self._figure = pn.pane.Bokeh(None, sizing_mode="stretch_width", margin=0)
        self._words = parts.text("")
        self.view = pn.Column(
            self._words, self._figure, sizing_mode="stretch_width", margin=0, css_classes=["qtw-sideways"]
        )  # fmt: skip

    def put(self, drawn: Any) -> None:
        """Show what `drawing` gave."""
        said = parts.message(drawn, "warn") if isinstance(drawn, str) else ""
        parts.put(self._words, said)
        self._figure.object = None if isinstance(drawn, str) else drawn


def drawing(task: Callable[[], Any]) -> Any:
    """The figure that a task draws, or the sentence why it cannot; to be called in a thread."""
    try:
        return task().figure
    except LabError as err:
        return str(err)


class ResultCards:
    """The backtest on the right side of the workbench.

    Parameters
    ----------
    page : Workbench
        Whose outcome is shown.
    """

    def __init__(self, page: Workbench) -> None:
        self._page = page
        t = page.t
        self._lead, self._statistics, self._band, self._costs, self._trades = (parts.text("") for _ in range(5))
        self._equity, self._candles, self._months = Picture(), Picture(), Picture()
        self._symbol = pn.widgets.Select(label=t("symbol"), options=[], width=150)
        self._symbol.param.watch(self._other_symbol, "value")
        self._place = pn.widgets.Select(label=t("trades_page"), options=[1], width=110)
        self._place.param.watch(lambda _: self._show_trades(), "value")
        self.lead = parts.card(self._lead)
        self.lead.visible = False
        self.overview = [
            parts.card(self._equity.view, title=t("equity")), parts.card(self._statistics, title=t("statistics")),
            parts.card(self._costs, title=t("costs_taken")), parts.card(self._band, title=t("band")),
            parts.card(self._months.view, title=t("months")),
        ]  # fmt: skip
        self.trades = [
            parts.card(parts.row(self._symbol), self._candles.view, title=t("candles")),
            parts.card(parts.row(self._place), self._trades, title=t("trades")),
        ]

    @property
    def outcome(self) -> bench.Outcome | None:
        """What is shown."""
        return self._page.state.outcome

    def draw(self) -> dict[str, Any]:
        """The figures of the outcome; to be called in a thread."""
        found, theme = self.outcome, self._page.theme
        if found is None:
            return {}
        symbol = self._symbol_of(found)
        return {
            "equity": drawing(lambda: found.equity(theme)), "months": drawing(lambda: found.months(theme)),
            "candles": drawing(lambda: found.candles(symbol, theme)),
        }  # fmt: skip

    def show(self, drawn: dict[str, Any]) -> None:
        """Show the outcome, whose figures were drawn."""
        found, t = self.outcome, self._page.t
        if found is None:
            return
        self.lead.visible = True
        for name, place in (("equity", self._equity), ("candles", self._candles), ("months", self._months)):
            place.put(drawn[name])
        columns = {str(name): t(f"column_{name}") for name in found.statistics}
        statistics = found.statistics.assign(figure=[self._page.titled(one) for one in found.statistics["figure"]])
        table = parts.table(
            statistics, t("statistics_caption"), empty="", named=columns, wide=("definition",), tall=2000,
            right=("value", "low", "high"),
        )  # fmt: skip
        parts.put(self._statistics, f'{table}<p class="muted">{html.escape(found.method)}</p>')
        parts.put(self._band, self._band_of(found))
        columns = {name: t(f"column_{name}") for name in ("cost", "paid", "drag")}
        costs = parts.table(
            found.costs, t("costs_caption"), empty=t("no_costs"), named=columns, right=("paid", "drag")
        )  # fmt: skip
        parts.put(self._costs, costs)
        self._symbol.param.update(options=list(found.symbols), value=self._symbol_of(found))
        pages = list(range(1, max(1, math.ceil(len(found.trades) / _ROWS)) + 1))
        self._place.param.update(options=pages, value=self._place.value if self._place.value in pages else 1)
        self._show_trades()

    async def recount(self) -> None:
        """Say again what the result rests on: more was tried on the same prices meanwhile."""
        found, page = self.outcome, self._page
        if found is None:
            return
        counted = await page.work(page.t("rests_on"), lambda: lead(page, found.lead))
        if counted is not None and self.outcome is found:
            parts.put(self._lead, counted)

    def _symbol_of(self, found: bench.Outcome) -> str:
        chosen = self._page.state.symbol
        return chosen if chosen in found.symbols else found.symbols[0]

    async def _other_symbol(self, event: Any) -> None:
        state, found = self._page.state, self.outcome
        if found is None or event.new not in found.symbols or event.new == self._symbol_of(found):
            return
        state.symbol = event.new
        theme = self._page.theme
        drawn = await self._page.work(self._page.t("candles"), lambda: drawing(lambda: found.candles(event.new, theme)))
        if drawn is not None and state.outcome is found and state.symbol == event.new:
            self._candles.put(drawn)

    def _show_trades(self) -> None:
        found, t = self.outcome, self._page.t
        if found is None:
            return
        start, count = (int(self._place.value or 1) - 1) * _ROWS, len(found.trades)
        part = found.trades.iloc[start : start + _ROWS]
        caption = t("trades_caption", first=min(start + 1, count), last=start + len(part), count=count)
        named = {str(name): t(f"column_{name}") for name in part}
        parts.put(
            self._trades,
            parts.table(
                part, caption, empty=t("no_trades"), named=named, signed=("pnl", "return"), written=_WRITTEN, tall=620
            ),
        )

    def _band_of(self, found: bench.Outcome) -> str:
        t = self._page.t
        if found.band is None:
            return parts.message(t("no_band"))
        columns = {str(name): t(f"column_{name}") for name in found.band}
        words = html.escape(t("band_says", share=f"{found.ambiguous:.0%}"))
        table = parts.table(found.band, t("band"), empty="", named=columns, right=("pessimistic", "optimistic"))
        return f'{table}<p class="muted">{words}</p>'


def lead(page: Workbench, facts: Facts) -> str:
    """Markup of what stands before any figure: trials, costs, data, and what a reader must know."""
    notes = "".join(parts.message(note, "warn") for note in facts.notes)
    words = "".join(
        f'<dt title="{html.escape(fact.definition, quote=True)}">{html.escape(page.titled(fact.title))}</dt>'
        f"<dd>{html.escape(fact.shown)}</dd>"
        for fact in facts
        if fact.unit == "text"
    )
    numbers = page.figures(facts, [fact.name for fact in facts if fact.unit != "text"])
    title = f'<p class="muted">{html.escape(facts.title)}</p>'
    head = f"<h2>{html.escape(page.t('rests_on'))}</h2>"
    return f'{head}{title}{numbers}<dl class="qtw-said">{words}</dl>{notes}'
