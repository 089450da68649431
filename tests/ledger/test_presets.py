"""Fee schedules: every preset against a bill worked out on paper."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest

from qtw_lab.core import DataError
from qtw_lab.ledger import Costs
from qtw_lab.ledger.costs import commission, sale_fees
from qtw_lab.ledger.presets import CURRENT, KNOWN_TO, REGULATORY, name_of, regulatory


def bill(costs: Costs, quantity: float, price: float, *, maker: bool = False) -> float:
    """All fees of one fill."""
    amount = abs(quantity) * price
    bps = costs.maker_bps if maker and costs.maker_bps is not None else costs.commission_bps
    own = commission(
        amount, quantity, bps, costs.commission_per_share, costs.commission_min, costs.commission_per_order,
        costs.commission_max_fraction, costs.fees_per_share,
    )  # fmt: skip
    return own + sale_fees(amount, quantity, costs.sell_fee_bps, costs.sell_fee_per_share, costs.sell_fee_per_share_max)


@pytest.mark.parametrize(
    ("day", "quantity", "price", "wanted"),
    [
        # a buy pays the audit trail alone: 1,000 x 0.000003
        ("2026-11-20", 1000, 50.0, 0.003),
        # 50,000 x 20.60 / 1,000,000 = 1.03; no TAF in the last quarter of 2026; audit trail 0.003
        ("2026-11-20", -1000, 50.0, 1.033),
        # 1.03 + 1,000 x 0.000195 + 0.003
        ("2026-09-30", -1000, 50.0, 1.228),
        # the TAF of 100,000 shares, 19.50, ends at 9.79; 100,000 x 2 x 0.0000206 = 4.12; audit trail 0.30
        ("2026-09-30", -100_000, 2.0, 14.21),
        # before 2026-04-04 nothing for the SEC: 0.195 + 0.003
        ("2026-04-03", -1000, 50.0, 0.198),
        # before 2026 the TAF was 0.000166: 0.166 + 0.003
        ("2025-12-31", -1000, 50.0, 0.169),
        # 50,000 x 27.80 / 1,000,000 = 1.39 on the last day of that rate
        ("2025-05-13", -1000, 50.0, 1.559),
        ("2025-05-14", -1000, 50.0, 0.169),
        # the limit of 2025: 60,000 x 0.000166 = 9.96 ends at 8.30; 120,000 x 0.0000278 = 3.336; audit trail 0.18
        ("2025-01-02", -60_000, 2.0, 11.816),
    ],
)
def test_alpaca_charges_for_shares_what_paper_says(day, quantity, price, wanted):
    assert bill(Costs.alpaca_equities(day), quantity, price) == pytest.approx(wanted, abs=1e-9)


@pytest.mark.parametrize(
    ("quantity", "price", "wanted"),
    [
        (1000, 50.0, 3.703),  # 1,000 x 0.0035, clearing 1,000 x 0.0002, audit trail 1,000 x 0.000003
        (-1000, 50.0, 4.928),  # and 50,000 x 0.0000206 = 1.03, and 1,000 x 0.000195
        (50, 100.0, 0.36015),  # least commission 0.35; 50 x 0.000203
        (2, 10.0, 0.200406),  # 1% of 20 wins over 0.35; 2 x 0.000203
    ],
)
def test_interactive_brokers_charges_what_paper_says(quantity, price, wanted):
    assert bill(Costs.interactive_brokers_tiered("2026-09-30"), quantity, price) == pytest.approx(wanted, abs=1e-9)


def test_alpaca_crypto_charges_makers_less_and_both_sides_alike():
    costs = Costs.alpaca_crypto()
    for quantity in (0.5, -0.5):
        assert bill(costs, quantity, 60_000.0) == pytest.approx(75.0)  # 30,000 x 0.25%
        assert bill(costs, quantity, 60_000.0, maker=True) == pytest.approx(45.0)  # 30,000 x 0.15%


def test_other_crypto_venues_state_their_rates():
    costs = Costs.crypto(maker_bps=0, taker_bps=10)
    assert bill(costs, 1.0, 1000.0) == pytest.approx(1.0)
    assert bill(costs, 1.0, 1000.0, maker=True) == 0.0
    with pytest.raises(DataError, match="commission_bps=-1 must be zero or more"):
        Costs.crypto(maker_bps=0, taker_bps=-1)
    with pytest.raises(TypeError):
        Costs.crypto(taker_bps=10)


# --- dates ----------------------------------------------------------------------------------------------------------


def test_without_a_date_the_rates_of_late_2026_count():
    assert date(2026, 11, 1) <= CURRENT <= KNOWN_TO
    assert Costs.alpaca_equities() == Costs.alpaca_equities("2026-11-20") == Costs.alpaca_equities(CURRENT)
    assert Costs.interactive_brokers_tiered() == Costs.interactive_brokers_tiered(date(2026, 10, 1))


def test_the_table_is_in_order_and_each_entry_begins_on_its_day():
    days = [entry.since for entry in REGULATORY]
    assert days == sorted(set(days))
    for earlier, later in pairwise(REGULATORY):
        assert regulatory(later.since) is later
        assert regulatory(later.since - timedelta(days=1)) is earlier
    assert regulatory(KNOWN_TO) is REGULATORY[-1]


@pytest.mark.parametrize("day", ["2024-05-21", "2027-01-01", "1999-01-01", date(2030, 1, 1)])
@pytest.mark.parametrize("preset", [Costs.alpaca_equities, Costs.interactive_brokers_tiered])
def test_a_date_with_unknown_rates_is_refused_with_the_known_ones(preset, day):
    with pytest.raises(DataError, match=r"known from 2024-05-22 to 2026-12-31, and .* lies outside"):
        preset(day)


@pytest.mark.parametrize("day", ["yesterday", "", "2026-13-01", 20260101, datetime(2026, 5, 1, tzinfo=UTC), True])
def test_what_is_no_date_is_refused(day):
    with pytest.raises(DataError, match=r"as_of=.* date"):
        Costs.alpaca_equities(day)


# --- names ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("entry", REGULATORY)
def test_a_preset_is_named_in_one_line_with_the_day_of_its_rates(entry):
    alpaca = Costs.alpaca_equities(entry.since).describe()
    brokers = Costs.interactive_brokers_tiered(entry.since).describe()
    assert alpaca.startswith(f"Alpaca equities (fees of {entry.since}): ")
    assert brokers.startswith(f"Interactive Brokers tiered (fees of {entry.since}): commission per share 0.0035, ")
    assert "\n" not in alpaca + brokers


def test_spread_and_interest_beside_a_preset_leave_its_name():
    costs = replace(Costs.alpaca_equities("2026-09-30"), spread_bps=2, margin_rate=0.07)
    assert costs.describe() == (
        "Alpaca equities (fees of 2026-04-04): fees per share 3e-06, sell fee bps 0.206, sell fee per share 0.000195, "
        "sell fee per share max 9.79, spread bps 2, margin rate 0.07"
    )


def test_a_preset_with_another_fee_loses_the_name():
    assert replace(Costs.alpaca_equities(), commission_bps=1).describe().startswith("commission bps 1, ")
    assert replace(Costs.alpaca_crypto(), maker_bps=10).describe() == "commission bps 25, maker bps 10"
    assert name_of({}) == ""
    assert Costs().describe() == "none (free trading)"


def test_no_preset_is_free():
    for costs in (Costs.alpaca_equities(), Costs.alpaca_crypto(), Costs.interactive_brokers_tiered()):
        assert not costs.free
        assert eval(repr(costs)) == costs
