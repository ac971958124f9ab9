r"""GSM8K: grade-school word problems (Cobbe et al., arXiv:2110.14168), `openai/gsm8k` on the Hub.

One of them::

    Natalia sold clips to 48 of her friends in April, and then she sold half as many clips in May.
    How many clips did Natalia sell altogether in April and May?
    …
    #### 72

The reference is what follows `####`, without thousands separators.
"""

from __future__ import annotations

from rlvr.core.environment import Environment
from rlvr.core.errors import DataError
from rlvr.core.registry import environment
from rlvr.core.task import Task
from rlvr.core.tasks import TaskSet
from rlvr.envs.data import DataSource, Row
from rlvr.envs.fixtures import fixtures_of
from rlvr.envs.prompt import Prompt
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
PROMPT = Prompt("{question}\n\nReason step by step, and put the final number in \\boxed{}.")


@environment("gsm8k", gym_name="GSM8K")
def make(
    split: str = "train",
    data: str | None = None,
    prompt: Prompt | str | dict[str, str] = PROMPT,
    mode: Mode = "boxed",
) -> Environment:
    """Make grade-school word problems.

    Args:
        split: train (7473 problems) or test (1319).
        data: a local file, or a folder laid out like `RLVR_DATA`; by default `RLVR_DATA`, then the Hub.
        prompt: may use {question}.
        mode: where the answer is looked for.
    """
    template = Prompt.of(prompt)
    SOURCE.check_split(split)

    def load() -> list[Task]:
        rows = SOURCE.rows(split, data)
        return [_task(i, row, split, template) for i, row in enumerate(rows)]

    fixtures = fixtures_of("gsm8k", mode == "boxed")
    return SingleTurn(TaskSet(load, "gsm8k"), Math(mode), fixtures=fixtures)


def _task(i: int, row: Row, split: str, prompt: Prompt) -> Task:
    solution, mark, answer = str(row["answer"]).rpartition("####")
    if not mark:
        raise DataError(f"GSM8K's row {i} ({split}) has no '####' before its answer.")
    gold = answer.strip().replace(",", "")
    # Not the whole row: a template with {answer} in it, as in \boxed{answer}, would show the solution.
    asked = prompt.render({"question": row["question"]})
    return Task(asked, gold, f"{split}-{i}", {"solution": solution.strip()})
