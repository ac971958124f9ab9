"""Where the program is in a response.

Linear in the response's length, and nothing is parsed as a program: `ast.parse` on what a model
wrote can crash the process it runs in.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from rlvr.sandboxes.languages import language_of
from rlvr.verifiers.extraction import after_thinking
from rlvr.verifiers.fences import fenced_blocks

_BARE = re.compile(r"[ \t]*+(?:`{3,}+|~{3,}+)")


class Found(NamedTuple):
    """`source` is None where no program was found, and `reason` says why in words for a person."""

    source: str | None
    reason: str = ""
    fenced: bool = False


def find_program(response: str, language: str = "python", entry_point: str = "") -> Found:
    """The program in `response`.

    Only what follows the last `</think>` counts. There, of the fenced blocks that aren't blank:
    those in the asked language; else those that name no language; else, where nothing is fenced at
    all, the whole text. Of several the last counts; with an `entry_point`, the last that defines it.

    Args:
        language: a name or alias; all its aliases name it in a fence. Raises `OptionError`.
        entry_point: of the function or class that's asked for.
    """
    text = after_thinking(response)
    blocks = fenced_blocks(text)
    if not blocks:
        body, _, last = text.rstrip().rpartition("\n")
        if _BARE.fullmatch(last):  # the end of a fence that the prompt began
            text = body
        return Found(text) if text.strip() else Found(None, "the response is empty")
    asked = language_of(language)
    names = {asked.name, *asked.aliases}
    filled = [block for block in blocks if block.text.strip()]
    candidates = [block for block in filled if block.language in names]
    candidates = candidates or [block for block in filled if not block.language]
    if not candidates:
        others = dict.fromkeys(block.language[:20] for block in filled)
        why = f"only in {', '.join(list(others)[:5])}" if filled else "all blank"
        return Found(None, f"no fenced block in {asked.name}: the blocks are {why}")
    chosen = candidates[-1]
    if entry_point:
        defining = (one for one in reversed(candidates) if defines(one.text, entry_point))
        chosen = next(defining, chosen)
    return Found(chosen.text, "", fenced=True)


def defines(source: str, name: str) -> bool:
    """Whether Python code defines `name` at a line's start: a function, a class, an assignment."""
    pattern = (
        rf"^(?:(?:async[ \t]++)?+def|class)[ \t]++{re.escape(name)}\b"
        rf"|^{re.escape(name)}[ \t]*+(?::[^=\n]*+)?+=(?!=)"
    )
    return re.search(pattern, source, re.MULTILINE) is not None
