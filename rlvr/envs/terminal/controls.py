"""Tests of a repository as a verifier that the code under test can't forge: each among variants that must fail.

A test that imports what an agent wrote runs in that code's process, which may say of any test that it passed. So the file
that is run holds each decisive test among variants of itself, under random names in random order, that expect another
value (`assert area(3) == 9` among `== 8`, `== 12` …). The right code passes one of them and fails the others. Which one,
no text in the jail tells: code that says "passed" of all fails, and a guess is right once in the number of variants. What
is expected is compared here, outside.

`tests/rlvr.json` of a task in Harbor's format has the variants; `rlvr data mine` writes it.
"""

from __future__ import annotations

import hashlib
import json
import random
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from rlvr.core.errors import DataError, OptionError, WorkspaceFileError
from rlvr.envs.terminal.artifacts import Artifacts
from rlvr.envs.terminal.start import Start
from rlvr.sandboxes.base import Limits
from rlvr.sandboxes.packages import declared

CONTROLS = "rlvr.json"
"""The file of a task's `tests` that has them."""
_NAME = "@NAME@"  # in a variant's source, in place of its test's name
_RESULTS = "/tests/results.jsonl"
_WANTED = "/tests/wanted.json"
_PLUGIN = b"""\
import json

with open("/tests/wanted.json") as file:
    WANTED = set(json.load(file))

def pytest_collection_modifyitems(config, items):
    chosen = [item for item in items if item.nodeid.partition("[")[0] in WANTED]
    config.hook.pytest_deselected(items=[item for item in items if item not in chosen])
    items[:] = chosen

def pytest_runtest_logreport(report):
    if report.when == "call" or report.outcome != "passed":
        with open("/tests/results.jsonl", "a") as file:
            file.write(json.dumps([report.nodeid, report.outcome]) + "\\n")
"""
_OUTCOMES = ("passed", "failed", "skipped")


@dataclass(frozen=True, slots=True)
class VariedTest:
    """A test and its variants.

    Attributes:
        lines: its first and last line in the file, with decorators.
        variants: source by variant, the test itself first; `@NAME@` is where its name is.
        outcomes: the outcomes of each variant's cases, in order.
    """

    lines: tuple[int, int]
    variants: tuple[str, ...]
    outcomes: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class TestFile:
    """A file of tests.

    Attributes:
        source: as it is in the repository.
        expected: the outcomes of the cases of each test that has no variants, by name (`Class::name`).
        varied: the tests with variants, by name.
    """

    __test__ = False  # no test class of pytest's

    source: str
    expected: Mapping[str, tuple[str, ...]]
    varied: Mapping[str, VariedTest]

    def shuffled(self, rng: random.Random) -> tuple[str, dict[str, tuple[str, ...]]]:
        """Return the file with all variants under random names in random order, and what is expected of each."""
        lines = self.source.splitlines(keepends=True)
        expected = dict(self.expected)
        for name, test in sorted(self.varied.items(), key=lambda item: -item[1].lines[0]):
            order = list(range(len(test.variants)))
            rng.shuffle(order)
            parts = []
            for place in order:
                new = f"test_{rng.getrandbits(48):012x}"
                parts.append(test.variants[place].replace(_NAME, new).rstrip("\n") + "\n\n")
                expected[name.rpartition("::")[0] + ("::" if "::" in name else "") + new] = (
                    test.outcomes[place]
                )
            first, last = test.lines
            lines[first - 1 : last] = parts
        return "".join(lines), expected


@dataclass(frozen=True, slots=True)
class Controls:
    """The tests of a task, with their variants.

        controls = read_controls(Path("tasks/one/tests/rlvr.json"))
        failure = await controlled(controls, start, artifacts, 60.0)

    Attributes:
        root: the folder in which pytest is run.
        files: the test files by their path there.
        packages: that the tests need, such as `pytest==8.4.2`.
        environment: variables that they are run with.
    """

    root: str
    files: Mapping[str, TestFile]
    packages: tuple[str, ...] = ("pytest",)
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def guesses(self) -> int:
        """Return the number of guesses of which one is right."""
        product = 1
        for file in self.files.values():
            for test in file.varied.values():
                product *= len(test.variants)
        return product

    def to_json(self) -> dict[str, Any]:
        """Return it as `rlvr.json` has it."""
        return {
            "root": self.root,
            "packages": list(self.packages),
            "environment": dict(self.environment),
            "files": {
                path: {
                    "source": file.source,
                    "expected": {name: list(cases) for name, cases in file.expected.items()},
                    "varied": {
                        name: {
                            "lines": list(test.lines),
                            "variants": list(test.variants),
                            "outcomes": [list(cases) for cases in test.outcomes],
                        }
                        for name, test in file.varied.items()
                    },
                }
                for path, file in self.files.items()
            },
        }


def read_controls(path: Path) -> Controls:
    """Read a `rlvr.json`. Raises `DataError` naming the file and the reason."""
    try:
        return controls_of(json.loads(path.read_text("utf-8")))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{path} can't be read: {error!r:.200}.") from None


def controls_of(data: Mapping[str, Any]) -> Controls:
    """Return the controls that `to_json` wrote. Raises `KeyError`, `TypeError` or `ValueError`."""
    files = {}
    for path, file in data["files"].items():
        varied = {
            name: VariedTest(
                (int(test["lines"][0]), int(test["lines"][1])),
                tuple(map(str, test["variants"])),
                tuple(tuple(map(str, cases)) for cases in test["outcomes"]),
            )
            for name, test in file["varied"].items()
        }
        for name, test in varied.items():
            if not test.variants or len(test.variants) != len(test.outcomes):
                raise ValueError(f"{path}: {name} has other variants than outcomes")
        expected = {name: tuple(map(str, cases)) for name, cases in file["expected"].items()}
        files[str(path)] = TestFile(str(file["source"]), expected, varied)
    if not any(
        "passed" in cases for f in files.values() for t in f.varied.values() for cases in t.outcomes
    ):
        raise ValueError("no test is to pass")
    packages = tuple(map(str, data.get("packages", ("pytest",))))
    try:
        declared(packages)
    except OptionError as error:
        raise ValueError(str(error)) from None
    environment = {str(key): str(value) for key, value in data.get("environment", {}).items()}
    return Controls(str(data["root"]), files, packages, environment)


async def controlled(
    controls: Controls, start: Start, artifacts: Artifacts, timeout_s: float
) -> str:
    """Run the tests on what an agent left. Returns the reason why they don't pass; "" if they do.

    Raises `SandboxError` and `CannotScore` for faults that aren't the agent's.
    """
    key = hashlib.sha256(
        json.dumps([controls.to_json(), artifacts.to_json()], sort_keys=True).encode()
    )
    rng = random.Random(key.digest())  # so that the same work is judged the same way
    sources: dict[str, str] = {}
    expected: dict[str, tuple[str, ...]] = {}
    for path, file in controls.files.items():
        source, cases = file.shuffled(rng)
        sources[path] = source
        expected |= {f"{path}::{name}": outcomes for name, outcomes in cases.items()}
    got = await run_tests(controls, start, artifacts, sources, list(expected), timeout_s)
    if isinstance(got, str):
        return got
    passed = sum(got.get(name) == outcomes for name, outcomes in expected.items())
    if passed < len(expected):
        return f"{len(expected) - passed} of {len(expected)} tests and variants end otherwise than they should"
    return ""


async def run_tests(
    controls: Controls,
    start: Start,
    artifacts: Artifacts,
    sources: Mapping[str, str],
    nodes: Sequence[str],
    timeout_s: float,
) -> dict[str, tuple[str, ...]] | str:
    """Run tests (`path::name`) of some files in a workspace of their own.

    Returns the outcomes of each test's cases, or the reason why there are none. Raises `SandboxError` and `CannotScore`.
    """
    limits = Limits(wall_s=timeout_s, cpu_s=timeout_s, memory_mb=1024, processes=64, disk_mb=128)
    needed = tuple(dict.fromkeys((*start.packages, *controls.packages)))
    also = tuple(dict.fromkeys((*start.also, "/tests")))
    environment = {**start.environment, **controls.environment}
    start = replace(start, also=also, packages=needed, environment=environment)
    workspace = await start.open(limits)
    try:
        try:
            if gone := [p for p, entry in artifacts.entries.items() if entry["kind"] == "deleted"]:
                await workspace.shell("rm -f -- " + " ".join(map(shlex.quote, gone)))
            await workspace.write(dict(artifacts.files))
            tests = {f"{controls.root}/{path}": source.encode() for path, source in sources.items()}
            await workspace.write(
                {
                    **tests,
                    "/tests/plugin/rlvr_report.py": _PLUGIN,
                    _WANTED: json.dumps(list(nodes)).encode(),
                }
            )
        except WorkspaceFileError as error:  # the agent's may also be in the tests' way
            return f"the files can't be put in place: {error}"
        chosen = " ".join(map(shlex.quote, sources))
        command = (
            f"cd {shlex.quote(controls.root)} && PYTHONPATH=/tests/plugin PYTHONDONTWRITEBYTECODE=1 "
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD=1 python3 -m pytest -q --tb=no --no-header -p no:cacheprovider "
            f"-p rlvr_report -o addopts= --continue-on-collection-errors {chosen}"
        )
        done = await workspace.shell(command, wall_s=timeout_s)
        if done.limit is not None:
            return f"the tests go over their limit of {done.limit}"
        return _outcomes((await workspace.read([_RESULTS])).get(_RESULTS, b""))
    finally:
        await workspace.close()


def _outcomes(data: bytes) -> dict[str, tuple[str, ...]]:
    """Read what the reporter wrote, or what somebody wrote in its place."""
    outcomes: dict[str, list[str]] = {}
    for line in data.split(b"\n"):
        try:
            node, outcome = json.loads(line)
        except (ValueError, TypeError, RecursionError):
            continue
        if isinstance(node, str) and outcome in _OUTCOMES:
            outcomes.setdefault(node.partition("[")[0], []).append(outcome)
    return {name: tuple(cases) for name, cases in outcomes.items()}
