"""A server of pages: `python -m dashboards.serve`, as `qtw dashboards` starts it, with its plan on standard input."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any, Final

from qtw_lab.core import LabError
from qtw_lab.lab import Lab
from qtw_lab.lab.publishing_plan import Plan

#: The class of every page, by its key.
CLASSES: Final = {
    "market": "Market",
    "realtime": "Realtime",
    "paper": "Paper",
    "workbench": "Workbench",
    "runs": "Runs",
}


def page(key: str) -> Any:
    """A new page, for one reader."""
    return getattr(import_module(f"dashboards.{key}"), CLASSES[key])().__panel__()


def main() -> int:
    """Serve pages as planned until told to stop; 1 if that cannot be."""
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    plan = Plan.from_json(sys.stdin.readline())
    try:
        serve(plan)
    except LabError as err:
        _refuse(str(err))
    except ImportError as err:
        _refuse(
            f"{err.name or 'A part'} of the pages is not installed. Install it with: pip install 'qtw-lab[dashboards]'"
        )
    else:
        return 0
    return 1


def serve(plan: Plan) -> None:
    """Serve pages until told to stop; of the two servers only the one that is asked for is loaded."""
    import_module(f"dashboards.by_{plan.kind}").serve(plan, Lab.from_settings(), {key: _maker(key) for key in CLASSES})


def _maker(key: str) -> Callable[[], Any]:
    """What makes a page; Panel calls functions only, not whatever else can be called."""
    return lambda: page(key)


def _refuse(why: str) -> None:
    """Say to whoever started this why there are no pages."""
    sys.stdout.write(json.dumps({"error": why}) + "\n")


if __name__ == "__main__":
    sys.exit(main())
