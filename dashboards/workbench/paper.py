"""From the workbench to paper: a session of the terms that were tested, or why there can be none."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Any

import panel as pn

from dashboards import parts
from qtw_lab.lab import workbench as bench

if TYPE_CHECKING:
    from dashboards.workbench.page import Workbench


class PaperCards:
    """The way to the paper desk on the right side of the workbench.

    Parameters
    ----------
    page : Workbench
        Whose outcome is sent.
    """

    def __init__(self, page: Workbench) -> None:
        self._page = page
        t, state = page.t, page.state
        self._name = pn.widgets.TextInput(label=t("session_name"), value=state.session["name"], width=200)
        self._part = pn.widgets.FloatInput(
            label=t("session_allocation"), value=state.session["allocation"], step=0.05, width=200
        )
        self._interval = pn.widgets.TextInput(label=t("session_interval"), value=state.session["interval"], width=200)
        for key, widget in (("name", self._name), ("allocation", self._part), ("interval", self._interval)):
            widget.param.watch(lambda event, key=key: state.session.__setitem__(key, event.new), "value")
        self._go = pn.widgets.Button(label=t("send"), color="primary")
        self._go.on_click(page.send)
        self._what, self._reason, self._done = parts.text(""), parts.text(""), parts.text("")
        form = parts.row(self._name, self._part, self._interval, self._go)
        says = parts.text(f'<p class="muted">{html.escape(t("paper_says"))}</p>')
        self.view = [parts.card(says, self._what, self._reason, form, self._done, title=t("paper"))]
        self.enable(on=True)
        self.show()

    def reason(self) -> str:
        """Why nothing can be sent, and what to do; empty if it can."""
        page, outcome = self._page, self._page.state.outcome
        if page.read_only:
            return page.t("shell.read_only")
        hindered = bench.hindrance(page.lab.settings, None if outcome is None else outcome.setup)
        return hindered or ("" if outcome is not None else page.t("paper_first"))

    def enable(self, *, on: bool) -> None:
        """Let it be sent, or say why not."""
        reason = self.reason()
        self._go.disabled = not on or bool(reason)
        self._reason.object = parts.message(reason, "warn") if reason else ""
        outcome = self._page.state.outcome
        what = "" if outcome is None else repr(outcome.setup.strategy)
        self._what.object = f"<p>{html.escape(self._page.t('paper_what', what=what))}</p>" if what else ""

    def show(self) -> None:
        """Say what was done."""
        said = self._page.state.sent
        self._done.object = f'<div role="status">{parts.message(said, "good")}</div>' if said else ""

    def terms(self, outcome: bench.Outcome) -> Any:
        """The session that is to be opened."""
        given = self._page.state.session
        return bench.session_terms(self._page.lab, outcome.setup, given["name"], given["allocation"], given["interval"])
