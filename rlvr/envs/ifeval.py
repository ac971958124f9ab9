"""IFEval: prompts with instructions that a program can check (Zhou et al., arXiv:2311.07911), `google/IFEval` on the Hub.

One of them::

    I am planning a trip to Japan, and I would like thee to write an itinerary for my journey in a
    Shakespearean style. You are not allowed to use any commas in your response.

Three rows ask one thing and check another. By default they are corrected: key 337 asks for 400 words and
checked 336, key 30 asks for small letters and checked quotation marks twice; key 2078, which asks for exactly
one and for a few bullet points, is left out. With `reference_bugs` all are as published.
"""

from __future__ import annotations

from collections.abc import Mapping

from rlvr.core.environment import Environment
from rlvr.core.registry import environment
from rlvr.envs.data import DataSource, Row
from rlvr.envs.instruction_rows import COLUMNS, PROMPT, benchmark
from rlvr.envs.prompt import Prompt
from rlvr.verifiers.instructions.verifier import Reward, Strictness

SOURCE = DataSource(
    hub_id="google/IFEval",
    config=None,
    splits={"test": "train"},  # the Hub has all of it under that name
    files={"test": "ifeval/input_data.jsonl"},
    columns=COLUMNS,
)


@environment("ifeval", gym_name="IFEval")
def make(
    split: str = "test",
    data: str | None = None,
    prompt: Prompt | str | Mapping[str, str] = PROMPT,
    mode: Strictness = "strict",
    reward: Reward = "all",
    reference_bugs: bool = False,
    guard: str | None = None,
) -> Environment:
    """Instructions that a program can check, of 25 kinds.

    Args:
        split: test (540 prompts; 541 with `reference_bugs`); there's no other.
        data: a local file, or a folder laid out like `RLVR_DATA`; by default `RLVR_DATA`, then the Hub.
        prompt: may use {prompt}.
        mode: `strict` or `loose`.
        reward: `all` or nothing, or the `fraction` of instructions followed.
        reference_bugs: rows and checks as published, for figures to be compared.
        guard: `lenient` or `strict` refuses filler first (`rlvr.Coherent`).
    """
    return benchmark(
        "ifeval",
        SOURCE,
        split,
        data,
        prompt,
        mode,
        reward,
        reference_bugs,
        guard,
        "strict",
        corrected,
    )


def corrected(row: Row) -> Row | None:
    """Return the row with the instructions that its prompt states; None if the prompt contradicts itself."""
    key, kwargs = int(row["key"]), [dict(values or {}) for values in row["kwargs"]]
    ids = list(row["instruction_id_list"])
    if key == 2078:
        return None
    if key == 337:
        kwargs[ids.index("length_constraints:number_words")]["num_words"] = 400
    if key == 30 and ids.count("startend:quotation") == 2:
        ids[ids.index("startend:quotation")] = "change_case:english_lowercase"
    return {**row, "instruction_id_list": ids, "kwargs": kwargs}
