import pandas as pd
import pytest

from qtw_lab.core import DataError
from qtw_lab.runs.schedule.measures import length, shown_length, size


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30s", 30), ("5m", 300), ("5min", 300), ("2h", 7_200), ("1h30m", 5_400), ("1d", 86_400), ("1.5h", 5_400),
        ("1W", 604_800),
    ],
)  # fmt: skip
def test_a_length_of_time_is_read_in_every_unit(text, seconds):
    assert length(text) == pd.Timedelta(seconds=seconds)


@pytest.mark.parametrize("value", ["", "5", "m5", "5 parsecs", "-5m", "5m later", 300, None, True])
def test_what_is_no_length_of_time_is_refused_with_an_example(value):
    with pytest.raises(DataError, match=r"is not a length of time. Write it as 30s, 5m"):
        length(value)


@pytest.mark.parametrize("text", ["30s", "5m", "2h", "1h30m", "1d", "7d12h"])
def test_a_length_of_time_is_shown_as_it_is_written(text):
    assert shown_length(length(text)) == text


@pytest.mark.parametrize(
    ("text", "count"), [("500MB", 5 * 10**8), ("2 gb", 2 * 10**9), ("1.5GiB", 3 * 2**29), ("64kib", 65_536)]
)
def test_a_size_is_read_in_tens_and_in_twos(text, count):
    assert size(text) == count


@pytest.mark.parametrize("value", ["", "2", "2G", "GB", 2_000, "-1GB", None])
def test_what_is_no_size_is_refused_with_an_example(value):
    with pytest.raises(DataError, match=r"is not a size of memory. Write it as 500MB"):
        size(value)
