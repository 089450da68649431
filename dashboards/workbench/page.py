"""The workbench: a setup of data, strategy and costs; its backtest, its sweep, a verdict, and the way to paper."""

from __future__ import annotations

import html
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, ClassVar, Final

import panel as pn

from dashboards import parts
from dashboards.shell import Page
from dashboards.workbench.cards import SetupCards
from dashboards.workbench.map import MapCards
from dashboards.workbench.paper import PaperCards
from dashboards.workbench.presets import Presets
from dashboards.workbench.result import ResultCards
from dashboards.workbench.state import State
from dashboards.workbench.verdict import VerdictCards
from qtw_lab.lab import Lab
from qtw_lab.lab import workbench as bench

#: What the right side shows, one at a time.
VIEWS: Final = ("overview", "trades", "sweep", "verdict", "paper")


class Workbench(Page):
    """A backtest laid out, run, looked at from all sides, judged, and sent to paper.

    Parameters
    ----------
    lab, inline, **values
        As `Page`.
    setup : Setup, optional
        What is laid out at first.
    strategies : sequence of class
        Strategies of your own, beside the bundled ones.
    """

    key: ClassVar[str] = "workbench"
    period: ClassVar[int] = 300

    def __init__(
        self,
        lab: Lab | None = None,
        *,
        setup: bench.Setup | None = None,
        strategies: Sequence[Any] = (),
        inline: bool = False,
        **values: Any,
    ) -> None:
        own = bench.named_own(strategies)
        self.state = State.of(bench.Setup.usual() if setup is None else setup, own)
        self._view = "overview"
        self._at_work = False
        super().__init__(lab, inline=inline, **values)

    def content(self) -> Sequence[Any]:
        """Presets and Run above, the setup on the left, what came of it on the right."""
        known = self.attempt(lambda: bench.sources(self.lab))
        self.sources = known if known is not None else bench.no_sources()
        self._fresh = True
        t = self.t
        self._run = pn.widgets.Button(label=t("run"), color="primary", width=110)
        self._run.on_click(self.run)
        self._cancel = pn.widgets.Button(label=t("cancel"), disabled=True, width=110)
        self._cancel.on_click(self._canceled)
        self._bar, self._notice = parts.text(""), parts.text("")
        self.cards = SetupCards(self, self._changed)
        self._result, self._map = ResultCards(self), MapCards(self)
        self._verdict, self._paper = VerdictCards(self), PaperCards(self)
        views = {t(f"view_{name}"): name for name in VIEWS}
        self._pick = pn.widgets.RadioButtonGroup(
            label=t("views"), options=views, value=self._view, css_classes=["qtw-views"]
        )
        self._pick.param.watch(self._other_view, "value")
        self._empty = parts.text(parts.message(t("empty")))
        self._stage = pn.Column(sizing_mode="stretch_width", margin=0)
        self._left, right = (pn.Column(margin=0, styles=_place(*one)) for one in ((1, 340), (5, 620)))
        self._left[:] = _below(self.cards.view)
        right[:] = [self._notice, parts.grid(self._result.lead), self._pick, self._stage]
        self._presets = Presets(self)
        top = parts.card(parts.row(self._run, self._cancel, *self._presets.view), self._bar)
        self._lay()
        self._enable()
        return [parts.grid(top), parts.grid(self._left, right)]

    # What is pressed

    async def run(self, _: Any = None) -> None:
        """Backtest the setup."""
        setup = self.state.setup
        if setup is None or self._refused():
            return
        with self._occupied(cancelable=True):
            task = partial(bench.run, self.lab, setup, self._told, self._ended)
            found = await self.work(self.t("run"), task)
            if found is not None:
                self.state.outcome, self.state.report, self.state.sent = found, None, ""
                self.state.session["interval"] = setup.prices.timeframe
                await self._draw_result()
                self._verdict.show()
                self._paper.show()

    async def sweep(self, _: Any = None) -> None:
        """Vary two parameters of the setup."""
        setup, axes = self.state.setup, self.attempt(self._map.axes)
        if setup is None or axes is None or self._refused():
            return
        with self._occupied(cancelable=True):
            task = partial(bench.sweep, self.lab, setup, axes, self._told, self._ended)
            found = await self.work(self.t("sweep"), task)
            if found is not None:
                self.state.swept = found
                await self._draw_map()
                await self._result.recount()

    async def judge(self, _: Any = None) -> None:
        """Ask whether the edge is real."""
        state, subject = self.state, self._verdict.subject
        judged = state.swept if subject == "sweep" else state.outcome
        if judged is None or self._refused():
            return
        row = self.state.chosen if subject == "sweep" else None
        symbol = {"symbol": state.swept_symbol} if row is not None and state.swept_symbol else {}
        asked = None if row is None else {**row, **symbol}
        with self._occupied():
            found = await self.work(self.t("verdict"), lambda: bench.verdict(self.lab, judged, asked, self._told))
            if found is not None:
                state.report, state.judged = found, found.facts().title
                self._verdict.show()

    async def send(self, _: Any = None) -> None:
        """Open a session of the terms that were tested."""
        outcome = self.state.outcome
        if outcome is None or self._refused() or self._paper.reason():
            return
        terms = self.attempt(lambda: self._paper.terms(outcome))
        if terms is None:
            return
        with self._occupied():
            said = await self.work(self.t("paper"), lambda: bench.send(self.lab, terms))
            if said is not None:
                self.state.sent = said
                self._paper.show()

    def take_row(self, _: Any = None) -> None:
        """Lay out the setup of the sweep with the combination that is chosen."""
        swept, chosen = self.state.swept, self.state.chosen
        if swept is None or chosen is None:
            return
        setup = self.attempt(lambda: swept.chosen(chosen))
        if setup is not None:
            self.lay_out(setup)
            self.say(self.t("taken", what=repr(setup.strategy)), "good")

    def lay_out(self, setup: bench.Setup) -> None:
        """Put a setup into the cards, in place of what was there."""
        self.state.take(setup)
        self.cards = SetupCards(self, self._changed)
        self._left[:] = _below(self.cards.view)
        self._changed()

    def _canceled(self, _: Any) -> None:
        self.state.canceled = True
        self._cancel.disabled = True
        self.say(self.t("canceling"), "busy")

    def _refused(self) -> bool:
        """Whether nothing may be done now; where it is for reading only, that is said."""
        if self.read_only:
            self.say(self.t("shell.read_only"), "warn")
        return self.read_only or self._at_work

    @contextmanager
    def _occupied(self, *, cancelable: bool = False) -> Iterator[None]:
        """Let nothing else begin while something is done that tells its progress, and may be canceled."""
        self.state.canceled, self._at_work = False, True
        self._enable()
        self._cancel.disabled = not cancelable
        try:
            yield
        finally:
            self.state.step, self._at_work = None, False
            self.refresh()
            self._enable()
            self._cancel.disabled = True

    def _told(self, step: bench.Step) -> None:
        self.state.step = step

    def _ended(self) -> bool:
        return self.state.canceled

    # What is shown

    def refresh(self) -> None:
        """Show how far the work is."""
        step = self.state.step
        markup = "" if step is None else _bar(self.t(f"step_{step.name}", done=step.done, total=step.total), step.share)
        if self._bar.object != markup:
            self._bar.object = markup

    def arrived(self) -> None:
        """Draw what there is for a page that was just laid out."""
        if self._fresh:
            self._fresh = False
            self.rethemed()

    def rethemed(self) -> None:
        """Draw the figures again."""
        pn.state.execute(self._redraw)

    async def _redraw(self) -> None:
        """Draw what there is."""
        await self._draw_result()
        await self._draw_map()
        self._verdict.show()

    async def _draw_result(self) -> None:
        drawn = await self.work(self.t("drawing"), self._result.draw) if self.state.outcome is not None else None
        if drawn is not None:
            self._result.show(drawn)
            await self._result.recount()
            self._lay()
            self._changed()

    async def _draw_map(self) -> None:
        drawn = await self.work(self.t("drawing"), self._map.draw) if self.state.swept is not None else None
        if drawn is not None:
            self._map.show(drawn)
            self._changed()

    def _other_view(self, event: Any) -> None:
        self._view = event.new
        self._lay()

    def _lay(self) -> None:
        """Show the part that is chosen."""
        empty = [self._empty] if self.state.outcome is None else None
        parts_of = {
            "overview": empty or self._result.overview, "trades": empty or self._result.trades,
            "sweep": self._map.view, "verdict": self._verdict.view, "paper": self._paper.view,
        }  # fmt: skip
        self._stage[:] = _below(parts_of[self._view])

    def _changed(self) -> None:
        """The draft changed: say what does not fit, and whether what is shown is still of it."""
        self.cards.show_faults()
        self._map.show_form()
        words = parts.message(self.t("stale"), "warn") if self.state.stale else ""
        if self._notice.object != words:
            self._notice.object = words
        self._enable()

    def _enable(self) -> None:
        """Let pressed what makes sense now."""
        idle = not self._at_work and not self.read_only
        ready = idle and self.state.setup is not None
        self._run.disabled = not ready
        self._map.enable(on=ready)
        self._verdict.enable(on=idle)
        self._paper.enable(on=idle)


def _below(cards: Sequence[Any]) -> list[Any]:
    """Cards below each other."""
    return [parts.grid(card) for card in cards]


def _place(grow: int, least: int) -> dict[str, str]:
    """How much of the row a side takes, and from which width on it stands below the other."""
    return {"flex": f"{grow} 1 {least}px", "min-width": f"min({least}px, 100%)", "max-width": "100%"}


def _bar(words: str, share: float | None) -> str:
    """Markup of how far something is: in words, and as a bar where that can be said."""
    said = html.escape(words)
    if share is None:
        return f'<p role="status" class="muted">{said}</p>'
    done = round(100 * share)
    label = html.escape(words, quote=True)
    return (
        f'<p class="muted">{said}</p><div class="qtw-track" role="progressbar" aria-label="{label}" aria-valuemin="0" '
        f'aria-valuemax="100" aria-valuenow="{done}"><div style="width: {done}%"></div></div>'
    )
