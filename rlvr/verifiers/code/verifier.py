"""`Code`: whether the program in a response passes its task's tests.

Example, from MBPP: the reference `{"asserts": ["assert is_not_prime(10) == True", …]}` and a response
with a fenced block in Python that defines `is_not_prime`. docs/code.md has the whole policy.

Expected outputs never enter the sandbox: a program gets its input and nothing else, a solution the
arguments that its functions are called with.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, TypeAlias, get_args

from rlvr.core.errors import CannotScore, OptionError, SandboxError
from rlvr.core.task import Task
from rlvr.core.verdict import Cause, Status, Verdict, refused
from rlvr.core.verifier import Verifier
from rlvr.sandboxes import Sandbox, default_sandbox, made_sandbox
from rlvr.sandboxes.base import FunctionTests, Limits
from rlvr.sandboxes.languages import language_of
from rlvr.sandboxes.needs import Needs
from rlvr.sandboxes.packages import DEFAULT, declared
from rlvr.verifiers.code.extraction import FoundProgram, find_programs
from rlvr.verifiers.code.given import given_code, prelude_of
from rlvr.verifiers.code.reference import Reference
from rlvr.verifiers.code.report import NAME, verdict_on
from rlvr.verifiers.code.running import OVER_LIMIT, Ran, run_all
from rlvr.verifiers.fences import fenced

Reward: TypeAlias = Literal["all", "fraction"]


class Code(Verifier):
    """Pays full reward if the program passes all tests of `task.reference`; see docs/code.md::

        task = rlvr.Task("Add two numbers.", {"tests": [{"stdin": "1 2", "stdout": "3"}]})
        rlvr.score([task], ["print(sum(map(int, input().split())))"], rlvr.Code())

    Args:
        reward: `all`: all or nothing, and testing ends at the first failure. `fraction`: the share
            of tests that pass.
        language: of programs whose reference names none. Tests of functions are Python's.
        limits: for each test of a program and for all tests of a solution's functions together, where
            the reference sets none: `{"wall_s": 2, "memory_mb": 256}`.
        packages: that Python programs may import beside the standard library, if the reference names
            none; NumPy by default. A sandbox that lacks one isn't used, and no verdict comes of it.
        sandbox: where programs run; by default the process's own.

    Raises `OptionError`.
    """

    name = NAME
    version = 3
    # The sandbox bounds each run from when it begins: time in its queue must not count.
    limit_s = math.inf
    options = ("reward", "language", "limits", "packages")

    def __init__(
        self,
        reward: Reward = "all",
        *,
        language: str = "python",
        limits: Limits | Mapping[str, Any] | None = None,
        packages: Sequence[str] = DEFAULT,
        sandbox: Sandbox | None = None,
    ) -> None:
        self.reward = reward
        self.language = language
        self.limits = limits
        self.packages = packages
        self.sandbox = sandbox
        self.check_options()

    def check_options(self) -> None:
        """Raise `OptionError` if an option has an invalid value."""
        if self.reward not in get_args(Reward):
            choices = ", ".join(get_args(Reward))
            raise OptionError(f"reward is one of {choices}, not {self.reward!r:.80}.")
        if not isinstance(self.language, str):
            raise OptionError(f"language is a name, not {self.language!r:.80}.")
        language_of(self.language)
        if not isinstance(self.limits, Limits):
            self.limits = Limits.of(self.limits)
        if not isinstance(self.packages, list | tuple):
            raise OptionError(f"packages is a list of names, not {self.packages!r:.80}.")
        declared(self.packages)

    def prepare(self, tasks: Iterable[Task]) -> dict[str, Any]:
        """Find the sandboxes that have what programs in these tasks need. Raises `SandboxError`, `OptionError`."""
        wanted: set[Needs] = set()
        for task in tasks:
            with contextlib.suppress(CannotScore):  # that task's verdicts will say so
                wanted.add(self._reference(task).needs)
        if not wanted:
            is_python = language_of(self.language).name == "python"
            wanted.add(Needs.of([self.language], self.packages if is_python else ()))
        used: dict[str, dict[str, Any]] = {}
        for needs in sorted(wanted, key=str):
            sandbox = self.sandbox or default_sandbox(needs)
            sandbox.require(needs)
            choice = sandbox.choice
            about = {"why": choice.why, **sandbox.inventory().to_json()}
            used[choice.backend.name] = about
        return {"sandbox": used}

    def _reference(self, task: Task) -> Reference:
        assert isinstance(self.limits, Limits)
        return Reference.of(task.reference, self.language, self.limits, self.packages)

    async def verify(self, task: Task, response: str) -> Verdict:
        """Find the program, run it, compare. Raises `CannotScore` for faults that aren't its own."""
        reference = self._reference(task)
        head = ""
        if isinstance(reference.tests, FunctionTests) and reference.entry_point:
            prompt_code = given_code(task.prompt, reference.entry_point)
            if prompt_code is not None:
                head = prompt_code
                reference = _with_prelude(reference, reference.tests, prompt_code)
        candidates = find_programs(
            response,
            reference.language,
            reference.sought,
            reads_input=_has_input(reference),
            head=head,
        )
        if candidates[0].source is None:
            return refused(NAME, Status.UNPARSABLE, candidates[0].reason)
        fraction = self.reward == "fraction"
        try:
            sandbox = self.sandbox or made_sandbox(reference.needs)
            if sandbox is None:  # in a thread: it may have to look for one, and others use the loop
                sandbox = await asyncio.to_thread(default_sandbox, reference.needs)
            elif not sandbox.meets(reference.needs):
                await asyncio.to_thread(sandbox.require, reference.needs)
            candidate, ran = await _first_that_compiles(
                sandbox, candidates, reference, not fraction
            )
        except (SandboxError, OptionError) as error:  # OptionError: RLVR_SANDBOX names none
            raise CannotScore(Cause.SANDBOX, str(error)) from error
        return verdict_on(ran, reference, candidate, fraction)

    def demonstrate(self, task: Task) -> str | None:
        """Return the reference's own solution, fenced; None where it has none."""
        try:
            reference = Reference.of(task.reference, self.language)
        except CannotScore:
            return None
        return fenced(reference.solution, reference.language) if reference.solution else None


async def _first_that_compiles(
    sandbox: Sandbox, candidates: Sequence[FoundProgram], reference: Reference, stop: bool
) -> tuple[FoundProgram, Ran]:
    """Run the first candidate that compiles; if none does, return the first candidate and its result."""
    first = None
    for candidate in candidates:
        # A lone surrogate is no Unicode: no compiler takes it, and none has to be asked here.
        program = (candidate.source or "").encode("utf-8", "surrogatepass")
        ran = await run_all(sandbox, program, reference, stop)
        if ran.compile_error is None:
            return candidate, ran
        first = first or (candidate, ran)
        if ran.compile_error.startswith(OVER_LIMIT):
            break
    assert first is not None
    return first


def _has_input(reference: Reference) -> bool:
    """Return whether a program that reads nothing can't be right, but by chance."""
    tests = reference.tests
    return not isinstance(tests, FunctionTests) and any(case.stdin.strip() for case in tests)


def _with_prelude(reference: Reference, tests: FunctionTests, prompt_code: str) -> Reference:
    """Return the reference with the prompt's code as its prelude, if it has none of its own."""
    if tests.prelude:
        return reference
    prelude = prelude_of(prompt_code, reference.entry_point)
    return dataclasses.replace(reference, tests=dataclasses.replace(tests, prelude=prelude))
