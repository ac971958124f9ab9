"""Programs that are written, run and tested in a workspace before they are submitted.

Over the rows of `code`, of HumanEval (the examples in a docstring are its public tests) or of MBPP (the tests that its
prompt shows). The model writes a file, may run it and have it tested on the public tests, and submits it, which ends the
episode. What it submitted is judged by `rlvr.Code` in another jail: hidden tests and the reference never enter the
workspace, and nothing that is done to the workspace counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from rlvr.core.environment import Environment
from rlvr.core.episode import Episode, Reply
from rlvr.core.errors import CannotScore, OptionError, ToolError
from rlvr.core.registry import environment
from rlvr.core.task import Task
from rlvr.core.tasks import TaskSet
from rlvr.core.tool_calls import written_call
from rlvr.core.transcript import Transcript
from rlvr.core.verdict import Status, Unscored, Verdict, refused
from rlvr.core.verifier import Verifier
from rlvr.envs import code_repair
from rlvr.envs.agents.derived import with_more_to_read
from rlvr.envs.fixtures import fixtures_of
from rlvr.envs.prompt import Prompt
from rlvr.envs.toolboxes.base import Part
from rlvr.envs.toolboxes.workspace import WORKSPACE, EpisodeWorkspace, Files, Shell
from rlvr.envs.tools import ToolEnv, describe
from rlvr.scoring import ascore
from rlvr.verifiers.code import Code
from rlvr.verifiers.code.reference import public_part
from rlvr.verifiers.code.verifier import Reward
from rlvr.verifiers.fences import fenced

FILE = "solution.py"
PROMPTS = {
    "code": Prompt(
        "{problem}\n\nWrite a program in {language} that reads standard input and writes to standard output."
    ),
    "humaneval": Prompt("Complete this Python function.\n\n```python\n{code}```"),
    "mbpp": Prompt("{problem} {tests}"),
}
_HOW = (
    f"Write the whole program into the file {FILE}, with the imports it needs. Run it and test it as you like, and submit it "
    f"when it is right."
)
_MOST_BYTES = 1 << 16


class Submission(Episode):
    """The tools `run_tests` and `submit`, on a file of the workspace."""

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        self._submitted: str | None = None

    async def run_tests(self, path: str = FILE) -> str:
        """Run the public tests on a program; return the first failure.

        Args:
            path: the program's file.
        """
        source = await self._source(path)
        part = public_part(self.task.reference)
        if part is None:
            return "There are no public tests."
        asked = Task(self.task.prompt, part, self.task.id)
        language = part.get("language", "python")
        (verdict,) = await ascore([asked], [fenced(source, language)], Code("all"))
        if isinstance(verdict, Unscored):
            raise CannotScore(verdict.cause, verdict.message)
        if verdict.status is Status.CORRECT:
            return "All public tests pass."
        return verdict.feedback

    async def submit(self, path: str = FILE) -> Reply:
        """Submit a program, which ends the episode. It is judged on all tests, public and hidden.

        Args:
            path: the program's file.
        """
        self._submitted = await self._source(path)
        return Reply("submitted", over=True)

    def outcome(self) -> dict[str, Any]:
        """Return the submitted program."""
        return {"submission": self._submitted}

    async def _source(self, path: str) -> str:
        workspace: EpisodeWorkspace = self.shared[WORKSPACE]
        if not path or "\0" in path or len(path) > 1000:
            raise ToolError("there's no file of that name")
        data = (await workspace.read([path])).get(path)
        if data is None:
            raise ToolError(f"there's no plain file {path!r:.200}")
        if len(data) > _MOST_BYTES:
            raise ToolError(f"a program has at most {_MOST_BYTES} bytes")
        return data.decode("utf-8", "replace")


class SubmittedCode(Verifier):
    """Judges the program that was submitted, by `Code`.

    Args:
        code: the verifier of programs.
    """

    name = Code.name
    sees = "transcript"
    limit_s = Code.limit_s

    def __init__(self, code: Code) -> None:
        self.code = code
        self.version = code.version

    def __repr__(self) -> str:
        return f"SubmittedCode({self.code!r})"

    def prepare(self, tasks: Any) -> dict[str, Any]:
        """Find the sandboxes that programs need. Raises `SandboxError`, `OptionError`."""
        return self.code.prepare(tasks)

    async def verify(self, task: Task, response: Transcript) -> Verdict:
        """Judge the submission. Raises `CannotScore` for faults that aren't its own."""
        outcome = response.outcome
        source = outcome.get("submission") if isinstance(outcome, Mapping) else None
        if not isinstance(source, str):
            return refused(self.name, Status.UNPARSABLE, "nothing was submitted")
        language = self.code.language
        if isinstance(task.reference, Mapping):
            language = str(task.reference.get("language", language))
        return await self.code.verify(task, fenced(source, language))

    def demonstrate(self, task: Task) -> str | None:
        """Return a message that writes the reference's own solution and submits it; None if it has none."""
        if self.code.demonstrate(task) is None or not isinstance(task.reference, Mapping):
            return None
        text = str(task.reference["solution"])
        return f"{written_call('write_file', path=FILE, text=text)}\n{written_call('submit')}"


@environment("code_agent", gym_name="CodeAgent")
def make(
    source: str = "code",
    split: str | None = None,
    dataset: str | None = None,
    config: str | None = None,
    data: str | None = None,
    public: int = 1,
    limits: Mapping[str, Any] | None = None,
    reward: Reward = "all",
    calls: Literal["text", "native"] = "text",
    max_turns: int = 12,
    wall_s: float = 20.0,
    memory_mb: int = 1024,
    prompt: Prompt | str | dict[str, str] | None = None,
) -> Environment:
    """Make problems for programs in Python that are written, run, tested and submitted in a workspace.

    Args:
        source: `code`, `humaneval` or `mbpp`: whose tasks.
        split: test for code and humaneval, train for mbpp, unless named.
        dataset: for code: an id on the Hub.
        config: for code: the data set's configuration.
        data: a local file instead.
        public: for code, how many of a row's first tests are public, where the row doesn't say; for
            mbpp, how many the prompt shows.
        limits: for each test, where a task has none.
        reward: `all` or nothing, or the `fraction` of tests that the submission passes.
        calls: `text`: the prompt says how to call the tools. `native`: it doesn't, because the model's server or its
            chat template does.
        max_turns: responses an episode may take.
        wall_s: seconds that a command may take.
        memory_mb: memory of the workspace, in MiB.
        prompt: with the fields of the source's own.
    """
    if source not in PROMPTS:
        raise OptionError(f"source is one of {', '.join(PROMPTS)}, not {source!r:.80}.")
    parts: list[Part] = [
        Shell(wall_s=wall_s, memory_mb=memory_mb),
        Files(wall_s=wall_s),
        Submission,
    ]
    template = Prompt.of(prompt or PROMPTS[source])
    load = code_repair.loader(
        source, split, dataset, config, data, "python", public, template, limits
    )
    instructions = _HOW + (f"\n\n{describe(parts)}" if calls == "text" else "")

    def tasks() -> list[Task]:
        return [with_more_to_read(task, instructions) for task in load()]

    verifier = SubmittedCode(Code(reward, limits=limits))
    fixtures = fixtures_of("code_agent", max_turns > 3)
    return ToolEnv(
        TaskSet(tasks, "code_agent"), verifier, parts, max_turns, calls=calls, fixtures=fixtures
    )
