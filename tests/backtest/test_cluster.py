"""The same table from a cluster of processes, also when one of them dies."""

import os
import signal

import pandas as pd
import pytest

import qtw_lab as qtw
from qtw_lab.core import DataError, SetupError

BARS = qtw.Lab.offline().bars(["AAPL", "IBM"], start="2008-01-01", end="2010-12-31")
GRID = {"fast": range(2, 60), "slow": range(3, 100)}


@pytest.fixture(scope="module")
def cluster():
    """Two worker processes on this machine; they say why when one is killed, which is no fault of the test."""
    from distributed import LocalCluster

    given = {"n_workers": 2, "threads_per_worker": 1, "processes": True, "host": "127.0.0.1", "dashboard_address": None}
    with LocalCluster(**given, silence_logs=50) as made:
        yield made


@pytest.fixture
def client(cluster):
    from distributed import Client

    with Client(cluster) as made:
        made.wait_for_workers(2, timeout=60)  # the test before may have killed some
        yield made


@pytest.fixture(scope="module")
def here():
    return qtw.sweep("sma_cross", BARS, grid=GRID)


def test_a_cluster_gives_the_same_table(client, here):
    there = qtw.sweep("sma_cross", BARS, grid=GRID, client=client)
    pd.testing.assert_frame_equal(there.table, here.table, check_exact=True)
    best = qtw.sweep("sma_cross", BARS, grid=GRID, client=client, top=9)
    pd.testing.assert_frame_equal(best.table, here.table.nlargest(9, "sharpe"), check_exact=True)


def test_an_address_will_do_and_is_checkpointed_as_well(cluster, here, tmp_path):
    there = qtw.sweep("sma_cross", BARS, grid=GRID, client=cluster.scheduler_address, resume=tmp_path / "c")
    pd.testing.assert_frame_equal(there.table, here.table, check_exact=True)
    again = qtw.sweep("sma_cross", BARS, grid=GRID, resume=tmp_path / "c")
    assert again.remarks[0].startswith(f"{here.trials:,} rows come from")


def test_a_worker_that_is_killed_in_the_middle_changes_nothing(client, here):
    victims = list(client.run(os.getpid).values())
    killed = []

    def kill(done, total):
        if done >= total * 0.1 and not killed:
            killed.append(done)
            os.kill(victims[0], signal.SIGKILL)

    there = qtw.sweep("sma_cross", BARS, grid=GRID, client=client, progress=kill)
    assert killed
    assert killed[0] < there.trials
    pd.testing.assert_frame_equal(there.table, here.table, check_exact=True)
    assert there.trials == here.trials


def test_the_loss_of_every_worker_at_once_is_survived(client, here):
    killed = []

    def kill(done, total):
        if done and not killed:
            killed.extend(client.run(os.getpid).values())
            for victim in killed:
                os.kill(victim, signal.SIGKILL)

    there = qtw.sweep("sma_cross", BARS, grid=GRID, client=client, progress=kill)
    assert len(killed) == 2
    pd.testing.assert_frame_equal(there.table, here.table, check_exact=True)


def test_an_error_on_a_worker_is_the_error_of_the_sweep(client):
    with pytest.raises(DataError, match="beyond its stated exposure"):
        qtw.sweep(_Broken, BARS, grid={"window": range(2, 80)}, client=client)


class _Broken(qtw.Strategy):
    """Breaks its promise late."""

    window: int = qtw.param(5, low=2, high=500)

    def signals(self, prices):
        return (prices.close > 0) * (2.0 if self.window == 79 else 1.0)  # not for arrays


def test_what_is_no_cluster_is_refused():
    with pytest.raises(SetupError, match="No Dask scheduler answers at 'nonsense'"):
        qtw.sweep("sma_cross", BARS, grid=GRID, client="nonsense")
    with pytest.raises(DataError, match=r"dask\.distributed\.Client or a scheduler's address"):
        qtw.sweep("sma_cross", BARS, grid=GRID, client=object())
