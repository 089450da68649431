"""Setups kept by name: laid out again, saved, deleted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import panel as pn

from qtw_lab.lab import workbench as bench

if TYPE_CHECKING:
    from dashboards.workbench.page import Workbench


class Presets:
    """The widgets of the presets.

    Parameters
    ----------
    page : Workbench
        Whose setup is kept and replaced.
    """

    def __init__(self, page: Workbench) -> None:
        self._page = page
        t = page.t
        self._pick = pn.widgets.Select(label=t("preset"), options=[], width=170)
        self._load = pn.widgets.Button(label=t("load"), width=80)
        self._delete = pn.widgets.Button(label=t("delete"), width=80)
        self._name = pn.widgets.TextInput(label=t("preset_name"), value="", width=170)
        self._save = pn.widgets.Button(label=t("save"), width=80, disabled=page.read_only)
        self._load.on_click(lambda _: self.load(str(self._pick.value)))
        self._delete.on_click(lambda _: self.delete(str(self._pick.value)))
        self._save.on_click(lambda _: self.save(str(self._name.value or "").strip()))
        self.view = [self._pick, self._load, self._delete, self._name, self._save]
        self._show()

    def _show(self, chosen: str | None = None) -> None:
        page = self._page
        names = page.attempt(lambda: bench.presets(page.lab)) or []
        value = chosen if chosen in names else next(iter(names), None)
        self._pick.param.update(options=names or {page.t("no_presets"): ""}, value=value or "")
        self._load.disabled = not names
        self._delete.disabled = not names or page.read_only

    def load(self, name: str) -> None:
        """Lay out the setup that was kept under a name."""
        page = self._page
        setup = page.attempt(lambda: bench.preset(page.lab, name, page.state.own))
        if setup is not None:
            page.lay_out(setup)
            page.say(page.t("loaded", name=name), "good")

    def save(self, name: str) -> None:
        """Keep the setup under a name."""
        page, setup = self._page, self._page.state.setup
        if page.read_only:
            page.say(page.t("shell.read_only"), "warn")
        elif setup is None:
            page.say(next(iter(page.state.problems.values())), "bad")
        elif page.attempt(lambda: bench.keep(page.lab, name, setup)):
            self._show(name)
            page.say(page.t("saved", name=name), "good")

    def delete(self, name: str) -> None:
        """Keep it no longer."""
        page = self._page
        if page.read_only:
            page.say(page.t("shell.read_only"), "warn")
        elif page.attempt(lambda: bench.forget(page.lab, name)):
            self._show()
            page.say(page.t("deleted", name=name), "good")
