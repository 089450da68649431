"""What the laboratory says of worlds whose truth is known, beside what it has to say: all measures, in order.

Every measure takes the number of worlds, always the first so many, and gives figures with the bounds they are held to.
"""

from __future__ import annotations

from collections.abc import Callable

import alarms
import edges
import nulls
from figures import Figure

#: What the page says, by its headings.
SECTIONS: dict[str, tuple[Callable[[], list[Figure]], ...]] = {
    "Gains where nothing can be gained": (nulls.centres, nulls.engines),
    "P-values where nothing can be found": (
        nulls.single_p_values,
        nulls.many_p_values,
        nulls.swept_p_values,
        nulls.overfitting,
    ),
    "Verdicts where there is nothing but luck": (
        alarms.false_alarms,
        alarms.false_alarms_alone,
        alarms.false_alarms_of_copies,
        alarms.verdicts_without_edge,
    ),
    "Verdicts where there is an edge": (
        edges.trend_ratio,
        edges.gates_with_edge,
        edges.verdicts_with_edge,
        edges.verdicts_on_spikes,
        edges.deflations,
        edges.detection,
    ),
}
