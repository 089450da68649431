"""The ledger of trials, under the name of the room that judges by it; it is kept where backtests are counted."""

from qtw_lab.backtest.trial_ledger import TrialLedger
from qtw_lab.backtest.trials import Trial
from qtw_lab.backtest.tried import Tried

__all__ = ["Trial", "TrialLedger", "Tried"]
