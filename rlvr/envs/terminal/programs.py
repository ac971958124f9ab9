"""The checks that run something that a model wrote: in a jail of their own, on inputs that it never saw.

    {"kind": "program", "with": {"main.py": "tool.py"}, "runs": [{"args": ["3"], "stdin": "", "stdout": "9"}]}
    {"kind": "program", "source": "import shapes; …", "with": {"shapes.py": "pkg/shapes.py"}, "runs": […]}

`with` names the artifacts that are put beside the program, by the name that they get there; nothing else of the agent's
is. `source` is a program of the author's that uses them; without it, the file `main` of `with` is the program. The
expected output never enters the jail, so that a program that forges what it prints has to know the answer.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rlvr.core.errors import CannotScore, OptionError, SandboxError
from rlvr.core.verdict import Cause
from rlvr.envs.terminal.artifacts import Artifacts
from rlvr.envs.terminal.draft import unpacked
from rlvr.sandboxes import Sandbox, default_sandbox
from rlvr.sandboxes.base import Execution, Input, Limits, Program
from rlvr.sandboxes.languages import language_of
from rlvr.sandboxes.needs import Needs
from rlvr.verifiers.code.compare import OutputComparison

LIMITS = Limits(wall_s=10.0, cpu_s=10.0)
"""The limits of each run, if a check names none."""
_SEEK = b"import shutil, sys\nsys.exit(any(shutil.which(name) is None for name in sys.argv[1:]))\n"


@dataclass(frozen=True, slots=True)
class ProgramFailure:
    """The reason why a program's check doesn't hold.

    Attributes:
        reason: in words.
        at_limit: True if the program exceeded a limit.
    """

    reason: str
    at_limit: bool = False


async def program_failure(
    check: Mapping[str, Any], artifacts: Artifacts, sandbox: Sandbox | None = None
) -> ProgramFailure | None:
    """Run a check's program on each input. Returns None if all outputs are as expected.

    Raises `CannotScore` if the check can't be read, or no sandbox can run it.
    """
    try:
        names: Mapping[str, str] = check["with"]
        runs = [dict(run) for run in check["runs"]]
        language = language_of(check.get("language", "python"))
        limits = Limits.of(check.get("limits"), LIMITS)
        comparison = OutputComparison.of(check.get("compare", "lines"))
        needs = Needs.of([language.name])
        if not runs:
            raise OptionError("it has no runs")
    except (KeyError, TypeError, AttributeError, OptionError) as error:
        raise CannotScore(
            Cause.GOLD, f"A check of a program can't be used: {error!r:.200}."
        ) from None
    for path in names.values():
        if path not in artifacts.files:
            return ProgramFailure(f"there's no file {path}")
    files = {name: artifacts.files[path] for name, path in names.items()}
    source = check.get("source")
    main = files.pop("main", b"") if source is None else source.encode()
    inputs = [_input(run) for run in runs]
    try:
        used = await asyncio.to_thread(default_sandbox, needs) if sandbox is None else sandbox
        await _require(used, tuple(check.get("needs", ())))
        failures: list[ProgramFailure] = []

        def proceed(number: int, execution: Execution) -> bool:
            if (reason := _difference(runs[number], number + 1, execution, comparison)) is not None:
                failures.append(reason)
            return not failures

        ran = await used.arun(Program(main, language.name, files), inputs, limits, proceed)
    except SandboxError as error:
        raise CannotScore(Cause.SANDBOX, str(error)) from error
    except OptionError as error:  # names that no program may have
        raise CannotScore(Cause.GOLD, str(error)) from error
    if ran.compile_error is not None:
        return ProgramFailure("the program doesn't compile")
    return failures[0] if failures else None


def _input(run: Mapping[str, Any]) -> Input:
    files = {name: unpacked(content) for name, content in run.get("files", {}).items()}
    return Input(
        run.get("stdin", "").encode(),
        tuple(run.get("args", ())),
        files,
        tuple(run.get("collect", {})),
    )


def _difference(
    run: Mapping[str, Any], number: int, execution: Execution, comparison: OutputComparison
) -> ProgramFailure | None:
    """Compare one run with its expectation: exit status, output, and files that it should have written."""
    where = f"in run {number}"  # the inputs stay hidden
    if execution.limit is not None:
        return ProgramFailure(f"{where}, the program went {execution.ending}", at_limit=True)
    if execution.status != run.get("status", 0):
        return ProgramFailure(f"{where}, the program ended by {execution.ending}")
    if "stdout" in run and comparison.difference(execution.stdout, run["stdout"].encode()):
        return ProgramFailure(f"{where}, the program prints something else")
    for name, content in run.get("collect", {}).items():
        written = execution.files.get(name)
        if written is None or comparison.difference(written, unpacked(content)):
            return ProgramFailure(f"{where}, the program doesn't write {name} as it should")
    return None


async def _require(sandbox: Sandbox, commands: tuple[str, ...]) -> None:
    """Make sure that the jail has some commands. Raises `SandboxError`: without one nobody's program is wrong."""
    if commands and not await asyncio.to_thread(_has, sandbox, commands):
        raise SandboxError(
            f"The sandbox ({sandbox.choice.backend.name}) lacks one of: {', '.join(commands)}. Install it."
        )


@functools.lru_cache(maxsize=64)
def _has(sandbox: Sandbox, commands: tuple[str, ...]) -> bool:
    run = sandbox.run(Program(_SEEK), [Input(args=commands)])
    return run.executions[0].status == 0
