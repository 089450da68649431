"""Every strategy of the house keeps the contract on real bars and gives the answers written down for it.

The answers are `golden/<name>.csv`: the decisions of the default parameters on some hundred bars, and a SHA-256 of all
of them. After a change that is meant to change decisions, write them anew with

    pytest tests/contracts/test_strategies.py --regenerate-golden

and read the difference before committing it.
"""

from __future__ import annotations

import hashlib
import json
import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from qtw_lab import strategies as st
from qtw_lab.strategies.laws import LAWS

GOLDEN = Path(__file__).parent / "golden"


def pytest_generate_tests(metafunc):
    if metafunc.cls is not None and "strategy" in metafunc.fixturenames:
        names = ["default", *(f"example {k}" for k in range(1, len(metafunc.cls.examples)))]
        metafunc.parametrize("strategy", metafunc.cls.examples, ids=names)


class StrategyContract:
    """What every strategy inherits; a subclass names examples, the default parameters first."""

    examples: tuple[st.Strategy, ...]
    #: Laws that cannot apply; every other one has to be tested, not just unbroken.
    exempt: frozenset[str] = frozenset()

    @pytest.fixture(scope="class")
    @classmethod
    def bars(cls, stocks):
        return stocks

    @pytest.fixture(scope="class")
    @classmethod
    def reports(cls, bars):
        return {repr(example): st.check(example, bars) for example in cls.examples}

    @pytest.mark.parametrize("law", ["shape", *LAWS])
    def test_keeps_the_law(self, reports, strategy, law):
        finding = reports[repr(strategy)][law]
        expected = None if law in self.exempt or (law == "window-invariant" and strategy.memory is None) else True
        assert finding.passed is expected, finding.evidence

    def test_decides_on_both_sides_of_real_data(self, strategy, bars):
        decisions = strategy.decide(st.Panel.of(bars))
        assert np.isfinite(decisions).any()
        assert (decisions > 0).any()

    def test_gives_the_answers_written_down(self, bars, request):
        default = self.examples[0]
        assert default == type(default)()
        decisions = default.decide(st.Panel.of(bars)) + 0.0
        path = GOLDEN / f"{default.name}.csv"
        if request.config.getoption("--regenerate-golden", default=False):
            path.write_text(written(default, bars, decisions), encoding="utf-8")
            pytest.skip(f"{path.name} was written anew; read the difference")
        stated = dict(line[2:].split(": ", 1) for line in path.read_text().splitlines() if line.startswith("# "))
        assert stated["bars"] == bars.fingerprint, "other bars than the answers were made from: regenerate them"
        answers = pd.read_csv(path, comment="#", index_col="date")
        rows = bars.index.get_indexer(pd.DatetimeIndex(answers.index, tz="UTC"))
        np.testing.assert_allclose(decisions[rows], answers.to_numpy(dtype=float), rtol=0, atol=1e-9)
        assert stated["sha256"] == digest(decisions)

    def test_survives_being_written_as_json(self, strategy):
        plain = json.loads(json.dumps(strategy.parameters))
        assert st.strategy(strategy.name, **plain) == strategy

    def test_survives_the_way_to_another_process(self, strategy):
        assert pickle.loads(pickle.dumps(strategy)) == strategy

    def test_is_frozen_and_can_be_a_key(self, strategy):
        assert {strategy: 1}[type(strategy)(**{f: getattr(strategy, f) for f in type(strategy).declared()})] == 1
        with pytest.raises(AttributeError):
            strategy.scope = "universe"

    def test_is_a_row_of_the_table_under_its_own_name(self, strategy):
        assert st.STRATEGIES[strategy.name] is type(strategy)


def digest(decisions) -> str:
    """SHA-256 of all decisions, NaN in one form, rounded so that the last bits of a processor do not count."""
    rounded = np.where(np.isnan(decisions), np.nan, np.round(decisions, 8) + 0.0)
    return hashlib.sha256(rounded.astype("<f8").tobytes()).hexdigest()


def written(strategy, bars, decisions) -> str:
    """A golden file: every 15th bar and up to 150 bars at which a decision changed."""
    same = (decisions[1:] == decisions[:-1]) | (np.isnan(decisions[1:]) & np.isnan(decisions[:-1]))
    changed = np.flatnonzero(~same.all(axis=1)) + 1
    rows = np.union1d(np.arange(0, len(decisions), 15), changed[:: max(1, len(changed) // 150)])
    dates = pd.Index(bars.index[rows].strftime("%Y-%m-%d"), name="date")
    table = pd.DataFrame(decisions[rows].round(12), index=dates, columns=list(bars.symbols))
    head = f"# strategy: {strategy!r}\n# bars: {bars.fingerprint}\n# sha256: {digest(decisions)}\n"
    return head + table.to_csv()


class TestBuyAndHold(StrategyContract):
    examples = (st.BuyAndHold(),)
    exempt = frozenset({"parameter columns"})  # it has no parameters


class TestSmaCross(StrategyContract):
    examples = (st.SmaCross(), st.SmaCross(fast=1, slow=2, short=True), st.SmaCross(fast=50, slow=200))


class TestEmaCross(StrategyContract):
    examples = (st.EmaCross(), st.EmaCross(fast=1, slow=3), st.EmaCross(fast=12, slow=26, short=True))


class TestMacd(StrategyContract):
    examples = (st.Macd(), st.Macd(fast=5, slow=35, signal=5, short=True), st.Macd(signal=1))

    def test_decides_on_both_sides_of_real_data(self, strategy, bars):
        if strategy.signal == 1:
            decisions = strategy.decide(st.Panel.of(bars))
            assert np.nanmax(decisions) == 0.0  # a line is never above itself
        else:
            super().test_decides_on_both_sides_of_real_data(strategy, bars)


class TestRsiReversion(StrategyContract):
    examples = (st.RsiReversion(), st.RsiReversion(short=True), st.RsiReversion(window=2, low=10, exit=60, high=90))


class TestBollingerReversion(StrategyContract):
    examples = (st.BollingerReversion(), st.BollingerReversion(short=True), st.BollingerReversion(window=5, width=1))


class TestDonchianBreakout(StrategyContract):
    examples = (
        st.DonchianBreakout(),
        st.DonchianBreakout(entry=55, exit=20),
        st.DonchianBreakout(entry=20, short=True),
        st.DonchianBreakout(entry=1, exit=30),
    )


class TestTimeSeriesMomentum(StrategyContract):
    examples = (st.TimeSeriesMomentum(), st.TimeSeriesMomentum(lookback=1), st.TimeSeriesMomentum(short=False))


class UniverseContract(StrategyContract):
    """A strategy that compares symbols."""

    exempt = frozenset({"symbols apart", "parameter columns"})


class TestCrossSectionalMomentum(UniverseContract):
    examples = (
        st.CrossSectionalMomentum(),
        st.CrossSectionalMomentum(lookback=60, skip=0, top=0.5, rebalance="week"),
        st.CrossSectionalMomentum(top=0.4, short=True, rebalance="quarter"),
        st.CrossSectionalMomentum(lookback=20, skip=5, short=True, rebalance="bar"),
    )


class TestCrossSectionalMomentumOfTwentyStocks(UniverseContract):
    examples = (st.CrossSectionalMomentum(), st.CrossSectionalMomentum(short=True, rebalance="year"))

    @pytest.fixture(scope="class")
    @classmethod
    def bars(cls, large_caps):
        return large_caps

    test_gives_the_answers_written_down = None  # they are written down for the other bars, in the class above


class TestVolatilityTrend(UniverseContract):
    examples = (
        st.VolatilityTrend(),
        st.VolatilityTrend(lookback=20, window=100, target=0.4, cap=3.0),
        st.VolatilityTrend(short=False, cap=0.5),
    )


class TestPairs(UniverseContract):
    examples = (st.Pairs(), st.Pairs(window=20, entry=1.0))

    @pytest.fixture(scope="class")
    @classmethod
    def bars(cls, stocks):
        return stocks.select(["IBM", "MSFT"])


class TestBlend(UniverseContract):
    examples = (
        st.Blend(),
        st.Blend(members=(st.SmaCross(), st.Macd()), target_volatility=0.15),
        st.Blend(
            members=(st.SmaCross(), st.VolatilityTrend(cap=2.0)), shares=(0.3, 0.7), target_volatility=0.1, cap=2.0
        ),
        st.Blend(members=(st.DonchianBreakout(), st.CrossSectionalMomentum(lookback=100)), target_volatility=0.2),
        st.Blend(members=(st.Blend(members=(st.EmaCross(), st.BuyAndHold())), st.TimeSeriesMomentum())),
    )


def test_every_row_of_the_table_has_a_contract_class():
    tested = {type(kind.examples[0]) for kind in _subclasses(StrategyContract) if hasattr(kind, "examples")}
    assert tested == set(st.STRATEGIES.values())


def test_no_golden_file_is_left_over():
    assert {path.stem for path in GOLDEN.glob("*.csv")} == set(st.STRATEGIES)


def _subclasses(kind):
    for child in kind.__subclasses__():
        yield child
        yield from _subclasses(child)
