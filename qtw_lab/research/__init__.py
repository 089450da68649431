"""Is the edge real? For now: the ledger of trials, which counts every configuration ever tried."""

from qtw_lab.research.trials import Trial, TrialLedger

__all__ = ["Trial", "TrialLedger"]
