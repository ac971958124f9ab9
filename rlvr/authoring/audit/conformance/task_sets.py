"""Probes of task sets: they can be made again, differ between splits and seeds, are plain data, and have unique ids."""

from __future__ import annotations

import contextlib
import itertools
import json
from collections.abc import Sequence

from rlvr.authoring.audit.conformance import other_process
from rlvr.authoring.audit.finding import Finding, fail, nothing, ok
from rlvr.authoring.audit.probe_registry import probe
from rlvr.authoring.audit.subject import Subject, excerpt
from rlvr.core.environment import Environment
from rlvr.core.errors import RlvrError
from rlvr.core.faults import described
from rlvr.core.task import Task
from rlvr.core.tasks import GeneratedTaskSet

_SPLITS = ("train", "dev", "validation", "test")
_COMPARED = 300  # generated tasks per split
_LOADED = 20_000  # rows per split, which are loaded anyway


@probe("conformance")
def tasks_remade(subject: Subject) -> Finding:
    """Check that the tasks are the same when made again: here, and in a process with another hash seed."""
    count = min(len(subject.env.tasks), 50)
    expected = other_process.digests(subject.env, count)
    env: Environment = subject.env
    if subject.factory is not None:
        env = subject.make()
    again = other_process.digests(env, count)
    where = "made a second time"
    if again == expected and subject.factory is not None:
        try:
            again = other_process.digests_in_another_process(
                subject.factory, subject.options, count
            )
        except RlvrError as error:
            return fail(
                "it can't be made in another process",
                [str(error)],
                "Trainers make it in each of their processes: its module must import there without anything "
                "that this process has set up.",
            )
        where = "made in another process"
    different = [i for i, (a, b) in enumerate(zip(expected, again, strict=False)) if a != b]
    if different or len(again) != len(expected):
        return fail(
            f"{len(different)} of {count} tasks differ when the environment is {where}",
            [f"task {i}: {excerpt(subject.env.tasks[i].text)}" for i in different],
            "The function that makes a task draws from its argument `rng` alone. Sort sets: their order "
            "changes from process to process.",
            tasks_that_vary=len(different),
        )
    return ok(f"{count} tasks are the same when {where}")


@probe("conformance")
def splits(subject: Subject) -> Finding:
    """Check that no task is in two splits."""
    if not subject.takes("split"):
        return nothing("its factory has no option `split`, so there's only one set of tasks")
    splits: dict[str, Sequence[Task]] = {}
    for split in _SPLITS:
        try:
            splits[split] = _some(subject.make(split=split).tasks)
        except Exception:  # no such split, or no data for it: its author may raise anything
            continue
    if subject.takes("seed") and "train" in splits:
        for seed in (1, 2):  # an author's arithmetic may make one split's seed another's
            with contextlib.suppress(Exception):
                splits[f"train with seed {seed}"] = _some(
                    subject.make(split="train", seed=seed).tasks
                )
    if len(splits) < 2:
        return nothing(f"of the splits, only {', '.join(splits) or 'none'} can be made here")
    shared = []
    for (a, first), (b, second) in itertools.combinations(splits.items(), 2):
        if a.startswith("train") and b.startswith("train"):
            continue
        prompts = {_normal(task.text) for task in first}
        twice = [task for task in second if _normal(task.text) in prompts]
        shared += [f"{a} and {b}: {excerpt(task.text)}" for task in twice]
    counts = ", ".join(f"{len(tasks)} of {split}" for split, tasks in splits.items())
    if shared:
        return fail(
            f"{len(shared)} prompts are in two splits ({counts})",
            shared,
            "rlvr.generated(puzzle, split=split) keeps splits apart by prompt; `rlvr data split` "
            "does it for rows.",
        )
    return ok(f"no prompt is in two splits ({counts})")


@probe("conformance")
def seeds(subject: Subject) -> Finding:
    """Check that another seed gives other tasks, and not the same ones shifted."""
    if not subject.takes("seed"):
        return nothing("its factory has no option `seed`")
    count = min(len(subject.env.tasks), 60)
    first, second = (
        [task.text for task in itertools.islice(subject.make(seed=seed).tasks, count)]
        for seed in (11, 12)
    )
    for shift in range(min(3, count - 1)):
        same = sum(a == b for a, b in zip(first[shift:], second, strict=False)) / (count - shift)
        if same > 0.8:
            relation = "the same tasks" if shift == 0 else f"the same tasks, {shift} further on"
            return fail(
                f"seeds 11 and 12 give {relation}",
                [excerpt(first[shift])],
                "Give each task a stream of its own, as rlvr.generated(puzzle, seed=seed) does by "
                "numpy.random.SeedSequence; seed + i doesn't.",
            )
    return ok(f"{count} tasks of two neighbouring seeds: other tasks")


@probe("conformance")
def json_tasks(subject: Subject) -> Finding:
    """Check that tasks are plain JSON data: equal after writing and reading."""
    wrong = []
    for task in subject.tasks:
        try:
            plain = json.loads(json.dumps(task.to_json(), allow_nan=False))
            if plain != task.to_json() or Task.from_json(plain) != task:
                changed = [k for k, v in task.to_json().items() if plain[k] != v]
                wrong.append(f"{task.id}: {', '.join(changed)} changes on the way")
        except (TypeError, ValueError, RecursionError) as error:
            wrong.append(f"{task.id}: {described(error)}")
    if wrong:
        return fail(
            f"{len(wrong)} of {len(subject.tasks)} tasks aren't plain JSON data",
            wrong,
            "Trainers keep tasks in data sets: in reference and metadata, use lists instead of tuples and sets, text "
            "as keys, and no NaN.",
        )
    return ok(f"{len(subject.tasks)} tasks survive JSON")


@probe("conformance")
def task_ids(subject: Subject) -> Finding:
    """Check that tasks are found by their ids, and prompts aren't empty."""
    wrong = []
    for task in subject.tasks:
        try:
            if subject.env.tasks.find(task.id) != task:
                wrong.append(f"{task.id} finds another task")
        except RlvrError as error:
            wrong.append(f"{task.id}: {error}")
        if not task.text.strip():
            wrong.append(f"{task.id} has an empty prompt")
    if wrong:
        return fail(
            f"{len(wrong)} tasks can't be found by their id", wrong, "Give each an id of its own."
        )
    return ok(f"{len(subject.tasks)} tasks are found by their ids")


def _some(tasks: Sequence[Task]) -> list[Task]:
    count = min(len(tasks), _COMPARED if isinstance(tasks, GeneratedTaskSet) else _LOADED)
    return [tasks[i] for i in range(count)]


def _normal(text: str) -> str:
    return " ".join(text.split()).casefold()
