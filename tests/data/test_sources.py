import pandas as pd
import pytest

from qtw_lab.core import Bars
from qtw_lab.data import SAMPLES, Source


@pytest.mark.parametrize("name", sorted(SAMPLES))
def test_every_bundled_data_set_is_a_source(name):
    source = SAMPLES[name]
    assert isinstance(source, Source)
    assert source.name == name
    assert isinstance(source.bars(source.symbols()[:2], end="2012-06-01"), Bars)


@pytest.mark.parametrize("name", sorted(SAMPLES))
def test_a_source_states_its_terms_and_its_caveats(name):
    info = SAMPLES[name].info()
    facts = info.facts()
    assert info.licence.startswith("BSD-3")
    assert any("survivors" in caveat for caveat in info.caveats)
    assert facts["symbols"] == len(info.symbols)
    assert facts["first"] == str(info.first.date())
    assert facts.notes == info.caveats


def test_the_ranges_are_those_of_the_packages():
    stocks, sp500 = SAMPLES["stocks"].info(), SAMPLES["sp500"].info()
    assert (stocks.first, stocks.last) == (pd.Timestamp("2000-03-01", tz="UTC"), pd.Timestamp("2013-03-01", tz="UTC"))
    assert (sp500.first, sp500.last) == (pd.Timestamp("1990-01-02", tz="UTC"), pd.Timestamp("2022-12-28", tz="UTC"))
