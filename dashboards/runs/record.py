"""One run of the runs page in full: how it stands, figures, passport, what it left, and the way to replay it."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import panel as pn

from dashboards import parts
from qtw_lab.core import DataError
from qtw_lab.lab import runs_view

if TYPE_CHECKING:
    from dashboards.runs.page import Runs


_MOODS: Final[dict[str, parts.Mood]] = {"ok": "good", "failed": "bad", "running": "busy"}


class Shown:
    """The run that was chosen."""

    def __init__(self, page: Runs) -> None:
        self.page = page
        self._record: runs_view.Record | None = None
        self._replayed: tuple[str, Any] | None = None
        self._fault = ""

    def made(self) -> Any:
        """Its layout."""
        t = self.page.t
        self._title, self._links = parts.text(""), parts.text("")
        self._figures, self._replay = parts.text(""), parts.text("")
        self._tables = {name: parts.text("") for name in ("about", "parameters", "inputs", "data", "cells", "files")}
        self._add = pn.widgets.Button(label=t("add"), color="primary", css_classes=["solid"])
        self._add.on_click(self._added)
        self._again = pn.widgets.Button(label=t("replay"), css_classes=["solid"], disabled=self.page.read_only)
        self._again.on_click(self._replaying)
        self._acts = parts.row(self._add, self._again)
        half = {"least": 420}
        self._rest = pn.Column(
            parts.row(self._links), self._acts, self._replay,
            parts.grid(
                parts.card(self._tables["about"], title=t("about"), **half),
                parts.card(self._figures, title=t("figures"), **half),
            ),
            parts.grid(
                parts.card(self._tables["parameters"], title=t("parameters"), **half),
                parts.card(self._tables["data"], self._tables["inputs"], title=t("passport"), **half),
            ),
            parts.grid(
                parts.card(self._tables["cells"], title=t("timing"), **half),
                parts.card(self._tables["files"], title=t("files"), **half),
            ),
            sizing_mode="stretch_width", margin=0,
        )  # fmt: skip
        return parts.grid(parts.card(self._title, self._rest, title=t("one"), least=480))

    async def load(self) -> None:
        """Read the run that was chosen."""
        page, run = self.page, self.page.chosen
        found = await page.work(page.t("reading_one"), lambda: runs_view.record(page.lab, run))
        if run != page.chosen:
            return
        if found is None:
            self._fault, self._record = page.said, None
        elif self._record is not None and found.run == self._record.run:
            return
        else:
            self._fault, self._record = "", found
        await page.apply(self.show)

    def show(self) -> None:
        """Show what was read."""
        found, t = self._record, self.page.t
        self._rest.visible = found is not None
        if found is None:
            said = parts.message(self._fault, "bad") if self._fault else parts.message(t("choose"))
            parts.put(self._title, said)
            return
        run = found.run
        mood: parts.Mood = _MOODS[run.status]
        words = f"{run.id} · {run.kind} · {t(f'status_{run.status}')}" + (f" · {run.error}" if run.error else "")
        parts.put(self._title, parts.message(words, mood, run.name))
        parts.put(self._links, self._papers(found))
        parts.put(
            self._figures, self.page.figures(found.facts) if found.facts is not None else parts.message(t("no_figures"))
        )
        self._again.visible = run.kind == "notebook"
        self._again.disabled = self.page.read_only or run.status == "running" or run.pruned is not None
        self._fill(found)
        self._answer()

    def _fill(self, found: runs_view.Record) -> None:
        t, named = self.page.t, {name: self.page.t(name) for name in ("name", "value")}
        known = {"id", "kind", "name", "status", "error", "failed_cell", "replay_of", "started", "finished", "seconds",
                 "leaks", "pruned", "folder"}  # fmt: skip
        about = found.about.assign(name=[t(f"about_{one}") if one in known else one for one in found.about["name"]])
        for name, frame, wide in (
            ("about", about, ["value"]), ("parameters", found.parameters, ["value"]),
            ("inputs", found.inputs, ["value"]), ("data", found.data, ["symbols", "source"]),
            ("cells", found.cells, []), ("files", found.files, []),
        ):  # fmt: skip
            heads = named | {str(column): t(f"column_{column}") for column in frame if column not in named}
            caption = t(f"caption_{name}")
            parts.put(
                self._tables[name], parts.table(frame, caption, empty=t(f"no_{name}"), named=heads, wide=wide, tall=300)
            )

    def _papers(self, found: runs_view.Record) -> str:
        """Links to what the run left; in a notebook cell there is no server of pages, so the folder is named."""
        t, run = self.page.t, found.run
        if self.page.inline or run.folder is None:
            return f'<p class="muted">{html.escape(t("in_folder", folder=run.folder))}</p>' if run.folder else ""
        places, elsewhere = [("report", run.report), ("notebook", run.notebook)], 'target="_blank" rel="noopener"'
        links = [
            f'<a href="/papers/{quote(run.id)}/{kind}" {elsewhere}>{html.escape(t(f"open_{kind}"))}</a>'
            for kind, path in places
            if path is not None
        ]
        links += [
            f'<a href="/papers/{quote(run.id)}/file/{quote(path)}" download>{html.escape(path)}</a>'
            for path in found.files["path"]
        ]
        return f'<p class="qtw-papers">{" · ".join(links)}</p>' if links else ""

    def _answer(self) -> None:
        """What the last replay of this run came to."""
        found = self._replayed
        if found is None or self._record is None or found[0] != self._record.run.id:
            parts.put(self._replay, "")
            return
        done, t = found[1], self.page.t
        said = parts.message(done.sentence, "good" if done.identical else "warn", t("replayed", run=done.again.id))
        heads = {name: t(f"column_{name}") for name in ("what", "name", "old", "new")}
        table = "" if done.table().empty else parts.table(
            done.table(), t("caption_replay"), empty="", named=heads, wide=["old", "new"], tall=260
        )  # fmt: skip
        parts.put(self._replay, said + table)

    def _added(self, _: Any) -> None:
        page = self.page
        if page.chosen and page.chosen not in page.against:
            page.against = (*page.against, page.chosen)

    async def _replaying(self, _: Any) -> None:
        page, run = self.page, self.page.chosen
        if page.read_only:  # the button is not all that stands between a reader and the work
            page.attempt(self._refuse)
            return
        self._again.disabled = True
        found = await page.work(page.t("replaying"), lambda: page.lab.replay(run))
        if found is not None:
            self._replayed = (run, found)
        await page.apply(self.show)

    def _refuse(self) -> None:
        raise DataError(self.page.t("shell.read_only"))
