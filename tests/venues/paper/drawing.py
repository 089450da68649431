"""What the machine of orders draws: rows of two symbols around 100 and 20 dollars, orders, changes and troubles."""

from decimal import Decimal

from growing import NAMES
from hypothesis import strategies as st

from qtw_lab.ledger.tickets import Exit, Ticket

BASE = {"AAA": Decimal(100), "BBB": Decimal(20)}
QUARTER = Decimal("0.25")
#: Of a session: where the clock may be put.
PLACES = ("early", "opens", "closes", "late")

symbols = st.sampled_from(NAMES)
fives = st.integers(-40, 40).map(lambda level: level * Decimal("0.05"))
quarters = st.integers(-8, 8).map(lambda level: level * Decimal("0.25"))
spreads = st.sampled_from([Decimal(0), Decimal("0.05"), Decimal("0.1"), Decimal("0.5001")])
#: What a row is, what lies between it and the one before in seconds, its price and what it shows.
rows = st.tuples(
    st.sampled_from(["quote"] * 5 + ["trade"] * 4 + ["odd lot", "outside", "bid only", "ask only"]),
    symbols, st.sampled_from([1, 2, 7, 40, 200]), fives, spreads, st.sampled_from([0, 1, 5, 8, 25, 300]),
)  # fmt: skip
troubles = st.sampled_from([""] * 6 + ["restart before", "restart after", "disk 0", "disk 1"])
sizes = st.one_of(
    st.integers(1, 60).map(Decimal),
    st.sampled_from(["held", "held", Decimal("0.5"), Decimal("2.125"), Decimal("7.000000001"), "$100", "$33.33"]),
)
beyonds = st.sampled_from([None, None, Decimal("0.5")])
steps_away = st.integers(1, 6)
sides = st.sampled_from(["buy", "buy", "sell"])
picks = st.integers(0, 10**6)
simple = st.fixed_dictionaries(
    {
        "symbol": symbols, "side": sides, "life": st.sampled_from(["day", "day", "gtc", "gtc", "ioc", "fok"]),
        "kind": st.sampled_from(["market", "limit", "limit", "stop", "stop_limit"]), "size": sizes, "limit": fives,
        "stop": quarters, "extended": st.booleans(), "again": st.integers(0, 15),
    }
)  # fmt: skip
entries = st.fixed_dictionaries(
    {
        "symbol": symbols, "side": sides, "life": st.sampled_from(["day", "gtc"]),
        "kind": st.sampled_from(["market", "market", "limit", "stop"]), "size": st.integers(1, 40).map(Decimal),
        "limit": fives, "stop": quarters, "up": steps_away, "down": steps_away,
    }
)  # fmt: skip
pairs = st.fixed_dictionaries(
    {
        "pick": picks, "life": st.sampled_from(["day", "gtc"]), "less": st.integers(0, 3), "middle": quarters,
        "up": steps_away, "down": steps_away,
    }
)  # fmt: skip
replacements = st.fixed_dictionaries(
    {
        "what": st.sampled_from(["qty", "prices", "both", "life"]), "more": st.integers(-12, 12), "limit": fives,
        "stop": quarters,
    }
)  # fmt: skip
whose = st.tuples(picks, st.sampled_from(["open", "open", "open", "all"]))


def quarters_of(amount):
    return (amount * 4).to_integral_value() / 4


def ticket(wish):
    """A wish in the broker's words."""
    return Ticket(
        wish.symbol, wish.side, wish.kind, wish.life, qty=wish.qty, notional=wish.notional, limit_price=wish.limit,
        stop_price=wish.stop, extended_hours=wish.extended, shape=wish.shape, client_order_id=wish.name,
        target=None if wish.target is None else Exit(limit=wish.target),
        stop_loss=None if wish.stop_loss is None else Exit(wish.stop_loss_limit, wish.stop_loss),
    )  # fmt: skip
