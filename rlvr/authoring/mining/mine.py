"""`mine`: commits of a repository as tasks: the commit's sources undone, its tests as the verifier.

Each task is checked in jails before it is written: some tests fail before the change and pass after it, and the whole
verification, with variants of the tests that must fail, passes five times of five on the commit's own change and fails
without it.
"""

from __future__ import annotations

import ast
import asyncio
import json
import random
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from rlvr.authoring.mining.folders import (
    ROOT,
    MinedTask,
    folder_name,
    write_task,
    written_task,
)
from rlvr.authoring.mining.history import GitHistory, MinedCommit
from rlvr.authoring.mining.variants import found_tests, variants
from rlvr.core.files import replacing
from rlvr.envs.terminal.artifacts import Artifacts
from rlvr.envs.terminal.controls import (
    Controls,
    TestFile,
    VariedTest,
    controlled,
    run_tests,
)
from rlvr.envs.terminal.draft import packed
from rlvr.envs.terminal.start import Start
from rlvr.sandboxes import default_sandbox
from rlvr.sandboxes.needs import Needs
from rlvr.sandboxes.packages import declared, normal

_TIMES = 5
_MOST_VARIANTS = 32
_MOST_CHANGED = 12  # tests that are run for a commit
_MOST_OTHERS = 3  # tests that pass before and after
_MOST_DECISIVE = 12  # tests that get variants
_Outcomes = Mapping[str, tuple[str, ...]]


class _RejectedError(Exception):
    """The commit makes no task; the message says why, in a few words."""


@dataclass(slots=True)
class MiningReport:
    """The tasks that were made, and why other commits made none.

    Attributes:
        tasks: in the order of their commits, the newest first.
        rejected: the number of commits by reason.
        walked: the number of commits with sources and tests that were tried.
    """

    tasks: list[MinedTask] = field(default_factory=list)
    rejected: dict[str, int] = field(default_factory=dict)
    walked: int = 0


def mine(
    repository: str | Path,
    output: str | Path,
    *,
    most: int = 20,
    since: str | None = None,
    walk: int = 1000,
    only: Sequence[str] = (),
    packages: Sequence[str] = ("pytest",),
    environment: Mapping[str, str] | None = None,
    timeout_s: float = 60.0,
    least_guesses: int = 20,
    most_mb: float = 8.0,
    jobs: int = 1,
    progress: Callable[[str], None] = lambda line: None,
) -> MiningReport:
    """Make tasks of a local git repository and write them in Harbor's format.

        report = rlvr.authoring.mining.mine(".", "mined", most=5, packages=["pytest", "numpy"])

    Args:
        repository: its folder; it is read, and never changed.
        output: a folder for a folder per task. Those that are there already are kept and counted.
        most: the most tasks.
        since: only commits from this date on.
        walk: the most commits to look at, from the newest.
        only: paths; commits that change nothing there are left out.
        packages: that the tests need; jails must have them (`rlvr sandbox build --packages`).
        environment: variables that the tests are run with.
        timeout_s: of one run of a commit's tests.
        least_guesses: refuse a commit if code that forges its tests' results were right once in fewer guesses.
        most_mb: the most that the repository's files may have together.
        jobs: commits that are tried at a time.
        progress: called with a line per commit.

    Raises `DataError` for a folder that is no repository, `SandboxError` if there is no sandbox with these packages.
    """
    if not any(normal(re.split("==", name)[0]) == "pytest" for name in packages):
        packages = ("pytest", *packages)
    packages = _pinned(packages)
    history = GitHistory(repository)
    Path(output).mkdir(parents=True, exist_ok=True)
    blank = Controls(ROOT, {}, tuple(packages), dict(environment or {}))
    miner = _Miner(history, Path(output), blank, timeout_s, least_guesses, most_mb, most, progress)
    return asyncio.run(miner.run(history.commits(since, walk, only), jobs))


def _pinned(packages: Sequence[str]) -> tuple[str, ...]:
    """Return packages with the versions that jails have. Raises `SandboxError` if they lack one."""
    inventory = default_sandbox(Needs.of(packages=packages)).inventory()
    return tuple(f"{name}=={inventory.packages[name]}" for name in declared(packages))


class _Miner:
    def __init__(
        self,
        history: GitHistory,
        output: Path,
        blank: Controls,
        timeout_s: float,
        least_guesses: int,
        most_mb: float,
        most: int,
        progress: Callable[[str], None],
    ) -> None:
        self._history, self._output, self._blank = history, output, blank
        self._timeout_s, self._least_guesses, self._most_mb = timeout_s, least_guesses, most_mb
        self._most, self._progress = most, progress
        self._report = MiningReport()

    async def run(self, commits: Iterator[MinedCommit], jobs: int) -> MiningReport:
        """Try commits until there are enough tasks."""

        async def work() -> None:
            for commit in commits:  # shared: the next free job takes the next commit
                if len(self._report.tasks) >= self._most:
                    return
                await self._try(commit)

        async with asyncio.TaskGroup() as group:
            for _ in range(jobs):
                group.create_task(work())
        del self._report.tasks[self._most :]
        with replacing(self._output / "tasks.jsonl") as file:
            for task in self._report.tasks:
                row = {"id": task.folder.name, "commit": task.commit, "subject": task.subject, "decisive": task.decisive, "guesses": task.guesses, "seconds": round(task.seconds, 2)}  # fmt: skip
                file.write(json.dumps(row).encode() + b"\n")
        return self._report

    async def _try(self, commit: MinedCommit) -> None:
        self._report.walked += 1
        try:
            task = written_task(self._output, commit) or await self._made(commit)
        except _RejectedError as error:
            reason = str(error)
            self._report.rejected[reason] = self._report.rejected.get(reason, 0) + 1
            self._progress(f"{commit.id[:10]} {commit.subject[:60]}: {reason}")
            return
        self._report.tasks.append(task)
        self._progress(
            f"{commit.id[:10]} {commit.subject[:60]}: task, {task.decisive} decisive tests"
        )

    async def _made(self, commit: MinedCommit) -> MinedTask:
        before = self._history.files(commit.parent)
        after = self._history.files(commit.id)
        if sum(map(len, before.values())) > self._most_mb * (1 << 20):
            raise _RejectedError("the repository is too large")
        if not all(path in after for path in (*commit.sources, *commit.tests)):
            raise _RejectedError("a file of the commit is too large")
        start = Start(
            ROOT,
            steps=(
                {"files": {f"{ROOT}/{p}": packed(c) for p, c in before.items()}, "executable": []},
            ),
        )
        gone = {f"{ROOT}/{path}": {"kind": "deleted"} for path in commit.removed}
        fixed = Artifacts({f"{ROOT}/{path}": after[path] for path in commit.sources}, gone)
        sources = {path: after[path].decode("utf-8", "replace") for path in commit.tests}
        nodes = _nodes(sources, before)
        now = await self._outcomes(start, fixed, sources, nodes)
        old = await self._outcomes(start, Artifacts(), sources, nodes, needed=False)
        passing = {
            name for name, cases in now.items() if "passed" in cases and "failed" not in cases
        }
        decisive = sorted(name for name in passing if old.get(name) != now[name])
        if not decisive:
            raise _RejectedError("no test fails before and passes after")
        varied = await self._varied(start, fixed, sources, decisive, now)
        files = {
            path: TestFile(
                text,
                {
                    name.partition("::")[2]: now[name]
                    for name in passing
                    if name.startswith(f"{path}::")
                    and name.partition("::")[2] not in varied.get(path, {})
                },
                varied.get(path, {}),
            )
            for path, text in sources.items()
        }
        controls = replace(self._blank, files=files)
        if controls.guesses < self._least_guesses:
            raise _RejectedError("too few assertions of its decisive tests can be varied")
        began = time.monotonic()
        for number in range(_TIMES):  # each in another order
            marked = Artifacts({**fixed.files, f"{ROOT}/.order": b"%d" % number}, gone)
            if await controlled(controls, start, marked, self._timeout_s):
                raise _RejectedError("the tests don't pass 5 of 5 times")
        seconds = (time.monotonic() - began) / _TIMES
        if not await controlled(controls, start, Artifacts(), self._timeout_s):
            raise _RejectedError("the tests pass without the change")
        folder = self._output / folder_name(commit)
        write_task(
            folder, commit, self._history.patch(commit), before, controls, decisive, self._timeout_s
        )
        return MinedTask(
            folder, commit.id, commit.subject, len(decisive), controls.guesses, seconds
        )

    async def _outcomes(
        self,
        start: Start,
        artifacts: Artifacts,
        sources: Mapping[str, str],
        nodes: Sequence[str],
        needed: bool = True,
    ) -> _Outcomes:
        got = await run_tests(self._blank, start, artifacts, sources, nodes, self._timeout_s)
        if isinstance(got, str):
            if needed:
                raise _RejectedError(got)
            return {}
        if needed and not got:
            raise _RejectedError("none of its tests can be run")
        return got

    async def _varied(
        self,
        start: Start,
        fixed: Artifacts,
        sources: Mapping[str, str],
        decisive: Sequence[str],
        now: _Outcomes,
    ) -> dict[str, dict[str, VariedTest]]:
        """Return the variants that the right code fails, of as many decisive tests as are needed."""
        rng = random.Random(json.dumps(sorted(decisive)))
        candidates = []
        for path, text in sources.items():
            try:
                tests = [test for test in found_tests(text) if f"{path}::{test.name}" in decisive]
            except SyntaxError:
                raise _RejectedError("its tests aren't Python that can be read") from None
            candidates += [(path, test) for test in tests]
        rng.shuffle(candidates)
        per_test = _MOST_VARIANTS if len(candidates) == 1 else 16 if len(candidates) < 4 else 8
        chosen: dict[str, dict[str, Any]] = {}
        measured: dict[str, str] = dict(sources)
        expected: dict[str, list[tuple[str, list[str], list[str]]]] = {}
        nodes: list[str] = []
        for path, text in sources.items():
            places: dict[str, tuple[tuple[int, int], list[list[str]]]] = {}
            for owner, test in candidates[:_MOST_DECISIVE]:
                if owner == path and (lists := variants(text, test, per_test, rng)):
                    # Several places: whichever has variants that all fail is used.
                    places[test.name] = (test.lines, lists[:3])
            lines = text.splitlines(keepends=True)
            for name, (span, lists) in sorted(places.items(), key=lambda item: -item[1][0][0]):
                parts = []
                for number, texts in enumerate(lists):
                    names = [
                        f"test_v{number}_{i}_{rng.getrandbits(32):08x}" for i in range(len(texts))
                    ]
                    parts += [
                        t.replace("@NAME@", n).rstrip("\n") + "\n\n"
                        for t, n in zip(texts, names, strict=True)
                    ]
                    prefix = f"{path}::{name.rpartition('::')[0]}" + ("::" if "::" in name else "")
                    nodes += [prefix + variant_name for variant_name in names]
                    expected.setdefault(f"{path}::{name}", []).append((prefix, names, texts))
                lines[span[0] - 1 : span[1]] = parts
                chosen.setdefault(path, {})[name] = span
            measured[path] = "".join(lines)
        if not chosen:
            return {}
        got = await self._outcomes(start, fixed, measured, nodes)
        varied_tests: dict[str, dict[str, VariedTest]] = {}
        for path, spans in chosen.items():
            for name, span in spans.items():
                best: VariedTest | None = None
                for prefix, names, texts in expected[f"{path}::{name}"]:
                    outcomes = [got.get(prefix + variant_name, ()) for variant_name in names]
                    right = now[f"{path}::{name}"]
                    kept = [
                        i
                        for i, cases in enumerate(outcomes)
                        if i == 0 or (len(cases) == len(right) and "failed" in cases)
                    ]
                    if outcomes[0] != right or len(kept) < 2:
                        continue
                    varied = VariedTest(
                        span, tuple(texts[i] for i in kept), tuple(outcomes[i] for i in kept)
                    )
                    if best is None or len(varied.variants) > len(best.variants):
                        best = varied
                if best is not None:
                    varied_tests.setdefault(path, {})[name] = best
        return varied_tests


def _nodes(sources: Mapping[str, str], before: Mapping[str, bytes]) -> list[str]:
    """Return the tests that a commit adds or changes, and some others of the same files, as `path::name`.

    Raises `_RejectedError` if it adds and changes none.
    """
    changed: list[str] = []
    unchanged: list[str] = []
    for path, text in sources.items():
        try:
            earlier = before.get(path, b"").decode("utf-8", "replace")
            dumps = {test.name: ast.dump(test.node) for test in found_tests(earlier)}
            for test in found_tests(text):
                same = dumps.get(test.name) == ast.dump(test.node)
                (unchanged if same else changed).append(f"{path}::{test.name}")
        except SyntaxError:
            raise _RejectedError("its tests aren't Python that can be read") from None
    if not changed:
        raise _RejectedError("it changes no test's code")
    rng = random.Random(changed[0])
    changed = rng.sample(changed, min(_MOST_CHANGED, len(changed)))
    return [*changed, *rng.sample(unchanged, min(_MOST_OTHERS, len(unchanged)))]
