r"""MATH-500: the 500 test problems of MATH that Lightman et al. (arXiv:2305.20050) held out."""

from __future__ import annotations

from rlvr.core.environment import Environment
from rlvr.core.registry import environment
from rlvr.envs.data import DataSource
from rlvr.envs.problems import PROMPT, problems
from rlvr.envs.prompt import Prompt
from rlvr.verifiers.extraction import Mode
from rlvr.verifiers.math import Math

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
    mode: Mode = "boxed",
) -> Environment:
    """Make MATH-500, for evaluation.

    Args:
        split: test is all there is.
        data: a local file, or a folder laid out like `RLVR_DATA`; by default `RLVR_DATA`, then the Hub.
        prompt: may use {problem}.
        mode: where the answer is looked for.
    """
    return problems("math500", SOURCE, split, data, prompt, Math(mode))
