"""The kill switch: one button, which asks once; what is halted stays halted, and says by whom, since when and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd
import panel as pn

from dashboards import parts
from dashboards.paper.asking import Question
from qtw_lab.lab import desk_halting

if TYPE_CHECKING:
    from dashboards.paper.page import Paper
    from qtw_lab.lab.desk_view import DeskSeen


class Switch:
    """The card of the kill switch. It works though the desk hangs, for it asks no desk."""

    def __init__(self, page: Paper) -> None:
        self._page, t = page, page.t
        self._stands, self._told = parts.text(parts.message(t("loading"), "busy")), parts.text("")
        self.halt = pn.widgets.Button(label=t("halt"), color="danger", disabled=True, width=180)
        self.resume = pn.widgets.Button(label=t("resume"), disabled=True, visible=False, width=180)
        self._by = page.hold("switch.by", pn.widgets.TextInput(label=t("by"), width=150))
        self._why = page.hold("switch.why", pn.widgets.TextInput(label=t("reason"), width=220))
        choices = {t("flatten_no"): False, t("flatten_yes"): True}
        self._flatten = page.hold("switch.flatten", pn.widgets.Select(label=t("flatten"), options=choices, width=150))
        self._halting = Question(
            page, "switch.halting", t("halt_asked"), t("halt_now"), self._halt, self._by, self._why, self._flatten
        )
        by = page.hold("switch.by2", pn.widgets.TextInput(label=t("by"), width=150))
        why = page.hold("switch.why2", pn.widgets.TextInput(label=t("reason_safe"), width=220))
        self._safe = (by, why)
        self._resuming = Question(page, "switch.resuming", t("resume_asked"), t("resume_now"), self._resume, by, why)
        self.halt.on_click(lambda _: self._halting.ask(asked=not page.forbidden()))
        self.resume.on_click(lambda _: self._resuming.ask(asked=not page.forbidden()))
        self.view = parts.card(
            self._stands, parts.row(self.halt, self.resume), self._halting.view, self._resuming.view, self._told,
            title=t("switch"), least=340,
        )  # fmt: skip

    def show(self, seen: DeskSeen) -> None:
        """Say how it stands."""
        t, found, able = self._page.t, seen.switch, not self._page.read_only
        if found is None:
            parts.put(self._stands, parts.message(t("switch_none")))
        elif not found.tripped:
            parts.put(self._stands, parts.message(t("armed"), "good"))
        else:
            since = "–" if found.since is None else f"{pd.Timestamp(found.since, unit='ns'):%Y-%m-%d %H:%M:%S} UTC"
            words = t("latched", by=found.by or "–", since=since, reason=found.reason)
            words += f" {t('flattening')}" if found.flatten else ""
            parts.put(self._stands, f'<div role="alert">{parts.message(words, "bad", t("halted"))}</div>')
        tripped = found is not None and found.tripped
        self.halt.visible = not tripped
        self.resume.visible = tripped
        self.halt.disabled = found is None or not able
        self.resume.disabled = not able
        if tripped and self._halting.view.visible:
            self._halting.ask(asked=False)

    async def _halt(self) -> bool:
        page, by, why = self._page, self._by.value.strip(), self._why.value.strip()
        if not by or not why:
            parts.put(self._told, parts.message(page.t("who_and_why"), "warn"))
            return False
        flatten = bool(self._flatten.value)
        task = lambda: desk_halting.halt(page.lab.settings, by=by, reason=why, flatten=flatten)  # noqa: E731  (read below)
        return await page.act(page.t("halt"), task, self._told) is not None

    async def _resume(self) -> bool:
        page, (by, why) = self._page, (field.value.strip() for field in self._safe)
        if not by or not why:
            parts.put(self._told, parts.message(page.t("who_and_why"), "warn"))
            return False
        done: Any = await page.act(
            page.t("resume"), lambda: desk_halting.resume(page.lab.settings, by=by, reason=why), self._told
        )
        return done is not None
