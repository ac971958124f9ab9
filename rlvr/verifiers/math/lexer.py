r"""Cleaned answers into tokens: numbers, commands, names, remarks, and marks.

One token is a `(kind, text)` pair:

- `num`: decimal digits with at most one point, "1234.5".
- `cmd`: a LaTeX command that the reader knows, without its backslash; also `begin:NAME`,
  `end:NAME`, and `bb:R` for \mathbb{R}.
- `name`: a letter, or a word that has a meaning (sqrt, sin, pi, and, or).
- `unit`: a unit of measure in its one spelling, "cm".
- `said`: words without a meaning of their own; see `remarks`. They begin with a space.
- `mark`: anything else, one character or a two-character relation.
"""

from __future__ import annotations

import re

from rlvr.verifiers.math.remarks import is_remark, spoken
from rlvr.verifiers.math.vocabulary import COMMANDS, STYLES, UNITS, WORDS, Token, Unreadable

MAX_TOKENS = 3000

_PIECES = re.compile(
    r"(?P<space>\s+)"
    r"|(?P<num>\d+\.(?:\d+|(?=\\(?:overline|bar)\b))|\d+|\.\d+)"
    r"|\\mathbb\s*(?:\{\s*)?(?P<bb>[A-Z])(?:\s*\})?"
    r"|\\(?:text|textbf|textit|textrm|textnormal|textsf|mathrm|mathbf|mathit|mathsf|mbox|operatorname|mathcal|bf|rm)"
    r"\s*\{(?P<text>[^{}]*)\}"
    r"|\\(?P<env>begin|end)\s*\{(?P<name>[a-z]+\*?)\}(?:\s*\{[lcr|@. ]*\})?"
    r"|\\(?P<cmd>[a-zA-Z]+)"
    r"|(?P<word>[ap]\.m\.?|[a-zA-Z]+)"
    r"|(?P<mark>\\\\|\\[{}|%$#&_]|\*\*|<=|>=|!=|\.\.\.|[^\s\\])",
    re.ASCII,
)


def tokenize(text: str) -> list[Token]:
    """The tokens of cleaned `text`, in order. Raises `Unreadable`. Linear in its length."""
    tokens: list[Token] = []
    at = 0
    while at < len(text):
        piece = _PIECES.match(text, at)
        if piece is None:
            raise Unreadable(f"unknown {text[at]!r}")
        spaced = text[at - 1 : at] == " "
        at = piece.end()
        tokens += _tokens_of(piece, tokens[-1] if tokens else Token("", ""), spaced)
        if len(tokens) > MAX_TOKENS:
            raise Unreadable(f"over {MAX_TOKENS} symbols")
    return tokens


def _tokens_of(piece: re.Match[str], before: Token, spaced: bool) -> list[Token]:
    group = piece.lastgroup
    if group == "space":
        return []
    if group == "num":
        if len(piece.group()) > 4000:
            raise Unreadable("a number of over 4000 digits")
        return [Token("num", piece.group())]
    if group == "text":
        return spoken(piece.group("text"), tokenize)
    if group == "bb":
        return [Token("cmd", f"bb:{piece.group('bb')}")]
    if group in ("env", "name"):
        return [Token("cmd", f"{piece.group('env')}:{piece.group('name').rstrip('*')}")]
    if group == "cmd":
        return _command(piece.group("cmd"))
    if group == "word":
        word = piece.group("word")
        if spaced and is_remark(word, before):  # "18 apples"
            return spoken(word, tokenize)
        return _word(word)
    mark = piece.group("mark")
    if mark == "!=" and not spaced and (before.kind == "num" or before.text == ")"):
        return [Token("mark", "!"), Token("mark", "=")]  # 3!=6
    return [Token("mark", mark)]


def _command(name: str) -> list[Token]:
    r"""A known command; `\cotx`, run together by careless spacing, is \cot and x."""
    if name in STYLES:
        return []
    for length in range(len(name), 1, -1):
        if name[:length] in COMMANDS:
            rest = name[length:]
            return [Token("cmd", name[:length]), *(_word(rest) if rest else [])]
    raise Unreadable(f"unknown \\{name}")


def _word(word: str) -> list[Token]:
    """A word with a meaning, a unit, or letters that are variables side by side."""
    lower = word.lower()
    if lower in WORDS:
        return [Token("name", lower)]
    if lower in UNITS:
        return [Token("unit", UNITS[lower])]
    for prefix in ("sqrt", "arcsin", "arccos", "arctan", "sin", "cos", "tan", "log", "ln"):
        if lower.startswith(prefix) and len(word) == len(prefix) + 1:  # sinx
            return [Token("name", prefix), Token("name", word[-1])]
    for joint in ("or", "and"):  # x=1orx=2
        if lower.startswith(joint) and len(word) == len(joint) + 1:
            return [Token("name", joint), Token("name", word[-1])]
    if len(word) > 6:
        raise Unreadable(f"unknown word {word!r}")
    return [Token("name", letter) for letter in word]
