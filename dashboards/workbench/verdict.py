"""The verdict at the workbench: what is judged, the answer, its reasons in order, and every question that was put."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Final

import panel as pn

from dashboards import parts
from dashboards.workbench.result import lead
from qtw_lab.core import Facts

if TYPE_CHECKING:
    from dashboards.workbench.page import Workbench

_MOODS: Final[dict[str, parts.Mood]] = {
    "supported": "good", "fragile": "warn", "not distinguishable from luck": "bad",
}  # fmt: skip


class VerdictCards:
    """The verdict on the right side of the workbench.

    Parameters
    ----------
    page : Workbench
        Whose result is judged.
    """

    def __init__(self, page: Workbench) -> None:
        self._page = page
        t = page.t
        self._subject = pn.widgets.Select(label=t("judge"), options={t("judge_backtest"): "backtest"}, width=320)
        self._go = pn.widgets.Button(label=t("judge_run"), color="primary")
        self._go.on_click(page.judge)
        self._words, self._lead, self._answers = parts.text(""), parts.text(""), parts.text("")
        self._rest = [parts.card(self._lead), parts.card(self._answers, title=t("questions"))]
        says = parts.text(f'<p class="muted">{html.escape(t("judge_says"))}</p>')
        self.view = [parts.card(says, parts.row(self._subject, self._go), self._words, title=t("verdict")), *self._rest]
        self.show()

    @property
    def subject(self) -> str:
        """What is to be judged: backtest or sweep."""
        return str(self._subject.value)

    def enable(self, *, on: bool) -> None:
        """Let it be judged, or not; and offer what there is."""
        state, t = self._page.state, self._page.t
        options = {t("judge_backtest"): "backtest"} if state.outcome is not None else {}
        if state.swept is not None:
            options[t("judge_sweep")] = "sweep"
        if self._subject.options != options:
            kept = (
                self._subject.value if self._subject.value in options.values() else next(iter(options.values()), None)
            )
            self._subject.param.update(options=options, value=kept)
        self._go.disabled = not on or not options

    def show(self) -> None:
        """Show the verdict, or what to do for one."""
        report, t = self._page.state.report, self._page.t
        for card in self._rest:
            card.visible = report is not None
        if report is None:
            self._words.object = parts.message(t("no_verdict"))
            return
        key = str(report.verdict).replace(" ", "_")
        reasons = "".join(f"<li>{html.escape(reason)}</li>" for reason in report.reasons)
        judged = html.escape(self._page.state.judged)
        self._words.object = (
            f"{parts.message(t(f'verdict_{key}_means'), _MOODS[report.verdict], t(f'verdict_{key}'))}"
            f'<p class="muted">{judged}</p><h3>{html.escape(t("reasons"))}</h3><ol>{reasons}</ol>'
        )
        self._lead.object = lead(self._page, Facts(report.facts().title, report.lead, report.notes))
        columns = {name: t(f"column_{name}") for name in ("question", "answer", "why")}
        self._answers.object = parts.table(
            report.answers, t("questions"), empty="", named=columns, wide=("question", "why"), tall=2000
        )  # fmt: skip
