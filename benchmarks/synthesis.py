"""Tasks made of 70 examples by a script that also proposes wrong, repeated, contaminated and hostile ones.

    python benchmarks/synthesis.py [--count 1000] [--seed 0] [--agree 3] [--of 4] [--folder FOLDER]

The examples and an evaluation set of 300 are word problems of a grammar in GSM8K's form. The script writes further ones,
and with stated shares rows that must not be kept. A second script solves problems by the grammar; 4% of its answers are
wrong by one, as some of the wrong references are, so that with fewer agreeing responses they confirm each other now and
then. Afterwards each kept row is checked without the code that kept it: the reference by the grammar and a fresh verifier,
near-duplicates by comparing all pairs, and the evaluation set by `rlvr data decontaminate`.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import rlvr
from rlvr.authoring.decontamination import decontaminate
from rlvr.authoring.decontamination.near import Sketch
from rlvr.authoring.decontamination.text import tokens
from rlvr.authoring.rows import RowSource
from rlvr.authoring.synthesis import Synthesis, synthesise
from rlvr.policies import Request

NAMES = (
    "Ana",
    "Ben",
    "Chloe",
    "Dmitri",
    "Elif",
    "Farid",
    "Grace",
    "Hiro",
    "Ines",
    "Jamal",
    "Kofi",
    "Lena",
)
THINGS = (
    "apples",
    "marbles",
    "stamps",
    "candles",
    "notebooks",
    "ribbons",
    "kites",
    "bricks",
    "shells",
    "lanterns",
)
PLACES = (
    "market",
    "harbour",
    "library",
    "bakery",
    "station",
    "workshop",
    "garden",
    "museum",
    "factory",
    "theatre",
)
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
Compute = Callable[[int, int, int], int]
TEMPLATES: tuple[tuple[str, Compute], ...] = (
    ("{a} buys {x} boxes of {t} at the {p}. Each box holds {y} of them, and {a} gives {z} away on {d}. How many {t} are left?",
     lambda x, y, z: x * y - z),
    ("On {d} the {p} sold {x} {t} in the morning and {y} in the afternoon. {a} brought {z} back. How many {t} stayed sold?",
     lambda x, y, z: x + y - z),
    ("{a} walks from the {p} with {x} bags. In every bag there are {y} {t}, except that the last one has {z} more. What is the total of {t} that {a} carries?",
     lambda x, y, z: x * y + z),
    ("A shelf in the {p} has room for {x} rows with {y} {t} per row. {a} has stacked {z} so far. How many {t} still fit before {d}?",
     lambda x, y, z: x * y - z),
    ("{a} earns {x} dollars per hour at the {p} and works {y} hours each {d}. After a bonus of {z} dollars for sorting {t}, what does {a} take home?",
     lambda x, y, z: x * y + z),
    ("There are {x} {t} on the first cart, {y} on the second and {z} on the third when {a} reaches the {p} on {d}. How many is that altogether?",
     lambda x, y, z: x + y + z),
    ("Every {d}, {x} visitors of the {p} get {y} {t} each from {a}, who began with {z} crates full. How many {t} does one {d} take, counting {z} spare ones too?",
     lambda x, y, z: x * y + z + 0 * z),
    ("{a} collected {x} {t} in spring, {y} times as many in summer, and lost {z} near the {p} one {d}. How large is the collection of summer after the loss?",
     lambda x, y, z: x * y - z),
)  # fmt: skip
_WORDS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"]  # fmt: skip
_TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
SHARES = {
    "wrong": 0.10,
    "copied": 0.10,
    "repeated": 0.06,
    "contaminated": 0.08,
    "told": 0.04,
    "hostile": 0.03,
    "invisible": 0.03,
    "malformed": 0.04,
}
"""The shares of proposed rows that must not be kept; the rest are good."""
UNREADABLE = 0.05
"""The share of replies without any JSON."""
SLIPS = 0.04
"""The share of the solver's answers that are wrong."""


def problem(rng: random.Random) -> tuple[str, int]:
    """Return a question and its answer."""
    text, compute = rng.choice(TEMPLATES)
    x, y, z = rng.randint(12, 90), rng.randint(12, 60), rng.randint(2, 99)
    question = text.format(
        a=rng.choice(NAMES), t=rng.choice(THINGS), p=rng.choice(PLACES), d=rng.choice(DAYS),
        x=x, y=y, z=z,
    )  # fmt: skip
    return question, compute(x, y, z)


def row(question: str, answer: object) -> dict[str, str]:
    """Return a row in GSM8K's form."""
    return {"question": question, "answer": f"Worked out step by step.\n#### {answer}"}


def spelled(number: int) -> str:
    """Return a number below 100 in words."""
    if number < 20:
        return _WORDS[number]
    tens, ones = divmod(number, 10)
    return _TENS[tens - 2] + (f"-{_WORDS[ones]}" if ones else "")


def in_words(question: str) -> str:
    """Return a question with its numbers below 100 in words."""
    return re.sub(r"\b\d\d?\b", lambda match: spelled(int(match[0])), question)


def disguised(question: str, rng: random.Random) -> str:
    """Return a copy of a question that looks otherwise: white space, numbers in words, case, a few words."""
    kind = rng.randrange(5)
    if kind == 0:
        return "  ".join(question.split(" ")) + "\n"
    if kind == 1:
        return in_words(question)
    if kind == 2:
        return question.upper()
    if kind == 3:
        return "Read this carefully. " + question.replace("How many", "Tell me how many")
    other = rng.choice([name for name in NAMES if name not in question])
    name = next(name for name in NAMES if name in question)
    return question.replace(name, other)


class Proposer:
    """A policy that writes tasks, good and bad.

    Attributes:
        kinds: the kind of each proposed question: "good", or one of `SHARES`.
    """

    name = "proposer"

    def __init__(self, evaluation: Sequence[dict[str, str]], seed: int = 0) -> None:
        self._evaluation = evaluation
        self._seed = seed
        self.kinds: dict[str, str] = {}

    def respond(self, requests: Sequence[Request]) -> list[str]:
        """Return a reply to each request."""
        return [self._reply(request) for request in requests]

    def _reply(self, request: Request) -> str:
        asked = request.task.metadata
        rng = random.Random(f"{self._seed} {request.seed}")
        if asked["ask"] == "personas":
            pairs = [(rng.choice(NAMES), rng.choice(PLACES)) for _ in range(asked["count"])]
            return json.dumps([f"{a}, who keeps the accounts of a {p}." for a, p in pairs])
        if rng.random() < UNREADABLE:
            return "I'm sorry, I can't think of any tasks [right now."
        rows = [self._item(asked["examples"], rng) for _ in range(asked["count"])]
        return f"<think>Let me see.</think>Here they are:\n```json\n{json.dumps(rows)}\n```"

    def _item(self, examples: Sequence[dict[str, str]], rng: random.Random) -> Any:
        question, answer = problem(rng)
        kind = rng.choices([*SHARES, "good"], [*SHARES.values(), 1 - sum(SHARES.values())])[0]
        item: Any = row(question, answer)
        if kind == "wrong":
            item = row(question, answer + rng.choice((-10, -1, 1, 2, 7)))
        elif kind == "copied":
            example = rng.choice(examples)
            item = {**example, "question": disguised(example["question"], rng)}
        elif kind == "repeated" and (earlier := [q for q, k in self.kinds.items() if k == "good"]):
            copied = rng.choice(earlier[-200:])
            item = row(disguised(copied, rng), solution(copied))
        elif kind == "contaminated":
            planted = rng.choice(self._evaluation)
            item = {**planted, "question": disguised(planted["question"], rng)}
        elif kind == "told":
            item = row(f"{question} (Hint: the answer is {answer}.)", answer)
        elif kind == "hostile":
            item = row(
                question, rng.choice(("9**9**9**9", "\\frac{1}{0}", "", "x" * 3000, "((((((" * 200))
            )
        elif kind == "invisible":
            at = question.index(" ")
            item = row(question[:at] + "\u200b" + question[at:], answer)
        elif kind == "malformed":
            item = rng.choice(
                (question, {"question": question}, {"question": [1], "answer": 3}, 7, None)
            )
        elif kind != "good":
            kind = "good"  # nothing to repeat yet
        if isinstance(item, dict) and isinstance(item.get("question"), str):
            self.kinds.setdefault(item["question"].strip(), kind)
        return item


class Solver:
    """A policy that solves problems of the grammar, and slips now and then."""

    name = "solver"

    def respond(self, requests: Sequence[Request]) -> list[str]:
        """Return the answer to each question."""
        return [self._answer(request) for request in requests]

    def _answer(self, request: Request) -> str:
        value = solution(str(request.prompt[-1]["content"]))
        if value is None:
            return "I don't know."
        rng = random.Random(request.seed)
        return f"So it is \\boxed{{{value + (rng.random() < SLIPS)}}}."


def solution(text: str) -> int | None:
    """Return the answer to a question of the grammar, read from its text; None if it isn't one."""
    for pattern, compute in _PATTERNS:
        match = pattern.search(" ".join(text.split()))
        if match:
            x, y, z = (int(match[name]) for name in "xyz")
            return compute(x, y, z)
    return None


def _pattern(text: str) -> re.Pattern[str]:
    seen: set[str] = set()

    def group(match: re.Match[str]) -> str:
        name = match[1]
        if name in seen:
            return f"(?P={name})"
        seen.add(name)
        return f"(?P<{name}>{r'[0-9]+' if name in 'xyz' else r'[A-Za-z]+'})"

    return re.compile(re.sub(r"\\\{(\w)\\\}", group, re.escape(text)).replace("\\ ", " "))


_PATTERNS = [(_pattern(text), compute) for text, compute in TEMPLATES]


def written(rows: Sequence[dict[str, Any]], path: Path) -> Path:
    """Write rows as JSONL."""
    path.write_text("".join(json.dumps(fields) + "\n" for fields in rows), encoding="utf-8")
    return path


def make_inputs(folder: Path, seed: int) -> tuple[Path, Path, list[dict[str, str]]]:
    """Write 70 examples and 300 rows of an evaluation set, and return both files and the latter's rows."""
    rng = random.Random(f"inputs {seed}")
    rows = list(
        {
            question: row(question, answer)
            for question, answer in (problem(rng) for _ in range(400))
        }.values()
    )
    return (
        written(rows[:70], folder / "70.jsonl"),
        written(rows[70:370], folder / "eval.jsonl"),
        rows[70:370],
    )


def closest_pair(texts: Sequence[str], threshold: float) -> tuple[float, str, str]:
    """Return the greatest similarity of two texts whose numbers agree, comparing all pairs, with the texts."""
    sketches = [Sketch.of(tokens(text)) for text in texts]
    counts = Counter(shingle for sketch in sketches for shingle in sketch.shingles)
    form = frozenset(shingle for shingle, times in counts.items() if times > len(texts) / 2)
    sketches = [sketch.less(form) for sketch in sketches]
    best = (0.0, "", "")
    for i, a in enumerate(sketches):
        for j in range(i):
            b = sketches[j]
            if (a.numbers_in(b) or b.numbers_in(a)) and a.jaccard(b) > best[0]:
                best = (a.jaccard(b), texts[i], texts[j])
    return best


def faults_of(
    made: Synthesis, examples: Path, evaluation: Path, folder: Path, near: float
) -> list[str]:
    """Return what is wrong with the kept rows, found by other code than that which kept them."""
    faults = []
    for kept in made.rows:
        answer = int(kept["answer"].rpartition("####")[2])
        if solution(kept["question"]) != answer:
            faults.append(f"{kept['id']}: the grammar's answer isn't {answer}")
    path = written(made.rows, folder / "kept.jsonl")
    env = rlvr.make("gsm8k", split="train", data=str(path))
    answers = [f"\\boxed{{{solution(kept['question'])}}}" for kept in made.rows]
    for task, verdict in zip(
        env.tasks, rlvr.score(list(env.tasks), answers, env.verifier), strict=True
    ):
        if not verdict.scored or verdict.reward < 1:
            faults.append(f"{task.id}: the verifier doesn't confirm it")
    questions = [kept["question"] for kept in [*rows_in(examples), *made.rows]]
    similarity, one_text, other_text = closest_pair(questions, near)
    if similarity >= near:
        faults.append(f"near-duplicates ({similarity:.2f}): {one_text!r} and {other_text!r}")
    report = decontaminate(RowSource(path), [str(evaluation)])
    if report.removed:
        faults.append(f"{report.removed} kept rows are in the evaluation set")
    return faults


def rows_in(path: Path) -> list[dict[str, Any]]:
    """Return the rows of a JSONL file."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def main() -> int:
    """Print the figures; the exit status is 1 if a kept row is at fault."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--agree", type=int, default=3)
    parser.add_argument("--of", type=int, default=4)
    parser.add_argument("--folder", type=Path)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        examples, evaluation, rows = make_inputs(folder, asked.seed)
        proposer = Proposer(rows, asked.seed)
        began, cpu = time.monotonic(), time.process_time()
        made = synthesise(
            "gsm8k", examples, proposer, asked.count, solver=Solver(), against=[str(evaluation)],
            personas=10, agree=asked.agree, of=asked.of, seed=asked.seed, folder=asked.folder, env_options={"split": "train"},
        )  # fmt: skip
        seconds = time.monotonic() - began
        print("\n".join(made.report.lines()))
        print(
            f"{seconds:.1f} s, {time.process_time() - cpu:.1f} s of this process's processor time"
        )
        proposed = Counter(proposer.kinds.values())
        kept = Counter(proposer.kinds[kept["question"].strip()] for kept in made.rows)
        print("kind          proposed  kept")
        for kind in ("good", *SHARES):
            print(f"{kind:<13} {proposed[kind]:>8}  {kept[kind]:>4}")
        faults = faults_of(made, examples, evaluation, folder, 0.5)
        print("\n".join(faults[:20]) or "no fault in the kept rows")
        return 1 if faults or not made.report.is_complete else 0


if __name__ == "__main__":
    sys.exit(main())
