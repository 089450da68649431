"""One set of rules for money: what a trade costs, how large it is, when it is stopped, what the account allows."""

from qtw_lab.ledger.account import Account
from qtw_lab.ledger.costs import Costs
from qtw_lab.ledger.entry import Entry
from qtw_lab.ledger.sizing import Sizing
from qtw_lab.ledger.stops import Stops

__all__ = ["Account", "Costs", "Entry", "Sizing", "Stops"]
