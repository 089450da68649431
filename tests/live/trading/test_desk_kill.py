"""`qtw paper run` killed by SIGKILL while its sessions trade, and started again: the account and the desk agree."""

import json
import random
import time

import pytest
from desk_at_work import whole
from desk_processes import Processes

from qtw_lab.lab import desk
from qtw_lab.ledger import Account
from qtw_lab.live.trading.terms import SessionTerms

#: Whole shares, as `qtw paper open` has them.
LOTS = {"allocation": 0.4, "account": Account(lot=1)}
SESSIONS = [
    SessionTerms.given("first", "sma_cross", "SAAAA,SAAAB", "5s", parameters={"fast": 3, "slow": 8}, **LOTS),
    SessionTerms.given("second", "sma_cross", "SAAAA", "5s", parameters={"fast": 1, "slow": 2}, **LOTS),
]


@pytest.mark.parametrize(
    ("kills", "seed"), [(1, 1), pytest.param(5, 2, marks=pytest.mark.slow), pytest.param(5, 3, marks=pytest.mark.slow)]
)
def test_a_desk_that_is_killed_again_and_again_doubles_and_loses_nothing(tmp_path, kills, seed):
    chance, before = random.Random(seed), 0
    with Processes(tmp_path) as run:
        for one in SESSIONS:
            desk.ask(run.settings, {"do": "open", "terms": one.written()})
        run.start()
        run.until(lambda: filled(run) > 2, "traded")
        for kill in range(kills):
            if kill:
                run.start()
                run.until(lambda before=before: heard(run) > before, "at work")
            time.sleep(chance.uniform(0.0, 1.5))  # wherever it is then
            run.kill()
            before, traded = heard(run), filled(run)
        run.start()
        run.until(lambda: filled(run) > traded, "trading again")
        for one in SESSIONS:
            desk.ask(run.settings, {"do": "pause", "session": one.name})
        run.until(lambda: not run.state.open, "done with its orders")
        run.stop()
        whole(run.state, run.broker)
        told = json.loads(run.qtw("paper", "reconcile", "--json"))
        assert all(one["sessions"] + one["others"] == one["broker"] and one["others"] == 0 for one in told)
        assert "Traceback" not in run.said()


def filled(run):
    return sum(order.status == "filled" for order in run.state.orders.values())


def heard(run):
    return sum(len(one.curve) for one in run.state.sleeves.values())
