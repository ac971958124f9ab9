"""How long an audit waits for a verifier that hangs, and how quick one is that doesn't."""

from __future__ import annotations

from collections.abc import Sequence

from rlvr.core.errors import RlvrError
from rlvr.core.verdict import Cause, Unscored, Verdict

_PATIENCE_S = 30.0
_SHORT_S = 0.5
_FEW, _MANY = 8, 128
_UNKNOWN = 32  # verdicts, before which nobody knows whether they come back


class HangBudgetSpentError(RlvrError):
    """The verifier has hung too often to be asked further."""


class HangBudget:
    """What is left of it.

    Attributes:
        hung_s: seconds that batches took in which a verification was ended.
        pace_s: seconds that one verification took, of the slowest batch that came back whole.
    """

    def __init__(self) -> None:
        self.hung_s = 0.0
        self.pace_s = 0.0
        self._verdicts = 0

    @property
    def batch(self) -> int:
        """How many to ask at once: few until it's known that they come back."""
        return _FEW if self.hung_s or self._verdicts < _UNKNOWN else _MANY

    @property
    def limit_s(self) -> float | None:
        """Of one verification: short where many have hung; None for the verifier's own."""
        return _SHORT_S if self.hung_s > _PATIENCE_S / 3 else None

    def check(self) -> None:
        """Raise `HangBudgetSpentError` where there's none left."""
        if self.hung_s > _PATIENCE_S:
            raise HangBudgetSpentError(
                f"verifications hung for {self.hung_s:.0f} s altogether (see always-a-verdict), so it "
                f"isn't asked any more"
            )

    def spend(self, seconds: float, verdicts: Sequence[Verdict]) -> None:
        """Take a batch into account."""
        self._verdicts += len(verdicts)
        if any(map(hung, verdicts)):
            self.hung_s += seconds
        else:
            self.pace_s = max(self.pace_s, seconds / max(len(verdicts), 4))


def hung(verdict: Verdict) -> bool:
    """Whether it was ended because it took too long, by no fault of the response."""
    return isinstance(verdict, Unscored) and verdict.cause is Cause.TIMEOUT
