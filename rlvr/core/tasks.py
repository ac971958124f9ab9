"""`TaskSet`: a named, versioned sequence of tasks; from a list or from a generator with a seed."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, overload

import numpy as np

from rlvr.core.errors import DataError, OptionError, TaskError
from rlvr.core.task import Task

SPLITS: dict[str, tuple[float, float]] = {
    "train": (0.0, 0.8),
    "dev": (0.8, 0.9),
    "test": (0.9, 1.0),
}
"""Each split's share of a generator's problems, as an interval of a digest of the prompt."""


class TaskSet(Sequence[Task]):
    """A sequence of tasks with a name and a version.

        tasks = rlvr.TaskSet([rlvr.Task("2 + 2 = ?", "4")], name="sums")
        tasks[0].reference  # '4'

    Args:
        tasks: at least one task, with distinct ids; or a function that loads them when first used,
            so that judging alone reads no data.
        name: used in reports.
        version: raise it when a task changes.
    """

    def __init__(
        self,
        tasks: Iterable[Task] | Callable[[], Iterable[Task]],
        name: str = "tasks",
        version: int = 1,
    ) -> None:
        self.name = name
        self.version = version
        self._load = tasks if callable(tasks) else None
        self._loaded = None if callable(tasks) else self._checked(tasks)

    @property
    def _tasks(self) -> list[Task]:
        if self._loaded is None:
            assert self._load is not None
            self._loaded = self._checked(self._load())
        return self._loaded

    def _checked(self, source: Iterable[Task]) -> list[Task]:
        tasks = list(source)
        if not tasks:
            raise DataError(f"The task set {self.name!r} is empty.")
        for task in tasks:
            if not isinstance(task, Task):
                raise TaskError(
                    f"The task set {self.name!r} holds a {type(task).__name__}, not tasks only: "
                    f"make each with rlvr.Task(prompt, reference)."
                )
        self._by_id = {task.id: i for i, task in enumerate(tasks)}
        if len(self._by_id) < len(tasks):
            (twice, count) = Counter(task.id for task in tasks).most_common(1)[0]
            raise DataError(
                f"{count} tasks of {self.name!r} have the id {twice!r}. Give each an id of its own "
                f"(by default it's a digest of prompt and reference: is a row repeated?)."
            )
        return tasks

    def __repr__(self) -> str:
        # Printing must not read a data set.
        count = "not loaded yet" if self._loaded is None else f"{len(self._loaded)} tasks"
        return f"TaskSet({self.name!r}, {count})"

    def __len__(self) -> int:
        return len(self._tasks)

    @overload
    def __getitem__(self, index: int) -> Task: ...
    @overload
    def __getitem__(self, index: slice) -> TaskSet: ...
    def __getitem__(self, index: int | slice) -> Task | TaskSet:
        if isinstance(index, slice):
            return TaskSet(self._tasks[index], self.name, self.version)
        return self._tasks[index]

    def __iter__(self) -> Iterator[Task]:
        return iter(self._tasks)

    def find(self, id: str) -> Task:
        """Return the task with that id. Raises `DataError` if there's none."""
        tasks = self._tasks
        if id not in self._by_id:
            raise DataError(f"{self.name!r} has no task with the id {id!r}.")
        return tasks[self._by_id[id]]


class GeneratedTaskSet(TaskSet):
    """Tasks drawn from a random generator, each made when it is first read.

    Task `i` of a split depends on (seed, split, i) alone: every task has a random stream of its
    own from `numpy.random.SeedSequence`, so neighbouring seeds share nothing. Streams alone don't
    keep splits apart where problems are few (there are 810,000 sums of two three-digit numbers),
    so the prompts are split too: a draw whose prompt's digest falls in another split's share is
    drawn again.

    Args:
        generate: `generate(rng, **options) -> Task`, which reads randomness from `rng` alone.
        split: one of `SPLITS`.
        size: the number of tasks in the split.
        seed: one seed for all splits; splits made with the same seed are disjoint.
        options: passed to `generate`.
    """

    _tries = 10_000

    def __init__(
        self,
        generate: Callable[..., Task],
        split: str = "train",
        size: int = 1_000_000,
        seed: int = 0,
        name: str | None = None,
        version: int = 1,
        **options: Any,
    ) -> None:
        if split not in tuple(SPLITS):  # a tuple also answers for what can't be hashed
            raise OptionError(f"There's no split {split!r}. There are: {', '.join(SPLITS)}.")
        if not _is_integer(size) or size < 1:
            raise OptionError(f"size is a whole number of at least 1, not {size!r}.")
        if not _is_integer(seed) or seed < 0:  # None would be another seed at each draw
            raise OptionError(f"seed is a whole number of at least 0, not {seed!r}.")
        self.name = name or str(getattr(generate, "__name__", "tasks"))
        self.version = version
        self.split = split
        self._generate = generate
        self._indices = range(size)
        self._seed = seed
        self._stream = list(SPLITS).index(split)
        self._options = options

    def __repr__(self) -> str:
        return f"GeneratedTaskSet({self.name!r}, split={self.split!r}, {len(self)} tasks)"

    def __len__(self) -> int:
        return len(self._indices)

    @overload
    def __getitem__(self, index: int) -> Task: ...
    @overload
    def __getitem__(self, index: slice) -> GeneratedTaskSet: ...
    def __getitem__(self, index: int | slice) -> Task | TaskSet:
        if isinstance(index, slice):
            part = GeneratedTaskSet.__new__(GeneratedTaskSet)
            part.__dict__.update(self.__dict__)
            part._indices = self._indices[index]
            if not part._indices:
                raise DataError(f"The task set {self.name!r} is empty.")
            return part
        return self._make(self._indices[index])

    def __iter__(self) -> Iterator[Task]:
        return (self._make(i) for i in self._indices)

    def find(self, id: str) -> Task:
        """Return the task with that id (`split-index`). Raises `DataError` if there's none."""
        split, _, number = id.rpartition("-")
        if split == self.split and number.isascii() and number.isdigit():
            i = int(number)
            if i in self._indices:
                return self._make(i)
        raise DataError(f"{self.name!r} ({self.split}) has no task with the id {id!r}.")

    def _make(self, i: int) -> Task:
        low, high = SPLITS[self.split]
        seeds = np.random.SeedSequence(self._seed, spawn_key=(self._stream, i))
        rng = np.random.Generator(np.random.PCG64(seeds))
        for _ in range(self._tries):
            task = self._generate(rng, **self._options)
            if not isinstance(task, Task):
                raise TaskError(
                    f"The generator of {self.name!r} returned {task!r:.100}; it returns an rlvr.Task."
                )
            if low <= share_of(task.text) < high:
                return Task(task.prompt, task.reference, f"{self.split}-{i}", task.metadata)
        raise DataError(
            f"{self.name!r} found no problem for its {self.split} split in {self._tries} draws: "
            f"with these options ({self._options}) the generator has too few different prompts."
        )


def _is_integer(value: Any) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def share_of(text: str) -> float:
    """Return a number in [0, 1) that depends on the text alone, which decides a generated prompt's split; see `SPLITS`."""
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=6).digest()
    return float(int.from_bytes(digest, "big") / 2**48)


def generated(
    generate: Callable[..., Task], split: str = "train", size: int = 1_000_000, **options: Any
) -> GeneratedTaskSet:
    """Make a `GeneratedTaskSet`; `seed`, `name` and `version` may be among the options::

        def puzzle(rng, level):
            a, b = rng.integers(10**level, size=2)
            return rlvr.Task(f"{a} + {b} = ?", reference=str(a + b))

        tasks = rlvr.generated(puzzle, split="train", level=3)

    Each split has its own problems: a prompt is in one of them alone.
    """
    return GeneratedTaskSet(generate, split, size, **options)
