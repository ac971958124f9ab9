"""Signs that mustn't be used, and signs that must."""

from __future__ import annotations

from rlvr.verifiers.instructions.registry import (
    instruction,
)
from rlvr.verifiers.instructions.text import Text


@instruction("punctuation:no_comma", says="Use no commas.", cheap=True)
def no_comma(text: Text) -> bool:
    """The sign U+002C."""
    return "," not in text.raw


@instruction("punctuation:punctuation_dot", says="Use no dots.", cheap=True)
def no_dot(text: Text) -> bool:
    """The sign U+002E."""
    return "." not in text.raw


@instruction("punctuation:punctuation_exclamation", says="Use no exclamation marks.", cheap=True)
def no_exclamation(text: Text) -> bool:
    """The sign U+0021."""
    return "!" not in text.raw


@instruction(
    "count:punctuation",
    says="Use every standard punctuation mark, including semicolon, colon and the interrobang (?!).",
    cheap=True,
)
def every_mark(text: Text) -> bool:
    """`. , ! ? ; :` and one of `?!`, `!?`, `‽`, whose two signs count for nothing else."""
    raw = text.raw
    mark = next((one for one in ("?!", "!?", "‽") if one in raw), None)
    if mark is None:
        return False
    rest = raw if mark == "‽" else raw.replace(mark, "", 1)
    return all(sign in rest for sign in ".,!?;:")
