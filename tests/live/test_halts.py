"""Who is halted, told from statuses, and from trades where the notice was missed."""

import numpy as np

from qtw_lab.live.halts import Halts
from qtw_lab.venues.ticks import STATUS, TICK, TRADE, condition_mask, packed

SECOND = 10**9


def status(symbol, seconds, code, reason="", tape="C"):
    row = np.zeros(1, dtype=TICK)
    row["kind"], row["symbol"], row["time"], row["flag"] = STATUS, symbol, int(seconds * SECOND), ord(code)
    row["conditions"], row["tape"] = packed(reason), ord(tape)
    return row


def trade(symbol, seconds, conditions="@"):
    row = np.zeros(1, dtype=TICK)
    row["kind"], row["symbol"], row["time"], row["tape"] = TRADE, symbol, int(seconds * SECOND), ord("C")
    row["conditions"] = condition_mask(conditions)
    return row


def test_a_symbol_alone_does_not_halt_the_market_but_all_of_the_focus_do():
    halts = Halts()
    halts.take(status(0, 1, "H", "T1"))
    assert halts
    assert not halts.market([0, 1])
    assert halts.market([0])
    halts.take(status(1, 2, "P", "LUDP"))
    assert halts.market([0, 1])
    halts.take(status(1, 3, "T", "T3"))
    assert not halts.market([0, 1])


def test_a_market_wide_halt_is_known_by_its_reason_on_every_tape():
    for code, reason, tape in (("H", "MWC1", "C"), ("H", "MWC3", "C"), ("2", "2", "A"), ("2", "1", "B")):
        halts = Halts()
        halts.take(status(0, 1, code, reason, tape))
        assert halts.market([0, 1, 2])
        halts.take(status(0, 2, "3" if tape != "C" else "T", "", tape))
        assert not halts.market([0, 1, 2])
        assert not halts
    other = Halts()
    other.take(status(0, 1, "H", "2", "C"))  # no reason of tape C
    assert not other.market([0, 1])


def test_a_quotation_resumption_is_no_trading_and_an_old_notice_no_news():
    halts = Halts()
    halts.take(status(0, 5, "H", "T1"))
    halts.take(status(0, 6, "Q", "T1"))
    halts.take(status(0, 4, "T"))
    assert halts.market([0])


def test_a_trade_that_sets_a_price_a_second_after_the_halt_began_ends_it():
    halts = Halts()
    halts.take(np.concatenate([status(0, 5, "H"), status(1, 5, "H")]))
    assert len(halts.take(np.concatenate([trade(0, 5.9), trade(0, 9, "I"), trade(1, 4)]))) == 0
    missed = halts.take(np.concatenate([trade(0, 8), trade(0, 7), trade(2, 9)]))
    assert missed[["kind", "symbol", "time", "flag"]].tolist() == [(STATUS, 0, 7 * SECOND, ord("T"))]
    assert halts.market([1])
    assert not halts.market([0, 1])


def test_a_symbol_that_is_not_listened_to_any_more_is_forgotten():
    halts = Halts()
    halts.take(status(3, 1, "H", "MWC2"))
    halts.forget([3, 4])
    assert not halts
    assert not halts.market([0])
