"""Tokens of prompts for comparison: words, numbers and operators.

Unicode form, case, white space, punctuation, and LaTeX's spacing and sizes don't count.
Numbers stay: a word problem with other numbers is another problem. Operators and parentheses stay,
since `2+3` and `2-3` are two problems. Braces go with LaTeX's markup, so that `x^{2}` is `x^2`.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from rlvr.verifiers.numerals import ONES, TENS

_SPACING = re.compile(
    r"\\(?:[,;:!> ()\[\]]|(?:quad|qquad|enspace|thinspace|displaystyle|textstyle|left|right"
    r"|bigg?[lr]?|limits|nolimits|text|mathrm|mathbf|textbf|emph|textit|mbox)(?![a-z]))"
)
_COMMAND = re.compile(r"\\(dfrac|tfrac|cdot|times|leq?|geq?|neq?|div)(?![a-z])")
_SAME = {"dfrac": "frac", "tfrac": "frac", "cdot": "*", "times": "*", "leq": "≤", "geq": "≥",
         "le": "≤", "ge": "≥", "ne": "≠", "neq": "≠", "div": "/"}  # fmt: skip
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
_DASH = re.compile(r"(?<=[^\W\d_]{2})\s+--?(?=\s)")  # behind a word: no minus
_PLAIN = str.maketrans("’–−", "'--")
_TOKEN = re.compile(
    r"\d+(?:\.\d+)?"  # a number
    r"|[\u3040-\u30ff\u3400-\u9fff]"  # scripts without spaces: each character
    r"|[^\W\d_]+(?:'[^\W\d_]+)*"  # a word
    r"|(?<![^\W\d_]{2})-(?![^\W\d_]{2})"  # a minus; no hyphen in or between words
    # An operator, a parenthesis, any other symbol; no half of a surrogate pair, which isn't text.
    r"|[^\w\s.,;:!?'\"“”‘`$~{}\\#&|…—\ud800-\udfff-]"
)
# "one" is left out: it's a pronoun more often than a number.
_DIGITS = {word: str(n) for word, n in {**ONES, "twenty": TENS["twenty"]}.items() if n > 1}
NUMBER = "0"
"""The token in place of a number if numbers are compared apart from the words."""


def tokens(text: str) -> list[str]:
    """Return the words, numbers and operators of a text, each in one spelling."""
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text).translate(_PLAIN)
    text = text.casefold()
    if "\\" in text:
        text = text.replace(",\\!", ",")
        text = _SPACING.sub(" ", _COMMAND.sub(_command, text))
    if "," in text:
        text = _THOUSANDS.sub("", text.replace("{,}", ","))
    if "-" in text:
        text = _DASH.sub(" ", text)
    return _TOKEN.findall(text)


def masked(words: list[str]) -> tuple[list[str], list[str]]:
    """Return the tokens with `NUMBER` for each number, and the tokens that a paraphrase keeps.

    These are numbers (`three` as 3), and letters and operators of formulas (`x`, `+`), except `a`, which is an
    article, too, and signs that prose has as punctuation.
    """
    classed = [_classed(word) for word in words]
    return [token for token, _ in classed], [symbol for _, symbol in classed if symbol is not None]


@lru_cache(maxsize=1 << 16)
def _classed(word: str) -> tuple[str, str | None]:
    digits = word if word[0].isdigit() else _DIGITS.get(word)
    if digits is not None:
        return NUMBER, digits
    symbol = len(word) == 1 and word.isascii() and word not in "ai-()[]%/"
    return word, word if symbol else None


def _command(match: re.Match[str]) -> str:
    return f" {_SAME[match[1]]} "
