"""Which row is chosen, on paper."""

import numpy as np
import pytest

from qtw_lab.research.choosing import CRITERIA, best_row

NAN = float("nan")


@pytest.mark.parametrize(
    ("scores", "row"),
    [
        ([[1.0], [3.0], [3.0]], 1),  # the first of equal ones
        ([[1.0, 3.0], [2.5, 2.5]], 1),  # the mean over accounts decides
        ([[9.0, NAN], [1.0, 1.0]], 1),  # a row that another account cannot judge is out
        ([[9.0, NAN], [NAN, 1.0]], 0),  # unless no row is judged by all
        ([[1.0, NAN], [2.0, NAN]], 1),  # an account that judges nothing has no vote
        ([[NAN], [NAN]], None),
    ],
)
def test_the_best_row(scores, row):
    assert best_row(np.array(scores)) == row


def test_of_every_criterion_more_is_better():
    good, bad = np.array([0.02, -0.01] * 20), np.array([0.01, -0.02] * 20)
    for name, criterion in CRITERIA.items():
        assert criterion(good, 252.0) > criterion(bad, 252.0), name
