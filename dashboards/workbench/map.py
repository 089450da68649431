"""The sweep at the workbench: two parameters with their ranges, the map, its best rows, and one of them taken."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import panel as pn
from bokeh.events import Tap

from dashboards import parts
from dashboards.workbench.result import Picture, drawing, lead
from qtw_lab.core import DataError
from qtw_lab.lab import workbench as bench

if TYPE_CHECKING:
    from dashboards.workbench.page import Workbench

_ENDS: Final = ("low", "high", "step")
_BEST: Final = 10


class MapCards:
    """The sweep on the right side of the workbench.

    Parameters
    ----------
    page : Workbench
        Whose setup is swept.
    """

    def __init__(self, page: Workbench) -> None:
        self._page = page
        t = page.t
        self._says, self._ends = parts.text(""), (parts.row(), parts.row())
        self._go = pn.widgets.Button(label=t("sweep_run"), color="primary")
        self._go.on_click(page.sweep)
        metrics = {t(f"metric_{name}"): name for name in bench.METRICS}
        self._metric = pn.widgets.Select(label=t("metric"), options=metrics, value=page.state.metric, width=180)
        self._symbol = pn.widgets.Select(label=t("symbol"), options={t("mean"): ""}, value="", width=180)
        self._row = pn.widgets.Select(label=t("combination"), options={}, width=320)
        self._take = pn.widgets.Button(label=t("take"))
        self._lead, self._table, self._words = parts.text(""), parts.text(""), parts.text("")
        self._picture, self._formed = Picture(), ""
        self._combinations: dict[str, dict[str, Any]] = {}
        self._metric.param.watch(self._other_view, "value")
        self._symbol.param.watch(self._other_view, "value")
        self._row.param.watch(lambda event: self._choose(event.new), "value")
        self._take.on_click(page.take_row)
        self._found = [
            parts.card(self._lead),
            parts.card(
                parts.row(self._metric, self._symbol), self._picture.view, parts.row(self._row, self._take),
                self._words,
                title=t("map"),
            ),
            parts.card(self._table, title=t("best")),
        ]  # fmt: skip
        self.view = [parts.card(self._says, *self._ends, parts.row(self._go), title=t("sweep")), *self._found]
        for card in self._found:
            card.visible = False
        self.show_form()

    def enable(self, *, on: bool) -> None:
        """Let a sweep begin, or not."""
        self._go.disabled = not on or len(self._numbers()) < 2

    # Which parameters

    def _numbers(self) -> dict[str, bench.Field]:
        setup = self._page.state.setup
        return {} if setup is None else {field.name: field for field in bench.fields(setup.strategy) if field.number}

    def show_form(self) -> None:
        """Two parameters of the present strategy with ranges."""
        page, state = self._page, self._page.state
        known, name = self._numbers(), state.draft["strategy"]
        if state.setup is None or (name == self._formed and name in state.axes):
            return
        self._formed = name
        if len(known) < 2:
            self._says.object = parts.message(page.t("no_sweep", name=name))
            self._ends[0][:], self._ends[1][:] = [], []
            return
        self._says.object = f'<p class="muted">{page.t("sweep_says")}</p>'
        names = list(known)
        if name not in state.axes:
            state.axes[name] = [self._suggested(known[one]) for one in names[:2]]
        for place in (0, 1):
            self._ends[place][:] = self._axis(name, place, known)

    def _suggested(self, field: bench.Field) -> list[Any]:
        axis = bench.suggested(field)
        return [axis.name, axis.low, axis.high, axis.step]

    def _axis(self, strategy: str, place: int, known: dict[str, bench.Field]) -> list[Any]:
        page, values = self._page, self._page.state.axes[strategy][place]
        t = page.t
        labels = {page.cards.field_label(field, strategy): name for name, field in known.items()}
        pick = pn.widgets.Select(label=t(f"axis_{place}"), options=labels, value=values[0], width=200)
        whole = known[values[0]].kind == "int"
        kind = pn.widgets.IntInput if whole else pn.widgets.FloatInput
        ends = [
            kind(label=t(f"axis_{end}", place=place + 1), value=value, step=known[values[0]].step, width=110)
            for end, value in zip(_ENDS, values[1:], strict=True)
        ]

        def other(event: Any) -> None:
            self._page.state.axes[strategy][place] = self._suggested(known[event.new])
            self._ends[place][:] = self._axis(strategy, place, known)

        pick.param.watch(other, "value")
        for number, widget in enumerate(ends, 1):
            widget.param.watch(lambda event, number=number: values.__setitem__(number, event.new), "value")
        return [pick, *ends]

    def axes(self) -> tuple[bench.Axis, bench.Axis]:
        """The two parameters as they stand in the form."""
        setup = self._page.state.setup
        rows = [] if setup is None else self._page.state.axes.get(setup.strategy.name, [])
        if len(rows) < 2:
            raise DataError(self._page.t("no_axes"))
        first, second = (bench.Axis(*row) for row in rows)
        return first, second

    # What came of it

    def draw(self) -> Any:
        """The map as it is to be shown; to be called in a thread."""
        state, theme = self._page.state, self._page.theme
        swept, metric, symbol = state.swept, state.metric, self._shown_symbol()
        return None if swept is None else drawing(lambda: swept.map(metric, symbol, theme))

    def _shown_symbol(self) -> str:
        state = self._page.state
        return state.swept_symbol if state.swept is not None and state.swept_symbol in state.swept.symbols else ""

    def show(self, figure: Any) -> None:
        """Show the sweep, whose map was drawn."""
        state, t = self._page.state, self._page.t
        if state.swept is None:
            return
        for card in self._found:
            card.visible = True
        self._lead.object = lead(self._page, state.swept.lead)
        symbols = state.swept.symbols if len(state.swept.symbols) > 1 else ()
        options = {t("mean"): "", **{name: name for name in symbols}} if symbols else {t("whole"): ""}
        self._symbol.param.update(options=options, value=self._shown_symbol())
        self.show_map(figure)

    def show_map(self, figure: Any) -> None:
        """The map and the best rows by what is chosen."""
        state, t = self._page.state, self._page.t
        swept = state.swept
        if swept is None:
            return
        if not isinstance(figure, str):
            figure.on_event(Tap, self._tapped)
        self._picture.put(figure)
        rows = swept.best(state.metric, self._shown_symbol(), _BEST)
        names = [axis.name for axis in swept.axes]
        columns = {name: t(f"metric_{name}") for name in bench.METRICS}
        caption = t("best_caption", count=len(rows), metric=t(f"metric_{state.metric}"))
        self._table.object = parts.table(
            swept.written(rows), caption, empty=t("no_rows"), named=columns, right=bench.METRICS
        )
        self._combinations = {
            ", ".join(f"{name} = {row[name]}" for name in names): {name: row[name] for name in names}
            for row in rows.to_dict("records")
        }
        labels = list(self._combinations)
        self._row.param.update(options=labels, value=labels[0] if labels else None)
        self._choose(self._row.value)

    def _choose(self, words: str | None) -> None:
        values = self._combinations.get(words or "")
        self._chosen(values, words or "")

    def _chosen(self, values: dict[str, Any] | None, words: str) -> None:
        self._page.state.chosen = values
        self._take.disabled = values is None or self._page.read_only
        said = self._page.t("chosen", what=words) if values else ""
        self._words.object = f'<p role="status">{said}</p>' if said else ""

    def _tapped(self, event: Any) -> None:
        """A cell was pressed: it is chosen."""
        swept = self._page.state.swept
        values = None if swept is None else swept.at(event.x, event.y, self._page.state.metric, self._shown_symbol())
        if values is None:
            return
        words = ", ".join(f"{name} = {value}" for name, value in values.items())
        if words not in self._combinations:
            self._combinations = {**self._combinations, words: values}
            self._row.options = list(self._combinations)
        self._row.value = words
        self._chosen(values, words)

    async def _other_view(self, _: Any) -> None:
        state = self._page.state
        if state.swept is None or (state.metric, state.swept_symbol) == (self._metric.value, self._symbol.value):
            return
        state.metric, state.swept_symbol = self._metric.value, self._symbol.value
        figure = await self._page.work(self._page.t("map"), self.draw)
        if figure is not None:
            self.show_map(figure)
