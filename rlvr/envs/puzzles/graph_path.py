r"""Shortest paths in weighted graphs::

    A-B 4, A-C 9, B-C 2, … Find a shortest path from A to C.    →    \boxed{A -> B -> C}

Any path of the least length counts. No task can be solved by the fewest roads, nor by taking
the shortest road at each place, from either end: those paths are never shortest ones.
"""

from __future__ import annotations

import heapq
import itertools
import re
import string
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from rlvr.core.environment import Environment
from rlvr.core.registry import environment
from rlvr.core.task import Task
from rlvr.envs.puzzles.common import integer, pick, plain, puzzle
from rlvr.verifiers.extraction import Mode
from rlvr.verifiers.function import FunctionVerifier

Edge: TypeAlias = tuple[str, str, int]
MAX_LENGTH = 1000
"""Characters of an answer that are read."""


@dataclass(frozen=True)
class GraphPathLevel:
    """The numbers of places and roads, and the least number of roads of the path."""

    places: int
    roads: int
    steps: int


LEVELS = {
    1: GraphPathLevel(6, 9, 2),
    2: GraphPathLevel(8, 13, 3),
    3: GraphPathLevel(10, 18, 3),
    4: GraphPathLevel(15, 30, 4),
    5: GraphPathLevel(22, 48, 5),
}


def problem(rng: np.random.Generator, level: GraphPathLevel) -> Task:
    """Draw a connected graph and two places whose shortest paths aren't those with the fewest roads."""
    names = string.ascii_uppercase[: level.places]
    while True:
        edges = _graph(rng, names, level.roads)
        start = pick(rng, names)
        shortest = _best(edges, start, by_weight=True)
        fewest = _best(edges, start, by_weight=False)
        far = [
            place
            for place, (weight, steps, _) in shortest.items()
            if steps >= level.steps
            and weight < fewest[place][0]
            and weight not in (_greedy(edges, start, place), _greedy(edges, place, start))
        ]
        if far:
            break
    end = pick(rng, far)
    listed = "\n".join(f"{a} - {b}: {weight}" for a, b, weight in edges)
    prompt = (
        f"Roads between places, with their lengths; each can be taken both ways:\n\n{listed}\n\n"
        f"Find a shortest path from {start} to {end}. Put the places in order in \\boxed{{}}, "
        f"such as \\boxed{{X -> Y -> Z}}."
    )
    fields = {"edges": [list(edge) for edge in edges], "start": start, "end": end}
    length, _, path = shortest[end]
    return Task(prompt, fields | {"length": length, "path": path}, None, fields)


def _graph(rng: np.random.Generator, names: str, roads: int) -> list[Edge]:
    """Draw a random tree and random further edges, sorted."""
    order = [names[int(i)] for i in rng.permutation(len(names))]
    pairs = {tuple(sorted((order[i], order[integer(rng, 0, i - 1)]))) for i in range(1, len(order))}
    while len(pairs) < roads:
        a, b = pick(rng, names), pick(rng, names)
        if a != b:
            pairs.add((min(a, b), max(a, b)))
    return [(a, b, integer(rng, 1, 30)) for a, b in sorted(pairs)]


def _neighbours(edges: list[Edge]) -> dict[str, dict[str, int]]:
    near: dict[str, dict[str, int]] = {}
    for a, b, weight in edges:
        near.setdefault(a, {})[b] = weight
        near.setdefault(b, {})[a] = weight
    return near


def _best(edges: list[Edge], start: str, by_weight: bool) -> dict[str, tuple[int, int, str]]:
    """Return, for every place, weight, edges and places of the path with the least weight, then the fewest
    edges; or the other way round."""
    near = _neighbours(edges)
    done: dict[str, tuple[int, int, str]] = {}
    queue = [(0, 0, start)]
    while queue:
        first, second, path = heapq.heappop(queue)
        place = path[-1]
        if place in done:
            continue
        done[place] = (first, second, path) if by_weight else (second, first, path)
        for other, weight in near[place].items():
            if other not in done:
                step = (weight, 1) if by_weight else (1, weight)
                heapq.heappush(queue, (first + step[0], second + step[1], path + other))
    return done


def _greedy(edges: list[Edge], start: str, end: str) -> int:
    """Return the length of the path that goes straight to the end if there's a road, otherwise by the shortest road to a
    new place; 0 where that ends nowhere."""
    near = _neighbours(edges)
    path, length = [start], 0
    while path[-1] != end:
        roads = near[path[-1]]
        new = [end] if end in roads else sorted(set(roads) - set(path), key=lambda p: (roads[p], p))
        if not new:
            return 0
        length += roads[new[0]]
        path.append(new[0])
    return length


_BETWEEN = re.compile(
    r"\\(?:to|rightarrow|longrightarrow|Rightarrow)(?![a-zA-Z])|[-=]>|[→⇒,\s>–—-]"
)


def demonstrate(task: Task) -> str:
    """Return the solution that was found when the task was made."""
    return f"\\boxed{{{' -> '.join(task.reference['path'])}}}"


def judge(task: Task, answer: str) -> bool:
    """Tell whether `answer` is a path from start to end along the roads, and as short as any."""
    if len(answer) > MAX_LENGTH:
        return False
    path = _BETWEEN.sub(" ", plain(answer).removesuffix(".")).split()
    asked = task.reference
    if len(path) < 2 or (path[0], path[-1]) != (asked["start"], asked["end"]):
        return False
    near = _neighbours(asked["edges"])
    length = 0
    for a, b in itertools.pairwise(path):
        weight = near.get(a, {}).get(b)
        if weight is None:
            return False
        length += weight
    return bool(length == asked["length"])


def naive(task: Task) -> str:
    """Return the shortest of the paths with the fewest roads."""
    _, _, path = _best(task.metadata["edges"], task.metadata["start"], False)[task.metadata["end"]]
    return f"\\boxed{{{' -> '.join(path)}}}"


@environment("graph_path")
def make(
    split: str = "train", level: int = 1, size: int = 1_000_000, seed: int = 0, mode: Mode = "boxed"
) -> Environment:
    """Make graphs whose shortest paths are asked for.

    Args:
        split: train, dev or test.
        level: 1 to 5: from 6 places with 9 roads to 22 with 48.
        size: how many tasks the split has.
        seed: of all tasks of all splits.
        mode: where the answer is looked for.
    """
    verifier = FunctionVerifier(judge, mode, "graph_path", inline=True, demonstrate=demonstrate)
    return puzzle("graph_path", problem, verifier, LEVELS, level, split, size, seed)
