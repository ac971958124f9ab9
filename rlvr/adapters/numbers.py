"""A verdict as numbers under keys that never change: what verl and OpenRLHF can log.

Both take the keys of the first row for all rows, and both average. So a status or a cause is one
number each, 1 or 0, whose mean is its share; and a key is there whether or not it says something.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence

from rlvr.core.verdict import Cause, Scored, Status, Unscored, Verdict


def numbers(
    verdict: Verdict,
    components: Sequence[str],
    own: Collection[str],
    nothing: float = math.nan,
) -> dict[str, float]:
    """The verdict in numbers.

    Args:
        verdict: of one row.
        components: the names that are reported; another that the verdict has is left out.
        own: those among them that this row's verifier has. One that a scored row didn't come to
            (behind a gate that stayed shut) earned 0.
        nothing: stands where there's no number: for the score and the components of an unscored
            row, and for what belongs to the other environments of a mixture.

    Returns:
        `score`, the reward; `scored`, 1 or 0; `status/<status>` and `cause/<cause>`, 1 for the one
        it has; `component/<name>`.
    """
    status = verdict.status if isinstance(verdict, Scored) else None
    cause = verdict.cause if isinstance(verdict, Unscored) else None
    parts = verdict.components if isinstance(verdict, Scored) else {}
    if isinstance(verdict, Scored):
        parts = dict.fromkeys(own, 0.0) | parts
    return {
        "score": verdict.reward if isinstance(verdict, Scored) else nothing,
        "scored": float(verdict.scored),
        **{f"status/{one}": float(one is status) for one in Status},
        **{f"cause/{one}": float(one is cause) for one in Cause},
        **{f"component/{name}": parts.get(name, nothing) for name in components},
    }
