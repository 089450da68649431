"""`qtw.sweep` and `qtw.search`: the functions of their modules, which also count what they tried."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import replace
from typing import ParamSpec

from qtw_lab.backtest.batches import batches_of, sketched_rows, with_sketches
from qtw_lab.backtest.recording import UNCOUNTED, default_ledger
from qtw_lab.backtest.search import search as _search
from qtw_lab.backtest.sweep import sweep as _sweep
from qtw_lab.backtest.swept import Sweep
from qtw_lab.backtest.trial_ledger import TrialLedger
from qtw_lab.core import LabError

P = ParamSpec("P")


def counted_sweep(made: Sweep, ledger: TrialLedger | None = None) -> Sweep:
    """The sweep, entered into a ledger (by default this machine's), which from now on states its trial count.

    A sweep that is in the ledger already is not looked into again.
    """
    known = default_ledger() if ledger is None else ledger
    plain = batches_of(made, sketched=False)
    if not known.holds(plain, sketched_rows(made)):
        known.add_batches(with_sketches(made, plain))
    return replace(made, ledger=known)


def _counting(function: Callable[P, Sweep]) -> Callable[P, Sweep]:
    """The function, whose outcome is entered into the ledger of this machine's storage folder."""

    @functools.wraps(function)
    def made(*args: P.args, **kwargs: P.kwargs) -> Sweep:
        found = function(*args, **kwargs)
        try:
            return counted_sweep(found)
        except LabError as err:
            return replace(found, remarks=(*found.remarks, UNCOUNTED.format(err)))

    return made


sweep = _counting(_sweep)
search = _counting(_search)
