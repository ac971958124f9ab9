"""A verifier that never has a verdict, in a module that a worker imports without any trainer."""

from __future__ import annotations

import time

import rlvr


class Broken(rlvr.Verifier):
    name = "broken"

    def verify(self, task: rlvr.Task, response: str) -> rlvr.Verdict:
        return rlvr.Unscored(rlvr.Cause.SANDBOX, "no sandbox today")


class Sleepy(rlvr.Verifier):
    """Sleeps for minutes on the first task."""

    name = "sleepy"
    limit_s = 1.0

    def verify(self, task: rlvr.Task, response: str) -> rlvr.Verdict:
        if task.reference == "0":
            time.sleep(600)
        return rlvr.Scored(1.0, rlvr.Status.CORRECT)
