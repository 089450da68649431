"""When an order can fill: plain scalar functions, which the engine compiles as they stand."""

from __future__ import annotations


def limit_met(side: float, limit: float, price: float) -> bool:
    """Whether the price is at or better than the limit of an order.

    Parameters
    ----------
    side : float
        1 for a buy, -1 for a sell.
    limit, price : float
        In account currency.

    Examples
    --------
    >>> limit_met(1.0, 99.0, 98.5), limit_met(-1.0, 99.0, 98.5)
    (True, False)
    """
    return side * price <= side * limit


def stop_met(side: float, stop: float, price: float) -> bool:
    """Whether the price is at or beyond the stop of an order.

    Parameters
    ----------
    side : float
        1 for a buy, -1 for a sell.
    stop, price : float
        In account currency.

    Examples
    --------
    >>> stop_met(1.0, 101.0, 101.0), stop_met(-1.0, 101.0, 101.5)
    (True, False)
    """
    return side * price >= side * stop


def trail_level(side: float, best: float, amount: float, fraction: float) -> float:
    """Price at which a trailing stop stands.

    Parameters
    ----------
    side : float
        1 for a buy (it follows a falling price down), -1 for a sell.
    best : float
        Best price seen since the order works: the highest for a sell, the lowest for a buy.
    amount, fraction : float
        Distance in account currency and as a fraction of `best`; one of them is 0.

    Examples
    --------
    >>> trail_level(-1.0, 110.0, 5.0, 0.0), trail_level(-1.0, 110.0, 0.0, 0.1)
    (105.0, 99.0)
    """
    return best + side * (amount + fraction * best)


def stop_level(side: float, average: float, best: float, loss: float, trailing: float, amount: float) -> float:
    """Price of a position's protective stop; infinitely far on its losing side if it has none.

    Parameters
    ----------
    side : float
        1 for a long position, -1 for a short one.
    average, best : float
        Mean price paid, and best price since the position was opened.
    loss, trailing, amount : float
        `Stops.stop_loss`, `Stops.trailing` and `Stops.trailing_amount`; 0 for none.

    Examples
    --------
    >>> stop_level(1.0, 100.0, 120.0, 0.05, 0.1, 0.0), stop_level(-1.0, 100.0, 100.0, 0.05, 0.0, 0.0)
    (108.0, 105.0)
    """
    level = -float("inf")
    if loss > 0.0:
        level = side * (average * (1.0 - side * loss))
    if trailing > 0.0:
        level = max(level, side * (best * (1.0 - side * trailing)))
    if amount > 0.0:
        level = max(level, side * best - amount)
    return side * level


def target_level(side: float, average: float, gain: float) -> float:
    """Price of a position's target; infinitely far on its winning side if it has none.

    Parameters
    ----------
    side : float
        1 for a long position, -1 for a short one.
    average : float
        Mean price paid.
    gain : float
        `Stops.take_profit`; 0 for none.

    Examples
    --------
    >>> target_level(1.0, 100.0, 0.25), target_level(-1.0, 100.0, 0.25)
    (125.0, 75.0)
    """
    return average * (1.0 + side * gain) if gain > 0.0 else side * float("inf")
