"""The realtime page: the engine of this machine, alive or not, what it listens to, and what it decides."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, ClassVar, Final

import panel as pn
import param

from dashboards import parts
from dashboards.realtime.charts import Charts, Drawn
from dashboards.realtime.words import Words
from dashboards.shell import Page
from qtw_lab.lab import Lab
from qtw_lab.lab.monitor import FEEDS, Monitor
from qtw_lab.lab.monitor_condition import Condition
from qtw_lab.lab.monitor_tables import ORDERS

#: Rows of the table of the focus that are shown at once.
ROWS: Final = 20

#: Looks after which a journal that could not be read is tried again.
_AGAIN: Final = 30

#: Margin of controls that stand beside each other.
_NEAR: Final = (5, 2)


class Realtime(Page):
    """The engine's condition and figures, its focus, bars, signals, gaps and log; start and stop."""

    key: ClassVar[str] = "realtime"

    profile: Any = param.String(default="retail_second", doc="What an engine is started with.")
    feed: Any = param.String(default="simulator", doc="Where an engine that is started listens.")
    speed: Any = param.Number(default=1.0, doc="Of a simulator.")
    symbol: Any = param.String(default="", doc="Whose bars are drawn; the best of the focus if empty.")
    level: Any = param.Integer(default=0, doc="Seconds of a bar; those that are decided on if 0.")
    drawn: Any = param.Selector(default="candles", objects=["candles", "line"], doc="How bars are drawn.")
    find: Any = param.String(default="", doc="Letters that symbols of the table contain.")
    order: Any = param.Selector(default="rank", objects=list(ORDERS), doc="Of the table of the focus.")
    first: Any = param.Integer(default=0, doc="Rows of that table that are passed over.")
    held: Any = param.Boolean(default=False, doc="Whether signals that were held back are shown.")

    def __init__(self, lab: Lab | None = None, *, inline: bool = False, **values: Any) -> None:
        lab = Lab.from_settings() if lab is None else lab
        self._monitor = Monitor(lab.settings)
        self._count = self._again = 0
        self._opening = self._showing = False
        self._charts = Charts()
        if lab.settings.alpaca_api_key_id is not None:
            values = {"feed": lab.settings.alpaca_data_feed} | values
        super().__init__(lab, inline=inline, **values)

    # Parts

    def content(self) -> Sequence[Any]:
        """The parts of the page."""
        self._words = Words(self.t, self._monitor)
        self._told = -1
        self._state, self._age, self._facts = parts.text(""), parts.text(""), parts.text("")
        self._rates, self._lag, self._bar, self._ranked = (parts.text("") for _ in range(4))
        self._table = parts.Region(self.t("focus"), tall=640)
        self._signals = parts.Region(self.t("signals"), tall=430)
        self._churn = parts.Region(self.t("churn"), tall=260)
        self._gaps = parts.Region(self.t("gaps"), tall=260)
        self._events = parts.Region(self.t("events_caption"), tall=300)
        self._log = parts.Region(self.t("words"), tall=200)
        self._controls_of_engine()
        self._choices()
        self.rethemed()
        self._show()
        return self._arranged()

    def _arranged(self) -> Sequence[Any]:
        card = parts.card
        return [
            parts.grid(
                card(
                    self._state, self._age, parts.row(*self._of_engine), title=self.t("engine"), least=460
                ),
                card(self._facts, title=self.t("figures"), least=360, grow=2),
            ),
            parts.grid(
                card(self._charts.rates.view, self._rates, title=self.t("rates"), least=380),
                card(self._charts.lag.view, self._lag, title=self.t("lag"), least=380),
            ),
            parts.grid(
                card(
                    parts.row(self._symbol, self._level, self._drawn), self._charts.bars.view, self._bar,
                    title=self.t("bars"), least=520, grow=3,
                ),
                card(parts.row(self._held), self._signals, title=self.t("signals"), least=360, grow=2),
            ),
            parts.grid(
                card(
                    parts.row(self._find, self._order, self._back, self._on), self._table, title=self.t("focus"),
                    least=600, grow=2,
                )
            ),
            parts.grid(
                card(self._ranked, self._churn, title=self.t("churn"), least=480),
                card(self._gaps, title=self.t("gaps"), least=360),
            ),
            parts.grid(card(self._events, self._log, title=self.t("log"), least=480)),
        ]  # fmt: skip

    def _controls_of_engine(self) -> None:
        self._profile = self._bound(pn.widgets.Select, "profile", options=self._profiles(), width=140, margin=_NEAR)
        feed = self._bound(pn.widgets.Select, "feed", options=list(FEEDS), width=110, margin=_NEAR)
        self._speed = self._bound(pn.widgets.FloatInput, "speed", start=0.1, step=1.0, width=110, margin=_NEAR)
        self._start = pn.widgets.Button(label=self.t("start"), color="primary", width=70, margin=_NEAR)
        self._stop = pn.widgets.Button(label=self.t("stop"), color="danger", width=70, margin=_NEAR)
        self._start.on_click(self._started)
        self._stop.on_click(self._stopped)
        self._of_engine = [self._profile, feed, self._speed, self._start, self._stop]

    def _profiles(self) -> dict[str, str]:
        return {self.t("profile_last") if name == "last" else name: name for name in self._monitor.profiles()}

    def _choices(self) -> None:
        self._symbol = self._bound(pn.widgets.Select, "symbol", options=[self.symbol] if self.symbol else [], width=140)
        self._level = self._bound(pn.widgets.Select, "level", label="length", options=self._words.lengths(), width=120)
        ways = {self.t(way): way for way in ("candles", "line")}
        self._drawn = self._bound(pn.widgets.Select, "drawn", options=ways, width=120)
        self._find = self._bound(pn.widgets.TextInput, "find", width=140)
        orders = {self.t(f"order_{name}"): name for name in ORDERS}
        self._order = self._bound(pn.widgets.Select, "order", options=orders, width=190)
        self._back = pn.widgets.Button(label=self.t("previous"), width=90)
        self._on = pn.widgets.Button(label=self.t("next"), width=90)
        self._back.on_click(lambda _: self._turned(-ROWS))
        self._on.on_click(lambda _: self._turned(ROWS))
        told = {self.t("changes_only"): False, self.t("held_too"): True}
        self._held = self._bound(pn.widgets.Select, "held", options=told, width=190)

    def _bound(self, kind: Any, name: str, label: str = "", **options: Any) -> Any:
        """A widget that shows a parameter of the page and sets it."""
        value, offered = getattr(self, name), options.get("options")
        if offered is None or value in (offered.values() if isinstance(offered, dict) else offered):
            options["value"] = value
        made = kind(label=self.t(label or name), **options)
        made.param.watch(lambda event: self.param.update(**{name: event.new}), "value")
        return made

    # Its life

    def arrived(self) -> None:
        """Send the whole of every chart, and find the end of the journal where it is not known yet."""
        self._charts.resend()

    def refresh(self) -> None:
        """Take in what the engine wrote, and show what is new."""
        if self._opening:
            return
        self._count += 1
        self._monitor.glance()
        if not self._monitor.slow:
            self._monitor.follow()
        elif self._count >= self._again:
            self._opening = True
            pn.state.execute(self._open)
            return
        self._show()

    async def _open(self) -> None:
        """Find the end of the journal; where it cannot be read, that is said, and it is tried again later."""
        try:
            found = await self.work(self.t("opening"), self._monitor.follow)
        finally:
            self._opening = False
        self._again = self._count + (_AGAIN if found is None else 0)
        await self.apply(self._show)

    def rethemed(self) -> None:
        """Draw the charts in the colours of the theme."""
        self._charts.draw(self._what(), self._words, self.theme, self._seconds, line=self.drawn == "line")

    @param.depends("level", "drawn", watch=True)
    def _redrawn(self) -> None:
        self._charts.draw_bars(self._what(), self._words, self.theme, self._seconds, line=self.drawn == "line")
        self._show()

    def _what(self) -> Drawn:
        """What the charts draw now."""
        return Drawn(self._monitor.beats.columns(), self._monitor.bars(self.symbol, self._seconds))

    @param.depends("symbol", "find", "order", "held", "first", "feed", watch=True)
    def _chosen(self) -> None:
        self._show()

    def _turned(self, rows: int) -> None:
        """Go on by so many rows in the table of the focus."""
        self.first = max(0, self.first + rows)

    @param.depends("find", "order", watch=True)
    def _from_the_top(self) -> None:
        self.first = 0

    @property
    def _seconds(self) -> int:
        return self.level or self._monitor.decided_on

    # Showing

    def _show(self) -> None:
        if not self._showing:  # widgets that are given values tell the page of it
            self._showing = True
            try:
                self._show_all()
            finally:
                self._showing = False

    def _show_all(self) -> None:
        condition = self._monitor.condition()
        words = self._words
        put(self._state, words.state(condition))
        put(self._age, words.age(condition, self._count))
        put(self._facts, words.facts(condition))
        self._allow(condition)
        self._offer()
        drawn = self._what()
        self._charts.show(drawn)
        put(self._rates, words.rates(condition))
        put(self._lag, words.lag(condition))
        put(self._bar, words.bar(self.symbol, drawn.bars))
        self._list()
        put(self._signals, words.signals(held=self.held))
        put(self._log, words.log())
        if self._monitor.told != self._told:
            self._told = self._monitor.told
            self._show_told()

    def _show_told(self) -> None:
        """Show what changes seldom: only when there is news."""
        put(self._ranked, self._words.universe())
        put(self._churn, self._words.churn())
        put(self._gaps, self._words.gaps())
        put(self._events, self._words.events())

    def _list(self) -> None:
        count, markup = self._words.focus(self._seconds, self.find, self.order, self.first, ROWS)
        if self.first >= count > 0:  # there are fewer now than were passed over
            self.first = 0
            count, markup = self._words.focus(self._seconds, self.find, self.order, 0, ROWS)
        put(self._table, markup)
        self._back.disabled = self.first <= 0
        self._on.disabled = self.first + ROWS >= count

    def _allow(self, condition: Condition) -> None:
        """Which buttons may be pressed now."""
        bound = self.read_only or self.busy
        self._start.disabled = bound or condition.alive
        self._stop.disabled = bound or not condition.alive
        self._speed.disabled = self.feed != "simulator"

    def _offer(self) -> None:
        """The profiles, symbols and lengths of bars there are now."""
        profiles = self._profiles()
        if profiles != self._profile.options:
            self._profile.options = profiles
        symbols = self._monitor.symbols
        if self.symbol and self.symbol not in symbols:
            symbols = [self.symbol, *symbols]
        if symbols != self._symbol.options:
            self._symbol.param.update(options=symbols, value=self.symbol or next(iter(symbols), None))
        lengths = self._words.lengths()
        if lengths != self._level.options:
            value = self._seconds if self._seconds in lengths.values() else next(iter(lengths.values()))
            self._level.param.update(options=lengths, value=value)

    # Acting

    async def _started(self, _: Any) -> None:
        if self.read_only:
            return
        start = partial(self._monitor.start, self.lab, self.profile, self.feed, self.speed)
        await self.work(self.t("starting"), start)
        await self.apply(self._show)

    async def _stopped(self, _: Any) -> None:
        if self.read_only:
            return
        await self.work(self.t("stopping"), self._monitor.stop)
        await self.apply(self._show)


def put(pane: Any, markup: str) -> None:
    """Change what a pane shows, if it is another."""
    if pane.object != markup:
        pane.object = markup
