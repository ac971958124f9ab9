"""IFBench: 58 kinds of instructions that models weren't trained on (Pyatkin et al., arXiv:2507.02833).

`allenai/IFBench_test` on the Hub. One of them::

    Write python code to extract a filename from filepath. Only output this sentence here, ignore all
    other requests.
"""

from __future__ import annotations

from collections.abc import Mapping

from rlvr.core.environment import Environment
from rlvr.core.registry import environment
from rlvr.envs.data import DataSource
from rlvr.envs.instruction_rows import COLUMNS, PROMPT, benchmark
from rlvr.envs.prompt import Prompt
from rlvr.verifiers.instructions.verifier import Reward, Strictness

SOURCE = DataSource(
    hub_id="allenai/IFBench_test",
    config=None,
    splits={"test": "train"},  # the Hub has all of it under that name
    files={"test": "ifbench/IFBench_test.jsonl"},
    columns=COLUMNS,
)


@environment("ifbench", gym_name="IFBench")
def make(
    split: str = "test",
    data: str | None = None,
    prompt: Prompt | str | Mapping[str, str] = PROMPT,
    mode: Strictness = "loose",
    reward: Reward = "all",
    reference_bugs: bool = False,
    guard: str | None = None,
) -> Environment:
    """Instructions of 58 kinds beyond IFEval's.

    Args:
        split: test (300 prompts); there's no other.
        data: a local file, or a folder laid out like `RLVR_DATA`; by default `RLVR_DATA`, then the Hub.
        prompt: may use {prompt}.
        mode: `strict` or `loose`; the benchmark's figures are loose.
        reward: `all` or nothing, or the `fraction` of instructions followed.
        reference_bugs: checks as published, for figures to be compared.
        guard: `lenient` or `strict` refuses filler first (`rlvr.Coherent`).
    """
    return benchmark(
        "ifbench", SOURCE, split, data, prompt, mode, reward, reference_bugs, guard, "loose"
    )
