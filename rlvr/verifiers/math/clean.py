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
        "﹣": "-",
        "×": "*",
        "·": "*",
        "⋅": "*",
        "∗": "*",
        "÷": "/",
        "∕": "/",
        "⁄": "/",
        "∶": ":",
        "≤": "\\le ",
        "≥": "\\ge ",
        "⩽": "\\le ",
        "⩾": "\\ge ",
        "≠": "\\ne ",
        "≈": "\\approx ",
        "∞": "\\infty ",
        "π": "\\pi ",
        "θ": "\\theta ",
        "α": "\\alpha ",
        "β": "\\beta ",
        "∪": "\\cup ",
        "∩": "\\cap ",
        "∈": "\\in ",
        "∅": "\\emptyset ",
        "±": "\\pm ",
        "∓": "\\mp ",
        "°": "^\\circ ",
        "√": "\\sqrt ",
        "¹": "^1",
        "²": "^2",
        "³": "^3",
        "⁴": "^4",
        "½": "\\frac12 ",
        "⅓": "\\frac13 ",
        "⅔": "\\frac23 ",
        "¼": "\\frac14 ",
        "¾": "\\frac34 ",
        "’": "'",
        "′": "'",
        "\u00a0": " ",
        "\u2009": " ",
        "\u202f": " ",
        "\u200b": "",
        "\ufeff": "",
        "，": ",",
        "¢": "\\text{ cents}",
        "（": "(",
        "）": ")",
    }
)
_RENAMES = {
    "\\dfrac": "\\frac",
    "\\tfrac": "\\frac",
    "\\cfrac": "\\frac",
    "\\dbinom": "\\binom",
    "\\tbinom": "\\binom",
    "\\leq": "\\le",
    "\\geq": "\\ge",
    "\\leqslant": "\\le",
    "\\geqslant": "\\ge",
    "\\neq": "\\ne",
    "\\lt": "<",
    "\\gt": ">",
    "\\cdot": "*",
    "\\times": "*",
    "\\div": "/",
    "\\colon": ":",
    "\\ldots": "...",
    "\\dots": "...",
    "\\lbrace": "\\{",
    "\\rbrace": "\\}",
    "\\%": "%",
}
# Sizes, spaces and styles: they change the look alone.
_DROPPED = {
    "\\left", "\\right", "\\big", "\\Big", "\\bigg", "\\Bigg", "\\bigl", "\\bigr", "\\Bigl",
    "\\Bigr", "\\displaystyle", "\\textstyle", "\\limits", "\\quad", "\\qquad", "\\,", "\\;",
    "\\:", "\\!", "\\ ", "~", "\\n", "\\nolimits", "\\boxed", "\\fbox",
    "\\scriptstyle", "\\small", "\\normalsize", "\\large", "\\Large", "\\LARGE", "\\huge", "\\Huge",
}  # fmt: skip
_COMMAND = re.compile(r"\\\\|\\(?:[a-zA-Z]+|[,;:! %])|~")
# Colours, spaces of a given width, and the width of the gap between two rows of a matrix.
_LOOKS = re.compile(
    r"\\(?:text)?color\s*\{[\w!]*\}|\\[hv]space\*?\s*\{[^{}]*\}|\\[hv]?phantom\s*(?:\{[^{}]*\}|[-+=])"
)
_ROW_GAP = re.compile(r"(\\\\)\s*\[\s*-?[\d.]+\s*(?:pt|em|ex|mm|cm)\s*\]")
_SPOKEN_BASE = re.compile(r"\\(?:text|mathrm)\s*+\{\s*+(?:\(\s*+)?base[ -](\w++)\s*+(?:\)\s*+)?\}")
_SPOKEN_MODULUS = re.compile(
    r"\\(?:text|mathrm)\s*\{\s*\(\s*mod\s*(?:(\w+)\s*\)\s*\}|\}\s*(\w+)\s*\))"
)
_LONGEST = re.compile(r"\\q?quad(?=[a-zA-Z])")  # "\quadx", run together by careless spacing
# Thousands marked as such in LaTeX, or by a thin space.
_MARKED_THOUSANDS = re.compile(r"(?<=\d)(?:,? ?\\[,!;:] ?)(?=\d{3}(?!\d))")
_SPACED_THOUSANDS = re.compile(r"(?<![\d.,])\d{1,3}(?: \d{3})+(?![\d])")
_COMMA_THOUSANDS = re.compile(r"(?<![\d.,])[1-9]\d{0,2}(?:,\d{3})+(?![\d,])")
_DELIMITED = re.compile(r"(?:\$\$?|\\\(|\\\[)(.*?)(?:\$\$?|\\\)|\\\])", re.DOTALL)
_WRAPPED = re.compile(r"\\(?:boxed|fbox|text|mathrm|mathbf|textbf|mbox|operatorname)\s*\{")
_MONEY = re.compile(r"(?:\\\$|\$|€|£|USD\s?)\s?(?=[-\d.])")
_DOUBLED = re.compile(r"\\\\(?=[a-zA-Z(){}\[\]%$])")


def clean(answer: str) -> str:
    """`answer` without delimiters, spacing commands, and the like; "" where it's too long to read.

    Thousands separators go where they can't be anything else: `1{,}234` and `1 234`. A plain
    comma stays; see `without_commas`.
    """
    if len(answer) > MAX_LENGTH:
        return ""
    text = answer.strip()
    dotted = text.endswith(("...", "dots", "…"))
    if not text.isascii():
        text = text.translate(_CHARACTERS)
    if "\\\\" in text and "\\begin" not in text and "\\\\begin" not in text:
        text = _DOUBLED.sub(r"\\", text)
    text = _unwrapped(text, dotted)
    if "$" in text or "€" in text or "£" in text or text.startswith("USD"):
        text = _MONEY.sub("", text).replace("$", " ")
    if "{,}" in text:
        text = text.replace("{,}", "\\,")
    if "{:}" in text:
        text = text.replace("{:}", ":")
    if "\\" in text or "~" in text:
        if "color" in text or "space" in text or "phantom" in text:
            text = _LOOKS.sub(" ", text)
        if "base" in text:
            text = _SPOKEN_BASE.sub(r"_{\1}", text)
        if "mod" in text:
            text = _SPOKEN_MODULUS.sub(r"\\pmod{\1\2}", text)
        if "\\\\" in text:
            text = _ROW_GAP.sub(r"\1 ", text)
        text = _MARKED_THOUSANDS.sub("", text)
        text = _LONGEST.sub(" ", text)
        text = _COMMAND.sub(_command, text)
        text = text.replace("\\(", " ").replace("\\)", " ").replace("\\[", " ").replace("\\]", " ")
    if " " in text:
        text = _SPACED_THOUSANDS.sub(lambda m: m.group().replace(" ", ""), text)
    if not dotted:  # "3, 5, …" goes on
        text = text.strip().rstrip(".,;:")
    text = text.strip(" *`\n")
    return " ".join(text.split())


def without_commas(text: str) -> str | None:
    """`text` with its commas read as thousands separators, or None where they can't be.

    "1,234" is a number, or two. Inside brackets a comma always separates values.
    """
    if "," not in text or not _COMMA_THOUSANDS.search(text) or any(c in text for c in "([{"):
        return None
    return _COMMA_THOUSANDS.sub(lambda m: m.group().replace(",", ""), text)


def _command(match: re.Match[str]) -> str:
    command = match.group()
    if command in _DROPPED:
        return " "
    return _RENAMES.get(command, command)


def _unwrapped(text: str, dotted: bool) -> str:
    r"""Without dollars, \[…\], \boxed{…}, \text{…} and Markdown around the whole, however often."""
    for _ in range(8):
        before = text
        text = text.removeprefix('\\"').removesuffix('\\"').strip('* \n`"')
        if text[:1] in ("$", "\\"):
            delimited = _DELIMITED.fullmatch(text)
            if delimited and "$" not in delimited.group(1):
                text = delimited.group(1).strip()
            wrapped = _WRAPPED.match(text)
            if wrapped and text[-1:] == "}" and closing(text, wrapped.end() - 1) == len(text) - 1:
                text = text[wrapped.end() : -1].strip()
        text = text if dotted else text.rstrip(".")
        if text == before:
            return text
    return text


def closing(text: str, opening: int) -> int:
    """Where the brace at `opening` is closed, or -1."""
    depth = 0
    for mark in _BRACE.finditer(text, opening):
        if mark.group() == "{":
            depth += 1
        elif mark.group() == "}":
            depth -= 1
            if depth == 0:
                return mark.start()
    return -1


_BRACE = re.compile(r"\\.|[{}]", re.DOTALL)
