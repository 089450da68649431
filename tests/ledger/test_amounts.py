from decimal import Decimal

from qtw_lab.ledger.amounts import number, plain, price


def test_amounts_are_plain_and_exact():
    assert [plain(Decimal(text)) for text in ("1E+3", "0.10", "-0", "12.3400")] == ["1000", "0.1", "0", "12.34"]
    assert number(0.1) + number(0.2) == Decimal("0.3")
    assert [number(value) for value in ("nan", "inf", "", None, [1], True)] == [None] * 6
    assert price(0.1 + 0.2) == Decimal("0.3")
