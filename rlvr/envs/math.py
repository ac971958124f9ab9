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
from rlvr.envs.shots import MATH_FORMATS, FewShotPrompt, ShotsAs
from rlvr.verifiers.extraction import Mode

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
    mode: Mode | None = None,
    shots: int | None = None,
    shots_as: ShotsAs | None = None,
    shots_seed: int = 0,
) -> Environment:
    """Make problems in mathematics from any data set.

    Args:
        split: train or test; dev where the data set has a validation split.
        dataset: an id on the Hub; MATH by default.
        config: the data set's configuration, where it has several.
        data: a local file instead.
        problem: the column with the problem, where it isn't called problem or question.
        answer: the column with the answer, where it isn't called answer.
        prompt: a template with {problem}, or the published prompt minerva_math (4 examples).
        mode: where the answer is looked for; by default in a box, and with minerva_math in its closing sentence.
        shots: examples before the problem, drawn from train; by default none, or the published prompt's own number.
        shots_as: turns of a conversation or one text; by default turns, and text with a published prompt.
        shots_seed: the seed of the draw.
    """
    source = MATH if dataset is None else DataSource(dataset, config, _SPLITS, {}, ())
    asking = FewShotPrompt(prompt, MATH_FORMATS, "problem", shots, shots_as, shots_seed, mode)
    return problems("math", source, split, data, asking, source, problem, answer)
