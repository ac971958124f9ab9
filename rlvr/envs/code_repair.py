"""Programs in several attempts: after each, what its public tests say comes back.

Over the rows of `code`, of HumanEval (the examples in a docstring are its public tests) or of MBPP (the
tests that its prompt shows). An episode is over when all public tests pass, or where a task has
none. The last response is judged on all tests; nothing of a hidden one is ever told.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from rlvr.core.environment import Environment
from rlvr.core.errors import CannotScore, OptionError
from rlvr.core.registry import environment
from rlvr.core.task import Message, Task
from rlvr.core.tasks import TaskSet
from rlvr.core.verdict import Status, Unscored
from rlvr.envs import code, humaneval, mbpp
from rlvr.envs.fixtures import fixtures_of
from rlvr.envs.prompt import Prompt
from rlvr.envs.turns import MultiTurn
from rlvr.scoring import score
from rlvr.verifiers.code import Code
from rlvr.verifiers.code.reference import public_part
from rlvr.verifiers.code.verifier import Reward

_DEFAULTS = {"code": "test", "humaneval": "test", "mbpp": "train"}
_PROMPTS = {"code": code.PROMPT, "humaneval": humaneval.PROMPT, "mbpp": mbpp.PROMPT}


class CodeRepair(MultiTurn):
    """Replies with the results of the public tests; see the module."""

    def reply(self, task: Task, messages: list[Message]) -> str | None:
        """Return the first failure in the public tests, or None if there's none.

        Raises `CannotScore` where they can't be run.
        """
        part = public_part(task.reference)
        if part is None:
            return None
        asked = Task(task.prompt, part, task.id)
        assert isinstance(self.verifier, Code)
        strictly = self.verifier.configure(reward="all")
        (verdict,) = score([asked], [messages[-1]["content"]], strictly)
        if isinstance(verdict, Unscored):
            raise CannotScore(verdict.cause, verdict.message)
        if verdict.status is Status.CORRECT:
            return None
        language = part.get("language", "python")
        return (
            f"That isn't right yet.\n\n{verdict.feedback}\n\n"
            f"Answer with the whole corrected program in a ```{language} block."
        )


@environment("code_repair", gym_name="CodeRepair")
def make(
    source: str = "code",
    split: str | None = None,
    dataset: str | None = None,
    config: str | None = None,
    data: str | None = None,
    language: str = "python",
    public: int = 1,
    limits: Mapping[str, Any] | None = None,
    reward: Reward = "all",
    max_turns: int = 4,
    prompt: Prompt | str | dict[str, str] | None = None,
) -> Environment:
    """Make problems that may be solved in several attempts, with the public tests' results in between.

    Args:
        source: `code`, `humaneval` or `mbpp`: whose tasks.
        split: test for code and humaneval, train for mbpp, unless named.
        dataset: for code: an id on the Hub.
        config: for code: the data set's configuration.
        data: a local file instead.
        language: for code: to be written in, where a row has no `language`.
        public: for code, how many of a row's first tests are public, where the row doesn't say; for
            mbpp, how many the prompt shows.
        limits: for each test, where a task has none.
        reward: `all` or nothing, or the `fraction` of tests that the last response passes.
        max_turns: responses an episode may take.
        prompt: with the fields of the source's own.
    """
    if source not in _DEFAULTS:
        raise OptionError(f"source is one of {', '.join(_DEFAULTS)}, not {source!r:.80}.")
    template = Prompt.of(prompt or _PROMPTS[source])
    load = loader(source, split, dataset, config, data, language, public, template, limits)
    verifier = Code(reward, language=language, limits=limits)
    fixtures = fixtures_of("code_repair", max_turns > 2)
    return CodeRepair(
        TaskSet(load, "code_repair"), verifier, max_turns=max_turns, fixtures=fixtures
    )


def loader(
    source: str,
    split: str | None,
    dataset: str | None,
    config: str | None,
    data: str | None,
    language: str,
    public: int,
    prompt: Prompt,
    limits: Mapping[str, Any] | None,
) -> Callable[[], Iterable[Task]]:
    """Return the function that loads the tasks of `code`, `humaneval` or `mbpp` later; the split is checked now."""
    split = split or _DEFAULTS[source]
    if source == "humaneval":
        humaneval.SOURCE.check_split(split)
        rows = humaneval.SOURCE.rows
        return lambda: [humaneval.task_of(row, prompt, examples=True) for row in rows(split, data)]
    if source == "mbpp":
        mbpp.SOURCE.check_split(split)
        return lambda: mbpp.tasks_of(split, data, prompt, public, limits)
    problems = code.source_of(split, dataset, config, data)
    return lambda: code.tasks_of(problems, split, data, prompt, language, public)
