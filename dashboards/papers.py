"""What runs left to be read, over HTTP: read only, under the pages' rules of access, and shut off from the pages."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import quote

from tornado.web import RequestHandler

from qtw_lab.core import DataError, LabError
from qtw_lab.lab import Lab
from qtw_lab.lab.runs_papers import Paper, file_of, notebook_of, report_of

#: A paper's scripts may draw its figures and nothing else: `sandbox` gives it an origin of its own, so that it reaches
#: neither the pages nor their cookie, and nothing of it leaves the machine.
_POLICY: Final = (
    "sandbox allow-scripts allow-downloads; default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval'; "
    "style-src 'unsafe-inline'; img-src data: blob:; font-src data:; frame-ancestors 'none'"
)

_KINDS: Final[dict[str, Callable[..., Paper]]] = {"report": report_of, "notebook": notebook_of, "file": file_of}


class _Papers(RequestHandler):
    """One paper of one run."""

    def initialize(self, lab: Lab) -> None:
        self.lab = lab

    def set_default_headers(self) -> None:
        self.set_header("Content-Security-Policy", _POLICY)
        self.set_header("X-Content-Type-Options", "nosniff")
        self.set_header("Referrer-Policy", "no-referrer")
        self.set_header("Cache-Control", "no-store")

    async def get(self, run: str, kind: str, path: str | None = None) -> None:
        """The paper, or why there is none."""
        try:
            paper = await asyncio.to_thread(self._paper, run, kind, path)
        except LabError as err:
            self.set_status(404 if isinstance(err, DataError) else 500)
            self.set_header("Content-Type", "text/plain; charset=utf-8")
            self.finish(f"{err}\n")
            return
        self.set_header("Content-Type", paper.kind)
        if kind == "file":
            self.set_header("Content-Disposition", f"attachment; filename*=UTF-8''{quote(paper.name)}")
        self.finish(paper.content)

    def _paper(self, run: str, kind: str, path: str | None) -> Paper:
        found = self.lab.registry.get(run)
        return _KINDS[kind](found, *([path] if kind == "file" else []))


def routes(lab: Lab) -> list[tuple[str, type[RequestHandler], dict[str, Any]]]:
    """The addresses of papers, for the door."""
    told = {"lab": lab}
    return [(r"/papers/([\w-]+)/(report|notebook)", _Papers, told), (r"/papers/([\w-]+)/(file)/(.+)", _Papers, told)]
