r"""Lists of instructions that are applied to a word::

    Start with "karmo". 1. Reverse it. 2. Replace every o with e. …    →    \boxed{emrak}

Every instruction changes the word that it's given.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from rlvr.core.environment import Environment
from rlvr.core.registry import environment
from rlvr.core.task import Task
from rlvr.envs.puzzles.common import integer, pick, plain, puzzle
from rlvr.verifiers.extraction import Mode
from rlvr.verifiers.function import FunctionVerifier

_VOWELS = "aeiou"
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_LONGEST = 24


@dataclass(frozen=True)
class StringProgramLevel:
    """The length of the first word, and the number of instructions."""

    letters: int
    steps: int


LEVELS = {
    1: StringProgramLevel(5, 2),
    2: StringProgramLevel(6, 3),
    3: StringProgramLevel(8, 4),
    4: StringProgramLevel(10, 6),
    5: StringProgramLevel(12, 9),
}


def _shifted(word: str, k: int) -> str:
    return "".join(_LETTERS[(_LETTERS.index(c) + k) % 26] for c in word)


def _pairs(word: str) -> str:
    return "".join(word[i : i + 2][::-1] for i in range(0, len(word), 2))


def _vowels_last(word: str) -> str:
    return "".join(c for c in word if c not in _VOWELS) + "".join(c for c in word if c in _VOWELS)


# What is said, and what it does; {k} is a number from 1 to 3, {a} a letter of the word, {b} any letter.
OPERATIONS: dict[str, Callable[[str, int, str, str], str]] = {
    "Reverse it.": lambda w, k, a, b: w[::-1],
    "Move the first {k} letters to the end.": lambda w, k, a, b: w[k:] + w[:k],
    "Move the last {k} letters to the front.": lambda w, k, a, b: w[-k:] + w[:-k],
    "Swap the first letter with the last.": lambda w, k, a, b: w[-1] + w[1:-1] + w[0],
    "Replace every {a} with {b}.": lambda w, k, a, b: w.replace(a, b),
    "Remove every {a}.": lambda w, k, a, b: w.replace(a, ""),
    "Sort its letters alphabetically.": lambda w, k, a, b: "".join(sorted(w)),
    "Replace each letter by the one {k} further in the alphabet, with a after z.": (
        lambda w, k, a, b: _shifted(w, k)
    ),
    "Swap the 1st letter with the 2nd, the 3rd with the 4th, and so on; a last one alone stays.": (
        lambda w, k, a, b: _pairs(w)
    ),
    "Move all vowels (a, e, i, o, u) to the end, in the order they have.": (
        lambda w, k, a, b: _vowels_last(w)
    ),
    "Write its first {k} letters once more at the end.": lambda w, k, a, b: w + w[:k],
    "Write every vowel (a, e, i, o, u) twice.": (
        lambda w, k, a, b: "".join(c * (1 + (c in _VOWELS)) for c in w)
    ),
    "Remove the 2nd letter, the 4th, the 6th, and so on.": lambda w, k, a, b: w[::2],
}
_SAID = tuple(OPERATIONS)


def problem(rng: np.random.Generator, level: StringProgramLevel) -> Task:
    """Draw a word and instructions, each of which changes it."""
    word = "".join(
        pick(rng, _LETTERS if i % 2 else _LETTERS + _VOWELS * 4) for i in range(level.letters)
    )
    start = word
    steps: list[list[Any]] = []
    while len(steps) < level.steps:
        instruction = pick(rng, _SAID)
        k, a, b = integer(rng, 1, 3), pick(rng, word), pick(rng, _LETTERS)
        changed = OPERATIONS[instruction](word, k, a, b)
        if changed != word and 4 <= len(changed) <= _LONGEST:
            word = changed
            steps.append([instruction, k, a, b])
    listed = "\n".join(f"{i}. {s.format(k=k, a=a, b=b)}" for i, (s, k, a, b) in enumerate(steps, 1))
    prompt = (
        f'Start with the word "{start}" and follow these instructions in order, each on what the one '
        f"before made:\n\n{listed}\n\nPut the word that comes out in \\boxed{{}}."
    )
    return Task(prompt, word, None, {"start": start, "steps": steps})


def judge(task: Task, answer: str) -> bool:
    """Tell whether the answer is the word, letter by letter; quotes and text marks around it don't count."""
    return bool(plain(answer).strip("'“”‘’. \t\n") == task.reference)


def naive(task: Task) -> str:
    """Apply only the last instruction to the first word."""
    instruction, k, a, b = task.metadata["steps"][-1]
    return f"\\boxed{{{OPERATIONS[instruction](task.metadata['start'], k, a, b)}}}"


@environment("string_program")
def make(
    split: str = "train", level: int = 1, size: int = 1_000_000, seed: int = 0, mode: Mode = "boxed"
) -> Environment:
    """Apply a list of instructions to a word.

    Args:
        split: train, dev or test.
        level: 1 to 5: two to nine instructions, on five to twelve letters.
        size: how many tasks the split has.
        seed: of all tasks of all splits.
        mode: where the answer is looked for.
    """
    verifier = FunctionVerifier(judge, mode, "string_program", inline=True)
    return puzzle("string_program", problem, verifier, LEVELS, level, split, size, seed)
