"""A server of one page that writes down when it is asked for news, and when it was ended: a process for tests."""

import sys
from pathlib import Path

import panel as pn

from dashboards import by_panel
from dashboards.shell import Page
from qtw_lab.lab import Lab
from qtw_lab.lab.publishing_plan import Plan


class Counting(Page):
    """Writes a line for everything that happens to it."""

    key = "market"
    period = 250

    def content(self):
        return [pn.pane.HTML("<p>Counting</p>")]

    def refresh(self):
        self._note("refreshed")

    def stop(self):
        super().stop()
        self._note("stopped")

    def _note(self, word):
        with Path(sys.argv[1]).open("a") as file:
            file.write(word + "\n")


if __name__ == "__main__":
    by_panel._UNUSED, by_panel._LOOKED = 1_000, 500
    lab = Lab.from_settings()
    by_panel.serve(Plan.from_json(sys.stdin.readline()), lab, {"market": lambda: Counting(lab).__panel__()})
