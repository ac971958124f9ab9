"""Checks of a candidate's reference by the environment's verifier, before any solver is asked.

The answer that the verifier makes of the reference must earn full reward, and answers without content, the question
itself and other tasks' answers must not. Of a program with tests, the reference solution must pass and a spoilt one
must fail.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Sequence
from concurrent.futures import Future

from rlvr.authoring.synthesis.proposal import Proposal
from rlvr.core.compose import leaves
from rlvr.core.environment import Environment
from rlvr.core.task import Task
from rlvr.core.transcript import Transcript
from rlvr.core.verdict import Cause, Scored, Status, Unscored, Verdict
from rlvr.policies.base import seed_of
from rlvr.verifiers.code import Code
from rlvr.verifiers.fences import fenced

_OFTEN = (
    0.2  # share of the examples that pay a probe, from which on it says nothing about a candidate
)
_CALIBRATED = 100  # examples at most
_FOREIGN = 2  # other tasks' answers per candidate
_SPOILT = 6  # spoilt programs per candidate
_NUMBER = re.compile(r"(?<![\w.])\d{1,9}(?![\w.])")
_OPERATOR = re.compile(r"(?<=[\w)\] ])(?:<=|>=|==|!=|//|[+\-*<>%])(?=[\w(\[ ])")
_CHANGED = {
    "+": "-", "-": "+", "*": "+", "<": ">", ">": "<", "<=": ">", ">=": "<", "==": "!=", "!=": "==", "//": "*", "%": "+",
}  # fmt: skip
_OURS = (Cause.SANDBOX, Cause.JUDGE)  # other faults are the reference's: it is what is new


def is_right(verdict: Verdict) -> bool:
    """Return True for full reward."""
    return isinstance(verdict, Scored) and verdict.status is Status.CORRECT


def judge(env: Environment, tasks: Sequence[Task], responses: Sequence[str]) -> list[Verdict]:
    """Return the verdict on each response. Everything is bounded by the scoring pool."""
    pending: list[Verdict | Future[Verdict]] = [
        env.submit(task, Transcript.of(task, response))
        for task, response in zip(tasks, responses, strict=True)
    ]
    return [verdict.result() if isinstance(verdict, Future) else verdict for verdict in pending]


class ReferenceChecks:
    """The checks, calibrated on the examples: a probe that many examples pay isn't used.

    Attributes:
        unusable: the examples whose own reference the verifier doesn't pay, by id, with the reason.
        left_out: the names of the probes that too many examples pay.

    Args:
        examples: tasks with a right reference, by id.
    """

    def __init__(self, env: Environment, examples: dict[str, Task], seed: int) -> None:
        self.env = env
        self._seed = seed
        self._runs_programs = any(isinstance(leaf, Code) for leaf in leaves(env.verifier))
        self.unusable: dict[str, str] = {}
        self.left_out: list[str] = []
        self._answers: list[tuple[Task, str]] = []
        self._calibrate(examples)

    def check(self, candidates: Sequence[Proposal]) -> None:
        """Reject the candidates whose reference is invalid, or whose verifier pays without a solution."""
        plays: list[tuple[Proposal, str, str]] = []
        for candidate in candidates:
            assert candidate.task is not None
            plays += [
                (candidate, name, text) for name, text in self._plays(candidate.task, candidate.id)
            ]
        tasks = [candidate.task for candidate, _, _ in plays if candidate.task is not None]
        verdicts = judge(self.env, tasks, [text for _, _, text in plays])
        of: dict[str, list[tuple[str, Verdict]]] = {}
        for (candidate, name, _), verdict in zip(plays, verdicts, strict=True):
            of.setdefault(candidate.id, []).append((name, verdict))
        for candidate in candidates:
            self._decide(candidate, of.get(candidate.id, []))

    def _decide(self, candidate: Proposal, verdicts: Sequence[tuple[str, Verdict]]) -> None:
        by_name: dict[str, list[Verdict]] = {}
        for name, verdict in verdicts:
            by_name.setdefault(name, []).append(verdict)
            if isinstance(verdict, Unscored):
                if verdict.cause in _OURS:
                    candidate.reject("unscored", f"no verdict ({verdict.cause})", verdict.message)
                else:
                    reason = f"the verifier can't use the reference ({verdict.cause})"
                    candidate.reject("reference", reason, verdict.message)
        if not candidate.is_open:
            return
        right = by_name.get("reference", [])
        if self._runs_programs and not right:
            candidate.reject("reference", "there's no reference solution")
        elif right and not is_right(right[0]):
            feedback = right[0].feedback if isinstance(right[0], Scored) else ""
            candidate.reject("reference", "the verifier refuses the reference itself", feedback)
        for name in ("empty", "echo"):
            if any(map(is_right, by_name.get(name, []))):
                candidate.reject(
                    "reference", f"the verifier pays a response without content ({name})"
                )
        foreign = by_name.get("foreign", [])
        if len(foreign) == _FOREIGN and all(map(is_right, foreign)):
            candidate.reject("reference", "the verifier pays answers to other tasks")
        spoilt = by_name.get("spoilt", [])
        if spoilt and sum(map(is_right, spoilt)) > len(spoilt) / 2:
            # Some changes make no difference to a program, but not most.
            candidate.reject("reference", "its tests pass most spoilt solutions")
        candidate.facts["demonstrated"] = bool(right)

    def _plays(self, task: Task, id: str) -> Iterator[tuple[str, str]]:
        """Yield the responses to judge, each with the name of its check."""
        answer = self._answer(task)
        if answer is not None:
            yield "reference", answer
        for name, text in self._content_free(task):
            if name not in self.left_out:
                yield name, text
        rng = random.Random(seed_of(self._seed, "checks", id))
        foreign = [text for _, text in self._answers if text != answer]
        if "foreign" not in self.left_out and len(foreign) >= _FOREIGN:
            for text in rng.sample(foreign, _FOREIGN):
                yield "foreign", text
        if self._runs_programs and answer is not None and isinstance(task.reference, dict):
            solution = str(task.reference.get("solution") or "")
            language = str(task.reference.get("language") or "python")
            for source in spoilt_programs(solution, rng):
                yield "spoilt", fenced(source, language)

    def _content_free(self, task: Task) -> Iterator[tuple[str, str]]:
        yield "empty", ""
        yield "echo", task.text
        if self._runs_programs and isinstance(task.reference, dict):
            language = str(task.reference.get("language") or "python")
            if language == "python":
                yield "empty", fenced("pass", language)

    def _answer(self, task: Task) -> str | None:
        """Return the answer that the verifier makes of the reference; None if it makes none."""
        try:
            turns = self.env.demonstrate(task)
        except Exception:  # an odd reference may break an author's demonstration
            return None
        return turns[-1] if turns and isinstance(turns[-1], str) else None

    def _calibrate(self, examples: dict[str, Task]) -> None:
        answers = {id: self._answer(task) for id, task in examples.items()}
        verdicts = judge(
            self.env, list(examples.values()), [answer or "" for answer in answers.values()]
        )
        for (id, answer), verdict in zip(answers.items(), verdicts, strict=True):
            if isinstance(verdict, Unscored):
                self.unusable[id] = f"the verifier can't use its reference: {verdict.message}"
            elif answer is not None and not is_right(verdict):
                self.unusable[id] = f"the verifier doesn't pay its reference: {verdict.feedback}"
            elif answer is not None:
                self._answers.append((examples[id], answer))
        usable = [task for id, task in examples.items() if id not in self.unusable][:_CALIBRATED]
        plays = [(task, *play) for task in usable for play in self._content_free(task)]
        for at, (task, answer) in enumerate(self._answers[:_CALIBRATED]):
            foreign = [text for _, text in self._answers if text != answer]
            if foreign:
                plays.append((task, "foreign", foreign[at % len(foreign)]))
        verdicts = judge(self.env, [task for task, _, _ in plays], [text for _, _, text in plays])
        for name in ("empty", "echo", "foreign"):
            paid = [
                is_right(v) for (_, kind, _), v in zip(plays, verdicts, strict=True) if kind == name
            ]
            if sum(paid) > _OFTEN * len(paid):
                self.left_out.append(name)


def spoilt_programs(source: str, rng: random.Random) -> list[str]:
    """Return up to six programs that differ from a source in one number or operator."""
    changes = [(match, str(int(match[0]) + 1)) for match in _NUMBER.finditer(source)]
    changes += [(match, _CHANGED[match[0]]) for match in _OPERATOR.finditer(source)]
    if len(changes) > _SPOILT:
        changes = rng.sample(changes, _SPOILT)
    return [f"{source[: match.start()]}{text}{source[match.end() :]}" for match, text in changes]
