"""A new session: of a preset that the workbench kept, or of terms filled in here."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Any, Final

import panel as pn

from dashboards import parts
from qtw_lab.lab import desk_opening

if TYPE_CHECKING:
    from dashboards.paper.page import Paper
    from qtw_lab.lab.desk_view import DeskSeen

_WIDTH: Final = 122


class Opening:
    """The card that opens a session."""

    def __init__(self, page: Paper) -> None:
        self._page, t, hold = page, page.t, page.hold
        self._preset = pn.widgets.Select(label=t("preset"), options={t("preset_none"): ""}, width=_WIDTH)
        self._name = hold("open.name", pn.widgets.TextInput(label=t("session_name"), placeholder="trend", width=_WIDTH))
        names = {name.replace("_", " "): name for name in desk_opening.strategies()}
        self._strategy = hold(
            "open.strategy", pn.widgets.Select(label=t("strategy"), options=names, value="sma_cross", width=_WIDTH)
        )
        self._symbols = hold(
            "open.symbols", pn.widgets.TextInput(label=t("symbols"), placeholder="AAPL,MSFT", width=_WIDTH)
        )
        interval = pn.widgets.TextInput(label=t("interval"), value="1min", width=_WIDTH)
        self._interval = hold("open.interval", interval)
        self._words = hold("open.words", pn.widgets.TextInput(label=t("parameters"), width=2 * _WIDTH + 28))
        self._allocation = hold(
            "open.allocation", pn.widgets.TextInput(label=t("allocation"), value="0.5", width=_WIDTH)
        )
        self._lot = hold("open.lot", pn.widgets.TextInput(label=t("lot"), value="1", width=_WIDTH))
        self._own = (self._strategy, self._symbols, self._words, self._lot)
        self._hint, self._told = parts.text(""), parts.text("")
        self.open = pn.widgets.Button(label=t("open"), color="primary", width=_WIDTH, disabled=page.read_only)
        self.open.on_click(self._opened)
        self._preset.param.watch(lambda _: self._fit(), "value")
        self._strategy.param.watch(lambda _: self._fit(), "value")
        self.view = parts.card(
            parts.row(self._preset, self._name, self._strategy, self._symbols, self._interval, self._words,
                      self._allocation, self._lot),
            self._hint, parts.row(self.open), self._told, title=t("opening"), least=380,
        )  # fmt: skip
        self._offer()
        self._fit()

    def show(self, seen: DeskSeen) -> None:
        """Offer the presets there are."""
        self._offer()
        self.open.disabled = self._page.read_only or not seen.reachable

    def _offer(self) -> None:
        page = self._page
        names = page.attempt(lambda: desk_opening.presets(page.lab)) or []
        options = {page.t("preset_none"): "", **{name: name for name in names}}
        if self._preset.options != options:
            wanted = page.kept.get("open.preset", "")
            self._preset.param.update(options=options, value=wanted if wanted in names else "")

    def _fit(self) -> None:
        """A preset brings strategy, symbols and parameters; without one they are filled in."""
        chosen = self._page.kept["open.preset"] = self._preset.value or ""
        for field in self._own:
            field.visible = not chosen
        words = desk_opening.told(self._page.lab, chosen, self._strategy.value)
        parts.put(self._hint, f'<p class="muted">{html.escape(words)}</p>')

    async def _opened(self, _: Any) -> None:
        page = self._page
        if page.forbidden():
            return
        wish = desk_opening.Wish(
            self._name.value.strip(), self._interval.value, self._allocation.value, self._preset.value or "",
            self._strategy.value, self._symbols.value, self._words.value, self._lot.value,
        )  # fmt: skip
        await page.act(page.t("open"), lambda: desk_opening.opened(page.lab, wish), self._told)
