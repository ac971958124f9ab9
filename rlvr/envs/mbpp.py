"""MBPP, the sanitized part: small Python functions (Austin et al., arXiv:2108.07732),
`google-research-datasets/mbpp` on the Hub.

One of them::

    Write a python function to identify non-prime numbers.
    assert is_not_prime(2) == False
    assert is_not_prime(10) == True
    …

A problem alone doesn't name the function, so the prompt shows the first test; what it shows is
public. The file of all 427 has no splits: they go by the problem's number, as on the Hub.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from rlvr.core.environment import Environment
from rlvr.core.errors import DataError, OptionError
from rlvr.core.registry import environment
from rlvr.core.task import Task
from rlvr.core.tasks import TaskSet
from rlvr.envs.data import DataSource, Row
from rlvr.envs.fixtures import fixtures_of
from rlvr.envs.prompt import Prompt
from rlvr.envs.turns import SingleTurn
from rlvr.sandboxes.base import Limits
from rlvr.verifiers.code import Code

_NUMBERS = {
    "prompt": range(1, 11),
    "test": range(11, 511),
    "validation": range(511, 601),
    "train": range(601, 975),
    "all": range(1, 975),
}
SOURCE = DataSource(
    hub_id="google-research-datasets/mbpp",
    config="sanitized",
    splits={name: name for name in _NUMBERS} | {"all": "prompt+test+validation+train"},
    files=dict.fromkeys(_NUMBERS, "code/mbpp_sanitized.json"),
    columns=("task_id", "prompt", "code", "test_imports", "test_list"),
)
# Measured seconds of processor time of the reference solutions that need more than a tenth of the default
# limit. A right solution may take ten times as long: other processors and other algorithms are slower.
_COST_S = {123: 5.3}
PROMPT = Prompt(
    "{problem} {tests}\n\n"
    "Answer with the whole function, and the imports it needs, in a ```python block."
)


@environment("mbpp", gym_name="MBPP")
def make(
    split: str = "train",
    shown: int = 1,
    data: str | None = None,
    prompt: Prompt | str | dict[str, str] = PROMPT,
    limits: Mapping[str, Any] | None = None,
) -> Environment:
    """Make small Python functions to be written from one sentence each.

    Args:
        split: train (120 problems), validation (43), test (257), prompt (7, meant as examples in
            prompts) or all.
        shown: how many of a problem's tests its prompt shows; 3 is the paper's prompt, and then
            few are hidden. With 0 the prompt names the function.
        data: a local file, or a folder laid out like `RLVR_DATA`; by default `RLVR_DATA`, then the Hub.
        prompt: may use {problem}, {tests} (a sentence with the tests shown) and {name}.
        limits: of what a solution may use, such as `{"wall_s": 5}`; by default `rlvr.Code`'s, and
            ten times its own solution's time for a problem that takes seconds.
    """
    template = Prompt.of(prompt)
    SOURCE.check_split(split)
    if isinstance(shown, bool) or not isinstance(shown, int) or shown < 0:
        raise OptionError(f"shown is a number of tests, 0 or more, not {shown!r:.80}.")

    def load() -> list[Task]:
        return tasks_of(split, data, template, shown, limits)

    tasks = TaskSet(load, "mbpp")
    return SingleTurn(tasks, Code(limits=limits), fixtures=fixtures_of("mbpp"))


def tasks_of(
    split: str,
    data: str | None,
    prompt: Prompt,
    shown: int,
    limits: Mapping[str, Any] | None = None,
) -> list[Task]:
    """Make the tasks of a split; unless `limits` sets them, slow ones have their own.

    Raises `DataError` where a row can't be used, or none is in the split.
    """
    rows = [row for row in SOURCE.rows(split, data) if row["task_id"] in _NUMBERS[split]]
    if not rows:
        numbers = _NUMBERS[split]
        raise DataError(
            f"There's no row of the split {split!r}, with a task_id of {numbers[0]} to {numbers[-1]}."
        )
    slow = {} if limits else {number: _limits_for(cost_s) for number, cost_s in _COST_S.items()}
    return [_task(row, prompt, shown, slow.get(row["task_id"])) for row in rows]


def _limits_for(cost_s: float) -> dict[str, float]:
    """Return the limits of a problem whose reference solution takes `cost_s` seconds."""
    return {"wall_s": 10 * cost_s + Limits().wall_s, "cpu_s": 10 * cost_s}


def _task(row: Row, prompt: Prompt, shown: int, limits: dict[str, float] | None) -> Task:
    tests = list(row["test_list"])
    name = _called(str(row["code"]), tests)
    if name is None:
        raise DataError(f"The tests of MBPP's {row['task_id']} call no function of its code.")
    shown = min(shown, len(tests))
    reference = {
        "entry_point": name,
        "asserts": tests,
        "setup": "\n".join(row["test_imports"]),
        "public": shown,
        "solution": row["code"],
    }
    if limits:
        reference["limits"] = limits
    fields = {"problem": row["prompt"], "name": name, "tests": _told(name, tests, shown)}
    return Task(prompt.render(fields), reference, f"mbpp-{row['task_id']}", {"entry_point": name})


def _told(name: str, tests: Sequence[str], shown: int) -> str:
    if not shown:
        return f"It's called `{name}`."
    noun = "this test" if shown == 1 else "these tests"
    rest = ", and others" if shown < len(tests) else ""
    listed = "\n".join(tests[:shown])
    return f"It has to pass {noun}{rest}:\n\n```python\n{listed}\n```"


def _called(code: str, tests: Sequence[str]) -> str | None:
    """Return the function of the solution that every test calls."""
    names = re.findall(r"^(?:def|class)[ \t]+(\w+)", code, re.MULTILINE)
    called = [n for n in names if all(re.search(rf"\b{n}\s*\(", test) for test in tests)]
    return called[-1] if called else None
