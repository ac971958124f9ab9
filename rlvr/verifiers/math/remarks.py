r"""Words within a formula: \text{…}, and plain words behind a number, "18 apples".

Joints, units, names and numbers in them count. Other words are a remark, which says nothing about
the value: "42 \text{ ways}". Words that change the value, or take it back, make the whole
unreadable instead: what "at least 5", "half of 5" or "not 5" come to is not 5.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from rlvr.verifiers.math.vocabulary import (
    FUNCTIONS,
    UNITS,
    UNITS_IN_TEXT,
    Token,
    Unreadable,
    words_of,
)

CHANGING = words_of(
    "not no nor neither never none isn't isnt aren't arent doesn't except but unless else "
    "otherwise if instead least most than above below under over nearly almost exceeding negative "
    "minus plus divided multiplied squared cubed factorial half halves third thirds fourth fourths "
    "quarter quarters fifth fifths sixths sevenths eighths ninths tenths hundredths thousandths "
    "twice thrice double triple dozen dozens wrong incorrect false either maybe perhaps possibly "
    "through until between and/or base root reciprocal inverse opposite"
)
"""Words that change a value or take it back. "times" and "more" do so before a further value alone."""

_POWERS_OF_TEN = {"hundred": "2", "thousand": "3", "million": "6", "billion": "9", "trillion": "12"}
_COMPOUND_UNIT = re.compile(r"[A-Za-z.]+(?:\^-?\d)?(?:/[A-Za-z.]+(?:\^-?\d)?)*")
_NUMERIC = re.compile(r"-?\d[\d.,]*")
_PLAIN = re.compile(r"[(\[\"'“‘]*+[^\W\d_]++(?:[-'’][^\W\d_]++)*+[.,:;!?)\]\"'”’]*+|[.,:;()\[\]]++")


def is_remark(word: str, before: Token) -> bool:
    """Whether a plain word behind a space is a remark: a real word, behind a number or another one."""
    if before.kind == "said":
        return True
    if word.lower() in ("am", "pm"):
        return before.kind == "num"
    return (
        before.kind in ("num", "unit")
        and len(word) >= 4
        and word.islower()
        and re.search("[aeiou]", word) is not None
    )


def spoken(said: str, tokenize: Callable[[str], list[Token]]) -> list[Token]:
    """The tokens of words within a formula; `tokenize` reads the formulas among them."""
    tokens: list[Token] = []
    words = said.replace(",", " , ").split()
    for word in words:
        found = _tokens_of(word, tokenize)
        if found is not None:
            tokens += found
        elif tokens and tokens[-1].kind == "said":
            tokens[-1] = Token("said", f"{tokens[-1].text} {word}")
        else:
            tokens.append(Token("said", f" {word}"))
    if len(words) > 1:  # the article, not a variable
        tokens = [token for token in tokens if token != Token("name", "a")]
    return tokens


def _tokens_of(word: str, tokenize: Callable[[str], list[Token]]) -> list[Token] | None:
    """The tokens of one word; None for one that's a remark."""
    lower = word.strip("():;").lower()
    plain = lower.rstrip(".?!")
    if lower in ("and", "or"):
        return [Token("name", "or")]
    if word in (",", "="):
        return [Token("mark", word)]
    if lower == "%":
        return [Token("unit", "%")]
    if plain in CHANGING or lower in CHANGING:
        raise Unreadable(f"{plain!r} changes the value")
    unit = _unit(lower) or _unit(plain)
    if unit is not None:
        return unit
    if plain in FUNCTIONS:
        return [Token("name", plain)]
    if plain in _POWERS_OF_TEN:
        power = Token("num", _POWERS_OF_TEN[plain])
        return [Token("mark", "*"), Token("num", "10"), Token("mark", "^"), power]
    bare = word.strip("().:;")
    if len(bare) == 1 and bare.isalpha() and bare.isascii():
        return [Token("name", bare)]
    if _NUMERIC.fullmatch(word.rstrip(".")) or lower.startswith(("^", "/")):
        return tokenize(word)
    if _COMPOUND_UNIT.fullmatch(bare) and ("/" in bare or "^" in bare):
        return _compound(bare, tokenize)
    if not _PLAIN.fullmatch(word):
        raise Unreadable(f"{word[:20]!r} among words")
    return None


def _unit(word: str) -> list[Token] | None:
    if word in UNITS or word in UNITS_IN_TEXT:
        return [Token("unit", UNITS.get(word) or UNITS_IN_TEXT[word])]
    if word in ("square", "sq", "cubic"):
        return [Token("unit", word[:2])]
    return [Token("unit", "/")] if word in ("per", "/") else None


def _compound(word: str, tokenize: Callable[[str], list[Token]]) -> list[Token] | None:
    """km/h, m/s^2, cm^2; None where it's no unit ("miles/trip")."""
    tokens: list[Token] = []
    for part in re.split("(/)", word):
        name, _, power = part.partition("^")
        unit = _unit(name.lower())
        if unit is None:
            return None
        tokens += unit + (tokenize(f"^{{{power}}}") if power else [])
    return tokens
