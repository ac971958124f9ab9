"""Brackets within brackets, quotes within quotes."""

from __future__ import annotations

from rlvr.verifiers.instructions.registry import (
    instruction,
)
from rlvr.verifiers.instructions.text import Text

_CLOSES = {")": "(", "]": "[", "}": "{"}


@instruction(
    "format:parentheses",
    says="Nest parentheses, [brackets and {braces}] at least five deep.".replace("{", "{{").replace(
        "}", "}}"
    ),
    cheap=True,
)
def parentheses(text: Text) -> bool:
    """A group that went five deep begins to close; a bracket of another kind starts all over."""
    open_: list[str] = []
    deepest = 0
    for sign in text.raw:
        if sign in "([{":
            open_.append(sign)
            deepest = max(deepest, len(open_))
        elif sign in ")]}":
            if open_ and open_[-1] == _CLOSES[sign]:
                open_.pop()
                if deepest >= 5:
                    return True
            else:
                open_, deepest = [], 0
    return False


@instruction(
    "format:quotes",
    says="Put quotes within quotes within quotes, double and single in turn, at least three deep.",
    cheap=True,
)
def quotes(text: Text) -> bool:
    """Quotes three deep are all closed, straight ones alone; an apostrophe is one too."""
    open_: list[str] = []
    deepest = 0
    for sign in text.raw:
        if sign not in "\"'":
            continue
        if open_ and sign == open_[-1]:
            open_.pop()
            if deepest - len(open_) >= 3:
                return True
        else:
            open_.append(sign)
            deepest = max(deepest, len(open_))
    return False
