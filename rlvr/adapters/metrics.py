"""A verdict as numbers under constant keys, for the logs of verl and OpenRLHF.

Both take the keys of the first row for all rows, and average the values. So each status and each cause is a number of its
own, 1 or 0, whose mean is its share; and every key is always there.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence

from rlvr.core.verdict import Cause, Scored, Status, Unscored, Verdict


def verdict_metrics(
    verdict: Verdict,
    components: Sequence[str],
    own_components: Collection[str],
    missing: float = math.nan,
) -> dict[str, float]:
    """Return a row's verdict as numbers.

    Args:
        verdict: The row's verdict.
        components: The names to report; other components of the verdict are left out.
        own_components: The names that this row's verifier has. A component that was not evaluated, because a gate
            failed, counts as 0.
        missing: The value without a number: the score and components of an unscored row, and the components of a
            mixture's other environments.

    Returns:
        `score`, the reward; `scored`, 1 or 0; `status/<status>` and `cause/<cause>`, 1 for the verdict's own and 0 for
        the others; `component/<name>`.
    """
    status = verdict.status if isinstance(verdict, Scored) else None
    cause = verdict.cause if isinstance(verdict, Unscored) else None
    parts = verdict.components if isinstance(verdict, Scored) else {}
    if isinstance(verdict, Scored):
        parts = dict.fromkeys(own_components, 0.0) | parts
    return {
        "score": verdict.reward if isinstance(verdict, Scored) else missing,
        "scored": float(verdict.scored),
        **{f"status/{member}": float(member is status) for member in Status},
        **{f"cause/{member}": float(member is cause) for member in Cause},
        **{f"component/{name}": parts.get(name, missing) for name in components},
    }
