r"""GSM8K: grade-school word problems (Cobbe et al., arXiv:2110.14168), `openai/gsm8k` on the Hub.

One of them::

    Natalia sold clips to 48 of her friends in April, and then she sold half as many clips in May.
    How many clips did Natalia sell altogether in April and May?
    …
    #### 72

The reference is what follows `####`, without thousands separators.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from rlvr.core.environment import Environment
from rlvr.core.errors import DataError
from rlvr.core.registry import environment
from rlvr.core.task import Task
from rlvr.core.tasks import TaskSet
from rlvr.envs.data import DataSource, Row
from rlvr.envs.fixtures import fixtures_of
from rlvr.envs.prompt import Prompt
from rlvr.envs.shots import GSM8K_FORMATS, FewShotPrompt, Shot, ShotsAs, shots_data
from rlvr.envs.turns import SingleTurn
from rlvr.verifiers.extraction import Mode
from rlvr.verifiers.math import Math

SOURCE = DataSource(
    hub_id="openai/gsm8k",
    config="main",
    splits={"train": "train", "test": "test"},
    files={"train": "math/gsm8k_train.jsonl", "test": "math/gsm8k_test.jsonl"},
    columns=("question", "answer"),
)
_CALCULATOR = re.compile(r"<<[^<>]*>>")
PROMPT = Prompt("{question}\n\nReason step by step, and put the final number in \\boxed{}.")


@environment("gsm8k", gym_name="GSM8K")
def make(
    split: str = "train",
    data: str | None = None,
    prompt: Prompt | str | dict[str, str] = PROMPT,
    mode: Mode | None = None,
    shots: int | None = None,
    shots_as: ShotsAs | None = None,
    shots_seed: int = 0,
) -> Environment:
    """Make grade-school word problems.

    Args:
        split: train (7473 problems) or test (1319).
        data: a local file, or a folder laid out like `RLVR_DATA`; by default `RLVR_DATA`, then the Hub.
        prompt: a template with {question}, or a published prompt: gsm8k_cot (8 examples) or gsm8k_5shot.
        mode: where the answer is looked for; by default in a box, and with a published prompt anywhere (flexible).
        shots: examples before the question, drawn from train; by default none, or the published prompt's own number.
        shots_as: turns of a conversation or one text; by default turns, and text with a published prompt.
        shots_seed: the seed of the draw.
    """
    asking = FewShotPrompt(prompt, GSM8K_FORMATS, "question", shots, shots_as, shots_seed, mode)
    SOURCE.check_split(split)

    def load() -> list[Task]:
        rows = SOURCE.rows(split, data)
        asking.draw(lambda: _shots(SOURCE.rows("train", shots_data(data))))
        return [_task(i, row, split, asking) for i, row in enumerate(rows)]

    fixtures = fixtures_of("gsm8k", asking.is_default)
    env = SingleTurn(TaskSet(load, "gsm8k"), Math(asking.mode), fixtures=fixtures)
    return asking.attached(env)


def _task(i: int, row: Row, split: str, asking: FewShotPrompt) -> Task:
    solution, gold = _solved(row, i, split)
    # Not the whole row: a template with {answer} in it, as in \boxed{answer}, would show the solution.
    question = str(row["question"])
    metadata = {"solution": solution, **asking.metadata(question)}
    return Task(asking.messages(question), gold, f"{split}-{i}", metadata)


def _solved(row: Row, i: int, split: str) -> tuple[str, str]:
    """Return a row's worked solution and its answer."""
    solution, mark, answer = str(row["answer"]).rpartition("####")
    if not mark:
        raise DataError(f"GSM8K's row {i} ({split}) has no '####' before its answer.")
    return solution.strip(), answer.strip().replace(",", "")


def _shots(rows: Sequence[Row]) -> list[Shot]:
    shots = []
    for i, row in enumerate(rows):
        solution, gold = _solved(row, i, "train")
        plain = _CALCULATOR.sub("", solution)  # <<48/2=24>> is for a calculator of 2021
        shots.append(Shot(str(row["question"]), plain, gold, f"train-{i}", str(row["answer"])))
    return shots
