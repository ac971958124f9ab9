r"""MATH-500: the 500 test problems of MATH that Lightman et al. (arXiv:2305.20050) held out."""

from __future__ import annotations

from rlvr.core.environment import Environment
from rlvr.core.registry import environment
from rlvr.envs.data import DataSource
from rlvr.envs.math import MATH
from rlvr.envs.problems import PROMPT, problems
from rlvr.envs.prompt import Prompt
from rlvr.envs.shots import MATH_FORMATS, FewShotPrompt, ShotsAs
from rlvr.verifiers.extraction import Mode

SOURCE = DataSource(
    hub_id="HuggingFaceH4/MATH-500",
    config=None,
    splits={"test": "test"},
    files={"test": "math/MATH500_prime.json"},
    columns=("problem",),
)


@environment("math500", gym_name="MATH500")
def make(
    split: str = "test",
    data: str | None = None,
    prompt: Prompt | str | dict[str, str] = PROMPT,
    mode: Mode | None = None,
    shots: int | None = None,
    shots_as: ShotsAs | None = None,
    shots_seed: int = 0,
) -> Environment:
    """Make MATH-500, for evaluation.

    Args:
        split: test is all there is.
        data: a local file, or a folder laid out like `RLVR_DATA`; by default `RLVR_DATA`, then the Hub.
        prompt: a template with {problem}, or the published prompt minerva_math (4 examples).
        mode: where the answer is looked for; by default in a box, and with minerva_math in its closing sentence.
        shots: examples before the problem, drawn from MATH's train split; by default none, or the published prompt's own number.
        shots_as: turns of a conversation or one text; by default turns, and text with a published prompt.
        shots_seed: the seed of the draw.
    """
    asking = FewShotPrompt(prompt, MATH_FORMATS, "problem", shots, shots_as, shots_seed, mode)
    return problems("math500", SOURCE, split, data, asking, MATH)
