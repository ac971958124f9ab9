"""AIME: the American Invitational Mathematics Examination, whose answers are integers from 0 to 999."""

from __future__ import annotations

from rlvr.core.environment import Environment
from rlvr.core.errors import OptionError
from rlvr.core.registry import environment
from rlvr.envs.data import DataSource
from rlvr.envs.problems import PROMPT, problems
from rlvr.envs.prompt import Prompt
from rlvr.envs.shots import FewShotPrompt
from rlvr.verifiers.extraction import Mode

SOURCES = {
    2024: DataSource("HuggingFaceH4/aime_2024", None, {"test": "train"}, {"test": "math/aime_2024.jsonl"}, ()),
    2025: DataSource("math-ai/aime25", None, {"test": "test"}, {"test": "math/aime_2025.jsonl"}, ()),
}  # fmt: skip


@environment("aime", gym_name="AIME")
def make(
    year: int = 2025,
    split: str = "test",
    data: str | None = None,
    prompt: Prompt | str | dict[str, str] = PROMPT,
    mode: Mode = "boxed",
) -> Environment:
    """Make the 30 problems of a year, for evaluation.

    Args:
        year: 2024 or 2025.
        split: test is all there is.
        data: a local file, or a folder laid out like `RLVR_DATA`; by default `RLVR_DATA`, then the Hub.
        prompt: may use {problem}.
        mode: where the answer is looked for.
    """
    if year not in SOURCES:
        years = ", ".join(map(str, SOURCES))
        raise OptionError(f"There's AIME of {years}, not of {year!r}.")
    asking = FewShotPrompt(prompt, {}, "problem", mode=mode)
    return problems("aime", SOURCES[year], split, data, asking)
