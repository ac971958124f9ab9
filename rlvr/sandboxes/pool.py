"""`Sandbox`: warm jails, and programs for them from any thread or from asyncio.

One program's way: `run` takes a jail (or waits until one is free), the jail makes a cell for the program
and runs it on its inputs there. A jail that dies costs a second try, in a new one; a second death is a
`SandboxError`, which is nobody's wrong answer.
"""

from __future__ import annotations

import asyncio
import functools
import os
import threading
import weakref
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from rlvr.core.errors import JailError, LacksError, OptionError, SandboxError
from rlvr.sandboxes.base import FunctionTests, Input, Limits, Program, ProgramRun, TestRun
from rlvr.sandboxes.choose import Choice, chosen, explained
from rlvr.sandboxes.jail import Jail, Proceed
from rlvr.sandboxes.link import Backend
from rlvr.sandboxes.needs import Inventory, Needs

Result = TypeVar("Result")
_sandboxes: weakref.WeakSet[Sandbox] = weakref.WeakSet()


class Sandbox:
    """Runs programs that nobody trusts.

    Args:
        backend: "auto" (the strongest that works here), "docker", "bubblewrap", or a `Backend`.
        jails: how many programs run at once; by default one for each processor this process may use.
        memory_mb: of all that is in one jail together, where the backend can hold that. A program's own
            limit is in its `Limits`.
        needs: what programs need; "auto" takes a backend that has it.

    Threads may share it; a process forked from this one gets jails of its own. Raises `SandboxError`
    where no backend works, with what to install.
    """

    def __init__(
        self,
        backend: str | Backend = "auto",
        jails: int | None = None,
        memory_mb: int = 4096,
        needs: Needs | None = None,
    ) -> None:
        for name, number in (("jails", 1 if jails is None else jails), ("memory_mb", memory_mb)):
            if number < 1:
                raise OptionError(f"{name} must be at least 1, not {number}.")
        self.choice: Choice = chosen(backend, needs)
        self.size = jails or len(os.sched_getaffinity(0))
        self.memory_mb = memory_mb
        self._met: set[Needs] = set()
        self._reset()
        _sandboxes.add(self)

    def _reset(self) -> None:
        self._free = threading.Condition()
        self._idle: list[Jail] = []
        self._jails: set[Jail] = set()  # idle ones among them
        self._taken = 0  # places, whether their jail is up or still starting
        self._closed = False
        self._threads: ThreadPoolExecutor | None = None

    # ------------------------------------------------------------------ what callers use

    def start(self) -> Sandbox:
        """Start all jails now rather than when first needed. Returns when they're up."""
        with ThreadPoolExecutor(self.size) as threads:
            jails = list(threads.map(lambda _: self._take(fresh=True), range(self.size)))
        for jail in jails:
            self._give_back(jail)
        return self

    def meets(self, needs: Needs) -> bool:
        """Say if `require` has found all of it in the jails. Never waits."""
        return needs in self._met

    def require(self, needs: Needs) -> None:
        """Make sure that jails have what programs need. A jail is asked once.

        Raises `LacksError` that says what isn't there and what to do, and `SandboxError`.
        """
        if needs in self._met:
            return
        missing = self._tried_twice(lambda jail: jail.lacks(needs))
        if missing:
            name = self.choice.backend.name
            raise LacksError(f"The sandbox ({name}) can't be used: {explained(name, missing)}")
        self._met.add(needs)

    def inventory(self) -> Inventory:
        """Return what jails have: Python's version, languages, packages. Raises `SandboxError`."""
        return self._tried_twice(lambda jail: jail.inventory)

    def about(self) -> Mapping[str, Any]:
        """Return what this machine lets its jails hold; see `Jail.about`. Raises `SandboxError`."""
        return self._tried_twice(lambda jail: jail.about)

    def run(
        self,
        program: Program,
        inputs: Sequence[Input | bytes] = (b"",),
        limits: Limits | None = None,
        proceed: Proceed | None = None,
    ) -> ProgramRun:
        """Run a program on each input, in order: compiled once, and without what the last run left.

        Args:
            inputs: bytes are standard input.
            limits: for each input.
            proceed: called with the number and the `Execution` of each; False ends it there.

        Waits while all jails are busy. Raises `SandboxError` if the sandbox failed twice or lacks the
        language, `OptionError` for an unknown language or a file name that isn't plain.
        """
        run_inputs = [Input(item) if isinstance(item, bytes) else item for item in inputs]
        limits = limits or Limits()
        return self._tried_twice(lambda jail: jail.run(program, run_inputs, limits, proceed))

    def run_tests(
        self,
        solution: bytes,
        tests: FunctionTests,
        limits: Limits | None = None,
        stop: bool = False,
    ) -> TestRun:
        """Test a Python solution's functions. The tests are run apart from it.

        Args:
            limits: for all tests together.
            stop: end at the first test that fails; there are fewer outcomes then.

        Waits and raises as `run` does.
        """
        limits = limits or Limits()
        return self._tried_twice(lambda jail: jail.run_tests(solution, tests, limits, stop))

    async def arun(
        self,
        program: Program,
        inputs: Sequence[Input | bytes] = (b"",),
        limits: Limits | None = None,
        proceed: Proceed | None = None,
    ) -> ProgramRun:
        """`run` for asyncio. Cancelling it doesn't end the program, which its limits do."""
        return await self._apart(functools.partial(self.run, program, inputs, limits, proceed))

    async def arun_tests(
        self,
        solution: bytes,
        tests: FunctionTests,
        limits: Limits | None = None,
        stop: bool = False,
    ) -> TestRun:
        """`run_tests` for asyncio; likewise."""
        return await self._apart(functools.partial(self.run_tests, solution, tests, limits, stop))

    def close(self) -> None:
        """End all jails. What runs in them raises `SandboxError`."""
        with self._free:
            self._closed = True
            jails = list(self._jails)
            self._free.notify_all()
        for jail in jails:
            jail.close()
        if self._threads is not None:
            self._threads.shutdown(wait=False, cancel_futures=True)

    def abandon(self) -> None:
        """In a forked child: the jails are the parent's. Begin anew with none."""
        for jail in self._jails:
            jail.abandon()
        self._reset()

    def __enter__(self) -> Sandbox:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Sandbox({self.choice.backend.name!r}, jails={self.size})"

    # ------------------------------------------------------------------ jails

    def _tried_twice(self, work: Callable[[Jail], Result]) -> Result:
        try:
            return self._tried(work, fresh=False)
        except JailError:
            pass
        try:
            # In a new one: where one jail died, those that waited may be dead as well.
            return self._tried(work, fresh=True)
        except JailError as error:
            raise SandboxError(f"Two jails in a row failed. {error}") from None

    def _tried(self, work: Callable[[Jail], Result], fresh: bool) -> Result:
        jail = self._take(fresh)
        try:
            return work(jail)
        finally:
            self._give_back(jail)

    def _take(self, fresh: bool) -> Jail:
        """Return a jail for one caller alone. `fresh`: not one that has waited."""
        stale = None
        with self._free:
            self._free.wait_for(lambda: self._closed or self._taken < self.size)
            if self._closed:
                raise SandboxError("The sandbox is closed.")
            self._taken += 1
            if self._idle and not fresh:
                return self._idle.pop()
            if len(self._jails) >= self.size:
                stale = self._idle.pop()
                self._jails.discard(stale)
        try:
            if stale is not None:
                stale.close()
            jail = Jail(self.choice.backend, self.memory_mb)
        except BaseException:
            with self._free:
                self._taken -= 1
                self._free.notify()
            raise
        with self._free:
            self._jails.add(jail)
            closed = self._closed
        if closed:
            jail.close()
            raise SandboxError("The sandbox is closed.")
        return jail

    def _give_back(self, jail: Jail) -> None:
        """Free a place. A jail that was left in the middle of something isn't used again."""
        if not jail.is_ready:
            jail.close()
        with self._free:
            if jail.is_ready and not self._closed:
                self._idle.append(jail)
            else:
                self._jails.discard(jail)
            self._taken -= 1
            self._free.notify()

    async def _apart(self, work: Callable[[], Result]) -> Result:
        with self._free:
            if self._threads is None:
                self._threads = ThreadPoolExecutor(self.size, "rlvr-sandbox")
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)


def _forked() -> None:
    for sandbox in list(_sandboxes):
        sandbox.abandon()


os.register_at_fork(after_in_child=_forked)
