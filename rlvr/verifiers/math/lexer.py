r"""Cleaned answers into tokens: numbers, commands, names, remarks, and marks.

One token is a `(kind, text)` pair:

- `based`: a number in another base, "2a_16".
- `num`: decimal digits with at most one point, "1234.5".
- `cmd`: a LaTeX command that the reader knows, without its backslash; also `begin:NAME`,
  `end:NAME`, and `bb:R` for \mathbb{R}.
- `name`: a letter, or a word that has a meaning (sqrt, sin, pi, and, or).
- `unit`: a unit of measure as it's spelled, "cm"; or "sq", "cu" and "/", which go before one.
- `cond`: "if" or "otherwise", before the condition of a case.
- `said`: words without a meaning of their own; see `remarks`. They begin with a space.
- `odd`: a command or a word that nobody knows; it may stand in the name of a value.
- `mark`: anything else, one character or a two-character relation.
"""

from __future__ import annotations

import re
import unicodedata

from rlvr.verifiers.math.remarks import (
    LETTERS,
    START,
    ends_value,
    is_copula,
    is_remark,
    tokens_of_words,
)
from rlvr.verifiers.math.units import CURRENCIES, is_unmistakable
from rlvr.verifiers.math.vocabulary import (
    COMMANDS,
    CONDITIONALS,
    FUNCTIONS,
    STYLES,
    WORDS,
    Token,
    Unreadable,
)

MAX_TOKENS = 3000
_BASES = "two three four five six seven eight nine ten eleven twelve"
BASES = {name: str(base) for base, name in enumerate(_BASES.split(), 2)} | {"sixteen": "16"}

_JOINED = COMMANDS - (FUNCTIONS - WORDS)
"""Commands that a letter may follow without a space."""
_ARGUMENT = re.compile(r"\s*+[(\\]|\s++[a-z\d]")
_PIECES = re.compile(
    r"(?P<space>\s+)"
    r"|(?<![\d.])(?P<based>[0-9A-Z]++|(?=[a-z]*+\d)[0-9a-z]++|[a-z])\s*+_\s*+"
    r"(?:\{\s*+\(?\s*+(?:\\text\s*+\{)?\s*+(?:base\s*+\}?\s*+)?(?P<base>[0-9a-z]++)\s*+\}?\s*+\)?\s*+\}|(?P<short>\d))"
    r"|(?P<num>\d+\.(?:\d+|(?=\\(?:overline|bar)\b))|\d+|\.\d+)"
    r"|\\mathbb\s*(?:\{\s*)?(?P<bb>[A-Z])(?:\s*\})?"
    r"|\\(?:text[a-z]*+|mathrm|mathbf|mathit|mathsf|mathtt|mbox|operatorname\*?|mathcal|emph|bf|rm)"
    r"\s*\{(?P<text>(?:[^{}]++|\{[^{}]*+\})*+)\}"
    r"|\\(?P<env>begin|end)\s*\{(?P<name>[a-z]+\*?)\}(?:\s*\{[lcr|@. ]*\})?"
    r"|\\(?P<cmd>[a-zA-Z]+)"
    r"|(?P<word>[apAP]\.[mM]\.?|[a-zA-Z]+)"
    r"|(?P<foreign>[\u3400-\u9fff]+)"
    r"|(?P<mark>\\\\|\\[{}|%$#&_]|\*\*|<=|>=|!=|\.\.\.|[^\s\\])",
    re.ASCII,
)


def tokenize(text: str, letters: bool = False) -> list[Token]:
    """Return the tokens of cleaned `text`, in order. Raises `Unreadable`. Linear in its length.

    Args:
        letters: whether a letter behind a number and a space is a unit where it can be one: "5 m".
    """
    tokens: list[Token] = []
    at = 0
    while at < len(text):
        piece = _PIECES.match(text, at)
        if piece is None:
            if text[at] not in CURRENCIES and unicodedata.category(text[at]) not in (
                "Sc",
                "Lo",
                "Lu",
                "Ll",
            ):
                raise Unreadable(f"unknown {text[at]!r}")
            tokens.append(Token("unit" if text[at] in CURRENCIES else "odd", text[at]))
            at += 1
            continue
        spaced = text[at - 1 : at] == " "
        at = piece.end()
        before = tokens[-1] if tokens else START
        if before.text == "{" and tokens[-2:-1] and tokens[-2].text in ("^", "_"):
            before = tokens[-2]
        tokens += _tokens_of(piece, before, spaced, letters)
        if len(tokens) > MAX_TOKENS:
            raise Unreadable(f"over {MAX_TOKENS} symbols")
    return tokens


def _tokens_of(piece: re.Match[str], before: Token, spaced: bool, letters: bool) -> list[Token]:
    group = piece.lastgroup
    if group == "space":
        return []
    if group == "num":
        if len(piece.group()) > 4000:
            raise Unreadable("a number of over 4000 digits")
        return [Token("num", piece.group())]
    if group == "text":
        return tokens_of_words(_flat(piece.group("text")), tokenize, before)
    if group == "foreign":
        return tokens_of_words(piece.group("foreign"), tokenize, before)
    if group in ("base", "short"):
        return _based(piece, before)
    if group == "bb":
        return [Token("cmd", f"bb:{piece.group('bb')}")]
    if group in ("env", "name"):
        return [Token("cmd", f"{piece.group('env')}:{piece.group('name').rstrip('*')}")]
    if group == "cmd":
        if piece.group("cmd") == "Omega" and before.kind == "num":
            return [Token("unit", "Ω")]
        return _command(piece.group("cmd"))
    if group == "word":
        word = piece.group("word")
        if word == "tg" and _ARGUMENT.match(piece.string, piece.end()):  # else a product
            return [Token("name", word)]
        return _plain_word(word, before, spaced, letters)
    mark = piece.group("mark")
    if mark == "!=" and not spaced and (before.kind == "num" or before.text in (")", "!")):
        return [Token("mark", "!"), Token("mark", "=")]  # 3!=6
    if mark == "\\$":
        return [Token("unit", "$")]
    return [Token("unit" if mark in CURRENCIES else "mark", mark)]


def _flat(words: str) -> str:
    """Words without braces: "s^-1" for "s^{-1}"."""
    for command, sign in (("\\Omega", "Ω"), ("\\mu", "µ")):
        words = words.replace(command, sign)
    return words.replace("{", "").replace("}", "") if "{" in words else words


def _based(piece: re.Match[str], before: Token) -> list[Token]:
    """Return a number in another base, 2A_{16}; else what it is without: x_2, 5_a."""
    digits, base = piece.group("based"), piece.group("base") or piece.group("short")
    base = BASES.get(base, base)
    whole = base.isdigit() and len(base) <= 2 and 2 <= int(base) <= 36 and len(digits) <= 64
    if whole and before.text != "_" and (len(digits) > 1 or digits.isdigit()):
        if all(int(digit, 36) < int(base) for digit in digits):
            return [Token("based", f"{digits.lower()}_{base}")]
        if digits.isdigit():
            raise Unreadable(f"a digit of {digits[:20]} is none in base {base}")
    index = [Token("mark", "_"), Token("mark", "{"), *tokenize(base), Token("mark", "}")]
    return [*tokenize(digits), *index]


def _command(name: str) -> list[Token]:
    r"""Return a known command; `\cotx`, run together by careless spacing, is \cot and x."""
    if name in STYLES:
        return []
    for length in range(len(name), 1, -1):
        if name[:length] in COMMANDS and (length == len(name) or name[:length] in _JOINED):
            rest = name[length:]
            return [Token("cmd", name[:length]), *(_word(rest) if rest else [])]
    return [Token("odd", f"\\{name}")]


def _plain_word(word: str, before: Token, spaced: bool, letters: bool) -> list[Token]:
    """Return a word outside of \\text{…}: a remark beside a number, a unit, a word with a meaning, or letters."""
    if spaced and (before.kind in ("num", "unit") or before.text in (")", "}")) and word == "to":
        return [Token("said", " to")]
    if spaced and is_copula(word):
        return [Token("mark", "=")]
    if word.lower() not in WORDS and (
        (spaced and is_remark(word, before)) or (not before.kind and _is_sentence(word))
    ):
        return tokens_of_words(word, tokenize, before)  # "18 apples", "Area = 5"
    if ends_value(before) and (is_unmistakable(word) or (spaced and is_unmistakable(word, True))):
        return [Token("unit", word)]
    if spaced and word == "sq" and ends_value(before):
        return [Token("unit", word)]
    if letters and spaced and word in LETTERS and before.kind == "num":
        return [Token("unit", word)]
    return _word(word)


def _is_sentence(word: str) -> bool:
    """Tell whether a word that an answer begins with is one of a sentence, and no product of letters."""
    rest = word[1:]
    return (
        len(word) >= (3 if word[0].isupper() else 4)
        and rest.islower()
        and bool(re.search("[aeiou]", word.lower()))
    )


def _word(word: str) -> list[Token]:
    """Return a word with a meaning, or letters that are variables side by side."""
    lower = word.lower()
    if word in CONDITIONALS:
        return [Token("cond", CONDITIONALS[word])]
    if lower in WORDS:
        return [Token("name", lower)]
    for prefix in ("sqrt", "arcsin", "arccos", "arctan", "sin", "cos", "tan", "log", "ln"):
        if lower.startswith(prefix) and len(word) == len(prefix) + 1:  # sinx
            return [Token("name", prefix), Token("name", word[-1])]
    for joint in ("or", "and"):  # x=1orx=2
        if lower.startswith(joint) and len(word) == len(joint) + 1:
            return [Token("name", joint), Token("name", word[-1])]
    if len(word) > 6:
        return [Token("odd", word)]
    return [Token("name", letter) for letter in word]
