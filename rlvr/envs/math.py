r"""Any data set with problems and answers in mathematics; by default MATH's training set.

MATH is Hendrycks et al., arXiv:2103.03874. One of it::

    What is the degree of the polynomial $(4 +5x^3 +100 +2\pi x^4 + \sqrt{10}x^4 +9)$?   →   4
"""

from __future__ import annotations

from rlvr.core.environment import Environment
from rlvr.core.registry import environment
from rlvr.envs.data import DataSource
from rlvr.envs.problems import PROMPT, problems
from rlvr.envs.prompt import Prompt
from rlvr.verifiers.extraction import Mode
from rlvr.verifiers.math import Math

_SPLITS = {"train": "train", "test": "test", "dev": "validation"}
MATH = DataSource(
    hub_id="DigitalLearningGmbH/MATH-lighteval",
    config=None,
    splits={"train": "train", "test": "test"},
    files={"train": "math/rllm_train_math.json", "test": "math/MATH500_prime.json"},
    columns=(),
)


@environment("math", gym_name="MATH")
def make(
    split: str = "train",
    dataset: str | None = None,
    config: str | None = None,
    data: str | None = None,
    problem: str | None = None,
    answer: str | None = None,
    prompt: Prompt | str | dict[str, str] = PROMPT,
    mode: Mode = "boxed",
) -> Environment:
    """Make problems in mathematics from any data set.

    Args:
        split: train or test; dev where the data set has a validation split.
        dataset: an id on the Hub; MATH by default.
        config: the data set's configuration, where it has several.
        data: a local file instead.
        problem: the column with the problem, where it isn't called problem or question.
        answer: the column with the answer, where it isn't called answer.
        prompt: may use {problem}.
        mode: where the answer is looked for.
    """
    source = MATH if dataset is None else DataSource(dataset, config, _SPLITS, {}, ())
    return problems("math", source, split, data, prompt, Math(mode), problem, answer)
