"""The realtime profile: names, defaults, bounds, and every fault at once."""

import json

import numpy as np
import pytest

from qtw_lab.core import DataError
from qtw_lab.live.momentum import MomentumThreshold
from qtw_lab.live.profile import Profile, checked, load, template
from qtw_lab.strategies import SmaCross

#: What the reference documents (sections, names, defaults).
REFERENCE = {
    "universe": {
        "max_symbols": 1200, "top_n": 1000, "min_price": 2.0, "min_dollar_volume": 5e6, "min_volume": 200_000,
        "score_weights": {"dollar_volume": 1.0, "change_pct": 0.15, "volume": 0.05}, "symbols": None,
    },
    "focus": {"size": 200, "max_churn_per_refresh": 20, "min_residence_seconds": 300},
    "engine": {
        "universe_refresh_seconds": 900, "focus_refresh_seconds": 60, "bar_timeframe": "1Min", "bar_limit": 300,
        "feed": "sip", "log_every_seconds": 30, "stream_enabled": True, "stream_trades": True, "stream_quotes": True,
        "stream_url": None, "bar_interval_seconds": 1, "bar_aggregate_seconds": 5, "stale_seconds": 2.5,
        "reconnect_seconds": 5,
    },
    "signals": {
        "lookback_bars": 3, "entry_threshold": 0.002, "exit_threshold": 0.001, "min_volume": 10_000,
        "max_spread_bps": 25,
    },
}  # fmt: skip


def faults_of(content):
    with pytest.raises(DataError) as raised:
        checked(content)
    return str(raised.value).splitlines()[1:]


def test_the_reference_profile_is_read_and_is_what_an_empty_one_means():
    assert checked(REFERENCE) == checked({}) == Profile()


def test_every_default_of_the_reference_is_written_out():
    written = json.loads(Profile().to_json())
    for section, values in REFERENCE.items():
        assert {name: written[section][name] for name in values} == values


def test_what_is_written_is_read_back(tmp_path):
    profile = checked(
        {
            "universe": {"symbols": "aapl, MSFT"},
            "engine": {"feed": "iex", "stream_url": "ws://127.0.0.1:9/v2/iex"},
            "strategy": {"name": "blend", "parameters": {"members": [{"strategy": "macd", "parameters": {}}]}},
        }
    )
    path = tmp_path / "profile.json"
    path.write_text(profile.to_json(), encoding="utf-8")
    assert load(path) == profile
    assert load(path).universe.symbols == ("AAPL", "MSFT")
    assert load(str(path)).built().name == "blend"


@pytest.mark.parametrize("given", ["", [], None])
def test_no_symbols_means_all_active_assets(given):
    assert checked({"universe": {"symbols": given}}).universe.symbols is None


def test_the_default_strategy_is_made_from_the_thresholds():
    profile = checked({"signals": {"lookback_bars": 7, "entry_threshold": 0.01, "exit_threshold": 0.004}})
    assert profile.built() == MomentumThreshold(lookback=7, entry=0.01, exit=0.004)


def test_a_named_strategy_takes_its_parameters():
    profile = checked({"strategy": {"name": "sma_cross", "parameters": {"fast": 5, "slow": 20}}})
    assert profile.built() == SmaCross(fast=5, slow=20)
    named = checked({"strategy": {"name": "momentum_threshold", "parameters": {"lookback": 9}}})
    assert named.built() == MomentumThreshold(lookback=9)


def test_a_strategy_can_be_given_by_its_name_with_its_parameters_beside_it():
    content = {"strategy": "sma_cross", "parameters": {"fast": 5, "slow": 20}}
    profile = checked(content)
    assert profile == checked({"strategy": {"name": "sma_cross", "parameters": {"fast": 5, "slow": 20}}})
    assert content == {"strategy": "sma_cross", "parameters": {"fast": 5, "slow": 20}}
    assert checked({"strategy": "macd"}).built().name == "macd"


def test_all_faults_are_told_at_once_with_key_value_and_bounds():
    lines = faults_of(
        {
            "universe": {"max_symbols": 50, "min_price": "2", "score_weights": {"volume": -1}},
            "focus": {"size": 0, "max_churn_per_refresh": 2.5},
            "engine": {"bar_limit": 6000, "stream_enabled": "yes", "stale_seconds": float("nan"), "feed": "sipp"},
            "signals": {"max_spread_bps": 0},
        }
    )
    assert lines == [
        "- universe.max_symbols is 50; it must be a whole number from 100 up to 20000.",
        "- universe.min_price is '2'; it must be a finite number from 0 up to 1000000.",
        "- universe.score_weights.volume is -1; it must be a finite number from 0 up to 1000.",
        "- focus.size is 0; it must be a whole number from 1 up to 10000.",
        "- focus.max_churn_per_refresh is 2.5; it must be a whole number from 0 up to 10000.",
        "- engine.bar_limit is 6000; it must be a whole number from 10 up to 5000.",
        "- engine.feed is 'sipp'; it must be one of 'sip', 'iex', 'delayed_sip', 'test', 'simulator' or 'replay'.",
        "- engine.stream_enabled is 'yes'; it must be true or false.",
        "- engine.stale_seconds is nan; it must be a finite number from 0.1 up to 3600.",
        "- signals.max_spread_bps is 0; it must be a finite number above 0 up to 10000.",
    ]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ({"foccus": {}}, "- foccus is not known. Did you mean 'focus'?"),
        ({"universe": {"topn": 5}}, "- universe.topn is not known. Did you mean 'top_n'?"),
        ({"universe": {"score_weights": {"volum": 1}}}, "- universe.score_weights.volum is not known. Did you mean"),
        ({"focus": {"zzz": 1}}, "- focus.zzz is not known. Known here: size, max_churn_per_refresh, min_residence"),
        ({"strategy": {"nam": "macd"}}, "- strategy.nam is not known. Did you mean 'name'?"),
        ({"strategy": {"name": "sma_crss"}}, "- strategy: There is no strategy 'sma_crss'. Did you mean 'sma_cross'"),
        ({"strategy": {"name": "sma_cross", "parameters": {"fst": 1}}}, "- strategy: There is no parameter of sma_c"),
        ({"strategy": {"name": "sma_cross", "parameters": {"fast": 0}}}, "- strategy: sma_cross: fast=0 is out of r"),
        ({"strategy": 5}, "- strategy is 5; it must be an object with keys and values."),
        ({"strategy": "smacross"}, "- strategy: There is no strategy 'smacross'. Did you mean 'sma_cross'"),
        ({"strategy": "sma_cross", "parameters": {"fast": 0}}, "- strategy: sma_cross: fast=0 is out of range"),
        ({"strategy": "sma_cross", "parameters": 3}, "- strategy.parameters is 3; it must be"),
        ({"parameters": {"fast": 5}}, "- parameters belong to a strategy that is named beside them"),
        ({"strategy": {"name": "macd"}, "parameters": {}}, "- parameters belong to a strategy that is named beside"),
        ({"engine": {"bar_aggregate_seconds": 7}}, "- engine.bar_aggregate_seconds: bars of [1, 7, 60] seconds cannot"),
        ({"engine": {"window": "some"}}, "- engine.window is 'some'; it must be one of 'all' or 'memory'."),
        ({"focus": 3}, "- focus is 3; it must be an object with keys and values."),
        ({"universe": {"top_n": 1201}}, "- universe.top_n: 1201 is above max_symbols=1200."),
        ({"universe": {"symbols": ["A A"]}}, "- universe.symbols: 'A A' is not a symbol"),
        ({"universe": {"symbols": 5}}, "- universe.symbols: A symbol must be text"),
        ({"signals": {"exit_threshold": 0.5}}, "- signals.exit_threshold: 0.5 is above entry_threshold=0.002."),
        ({"engine": {"stream_url": "http://x"}}, "- engine.stream_url: it must begin with ws:// or wss://."),
        ({"engine": {"bar_timeframe": "1M"}}, "- engine.bar_timeframe: '1M' may mean minutes or months."),
        (
            {"engine": {"bar_interval_seconds": 2}},
            "- engine.bar_aggregate_seconds: 5 is no multiple of bar_interval_seconds=2.",
        ),
    ],
)  # fmt: skip
def test_a_fault_is_told_in_words(content, told):
    (line,) = faults_of(content)
    assert line.startswith(told)


def test_a_threshold_above_its_default_counterpart_is_refused():
    with pytest.raises(DataError, match=r"exit_threshold: 0\.001 is above entry_threshold=0\.0005"):
        checked({"signals": {"entry_threshold": 0.0005}})


@pytest.mark.parametrize("content", [[], 5, None, "x"])
def test_a_profile_is_an_object(content):
    with pytest.raises(DataError, match="must be an object with sections universe, focus"):
        checked(content)


def test_a_file_that_is_not_there_says_so(tmp_path):
    with pytest.raises(DataError, match="cannot be read"):
        load(tmp_path / "none.json")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('{"focus": {"size": 5,}}', r"is not JSON: .* line 1, column"),
        ('{"focus": {"size": 5, "size": 6}}', "gives size more than once"),
        ('{"signals": {"min_volume": NaN}}', "has NaN, which is no JSON number"),
        ('{"focus": {"size": -5}}', "profile.json has 1 fault"),
    ],
)
def test_a_broken_file_says_where(tmp_path, text, told):
    path = tmp_path / "profile.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=told):
        load(path)


def test_a_file_that_is_not_text_says_so(tmp_path):
    path = tmp_path / "profile.json"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match="cannot be read"):
        load(path)


def test_templates_are_profiles_and_differ_in_the_length_of_their_bars():
    assert template("retail_minute").engine.bar_aggregate_seconds == 60
    assert template("retail_second").engine.bar_aggregate_seconds == 5
    with pytest.raises(DataError, match="Did you mean 'retail_minute'"):
        template("retail_minutes")


def test_levels_are_interval_aggregate_and_a_minute():
    engine = checked({"engine": {"bar_interval_seconds": 2, "bar_aggregate_seconds": 120}}).engine
    assert engine.levels == (2, 60, 120)
    assert template("retail_minute").engine.levels == (1, 60)


def test_a_profile_cannot_be_changed():
    with pytest.raises(ValueError, match="frozen"):
        Profile().focus.size = 3


def test_numbers_of_other_libraries_are_refused_rather_than_guessed():
    (line,) = faults_of({"focus": {"size": np.float64(5.0)}})
    assert line.startswith("- focus.size is")
