"""How the desk and its broker are, what to do where something is missing, and the account's figures."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

from dashboards import parts
from qtw_lab.lab.desk_view import DeskSeen

if TYPE_CHECKING:
    from dashboards.paper.page import Paper
    from qtw_lab.core import LabError

_MOODS: dict[str, parts.Mood] = {
    "none": "", "asleep": "warn", "starting": "busy", "at work": "good", "hung": "bad",
}  # fmt: skip
#: What is typed to get further, by stage; `qtw paper run` begins a desk as well.
_COMMANDS = {
    "no keys": (
        "qtw simulator serve", "export ALPACA_TRADING_REST_URL=http://127.0.0.1:8765",
        "export ALPACA_DATA_REST_URL=http://127.0.0.1:8765 ALPACA_DATA_WS_URL=ws://127.0.0.1:8765/v2/sip",
        "export ALPACA_API_KEY_ID=sim-key ALPACA_API_SECRET_KEY=sim-secret",
    ),
    "none": ("qtw paper run",),
    "asleep": ("qtw paper run",),
}  # fmt: skip


class State:
    """The card of the desk's state and the account's figures."""

    def __init__(self, page: Paper) -> None:
        self._page = page
        self._desk, self._figures = (
            parts.text(parts.message(page.t("loading"), "busy"), margin=(0, 0, 8, 0)),
            parts.text(""),
        )
        self.view = parts.card(self._desk, self._figures, title=page.t("desk"), least=480, grow=2)

    def show(self, seen: DeskSeen) -> None:
        """Say how things are."""
        t, found = self._page.t, []
        if seen.link == "no keys":
            found.append(self._notice(t("no_keys"), "warn", "no keys"))
        elif seen.link == "silent":
            words = t("silent", seconds=int(seen.unanswered))
            found.append(parts.message(f"{words} {seen.trouble}".strip(), "bad"))
        if seen.limits_trouble:
            found.append(parts.message(seen.limits_trouble, "bad"))
        if seen.stage != "none" or seen.link != "no keys":
            seconds = int(seen.silent or 0)
            words = t(f"stage.{seen.stage.replace(' ', '_')}", process=seen.process, seconds=seconds)
            found.append(self._notice(words, _MOODS[seen.stage], seen.stage))
        parts.put(self._desk, "".join(found))
        account = seen.account
        parts.put(self._figures, "" if account is None else self._page.figures(account, self._figures_of(seen)))

    @staticmethod
    def _figures_of(seen: DeskSeen) -> list[str]:
        """Which of the account's figures are worth a box: that it is open goes without saying."""
        found = [] if seen.account is None else [fact.name for fact in seen.account]
        return [name for name in found if name != "blocked" or seen.account["blocked"] != "open"]  # type: ignore[index]  # it is there

    def trouble(self, error: LabError | None) -> None:
        """Say why there is no picture of the desk, if so."""
        if error is not None:
            parts.put(self._desk, parts.message(str(error), "bad"))

    @staticmethod
    def _notice(words: str, mood: parts.Mood, stage: str) -> str:
        """A notice with the commands that help, to be copied."""
        commands = _COMMANDS.get(stage, ())
        typed = f'<pre class="qtw">{html.escape(chr(10).join(commands))}</pre>' if commands else ""
        return parts.message(words, mood) + typed
