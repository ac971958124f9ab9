"""Training's bars, each measured through `rlvr.train` as a user runs it, on the CPU.

    python benchmarks/training.py [learn random faults overhead code] [--seeds 0 1 2]

learn     GRPO, RLOO within 100 steps and PPO within 200 lift held-out greedy accuracy on the
          quickstart's additions from under 0.2 to over 0.9, on every seed
random    a coin for a reward lifts nothing
faults    a sandbox that fails 20% of calls costs those rows and nothing else
overhead  the adapter's own time in a step of 128 completions of GSM8K's length (needs RLVR_DATA
          or the Hub): all of the reward function, verdicts included, over the step
code      the share of a step that the trainer waits for programs to be judged, on the default pool

By default all of them, one after another, each on one thread for the model. Held-out accuracy is on 256
problems of the test split. How a step is timed: benchmarks/trainer_clock.py. `overhead` and
`code` are shares of a small model's step on a CPU; a large model's is longer, so what counts for it is
the printed time beside, and the length of step at which it would be the bar.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from unittest.mock import patch

from trainer_clock import Clock, timed

sys.path.insert(0, str(Path(__file__).parents[1]))  # for recipes

import rlvr
from rlvr.evaluation.judge import EpisodeJudge
from rlvr.training.config import Source
from rlvr.training.quickstart.additions import (
    MAX_NEW_TOKENS,
    WARMUP_BATCH,
    WARMUP_STEPS,
    additions,
    quiet,
    unseen,
)

STEPS = {"grpo": 100, "rloo": 100, "ppo": 200}
BATCH = 128
SAME = {"adam_beta2": 0.99}
TRL: dict[str, dict[str, Any]] = {
    "grpo": SAME,
    "rloo": SAME,
    "ppo": SAME | {"lr_scheduler_type": "linear", "value_learning_rate": 1e-3, "lam": 0.95},
}
Row = tuple[str, str, str]
"""What was measured, what came out, and the bar."""


def luck(task: rlvr.Task, response: str) -> int:
    """0 to 99, by a hash of the task and the response."""
    text = f"{task.id}\0{response}".encode()
    return int.from_bytes(hashlib.sha256(text).digest()[:8], "big") % 100


class Coin(rlvr.Verifier):
    """Pays for nothing that can be learned."""

    name = "coin"

    def verify(self, task: rlvr.Task, response: str) -> rlvr.Verdict:
        paid = luck(task, response) < 50
        return rlvr.Scored(float(paid), rlvr.Status.CORRECT if paid else rlvr.Status.INCORRECT)


class Faulty(rlvr.Verifier):
    """The real one behind a sandbox that fails a fifth of its calls."""

    name = "faulty"

    def verify(self, task: rlvr.Task, response: str) -> rlvr.Verdict:
        if luck(task, response) < 20:
            return rlvr.Unscored(rlvr.Cause.SANDBOX, "the sandbox broke down")
        return rlvr.Math().verify(task, response)


class Lesson:
    """The quickstart's task and its warmed-up model, one for each seed, made once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._first = list(additions("train", WARMUP_STEPS * WARMUP_BATCH).tasks)
        self._runs = 0

    def model(self, seed: int) -> Path:
        """Where the warmed-up model is."""
        from rlvr.training.quickstart.additions import warmed_up

        path = self._folder / f"warm-{seed}"
        if not path.exists():
            model, tokenizer = warmed_up(self._first, seed, lambda step, loss: None)
            model.save_pretrained(path)
            tokenizer.save_pretrained(path)
        return path

    def curve(
        self, trainer: Any, seed: int, steps: int, verifier: rlvr.Verifier | None = None
    ) -> tuple[dict[int, float], Path]:
        """Held-out accuracy by step, and the run."""
        env = unseen(self._first, seed, steps * BATCH)
        if verifier is not None:
            env = rlvr.SingleTurn(env.tasks, verifier)
        config = rlvr.TrainConfig(
            str(self.model(seed)),
            Source(env=env),
            trainer=trainer,
            steps=steps,
            batch=BATCH,
            max_tokens=MAX_NEW_TOKENS,
            learning_rate=3e-4,
            held_out=Source(env=additions("test", 256)),
            save_every=10 * steps,
            seed=seed,
            trl=TRL[trainer],
        )
        self._runs += 1
        run = rlvr.train(config, self._folder / f"run-{self._runs}").run
        found = {row["step"]: row["held_out_accuracy"] for row in metrics(run, "held_out_accuracy")}
        return found, run


def metrics(run: Path, name: str) -> list[dict[str, Any]]:
    """Return the lines of a run's metrics that contain this one."""
    lines = (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    return [row for row in map(json.loads, lines) if row.get(name) is not None]


def shown(curve: dict[int, float]) -> str:
    return "  ".join(f"{step}: {value:.3f}" for step, value in curve.items())


def learn(
    lesson: Lesson, seeds: Sequence[int], trainers: Sequence[str], most: int
) -> Iterator[Row]:
    for trainer in trainers:
        for seed in seeds:
            curve, _ = lesson.curve(trainer, seed, min(most, STEPS[trainer]))
            over = next((step for step, value in curve.items() if value > 0.9), None)
            text = (
                f"{curve[0]:.3f} → {max(curve.values()):.3f}, over 0.9 at {over} ({shown(curve)})"
            )
            yield f"learn {trainer}, seed {seed}", text, f"< 0.2 → > 0.9 in {STEPS[trainer]}"


def random(lesson: Lesson, seed: int, most: int) -> Iterator[Row]:
    curve, _ = lesson.curve("grpo", seed, min(most, 60), Coin())
    yield "random reward, GRPO", shown(curve), "no higher than at 0"


def faults(lesson: Lesson, seed: int, most: int) -> Iterator[Row]:
    healthy, _ = lesson.curve("grpo", seed, min(most, 60))
    broken, run = lesson.curve("grpo", seed, min(most, 60), Faulty())
    lost = [row["rlvr/unscored"] for row in metrics(run, "rlvr/unscored")]
    yield "healthy sandbox, GRPO", shown(healthy), ""
    yield "20% of calls fail, GRPO", shown(broken), "the same within ± 0.05"
    yield "rows without a reward", f"{sum(lost) / len(lost):.1%} of all", "those alone, about 20%"


def overhead(folder: Path, steps: int) -> Iterator[Row]:
    env = rlvr.make("gsm8k", split="train")
    some = [env.tasks[i] for i in range(16)]
    told = [(task, _boxed(task)) for task in some]
    clock, waits = _timed_run(env, told, folder, steps, max_tokens=256)
    yield from _shares("overhead: the reward function, 128 of GSM8K", clock, clock.seconds["scoring"], 0.01)  # fmt: skip
    yield "  of it waiting for verdicts", f"{1e3 * waits / clock.steps:.1f} ms a step", ""


def _boxed(task: rlvr.Task) -> str:
    return f"{task.metadata['solution']}\nSo it's \\boxed{{{task.reference}}}."


PROGRAM = '''
import sys

def read ( stream ) :
    """ Read all lines of the stream and give their numbers in order . """
    numbers = [ ]
    for line in stream :
        for word in line . split ( ) :
            try :
                numbers . append ( int ( word ) )
            except ValueError :
                continue
    return numbers

def solve ( numbers ) :
    """ Work out what the problem asks for from the numbers that were read . """
    if not numbers :
        return 0
    result = RESULT
    return result

def main ( ) :
    """ Read the input , solve the problem , and print the answer on a line . """
    numbers = read ( sys . stdin )
    answer = solve ( numbers )
    print ( answer )

if __name__ == "__main__" :
    main ( )
'''


def code(folder: Path, steps: int) -> Iterator[Row]:
    """Programs of some 120 tokens that sum, sort and count, or fail, with three tests each."""
    programs = {
        "Print the sum of the numbers on the line.": "sum(numbers)",
        "Print the numbers of the line in order.": "' '.join(map(str, sorted(numbers)))",
        "Print how many numbers are on the line.": "len(numbers)",
        "Print the largest number of the line.": "max(numbers)",
    }
    lines = ["3 1 2", "10 -4 7 7", "5"]
    outputs = [
        [str(sum(n)), " ".join(map(str, sorted(n))), str(len(n)), str(max(n))]
        for n in ([int(x) for x in line.split()] for line in lines)
    ]
    tasks, told = [], []
    for i, (problem, program) in enumerate(programs.items()):
        tests = [
            {"stdin": line, "stdout": out[i]} for line, out in zip(lines, outputs, strict=True)
        ]
        tasks.append(rlvr.Task(problem, {"tests": tests, "language": "python"}, f"{i}"))
        told += [
            (tasks[-1], f"```python\n{PROGRAM.replace('RESULT', result)}\n```")
            for result in (program, "numbers", "numbers[")
        ]
    env = rlvr.SingleTurn(rlvr.TaskSet(tasks, "code"), rlvr.Code())
    clock, waits = _timed_run(env, told, folder, steps, max_tokens=320)
    yield from _shares("code: waiting for 128 programs", clock, waits, 0.05)


def _timed_run(
    env: rlvr.Environment,
    told: Sequence[tuple[rlvr.Task, str]],
    folder: Path,
    steps: int,
    max_tokens: int,
) -> tuple[Clock, float]:
    """GRPO on a model that knows these answers by heart; the clock, and seconds of waiting in all."""
    from recipes._text_model import make_text_model, make_text_tokenizer, memorise

    tasks = list({task.id: task for task, _ in told}.values())
    tokenizer = make_text_tokenizer([text for task, answer in told for text in (task.text, answer)])
    model = make_text_model(tokenizer)
    memorise(model, tokenizer, [(task.prompt, answer) for task, answer in told], steps=120)
    model.save_pretrained(folder / "model")
    tokenizer.save_pretrained(folder / "model")
    own = rlvr.SingleTurn(rlvr.TaskSet(tasks, "known"), env.verifier)
    config = rlvr.TrainConfig(
        str(folder / "model"), Source(env=own), steps=steps, batch=BATCH, max_tokens=max_tokens
    )
    # A model that knows twelve answers repeats them; one that learns writes others. Each is judged.
    with timed() as clock, patch.object(EpisodeJudge, "_keep", lambda *_: None):
        run = rlvr.train(config, folder / "run").run
    rows = metrics(run, "rlvr/scoring_wait_s")
    assert all(row["rlvr/unscored"] == 0 for row in rows)
    length = sum(row["completions/mean_length"] for row in rows) / len(rows)
    print(f"({clock.steps} steps, {length:.0f} tokens a completion)", flush=True)
    return clock, sum(row["rlvr/scoring_wait_s"] for row in rows)


def _shares(name: str, clock: Clock, seconds: float, bar: float) -> Iterator[Row]:
    step, own = clock.seconds["step"] / clock.steps, seconds / clock.steps
    text = f"{own / step:.2%} of a step of {step:.2f} s: {1e3 * own:.1f} ms"
    yield name, f"{text}; {bar:.0%} of one of {own / bar:.2f} s", f"≤ {bar:.0%}"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    bars = ["learn", "random", "faults", "overhead", "code"]
    parser.add_argument("bars", nargs="*", metavar="BAR", help=", ".join(bars))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--trainers", nargs="+", default=list(STEPS), choices=list(STEPS))
    parser.add_argument("--most", type=int, default=200, help="steps of learn, random, faults")
    parser.add_argument("--timed-steps", type=int, default=10, help="of overhead and code")
    a = parser.parse_args()
    unknown = set(a.bars) - set(bars)
    if unknown:
        parser.error(f"there's no bar {unknown.pop()!r}, but {', '.join(bars)}")
    wanted = a.bars or bars
    with quiet(), tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        lesson = Lesson(folder) if {"learn", "random", "faults"} & set(wanted) else None
        tables = {
            "learn": lambda: learn(lesson, a.seeds, a.trainers, a.most),  # type: ignore[arg-type]
            "random": lambda: random(lesson, a.seeds[0], a.most),  # type: ignore[arg-type]
            "faults": lambda: faults(lesson, a.seeds[0], a.most),  # type: ignore[arg-type]
            "overhead": lambda: overhead(folder / "overhead", a.timed_steps),
            "code": lambda: code(folder / "code", a.timed_steps),
        }
        for bar in bars:
            if bar in wanted:
                for what, found, limit in tables[bar]():
                    print(f"{what:<42} {found}   bar: {limit}", flush=True)


if __name__ == "__main__":
    main()
