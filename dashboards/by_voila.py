"""The pages served by Voila: every open page has a kernel of its own, which ends when its reader leaves."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from tornado.ioloop import IOLoop
from traitlets.config import Config
from voila.app import Voila  # type: ignore[import-untyped]
from voila.tornado.handler import TornadoVoilaHandler  # type: ignore[import-untyped]

from dashboards.serving import Serving
from qtw_lab.lab import Lab
from qtw_lab.lab.publishing_plan import LOOPBACK, Plan

#: Where a page is below the server's address.
PLACE: Final = "voila/render/{}.ipynb"

_NOTEBOOKS: Final = Path(__file__).parent / "pages"


class _Page(TornadoVoilaHandler):  # type: ignore[misc]  # it comes without types
    """A page, with the cookie that its own requests have to repeat."""

    async def get(self, path: str | None = None) -> None:
        """The page."""
        assert self.xsrf_token  # noqa: S101  (asking for it is what sets the cookie)
        await super().get(path)


class _Pages(Voila):  # type: ignore[misc]  # it comes without types
    """Voila behind our door, on the one port that was asked for."""

    serving: Serving

    def init_settings(self) -> dict[str, Any]:
        """As Voila's, with kernels that work where this was started: there lies the `.env`."""
        settings: dict[str, Any] = super().init_settings()
        self.kernel_manager.root_dir = str(Path.cwd())
        return settings

    def init_handlers(self) -> list[Any]:
        """As Voila's, with our pages."""
        return [
            (pattern, _Page if handler is TornadoVoilaHandler else handler, *rest)
            for pattern, handler, *rest in super().init_handlers()
        ]

    def listen(self) -> None:
        """Serve until told to stop."""
        server = self.serving.door(self.app)
        try:
            server.add_sockets(sockets := self.serving.bound())
            self.port, self.ioloop = sockets[0].getsockname()[1], IOLoop.current()
            self.serving.run(self.ioloop, self.port)
        finally:
            server.stop()
            self.stop()


def serve(plan: Plan, lab: Lab, pages: Mapping[str, Callable[[], Any]]) -> None:
    """Serve until told to stop; no kernel is left then. The pages are made in kernels, by their notebooks."""
    del pages
    app = _Pages(config=_config(plan))
    app.serving = Serving(plan, lab, PLACE)
    app.initialize([])
    app.start()


def _config(plan: Plan) -> Config:
    return Config({
        "Voila": {
            "ip": plan.ip, "port": plan.port, "open_browser": False, "root_dir": str(_NOTEBOOKS), "log_level": "WARN",
            "config_file_paths": [],  # what somebody set for other notebooks must not open these pages
            "token": "",  # the door asks for ours
            "tornado_settings": {
                "xsrf_cookies": True, "xsrf_cookie_kwargs": {"samesite": "Strict"},
                "allow_remote_access": plan.ip not in LOOPBACK,
            },
        },
        "VoilaConfiguration": {
            "template": "qtw", "allow_template_override": "NO", "allow_theme_override": "NO", "show_tracebacks": False,
            "preheat_kernel": plan.preheat, "default_pool_size": int(plan.preheat),
            "extension_denylist": ["@pyviz/jupyterlab_pyviz"],  # it looks for parts of JupyterLab that Voila has not
        },
        "MappingKernelManager": {
            "cull_idle_timeout": max(1, round(plan.idle)), "cull_interval": max(1, min(60, round(plan.idle / 3))),
            "cull_connected": False,
        },
    })  # fmt: skip
