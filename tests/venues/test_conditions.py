"""What a trade updates in a bar, against the vendor's table written down a second time in the other direction."""

import numpy as np
import pytest

from qtw_lab.venues.conditions import NO_LAST, daily_effects, effects, rules
from qtw_lab.venues.ticks import OTHER_BIT, condition_mask

#: Alpaca's FAQ, "How are bars aggregated?", read row by row (open and close, high and low, volume; y: only the first):
#: letter, tapes, minute bar, daily bar.
TABLE = """
 |AB|ggg|ggg
@|CO|ggg|ggg
A|C|ggg|ggg
B|AB|rrg|rrg
B|C|ggg|ggg
C|ABCO|rrg|rrg
D|C|ggg|ggg
E|AB|ggg|ggg
F|ABC|ggg|ggg
G|C|rrg|ygg
H|ABC|rrg|rrg
I|ABCO|rrg|rrg
K|ABC|ggg|ggg
L|ABC|ggg|ggg
M|ABC|rrr|rrr
N|ABCO|rrg|rrg
O|ABC|ggg|ggg
P|ABCO|rrg|ygg
Q|ABC|rrr|rrr
R|ABCO|rrg|rrg
T|ABCO|ggg|rrg
U|ABCO|rrg|rrg
V|ABC|rrg|rrg
W|CO|rrg|rrg
X|ABC|ggg|ggg
Y|C|ggg|ggg
Z|ABC|rrg|ygg
4|ABC|rrg|ygg
5|ABC|ggg|ggg
6|ABC|ggg|ggg
7|ABC|rrg|rrg
9|ABC|rrr|ggr
"""
ROWS = [
    (letter, tape, minute, daily)
    for letter, tapes, minute, daily in (line.split("|") for line in TABLE.strip("\n").splitlines())
    for tape in tapes
]
BITS = {"r": 0, "g": 1, "y": 1}


def bits(colours):
    found = sum(BITS[colour] << place for place, colour in enumerate(colours))
    return found | 8 if colours[0] == "y" else found


def minute_effects(conditions, tape, *, extended=True):
    return effects(conditions, tape, extended)


def mask(letters):
    return np.uint64(condition_mask(letters))


@pytest.mark.parametrize(("letter", "tape", "minute", "daily"), ROWS)
def test_every_row_of_the_vendors_table_holds(letter, tape, minute, daily):
    assert minute_effects(mask(letter), ord(tape)) == bits(minute)
    assert daily_effects(mask(letter), ord(tape)) == bits(daily)


@pytest.mark.parametrize(("letter", "tape", "minute", "daily"), ROWS)
def test_beside_a_regular_condition_the_stricter_rule_wins(letter, tape, minute, daily):
    both = mask([letter, "F", "@"])
    assert minute_effects(both, ord(tape)) == bits(minute)
    assert daily_effects(both, ord(tape)) == bits(daily)


def test_the_vendors_own_example_of_several_conditions_holds():
    # FAQ: a Nasdaq trade with @, 4, I updates only the volume of a daily bar; with @ and 4 it sets open and close only
    # if it is the first, and always high, low and volume; with @ alone everything.
    assert daily_effects(mask("@4I"), ord("C")) == 4
    assert daily_effects(mask("@4"), ord("C")) == 1 | 2 | 4 | 8
    assert daily_effects(mask("@"), ord("C")) == 7


def test_form_t_sets_minute_prices_unless_the_tapes_own_rule_is_asked_for():
    assert minute_effects(mask("@T"), ord("C")) == 7
    assert minute_effects(mask("@T"), ord("C"), extended=False) == 4
    assert minute_effects(mask("@TI"), ord("C")) == 4
    assert minute_effects(mask("@"), ord("C"), extended=False) == 7


def test_form_t_out_of_sequence_never_sets_a_price():
    assert minute_effects(mask("@U"), ord("C")) == minute_effects(mask(" U"), ord("A")) == 4


def test_a_trade_without_conditions_or_with_unknown_ones_is_regular():
    assert minute_effects(np.uint64(0), ord("A")) == 7
    assert minute_effects(np.uint64(1 << OTHER_BIT), 0) == 7


def test_rules_are_the_masks_behind_the_effects():
    for tape in "ABCO":
        held = rules(ord(tape))
        for letter in "@ABCDEFGHIKLMNOPQRSTUVWXYZ145679 ":
            one = condition_mask([letter])
            expected = (not held.no_last & one) | (not held.no_range & one) << 1 | (not held.no_volume & one) << 2
            assert minute_effects(np.uint64(one), ord(tape)) == expected, (tape, letter)


def test_a_bunched_trade_of_tape_c_is_an_average_price_trade_of_tape_a():
    assert NO_LAST[0] & condition_mask("B")
    assert not NO_LAST[1] & condition_mask("B")
