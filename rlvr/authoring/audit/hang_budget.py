"""`HangBudget`: the time that an audit may spend on hanging verifications, and the pace of the others."""

from __future__ import annotations

from collections.abc import Sequence

from rlvr.core.errors import RlvrError
from rlvr.core.verdict import Cause, Unscored, Verdict

_BUDGET_S = 30.0
_SHORT_S = 0.5
_FEW, _MANY = 8, 128
_UNKNOWN = 32  # first verdicts, during which any verification may still hang


class HangBudgetSpentError(RlvrError):
    """The verifier has hung too often to be called again."""


class HangBudget:
    """The remaining time for verifications that hang.

    Attributes:
        hung_s: seconds of the batches in which a verification was killed.
    """

    def __init__(self) -> None:
        self.hung_s = 0.0
        self._verdicts = 0
        self._whole_s = 0.0
        self._whole_verdicts = 0

    @property
    def pace_s(self) -> float:
        """The mean seconds per verification in batches that came back whole.

        Not those of the slowest batch: the first one in a fresh worker loads data, and a probe that took that for
        the verifier's pace would measure its hack floor on two tasks.
        """
        return self._whole_s / max(self._whole_verdicts, 4)

    @property
    def batch(self) -> int:
        """The size of the next batch: small until verdicts are known to come back."""
        return _FEW if self.hung_s or self._verdicts < _UNKNOWN else _MANY

    @property
    def limit_s(self) -> float | None:
        """The limit of one verification: short if many have hung; None for the verifier's own."""
        return _SHORT_S if self.hung_s > _BUDGET_S / 3 else None

    def check(self) -> None:
        """Raise `HangBudgetSpentError` if the budget is spent."""
        if self.hung_s > _BUDGET_S:
            raise HangBudgetSpentError(
                f"verifications hung for {self.hung_s:.0f} s altogether (see always-a-verdict), so the "
                f"verifier isn't called any more"
            )

    def spend(self, seconds: float, verdicts: Sequence[Verdict]) -> None:
        """Count the time and the verdicts of a batch."""
        self._verdicts += len(verdicts)
        if any(map(hung, verdicts)):
            self.hung_s += seconds
        else:
            self._whole_s += seconds
            self._whole_verdicts += len(verdicts)


def hung(verdict: Verdict) -> bool:
    """Return True if a verification was killed for its time, by no fault of the response."""
    return isinstance(verdict, Unscored) and verdict.cause is Cause.TIMEOUT
