"""The pages on Panel's own server: `python -m dashboards.serve`."""

from __future__ import annotations

import argparse
from importlib import import_module

import panel as pn

#: The class of every page, by its key.
CLASSES = {"market": "Market", "realtime": "Realtime", "paper": "Paper", "workbench": "Workbench", "runs": "Runs"}


def page(key: str) -> object:
    """A new page, for one viewer."""
    return getattr(import_module(f"dashboards.{key}"), CLASSES[key])().__panel__()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=8867)
    given = parser.parse_args()
    pn.serve(
        {key: (lambda key=key: page(key)) for key in CLASSES},
        port=given.port,
        address="127.0.0.1",
        show=False,
        websocket_origin=[f"127.0.0.1:{given.port}"],
    )
