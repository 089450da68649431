"""The identity of a configuration, and sketches of returns."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qtw_lab.backtest.trials import STRETCHES, Batch, Trial, identities, sketch, sketches
from qtw_lab.core import DataError

DATA = "a" * 64
VALUES = st.one_of(st.integers(-9, 9), st.booleans(), st.text(max_size=3), st.floats(-9, 9))


@given(st.lists(VALUES, max_size=5))
def test_the_order_of_parameters_does_not_matter(values):
    parameters = dict(zip("abcde", values, strict=False))
    backwards = dict(reversed(parameters.items()))
    assert Trial(DATA, "x", parameters).identity == Trial(DATA, "x", backwards).identity


def test_a_hundred_thousand_configurations_have_as_many_identities():
    codes = np.unravel_index(np.arange(100_000), (100, 100, 10))
    values = {"fast": range(100), "slow": range(100), "band": [0.1 * n for n in range(10)]}
    found = identities("x", {"cash": 1e5}, values, codes)
    assert len(np.unique(found)) == 100_000


def test_names_and_values_do_not_change_places():
    assert len({Trial(DATA, "x", p).identity for p in ({"a": 1, "b": 2}, {"a": 2, "b": 1}, {"a": 1}, {"a": "1"})}) == 4
    assert Trial(DATA, "x", {}).identity != Trial(DATA, "y", {}).identity


def test_a_batch_has_the_identities_of_its_trials():
    batch = Batch(
        fingerprint=DATA, strategy="x", fixed={"cash": 1.0}, values={"n": [1, 2], "on": [False, True]},
        codes=[np.array([0, 1, 1]), np.array([0, 0, 1])], sharpes=np.zeros(3),
    )  # fmt: skip
    alone = [
        Trial(DATA, "x", {"cash": 1.0, "n": n, "on": on}).identity for n, on in ((1, False), (2, False), (2, True))
    ]
    assert batch.identities.tolist() == alone
    assert len(batch) == 3


def test_a_value_that_is_no_plain_one_is_refused():
    with pytest.raises(DataError, match="plain values, not object"):
        _ = Trial(DATA, "x", {"n": object()}).identity


def test_sketches_estimate_the_correlation_of_returns():
    rng = np.random.default_rng(5)
    common = rng.normal(size=(2500, 1))
    returns = 0.01 * (np.sqrt(0.6) * common + np.sqrt(0.4) * rng.normal(size=(2500, 40)))
    drawn = np.array([sketch(column) for column in returns.T])
    pairs = (drawn @ drawn.T)[np.triu_indices(40, 1)]
    assert pairs.mean() == pytest.approx(0.6, abs=0.1)  # one common course of 64 stretches: deviation about 0.05
    assert np.allclose(np.linalg.norm(drawn, axis=1), 1.0, atol=1e-6)


@pytest.mark.parametrize("returns", [[], [0.1], [0.1] * 50, [0.1, np.nan], [np.inf, 0.0]])
def test_returns_without_a_course_have_an_empty_sketch(returns):
    assert not sketch(returns).any()
    assert len(sketch(returns)) == STRETCHES


def test_sketches_of_many_columns_are_those_of_each():
    returns = np.random.default_rng(1).normal(size=(300, 4))
    returns[:, 2] = 0.01
    np.testing.assert_array_equal(sketches(returns), [sketch(column) for column in returns.T])


def test_a_short_history_fills_as_many_stretches_as_it_has_bars():
    assert np.count_nonzero(sketch([0.1, -0.2, 0.3])) == 3


@given(values=st.lists(st.one_of(VALUES, st.integers(-(2**70), 2**70), st.floats(-9, 9).map(np.float64)), min_size=1))
def test_many_values_have_the_identities_they_have_one_by_one(values):
    together = identities("x", {}, {'quoted "name"': values}, [np.arange(len(values))])
    alone = [Trial(DATA, "x", {'quoted "name"': value}).identity for value in values]
    assert together.tolist() == alone


def test_an_identity_and_a_digest_never_change():
    # From the definition, by json.dumps, hashlib and whole numbers of Python alone: ledgers on disk hold such words.
    batch = Batch(
        fingerprint=DATA, strategy="x", fixed={"slow": 20}, values={"fast": [4, 5]}, codes=[np.array([1, 0])],
        sharpes=np.zeros(2),
    )  # fmt: skip
    assert batch.identities.tolist() == [700324372563840918, 5877599531250492877]
    assert batch.digest.hex() == "7dbcd8839c2f423517e5688c91827bf3bc4837ab355683255d9f32616c6aa8d8"
