"""A verifier that never has a verdict, in a module that a worker imports without any trainer."""

from __future__ import annotations

import rlvr


class Broken(rlvr.Verifier):
    name = "broken"

    def verify(self, task: rlvr.Task, response: str) -> rlvr.Verdict:
        return rlvr.Unscored(rlvr.Cause.SANDBOX, "no sandbox today")
