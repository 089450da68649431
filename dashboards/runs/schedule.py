"""The schedule on the runs page: its entries, what is due next, what ran, and what was missed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import panel as pn

from dashboards import parts
from qtw_lab.lab import runs_agenda, runs_view

if TYPE_CHECKING:
    from dashboards.runs.page import Runs


class Schedule:
    """What runs when."""

    def __init__(self, page: Runs) -> None:
        self.page = page
        self._found: runs_agenda.Agenda | None = None
        self._fault = ""
        self._read: Any = None
        self._wanted: tuple[str, ...] = ()

    def made(self) -> Any:
        """Its layout."""
        t = self.page.t
        states = {t("all_states"): (), t("only_missed"): runs_agenda.MISSED}
        self._only = pn.widgets.Select(label=t("states"), options=states, value=self._wanted, width=240)
        self._only.param.watch(self._narrow, "value")
        self._said = parts.text("")
        self._tables = {name: parts.text("") for name in ("entries", "coming", "past")}
        return pn.Column(
            parts.grid(parts.card(self._said, self._tables["entries"], title=t("schedule"), least=480)),
            parts.grid(
                parts.card(self._tables["coming"], title=t("coming"), least=420),
                parts.card(self._only, self._tables["past"], title=t("past"), least=420),
            ),
            sizing_mode="stretch_width", margin=0,
        )  # fmt: skip

    def stale(self) -> bool:
        """Whether it was written to, or another minute came: what is due next changes with the time alone."""
        return bool(self._read != self._now())

    async def load(self) -> None:
        """Read it."""
        page, self._read = self.page, self._now()
        found = await page.work(page.t("reading_schedule"), lambda: runs_agenda.agenda(page.lab))
        self._fault = "" if found is not None else page.said
        self._found = found or self._found
        self._read = self._now()  # reading it for the first time makes the file
        await page.apply(self.show)

    def _now(self) -> tuple[Any, ...]:
        lab = self.page.lab
        return lab.clock.now().floor("min"), runs_view.stamp(lab.settings, "schedule")

    def show(self) -> None:
        """Show what was read."""
        t, found = self.page.t, self._found
        if found is None:
            fault = parts.message(self._fault, "bad")
            parts.put(self._said, fault if self._fault else parts.message(t("loading"), "busy"))
            return
        kept = parts.message(t("kept", count=len(found.attendants)), "good")
        said = kept if found.kept else parts.message(t("not_kept"), "warn")
        parts.put(self._said, (parts.message(self._fault, "bad") if self._fault else "") + said)
        past = found.past[found.past["state"].isin(self._wanted)] if self._wanted else found.past
        for name, frame, wide in (
            ("entries", found.entries, ["reason"]), ("coming", found.coming, []), ("past", past, ["reason"]),
        ):  # fmt: skip
            heads = {str(column): t(f"plan_{column}") for column in frame}
            markup = parts.table(frame, t(f"caption_{name}"), empty=t(f"no_{name}"), named=heads, wide=wide, tall=320)
            parts.put(self._tables[name], markup)

    def _narrow(self, event: Any) -> None:
        self._wanted = event.new
        self.show()
