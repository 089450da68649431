"""What every strategy promises, checked on real bars: no peeking, no hidden memory, no surprises in a sweep."""

from __future__ import annotations

import html
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

import pandas as pd

from qtw_lab.core import Bars, DataError
from qtw_lab.core.lookup import lookup
from qtw_lab.strategies import laws
from qtw_lab.strategies.base import Panel, Strategy

_VERDICTS: Final = {True: "kept", False: "broken", None: "not tested"}


@dataclass(frozen=True, slots=True)
class Finding:
    """Whether one law is kept.

    Parameters
    ----------
    law : str
        Name of the law.
    passed : bool or None
        None if the law does not apply or these bars cannot test it; the evidence says which.
    evidence : str
        One sentence; for a broken law it names the first offending bar and symbol.
    """

    law: str
    passed: bool | None
    evidence: str


@dataclass(frozen=True, slots=True)
class ContractReport:
    """The findings on one strategy, one a law.

    Parameters
    ----------
    strategy : str
        The strategy with its parameters.
    findings : tuple of Finding
        In the order of `check`; ``report["causal"]`` is one of them.
    """

    strategy: str
    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """Whether no law is broken."""
        return all(finding.passed is not False for finding in self.findings)

    def __getitem__(self, law: str) -> Finding:
        return lookup(law, {finding.law: finding for finding in self.findings}, "law in this report")

    def table(self) -> pd.DataFrame:
        """One row a law: `verdict` ("kept", "broken" or "not tested") and `evidence`, indexed by law."""
        rows = [(_VERDICTS[finding.passed], finding.evidence) for finding in self.findings]
        names = pd.Index([finding.law for finding in self.findings], name="law")
        return pd.DataFrame(rows, index=names, columns=["verdict", "evidence"])

    def raise_if_broken(self) -> None:
        """Raise `AssertionError` with the evidence of every broken law; do nothing if there is none."""
        if not self.ok:
            raise AssertionError(str(self))

    def _repr_html_(self) -> str:
        rows = "".join(
            f'<tr><th scope="row" style="text-align:left">{html.escape(f.law)}</th>'
            f'<td style="text-align:left">{_VERDICTS[f.passed]}</td>'
            f'<td style="text-align:left">{html.escape(f.evidence)}</td></tr>'
            for f in self.findings
        )
        verdict = "keeps its contract" if self.ok else "breaks its contract"
        caption = f'<caption style="text-align:left"><b>{html.escape(self.strategy)} {verdict}</b></caption>'
        return f'<table class="qtw-contract">{caption}<tbody>{rows}</tbody></table>'

    def __str__(self) -> str:
        shown = [finding for finding in self.findings if self.ok or finding.passed is False]
        head = f"{self.strategy} {'keeps' if self.ok else 'breaks'} its contract."
        return "\n".join((head, *(f"- {f.law} {_VERDICTS[f.passed]}: {f.evidence}." for f in shown)))


def check(strategy: Strategy, bars: Bars, cuts: Iterable[int] | None = None) -> ContractReport:
    """Whether `strategy` keeps the laws every strategy here must keep, with evidence.

    The laws are tested on `bars` as given and on a copy in which a symbol lists late and two symbols have holes,
    because some ways of peeking (``bfill``) show only there.

    - shape: one decision a bar and symbol.
    - bars unmodified: the prices are read, never written.
    - deterministic: the same bars give the same decisions.
    - exposure: no decision is infinite or beyond `exposure`.
    - warmup: NaN for the first `warmup` bars, finite from then on (unless the strategy `holds`).
    - causal: the decisions on the first n bars are the first n decisions on all bars.
    - window-invariant: the last `memory` bars give the decision that the whole history gives.
    - symbols apart: a column alone decides as it does among others (scope "symbol").
    - parameter columns: arrays of parameters decide as each parameter set does alone (scope "symbol").

    Parameters
    ----------
    strategy : Strategy
        Ours or yours.
    bars : Bars
        Some hundred bars; to test the memory, more than `strategy.memory`.
    cuts : iterable of int, optional
        How many first bars are known at each cut, each from 1 to T; chosen for you by default.

    Raises
    ------
    DataError
        If the bars are too few to see a decision, or a cut lies outside them. What the strategy itself raises comes
        through, with a note on the bars it was given.

    Notes
    -----
    `memory` and `warmup` count bars that exist: a window reaches back over a hole until each symbol has that many
    bars in it, and so have the symbols of a universe together. Decisions are equal within 1e-9; stances of -1, 0 and
    1, therefore, exactly.

    Examples
    --------
    >>> import numpy as np
    >>> class Peek(Strategy):
    ...     '''Buys before it rises.'''
    ...     def signals(self, prices):
    ...         return np.where(np.roll(prices.close, -1, axis=0) > prices.close, 1.0, 0.0)
    >>> dates = pd.date_range("2024-01-01", periods=60, tz="UTC")
    >>> bars = Bars.from_frame(pd.DataFrame({"close": 10 + np.sin(np.arange(60.0))}, index=dates), symbol="X")
    >>> report = check(Peek(), bars)
    >>> report.ok, report["causal"].passed, report["exposure"].passed
    (False, False, True)
    """
    warmup = strategy.warmup
    if len(bars) < warmup + 20:
        raise DataError(
            f"{strategy.name} needs {warmup} bars to warm up, so {len(bars)} bars show too few decisions: "
            f"give at least {warmup + 20}."
        )
    chosen = None if cuts is None else sorted({int(cut) for cut in cuts})
    if chosen is not None and (not chosen or chosen[0] < 1 or chosen[-1] > len(bars)):
        raise DataError(f"Cuts are numbers of first bars from 1 to {len(bars)}, not {chosen[:10]}.")
    given = Panel.of(bars)
    fits, evidence = laws.shape(strategy, given)
    findings = [Finding("shape", fits, evidence)]
    if fits:
        panels = (("the bars as given", given), ("a copy with a late listing and holes", laws.damaged(given, warmup)))
        trials = [laws.Trial.of(strategy, panel, bars, label, chosen) for label, panel in panels]
        findings += [_over(law, judge, trials) for law, judge in laws.LAWS.items()]
    else:
        findings += [Finding(law, None, "the shape is wrong, so this was not looked at") for law in laws.LAWS]
    return ContractReport(repr(strategy), tuple(findings))


def _over(law: str, judge: Callable[[laws.Trial], laws.Judgement], trials: Iterable[laws.Trial]) -> Finding:
    """The finding of one law over all trials: the first break, else what was tested, else why nothing was."""
    judged = [judge(trial) for trial in trials]
    verdicts = [passed for passed, _ in judged]
    if False in verdicts:
        return Finding(law, *judged[verdicts.index(False)])
    verdict = True if True in verdicts else None
    return Finding(law, verdict, "; ".join(dict.fromkeys(text for passed, text in judged if passed is verdict)))
