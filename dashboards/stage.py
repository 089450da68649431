"""Panel made ready for a Jupyter kernel or its own server, so that nothing is asked of the network."""

from __future__ import annotations

import base64
import contextlib
from functools import cache
from typing import Any

import panel as pn
import panel.reactive
import panel.theme.base
from bokeh.models import ImportedStyleSheet
from IPython import get_ipython
from panel.io import resources

from dashboards.look import House

#: Parts of Panel beyond its core that pages use.
_EXTENSIONS = ("tabulator",)

_patch_stylesheet = resources.patch_stylesheet


def in_kernel() -> bool:
    """Whether a Jupyter kernel shows our pages: a notebook in JupyterLab, or Voila."""
    return getattr(get_ipython(), "kernel", None) is not None


def ready() -> bool:
    """Load Panel for the place we are in; whether that place is a kernel."""
    kernel = in_kernel()
    if kernel:
        _kernel_ready()
    else:
        # Every session of Panel's server has a configuration of its own, so this is done for each reader.
        pn.extension(*_EXTENSIONS, design=House)
    return kernel


@cache
def _kernel_ready() -> None:
    # Panel's default asks a CDN for scripts; other combinations show a dead picture.
    pn.extension(*_EXTENSIONS, comms="ipywidgets", inline=True, design=House)
    for module in (resources, panel.reactive, panel.theme.base):
        vars(module)["patch_stylesheet"] = _inlined


def _inlined(stylesheet: ImportedStyleSheet, dist_url: str) -> None:
    """Do what Panel's own function of this place does, but turn links to its CDN into the files' contents.

    It is internal to Panel 1.9, which is why pyproject.toml holds Panel below 1.10; a test looks for links that stay.
    """
    _patch_stylesheet(stylesheet, dist_url)
    with contextlib.suppress(Exception):  # Bokeh's own error of a property that is not set yet, which Panel passes over
        url = str(stylesheet.url)
        if url.startswith(resources.CDN_DIST):
            stylesheet.url = _content(url)


@cache
def _content(url: str) -> str:
    """A file of Panel's distribution as a data address."""
    file: Any = resources.DIST_DIR / url.removeprefix(resources.CDN_DIST).partition("?")[0]
    return "data:text/css;base64," + base64.b64encode(file.read_bytes()).decode("ascii")
