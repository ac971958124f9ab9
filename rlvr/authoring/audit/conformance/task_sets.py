"""Whether an environment's tasks are what they claim: the same when made again, apart from one split and
seed to the other, plain data, and found by their ids."""

from __future__ import annotations

import contextlib
import itertools
import json
from collections.abc import Sequence

from rlvr.authoring.audit.conformance import other_process
from rlvr.authoring.audit.finding import Finding
from rlvr.authoring.audit.probe_registry import fail, nothing, ok, probe
from rlvr.authoring.audit.subject import Subject, excerpt
from rlvr.core.environment import Environment
from rlvr.core.errors import RlvrError
from rlvr.core.faults import described
from rlvr.core.task import Task
from rlvr.core.tasks import GeneratedTaskSet

_SPLITS = ("train", "dev", "validation", "test")
_COMPARED = 300  # generated tasks of each split
_LOADED = 20_000  # rows of each split, where they're there anyway


@probe("conformance")
def tasks_remade(subject: Subject) -> Finding:
    """The tasks are the same when made again: here, and in a process with another hash seed."""
    count = min(len(subject.env.tasks), 50)
    here = other_process.digests(subject.env, count)
    env: Environment = subject.env
    if subject.factory is not None:
        env = subject.make()
    again = other_process.digests(env, count)
    where = "made a second time"
    if again == here and subject.factory is not None:
        try:
            again = other_process.digests_in_another_process(
                subject.factory, subject.options, count
            )
        except RlvrError as error:
            return fail(
                "it can't be made in another process",
                [str(error)],
                "Trainers make it in each of their processes: its module must import there without "
                "what this process has set up.",
            )
        where = "made in another process"
    different = [i for i, (a, b) in enumerate(zip(here, again, strict=False)) if a != b]
    if different or len(again) != len(here):
        return fail(
            f"{len(different)} of {count} tasks differ when the environment is {where}",
            [f"task {i}: {excerpt(subject.env.tasks[i].text)}" for i in different],
            "A task's generator reads randomness from its `rng` alone, and the order of a set, which "
            "changes from process to process, from nowhere: sort it.",
        )
    return ok(f"{count} tasks are the same when {where}")


@probe("conformance")
def splits(subject: Subject) -> Finding:
    """No task stands in two splits."""
    if not subject.takes("split"):
        return nothing("its factory has no option `split`, so there's one set of tasks alone")
    found: dict[str, Sequence[Task]] = {}
    for split in _SPLITS:
        try:
            made = subject.make(split=split).tasks
            found[split] = _some(made)
        except Exception:  # there's no such split, or no data for it: whatever its author raises
            continue
    if subject.takes("seed") and "train" in found:
        for seed in (1, 2):  # an author's own arithmetic may make one split's seed another's
            with contextlib.suppress(Exception):
                found[f"train with seed {seed}"] = _some(
                    subject.make(split="train", seed=seed).tasks
                )
    if len(found) < 2:
        return nothing(f"of the splits, only {', '.join(found) or 'none'} can be made here")
    shared = []
    for (a, first), (b, second) in itertools.combinations(found.items(), 2):
        if a.startswith("train") and b.startswith("train"):
            continue
        prompts = {_normal(task.text) for task in first}
        twice = [task for task in second if _normal(task.text) in prompts]
        shared += [f"{a} and {b}: {excerpt(task.text)}" for task in twice]
    looked = ", ".join(f"{len(tasks)} of {split}" for split, tasks in found.items())
    if shared:
        return fail(
            f"{len(shared)} prompts stand in two splits ({looked})",
            shared,
            "rlvr.generated(puzzle, split=split) keeps splits apart by prompt; `rlvr data split` "
            "does it for rows.",
        )
    return ok(f"no prompt stands in two splits ({looked})")


@probe("conformance")
def seeds(subject: Subject) -> Finding:
    """Another seed gives other tasks, and not the next one's."""
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
            what = "the same tasks" if shift == 0 else f"the same tasks, {shift} further on"
            return fail(
                f"seeds 11 and 12 give {what}",
                [excerpt(first[shift])],
                "Give each task a stream of its own: rlvr.generated(puzzle, seed=seed) does, by "
                "numpy.random.SeedSequence; seed + i doesn't.",
            )
    return ok(f"{count} tasks of two neighbouring seeds: other tasks")


@probe("conformance")
def json_tasks(subject: Subject) -> Finding:
    """Tasks are plain JSON data: what is written and read again is equal."""
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
            "Trainers carry tasks in data sets: use lists for tuples and sets, text for keys, and no "
            "NaN, in reference and metadata.",
        )
    return ok(f"{len(subject.tasks)} tasks survive JSON")


@probe("conformance")
def task_ids(subject: Subject) -> Finding:
    """Ids are found again, and prompts aren't empty."""
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
            f"{len(wrong)} tasks can't be told by their id", wrong, "Give each an id of its own."
        )
    return ok(f"{len(subject.tasks)} tasks are found by their ids")


def _some(tasks: Sequence[Task]) -> list[Task]:
    count = min(len(tasks), _COMPARED if isinstance(tasks, GeneratedTaskSet) else _LOADED)
    return [tasks[i] for i in range(count)]


def _normal(text: str) -> str:
    return " ".join(text.split()).casefold()
