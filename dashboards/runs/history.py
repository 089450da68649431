"""The history of the runs page: every run, filtered and searched."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pandas as pd
import panel as pn

from dashboards import parts
from dashboards.sheet import Heading, Sheet
from qtw_lab.lab import runs_view

if TYPE_CHECKING:
    from dashboards.runs.page import Runs

_ROWS = 12


class History:
    """Every run that is looked for."""

    def __init__(self, page: Runs) -> None:
        self.page = page
        self.fault = ""  # why there are no runs to show

    def made(self) -> Any:
        """Its layout."""
        t, wanted = self.page.t, self.page.wanted
        self._kind = pn.widgets.Select(
            label=t("kind"), options={t("any"): "", **self._kinds()}, value=wanted.kind, width=160
        )
        statuses = {t("any"): "", **{t(f"status_{name}"): name for name in runs_view.STATUSES}}
        self._status = pn.widgets.Select(label=t("status"), options=statuses, value=wanted.status, width=150)
        self._words = pn.widgets.TextInput(
            label=t("search"), placeholder=t("search_hint"), value=wanted.words, width=300, css_classes=["qtw-field"]
        )
        for widget, name in ((self._kind, "kind"), (self._status, "status"), (self._words, "words")):
            widget.param.watch(lambda event, name=name: self._filter(**{name: event.new}), "value")
            widget.disabled = self.page.table is None
        self._count = parts.text("", css_classes=["muted"])
        headings = [
            Heading("id", t("id"), "text"), Heading("name", t("name"), "text"), Heading("kind", t("kind"), "text"),
            Heading("status", t("status"), "text"), Heading("started", t("started"), "text"),
            Heading("seconds", t("seconds"), "number"), Heading("error", t("error"), "text"),
        ]  # fmt: skip
        words = {name: t(name) for name in ("first", "previous", "next", "last", "page", "find")}
        self._sheet = Sheet(headings, t("history"), words, self.page.choose, rows=_ROWS)
        return parts.grid(
            parts.card(
                parts.row(self._kind, self._status, self._words), self._count, self._sheet.view, title=t("history"),
                least=480,
            )
        )  # fmt: skip

    def open(self) -> None:
        """Let the rows be filtered; before the browser has the table, it would not know whose rows those are."""
        for widget in (self._kind, self._status, self._words):
            widget.disabled = False
        self._kind.options = {self.page.t("any"): "", **self._kinds()}

    def show(self) -> None:
        """Show the rows that are looked for."""
        page = self.page
        if page.table is None:
            fault = parts.message(self.fault, "bad")
            parts.put(self._count, fault if self.fault else parts.message(page.t("loading"), "busy"))
            return
        rows = runs_view.found(page.table, page.wanted)
        self._sheet.show(rows.assign(
            started=rows["started"].dt.strftime("%Y-%m-%d %H:%M:%S"), status=rows["status"].map(self._mark)
        ))  # fmt: skip
        if page.table.empty:
            parts.put(self._count, parts.message(page.t("empty")))
        elif rows.empty:
            parts.put(self._count, parts.message(page.t("nothing")))
        else:
            said = page.t("counted", shown=f"{len(rows):,}", all=f"{len(page.table):,}")
            parts.put(self._count, f'<p class="muted">{said}</p>')

    def rows(self) -> pd.DataFrame:
        """The rows that are looked for."""
        page = self.page
        return pd.DataFrame() if page.table is None else runs_view.found(page.table, page.wanted)

    def _kinds(self) -> dict[str, str]:
        known = [] if self.page.table is None else runs_view.kinds(self.page.table)
        kept = [self.page.wanted.kind] if self.page.wanted.kind and self.page.wanted.kind not in known else []
        return {kind.replace("_", " "): kind for kind in [*known, *kept]}

    def _mark(self, status: str) -> str:
        """A status that can be told apart without colours."""
        signs = {"ok": "✓", "failed": "✗", "running": "…"}
        return f"{signs.get(status, '')} {self.page.t(f'status_{status}')}".strip()

    def _filter(self, **changes: str) -> None:
        self.page.wanted = replace(self.page.wanted, **changes)
