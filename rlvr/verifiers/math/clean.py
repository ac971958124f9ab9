"""The same answer written in one way: notation that carries no meaning is taken off.

String work alone: linear, bounded, safe in the caller's thread.
"""

from __future__ import annotations

import re

MAX_LENGTH = 20_000
"""Characters; a longer answer isn't read."""

_CHARACTERS = str.maketrans(
    {
        "−": "-",
        "–": "-",
        "—": "-",
        "×": "*",
        "·": "*",
        "⋅": "*",
        "÷": "/",
        "∕": "/",
        "⁄": "/",
        "≤": "\\le ",
        "≥": "\\ge ",
        "≠": "\\ne ",
        "∞": "\\infty ",
        "π": "\\pi ",
        "∪": "\\cup ",
        "∩": "\\cap ",
        "∅": "\\emptyset ",
        "±": "\\pm ",
        "°": "^\\circ ",
        "√": "\\sqrt ",
        "²": "^2",
        "³": "^3",
        "½": "\\frac12 ",
        "¼": "\\frac14 ",
        "¾": "\\frac34 ",
        "\u00a0": " ",
        "\u2009": " ",
        "\u202f": " ",
        "\u200b": "",
        "\ufeff": "",
    }
)
_DROPPED = re.compile(
    r"\\(?:left|right|bigg?|Bigg?|displaystyle|textstyle|limits)(?![a-zA-Z])"
    r"|\\[,;:! ]|\\q?quad(?![a-zA-Z])|~|\*\*(?=\S*$)|^\*\*"
)
_RENAMED = re.compile(r"\\([dtc]frac|leq|geq|neq|lt|gt|cdot|times|div|ldots|dots)(?![a-zA-Z])")
_NAMES = {
    "dfrac": "\\frac",
    "tfrac": "\\frac",
    "cfrac": "\\frac",
    "leq": "\\le ",
    "geq": "\\ge ",
    "neq": "\\ne ",
    "lt": "<",
    "gt": ">",
    "cdot": "*",
    "times": "*",
    "div": "/",
    "ldots": "...",
    "dots": "...",
}
_THOUSANDS = re.compile(r"(?<![\d.])\d{1,3}(?:(?:,|\{,\}|\\,| )\d{3})+(?![\d])")
_DELIMITED = re.compile(r"^(?:\$\$?|\\\(|\\\[)(.*?)(?:\$\$?|\\\)|\\\])$", re.DOTALL)
_WRAPPED = re.compile(r"^\\(?:boxed|fbox|text|mathrm|mathbf|textbf|mbox|operatorname)\s*\{")
_MONEY = re.compile(r"^(?:\\?\$|€|£|USD\s?)(?=[-\d.])|^-\\?\$(?=[\d.])")


def clean(answer: str) -> str:
    """`answer` without delimiters, spacing commands, thousands separators, and the like.

    Returns "" for one that's too long to read.
    """
    if len(answer) > MAX_LENGTH:
        return ""
    text = answer.translate(_CHARACTERS).strip()
    text = _unwrapped(text)
    money = _MONEY.match(text)
    if money:
        text = ("-" if money.group()[0] == "-" else "") + text[money.end() :]
    text = _THOUSANDS.sub(lambda m: re.sub(r"\D", "", m.group()), text)
    text = _DROPPED.sub("", text)
    text = _RENAMED.sub(lambda m: _NAMES[m.group(1)], text)
    text = text.strip().rstrip(".,;:").strip()
    return " ".join(text.split())


def _unwrapped(text: str) -> str:
    r"""Without dollars, \[…\], \boxed{…} and \text{…} around the whole, however often."""
    for _ in range(8):
        before = text
        text = text.strip("* \n")
        delimited = _DELIMITED.match(text)
        if delimited and "$" not in delimited.group(1):
            text = delimited.group(1).strip()
        wrapped = _WRAPPED.match(text)
        if wrapped and text.endswith("}") and closing(text, wrapped.end() - 1) == len(text) - 1:
            text = text[wrapped.end() : -1].strip()
        text = text.rstrip(".")
        if text == before:
            return text
    return text


def closing(text: str, opening: int) -> int:
    """Where the brace at `opening` is closed, or -1."""
    depth = 0
    i = opening
    while i < len(text):
        char = text[i]
        if char == "\\":
            i += 2
            continue
        if char == "{":
            depth += 1
        elif char == "}":
            depth -= 1
            if depth == 0:
                return i
        i += 1
    return -1
