"""Equity and drawdown of a session, or of all together, drawn once and then added to."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

import panel as pn

from dashboards import parts
from dashboards.streams import Series
from qtw_lab.plots import equity
from qtw_lab.plots.equity_columns import equity_columns

if TYPE_CHECKING:
    import pandas as pd

    from dashboards.paper.page import Paper
    from qtw_lab.lab.desk_view import DeskSeen

#: Points kept of a curve; a longer one comes with fewer.
_LENGTH: Final = 6_000
#: Seconds after a figure was put in place of another before rows are added to it: Panel sends the figure in a task of
#: its own, and rows that overtake it are of something that the browser does not know.
_SETTLED: Final = 2.0
_ALL: Final = ""


class Curve:
    """The card of the equity."""

    def __init__(self, page: Paper) -> None:
        self._page, t = page, page.t
        self._curve: pd.Series | None = None
        self._series: Series | None = None
        self._drawn = 0.0
        self._chosen = str(page.kept.get("curve.chosen", _ALL))
        self._pick = pn.widgets.Select(label=t("curve_of"), options={t("curve_all"): _ALL}, width=200)
        self._pick.param.watch(self._choose, "value")
        self._figure = pn.pane.Bokeh(None, sizing_mode="stretch_width", margin=0, visible=False)
        self._words = parts.text(parts.message(t("curve_none")))
        self.view = parts.card(self._pick, self._words, self._figure, title=t("equity"), least=520)

    def show(self, seen: DeskSeen) -> None:
        """Add what is new."""
        options = {self._page.t("curve_all"): _ALL, **{name: name for name in seen.curves}}
        if list(self._pick.options.values()) != list(options.values()):
            chosen = self._chosen if self._chosen in options.values() else _ALL
            self._pick.param.update(options=options, value=chosen)
        self._show(seen.curves.get(self._chosen, seen.together))

    def resend(self) -> None:
        """Send the whole curve."""
        if self._series is not None and self._settled:
            self._series.resend()

    def redraw(self) -> None:
        """Draw anew: another curve, or another theme."""
        curve = self._curve
        if curve is None or curve.empty:
            self._series = None
            self._figure.visible = False
            self._words.visible = True
            return
        figure: Any = equity(curve.rename(self._label()), theme=self._page.theme)
        self._series = Series(figure.select_one({"name": "equity"}).data_source, _LENGTH)
        self._drawn = time.monotonic()
        self._figure.object = figure
        self._figure.visible = True
        self._words.visible = False

    def _choose(self, event: Any) -> None:
        self._chosen = self._page.kept["curve.chosen"] = event.new or _ALL
        seen = self._page.seen
        self._curve = seen.curves.get(self._chosen, seen.together)
        self.redraw()

    def _show(self, curve: pd.Series) -> None:
        if curve is self._curve or not self._settled:
            return
        self._curve = curve
        if self._series is None or curve.empty:
            self.redraw()
        else:
            self._series.show({name: values.tolist() for name, values in equity_columns(curve).items()})

    @property
    def _settled(self) -> bool:
        """Whether the browser has the figure by now."""
        return time.monotonic() - self._drawn >= _SETTLED

    def _label(self) -> str:
        return self._chosen or self._page.t("curve_all")
