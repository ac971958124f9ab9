"""docs/instructions.md says what there is, and its examples run."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import rlvr
from rlvr.verifiers.instructions import Instructions, registry

DOCS = Path(rlvr.__file__).parents[1] / "docs"
PAGE = (DOCS / "instructions.md").read_text()


def test_every_option_is_there() -> None:
    _, _, options = PAGE.partition("## Options\n")
    options, _, _ = options.partition("\n## ")
    assert set(re.findall(r"^\| `(\w+)` \|", options, re.MULTILINE)) == set(Instructions.options)


@pytest.mark.usefixtures("nltk_data")
def test_the_examples_run(capsys: pytest.CaptureFixture[str]) -> None:
    blocks = re.findall(r"^```python\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    assert len(blocks) == 3
    for block in blocks:
        exec(compile(block, "instructions.md", "exec"), {"__name__": "instructions_page"})
    said = capsys.readouterr().out
    assert said == (
        "0.5 {'instructions': 0.5, 'punctuation:no_comma': 0.0, 'length_constraints:number_words': 1.0} "
        "Not followed: [punctuation:no_comma] Use no commas.\n"
    )


def test_every_deviation_is_in_the_table_of_parity() -> None:
    table = (DOCS / "instructions_parity.md").read_text()
    for check in registry.checks():
        if check.deviation:
            assert (
                f"| `{check.id}` | {check.deviation.published} | {check.deviation.ours} |" in table
            )
