"""Environments with one fault each, and the probe that must find it.

The task is to say a number's square; `healthy` does it right, and each of the others does one thing
wrong, as authors have. In a module of its own, so that workers and other processes can import it.
"""

from __future__ import annotations

import itertools
import os
import random
import re
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np

import rlvr
from rlvr.core.thinking import after_thinking

BROKEN: dict[str, str] = {}
"""Environment to the probe that finds its fault."""
FACTORIES: dict[str, Callable[..., rlvr.Environment]] = {}
"""Registered by a fixture, and only for its tests: others look at every environment there is."""


def square(rng: np.random.Generator, low: int = 10) -> rlvr.Task:
    n = int(rng.integers(low, 1_000_000))
    return rlvr.Task(f"What is {n} times {n}? Put it in \\boxed{{}}.", str(n * n))


@rlvr.verifier
def equal(task: rlvr.Task, answer: str) -> bool:
    return answer.strip() == task.reference


def boxed(task: rlvr.Task) -> str:
    return f"\\boxed{{{task.reference}}}"


def healthy(split: str = "train", seed: int = 0) -> rlvr.Environment:
    return rlvr.SingleTurn(
        rlvr.generated(square, split=split, seed=seed, size=5000),
        0.95 * equal + 0.05 * rlvr.Format.boxed(),
    )


def broken(probe: str) -> Callable[[Callable[..., rlvr.Environment]], Any]:
    """The factory of an environment whose fault `probe` must find."""

    def decorate(factory: Callable[..., rlvr.Environment]) -> Any:
        name = f"broken_{factory.__name__}"
        BROKEN[name] = probe
        FACTORIES[name] = factory
        return factory

    return decorate


FACTORIES["healthy_square"] = healthy


def tasks(count: int = 40, **options: Any) -> rlvr.TaskSet:
    return rlvr.generated(square, size=count, **options)


def judged(judge: Callable[..., Any], **options: Any) -> rlvr.Environment:
    """The squares with another verifier."""
    options.setdefault("demonstrate", boxed)
    return rlvr.SingleTurn(tasks(), rlvr.verifier(judge, **options))


# ---------------------------------------------------------------- the contract


class NoInfo(rlvr.SingleTurn):
    def reset(self, **options: Any) -> Any:
        return super().reset(**options)[0]


@broken("gymnasium-api")
def returns_no_info() -> rlvr.Environment:
    return NoInfo(tasks(), equal)


class Reseeded(rlvr.SingleTurn):
    def _choose(self, options: dict[str, Any]) -> rlvr.Task:
        return (
            self.tasks[options["task"]]
            if isinstance(options.get("task"), int)
            else (options.get("task") or self.tasks[random.randrange(len(self.tasks))])
        )


@broken("reset")
def draws_by_the_global_generator() -> rlvr.Environment:
    return Reseeded(tasks(), equal)


class SameTask(rlvr.SingleTurn):
    def _choose(self, options: dict[str, Any]) -> rlvr.Task:
        return options.get("task") or self.tasks[0]


@broken("reset")
def draws_the_same_task_always() -> rlvr.Environment:
    return SameTask(tasks(), equal)


class Endless(rlvr.SingleTurn):
    def step(self, action: str) -> Any:
        observation, reward, *_, info = super().step(action)
        self._over = False
        return observation, reward, False, False, info


@broken("episode")
def never_ends() -> rlvr.Environment:
    return Endless(tasks(), equal)


class ZeroForUnscored(rlvr.SingleTurn):
    def step(self, action: str) -> Any:
        observation, reward, terminated, truncated, info = super().step(action)
        return observation, 0.0 if reward != reward else reward, terminated, truncated, info

    def judge(self, task: rlvr.Task, messages: Any) -> rlvr.Verdict:
        return rlvr.Unscored(rlvr.Cause.SANDBOX, "no sandbox today")


@broken("episode")
def reads_unscored_as_zero() -> rlvr.Environment:
    return ZeroForUnscored(tasks(), equal)


class TellsTheReference(rlvr.SingleTurn):
    def reset(self, **options: Any) -> Any:
        prompt, info = super().reset(**options)
        return prompt, info | {"label": self._episode.task.reference}


@broken("episode")
def gives_the_reference_away() -> rlvr.Environment:
    return TellsTheReference(tasks(), equal)


def _by_the_clock(rng: np.random.Generator) -> rlvr.Task:
    n = random.randrange(10, 1_000_000)
    return rlvr.Task(f"What is {n} times {n}?", str(n * n))


@broken("tasks-remade")
def generates_by_the_global_generator() -> rlvr.Environment:
    return rlvr.SingleTurn(rlvr.generated(_by_the_clock, size=50), equal)


def _by_the_hash(rng: np.random.Generator) -> rlvr.Task:
    words = list({"ash", "birch", "cedar", "elm", "fir", "hazel", "larch", "maple", "oak", "pine"})
    first, second = words[int(rng.integers(10))], words[int(rng.integers(10))]
    return rlvr.Task(f"{rng.integers(10_000)}: say {first} and {second}.", f"{first} {second}")


@broken("tasks-remade")
def depends_on_the_hash_seed() -> rlvr.Environment:
    return rlvr.SingleTurn(rlvr.generated(_by_the_hash, size=50), equal)


@broken("splits")
def has_the_same_tasks_in_both_splits(split: str = "train") -> rlvr.Environment:
    return rlvr.SingleTurn(list(itertools.islice(tasks(60), 60)), equal)


@broken("seeds")
def has_neighbouring_seeds(seed: int = 0) -> rlvr.Environment:
    rngs = (np.random.default_rng(seed + i) for i in range(80))
    return rlvr.SingleTurn([square(rng) for rng in rngs], equal)


@broken("json-tasks")
def has_tuples_in_its_references() -> rlvr.Environment:
    found = [rlvr.Task(f"{i} and {i + 1}?", (i, i + 1), str(i)) for i in range(20)]
    return rlvr.SingleTurn(
        found, rlvr.verifier(lambda task, answer: answer == str(task.reference), name="pair")
    )


class Locked(rlvr.Verifier):
    name = "locked"

    def __init__(self) -> None:
        self.lock = threading.Lock()

    def verify(self, task: rlvr.Task, response: str) -> rlvr.Verdict:
        with self.lock:
            return rlvr.Scored(float(task.reference in response), rlvr.Status.CORRECT)


@broken("pickling")
def holds_a_lock() -> rlvr.Environment:
    return rlvr.SingleTurn(tasks(), Locked())


class Shared(rlvr.SingleTurn):
    shared: dict[str, Any] = {}

    def reset(self, **options: Any) -> Any:
        found = super().reset(**options)
        Shared.shared["episode"] = self._episode
        return found

    def step(self, action: str) -> Any:
        self._episode = Shared.shared["episode"]
        return super().step(action)


@broken("vectors")
def shares_its_state() -> rlvr.Environment:
    return Shared(tasks(), equal)


# ---------------------------------------------------------------- running


def _slow_pattern(task: rlvr.Task, answer: str) -> bool:
    # On a long sum it takes a second or two: an endless one would have to be ended several times.
    slow = r"\\boxed\{(?:\d\+){0,4000}(?:\d\+)*x|\d+"
    return bool(re.fullmatch(slow, answer)) and answer == task.reference


@broken("settling")
def has_a_slow_pattern_inline() -> rlvr.Environment:
    return judged(_slow_pattern, inline=True, mode="whole", name="slow", limit_s=2.0,
                  demonstrate=lambda task: task.reference)  # fmt: skip


@broken("any-response")
def raises_on_what_is_no_number() -> rlvr.Environment:
    return judged(lambda task, answer: int(answer) == int(task.reference), name="int")


class Counting(rlvr.Verifier):
    name = "counting"
    calls = 0

    def verify(self, task: rlvr.Task, response: str) -> rlvr.Verdict:
        Counting.calls += 1
        right = boxed(task) in response and Counting.calls % 3 != 0
        return rlvr.Scored(float(right), rlvr.Status.CORRECT if right else rlvr.Status.INCORRECT)

    def demonstrate(self, task: rlvr.Task) -> str:
        return boxed(task)


@broken("same-verdict")
def counts_its_calls() -> rlvr.Environment:
    return rlvr.SingleTurn(tasks(), Counting())


@broken("same-verdict")
def draws_lots() -> rlvr.Environment:
    return judged(lambda task, answer: random.random() < 0.5, name="lots")


class Keeping(rlvr.Verifier):
    name = "keeping"
    kept: list[str] = []

    def verify(self, task: rlvr.Task, response: str) -> rlvr.Verdict:
        Keeping.kept.append(response * 10)
        right = boxed(task) in after_thinking(response)
        return rlvr.Scored(float(right), rlvr.Status.CORRECT if right else rlvr.Status.INCORRECT)

    def demonstrate(self, task: rlvr.Task) -> str:
        return boxed(task)


@broken("flat-memory")
def keeps_every_response() -> rlvr.Environment:
    return rlvr.SingleTurn(tasks(), Keeping())


def _leaves_files(task: rlvr.Task, answer: str) -> bool:
    handle, _ = tempfile.mkstemp()
    os.close(handle)
    return answer == task.reference


@broken("nothing-left")
def leaves_files() -> rlvr.Environment:
    return judged(_leaves_files)


def _leaves_processes(task: rlvr.Task, answer: str) -> bool:
    subprocess.Popen(["sleep", "30"])
    return answer == task.reference


@broken("nothing-left")
def leaves_processes() -> rlvr.Environment:
    return judged(_leaves_processes)


@broken("reward-range")
def pays_ten() -> rlvr.Environment:
    def judge(task: rlvr.Task, answer: str) -> rlvr.Verdict:
        return rlvr.Scored(10.0 if answer == task.reference else -10.0, rlvr.Status.CORRECT)

    return judged(judge, name="ten")


@broken("seconds-per-verification")
def takes_seconds() -> rlvr.Environment:
    def judge(task: rlvr.Task, answer: str) -> bool:
        time.sleep(1.1)
        return answer == task.reference

    return judged(judge, name="sleepy")


# ---------------------------------------------------------------- truth


@broken("gold")
def has_golds_of_another_type() -> rlvr.Environment:
    found = [rlvr.Task(f"What is {n} times {n}?", n * n) for n in range(10, 40)]
    verifier = rlvr.verifier(lambda task, answer: answer == task.reference, name="typed",
                             demonstrate=lambda task: f"\\boxed{{{task.reference}}}")  # fmt: skip
    return rlvr.SingleTurn(found, verifier)


@broken("gold")
def has_empty_golds() -> rlvr.Environment:
    found = [
        rlvr.Task(f"What is {n} times {n}?", str(n * n) if n % 5 else "") for n in range(10, 40)
    ]
    return rlvr.SingleTurn(found, equal)


@broken("right-in-every-format")
def wants_the_box_alone() -> rlvr.Environment:
    return judged(lambda task, answer: answer == boxed(task), mode="whole", name="alone")


@broken("right-in-every-format")
def takes_the_first_box() -> rlvr.Environment:
    def judge(task: rlvr.Task, answer: str) -> bool:
        found = re.search(r"\\boxed\{(.*?)\}", answer)
        return found is not None and found[1] == task.reference

    return judged(judge, mode="whole", name="first")


@broken("equal-forms")
def compares_spellings_of_values() -> rlvr.Environment:
    found = [rlvr.Task(f"What is 1 divided by {n}?", f"\\frac{{1}}{{{n}}}") for n in range(10, 40)]
    return rlvr.SingleTurn(found, equal)


@broken("changed-answers-lose")
def looks_for_the_answer_anywhere() -> rlvr.Environment:
    return judged(lambda task, answer: task.reference in answer, name="within")


@broken("changed-answers-lose")
def looks_at_the_beginning() -> rlvr.Environment:
    return judged(lambda task, answer: answer.strip()[:3] == task.reference[:3], name="prefix")


@broken("changed-answers-lose")
def has_a_wide_tolerance() -> rlvr.Environment:
    def judge(task: rlvr.Task, answer: str) -> bool:
        return (
            bool(re.fullmatch(r"\d{1,30}", answer))
            and 0.05 < int(answer) / int(task.reference) < 20
        )

    return judged(judge, name="near")


@broken("anothers-answer")
def judges_the_form_alone() -> rlvr.Environment:
    return judged(lambda task, answer: bool(re.fullmatch(r"\d{2,20}", answer)), name="form")


@broken("fixtures")
def has_a_fixture_that_fails() -> rlvr.Environment:
    task = rlvr.Task("What is 3 times 3?", "9")
    kept = [rlvr.Fixture("right", "\\boxed{9}", task), rlvr.Fixture("right", "it's nine", task)]
    return rlvr.SingleTurn(tasks(), equal, fixtures=kept)


@broken("contradictions")
def contradicts_itself() -> rlvr.Environment:
    found = [rlvr.Task(f"What is {n % 15} times {n % 15}?", str(n * n)) for n in range(30)]
    return rlvr.SingleTurn(found, equal)
