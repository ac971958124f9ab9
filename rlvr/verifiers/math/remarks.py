r"""Words within a formula: \text{…}, and plain words beside a number, "18 apples".

Conjunctions, units, names and numbers among them are read. "is" is an equals sign. Other words are a remark, which
is kept with its value: "42 \text{ ways}". A remark after a value may be missing on one side, but two that
differ aren't the same answer. A remark before a value is part of its meaning ("odd n", "up to 5"), unless it
names the value ("The area is 5", "Alice: 5") or is a filler ("exactly 5").
Words that negate or change a value make the whole unreadable: "half of 5" and "not 5" aren't 5.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from rlvr.verifiers.math.units import CURRENCIES, chinese_unit, unit_of
from rlvr.verifiers.math.vocabulary import CONDITIONALS, FUNCTIONS, Token, Unreadable, words_of
from rlvr.verifiers.numerals import MAX_WORDS, numeral

CHANGING = words_of(
    "not no nor neither never none isn't isnt aren't arent doesn't except but unless else "
    "otherwise if instead least most than above below under over nearly almost exceeding negative "
    "minus plus divided multiplied squared cubed factorial half halves third thirds fourth fourths "
    "quarter quarters fifth fifths sixths sevenths eighths ninths tenths hundredths thousandths "
    "twice thrice double triple dozen dozens wrong incorrect false either maybe perhaps possibly "
    "through until between and/or base root reciprocal inverse opposite rejected extraneous invalid excluded "
    "excluding impossible cannot can't guess unsure"
)
"""Words that change or negate a value. "times" and "more" do so only before another value."""

_ENGLISH = words_of("floor sign re im sh ch th tg")
_COPULAS = words_of("is are was were equals equal = 是 为 等于")
_POWERS_OF_TEN = {
    "ten": 1, "hundred": 2, "thousand": 3, "lakh": 5, "million": 6, "crore": 7, "billion": 9, "trillion": 12,
    "百": 2, "千": 3, "万": 4, "亿": 8,
}  # fmt: skip
_COMPOUND_UNIT = re.compile(r"[^\W\d_]+\.?(?:\^-?\d)?(?:[/*.·-][^\W\d_]+\.?(?:\^-?\d)?)*")
_NUMERIC = re.compile(r"-?\d[\d.,]*")
_PLAIN = re.compile(r"[(\[\"'“‘]*+[^\W\d_]++(?:[-'’][^\W\d_]++)*+[.,:;!?)\]\"'”’]*+|[.,:;()\[\]]++")
_CHINESE = re.compile(r"[\u3400-\u9fff]+")
_PIECES = re.compile(r"[\u3400-\u9fff]+|[^\s\u3400-\u9fff]+")
_PRODUCT = re.compile(r"(?<!\s)\s*+[*·]\s*+")
_CHINESE_CHANGING = re.compile(
    "[不没非]|以[上下内外]|[至最][多少]|[大小多少]于|超过|除了|一半|倍|折|[多余]$|(?:平方|立方|次方)$|倒数|相反数|绝对值"
)
_CHINESE_JOINTS = {"或者": "or", "或": "or", "和": "and", "与": "and", "及": "and", "且": "and"}
# These letters are units after a value, and names elsewhere.
LETTERS = words_of("m g s h l L J N W V A K C T F H S Ω")


START = Token("", "")


def is_remark(word: str, before: Token) -> bool:
    """Return True if a plain word after a space is a remark: a real word, after a number or another remark."""
    if before.kind == "said":
        return True
    if word.lower() in ("am", "pm"):
        return before.kind == "num"
    return (
        (before.kind in ("num", "unit") or before.text in ("%", "\\%"))
        and len(word) >= 4
        and word.islower()
        and re.search("[aeiou]", word) is not None
    )


def is_copula(word: str) -> bool:
    """Return True if a word is read as an equals sign."""
    return word in ("is", "are", "equals")


def tokens_of_words(
    text: str, tokenize: Callable[[str], list[Token]], before: Token = START
) -> list[Token]:
    """Return the tokens of words within a formula.

    Args:
        tokenize: reads the formulas among them.
        before: the token before them.
    """
    joined = text.replace(" ", "")
    measured = ends_value(before) and unit_of(joined) is not None
    if joined in FUNCTIONS and joined != "th" and not measured:  # \operatorname{arc sin}
        return [Token("name", joined)]
    if text in ("gcd", "lcm"):
        return [Token("cmd", text)]
    tokens: list[Token] = []
    text = _PRODUCT.sub("*", text.replace(",", " , ").replace(";", " ; "))
    words = _PIECES.findall(text)
    at = 0
    while at < len(words):
        matches, used = _numeral(words, at)
        if matches is None:
            last = tokens[-1] if tokens else before
            matches, used = _tokens_of(words[at], words[at + 1 : at + 2], last, tokenize), 1
        if matches is not None:
            tokens += matches
        elif tokens and tokens[-1].kind == "said":
            tokens[-1] = Token("said", f"{tokens[-1].text} {words[at]}")
        else:
            tokens.append(Token("said", f" {words[at]}"))
        at += used
    if len(words) > 1:  # the article, not a variable
        tokens = [token for token in tokens if token != Token("name", "a")]
    return tokens


def _numeral(words: list[str], at: int) -> tuple[list[Token] | None, int]:
    """Return the number that the words from `at` on spell out, and how many words spell it."""
    value, used = numeral(words[at : at + MAX_WORDS])
    if value is None:
        return None, 1
    top, bottom = Token("num", str(value.numerator)), Token("num", str(value.denominator))
    return [top] if value.denominator == 1 else [top, Token("mark", "/"), bottom], used


def _tokens_of(
    word: str, following: list[str], before: Token, tokenize: Callable[[str], list[Token]]
) -> list[Token] | None:
    """Return the tokens of one word; None if it is a remark."""
    if _CHINESE.fullmatch(word):
        return _chinese(word)
    lower = word.strip("():;").lower()
    plain = lower.rstrip(".?!")
    if lower in ("and", "or"):
        return [Token("name", lower)]
    if plain in CONDITIONALS:
        return [Token("cond", CONDITIONALS[plain])]
    if word in (",", ";", "="):
        return [Token("mark", word)]
    if word.strip("\\") in CURRENCIES:
        return [Token("unit", word.strip("\\"))]
    if plain in _COPULAS:
        return [Token("mark", "=")] if plain != "equal" else []
    if plain in ("squared", "cubed") and before.kind == "unit":
        return tokenize("^2" if plain == "squared" else "^3")
    if plain in CHANGING or lower in CHANGING:
        raise Unreadable(f"{plain!r} changes the value")
    unit = _unit(word, following, before)
    if unit is not None:
        return unit
    if plain in FUNCTIONS - _ENGLISH:
        return [Token("name", plain)]
    if plain.removesuffix("s") in _POWERS_OF_TEN and before.kind == "num":
        return _power_of_ten(plain.removesuffix("s"))
    bare = word.strip("().:;")
    if len(bare) == 1 and bare.isalpha() and bare.isascii() and not word.endswith(":"):
        return [Token("name", bare)]
    if _NUMERIC.fullmatch(word.rstrip(".")) or lower.startswith(("^", "/")):
        return tokenize(word)
    if _COMPOUND_UNIT.fullmatch(bare) and re.search(r"[/^*·-]", bare):
        return _compound(bare, tokenize)
    if not _PLAIN.fullmatch(word):
        raise Unreadable(f"{word[:20]!r} among words")
    return None


def _power_of_ten(word: str) -> list[Token]:
    power = Token("num", str(_POWERS_OF_TEN[word]))
    return [Token("mark", "*"), Token("num", "10"), Token("mark", "^"), power]


def _unit(word: str, following: list[str], before: Token) -> list[Token] | None:
    """Return the unit that a word after a value is; None if it is none."""
    bare = word.strip("():;,!?")
    if before.kind in ("", "said") or before.text in ("=", ",", ";", "and", "or"):
        return None
    for name in (bare, bare.rstrip(".")):
        if name.lower() in ("square", "sq", "cubic"):
            return [Token("unit", name[:2].lower())]
        if name.lower() in ("per", "/"):
            return [Token("unit", "/")]
        fits = name in LETTERS and (ends_value(before) or before.text == "{")
        if len(name) == 1 and name not in CURRENCIES and not fits:
            continue
        if name == "in" and (before.kind == "unit" or (following and following[0].isalpha())):
            return None  # "5 in total"
        if name and unit_of(name) is not None:
            return [Token("unit", name)]
    return None


def ends_value(before: Token) -> bool:
    """Return True if a value may end with a token, so that a unit may follow."""
    return before.kind in ("num", "unit") or before.text in (")", "}", "]", "pi", "*", "/")


def _compound(word: str, tokenize: Callable[[str], list[Token]]) -> list[Token] | None:
    """Return the tokens of a compound unit (km/h, m/s^2, cm^2, kg*m); None if it is no unit ("miles/trip")."""
    tokens: list[Token] = []
    for part in re.split(r"([/*·]|(?<!\^)-)", word):
        if part in ("*", "·", "-"):
            continue
        name, _, power = part.partition("^")
        if name != "/" and unit_of(name.rstrip(".")) is None:
            return None
        tokens.append(Token("unit", name.rstrip(".")))
        tokens += tokenize(f"^{{{power}}}") if power else []
    return tokens


def _chinese(text: str) -> list[Token]:
    """Return the tokens of Chinese words: conjunctions, units and powers of ten; the others are a remark."""
    changing = _CHINESE_CHANGING.search(text)
    if changing is not None:
        raise Unreadable(f"{changing.group()!r} changes the value")
    tokens: list[Token] = []
    at = 0
    while at < len(text):
        following = text[at : at + 6]
        joint = next((word for word in _CHINESE_JOINTS if following.startswith(word)), "")
        copula = next((word for word in ("等于", "是", "为") if following.startswith(word)), "")
        unit = chinese_unit(following)
        if joint:
            tokens.append(Token("name", _CHINESE_JOINTS[joint]))
        elif copula:
            tokens.append(Token("mark", "="))
        elif unit:
            tokens.append(Token("unit", unit))
        elif following[0] in _POWERS_OF_TEN:
            tokens += _power_of_ten(following[0])
        elif tokens and tokens[-1].kind == "said":
            tokens[-1] = Token("said", tokens[-1].text + following[0])
        else:
            tokens.append(Token("said", f" {following[0]}"))
        at += len(joint or copula or unit or following[0])
    return tokens


# ---------------------------------------------------------------------- the meaning of a remark

_FILLERS = words_of(
    "a an the this that these those there it its he she they we you i our your his her their so then thus "
    "hence therefore thereby and get gets got have has had obtain obtained find found answer answers final "
    "result solution value total number numbers integer integers exactly only just precisely about approximately "
    "roughly around approx will be to all values are possible different distinct where when whenever provided given such assuming with "
)
_CHINESE_FILLERS = re.compile("答案|所以|因此|选择|大约|一共|[解得选共约答故则即有的]")
PREPOSITIONS = words_of(
    "of to at from by on in over under above below beyond within than per up until till since before "
    "after among without against around near besides for as into onto off out along across"
)
_CAPITALS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
_WORD = re.compile(r"[^\W\d_\u3400-\u9fff]+(?:['’-][^\W\d_]+)*|\d+|[\u3400-\u9fff]+")


def content(text: str) -> frozenset[str]:
    """Return the words of a remark except fillers, in lower case and the singular."""
    return frozenset(_stem(word) for word in _contents(text))


def _contents(text: str) -> list[str]:
    pieces = _WORD.findall(_CHINESE_FILLERS.sub("", text))
    words = [word if word in _CAPITALS else word.lower() for word in pieces]
    meaningful = [word for word in words if word not in _FILLERS]
    return [] if meaningful == ["of"] else meaningful  # a total of


def _stem(word: str) -> str:
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word


def is_name(text: str) -> bool:
    """Return True if words before a number only name it, as in "Quadrant 4"."""
    words = [word for word in _WORD.findall(text) if word.lower() not in _FILLERS]
    return all(word[0].isupper() and word.lower() not in PREPOSITIONS for word in words)


_OF_PLACES = words_of(
    "at when whenever attained achieved reached obtained occurs occurring taken holds which is this the it maximum minimum "
    "max min value equality with and point extremum only"
)


def is_place(text: str) -> bool:
    """Return True if words introduce the place at which a value is reached: "attained at", "when"."""
    words = text.lower().split()
    last = words[-1] if words else ""
    return last in ("at", "when", "whenever") and _OF_PLACES.issuperset(words)


def leads_over(text: str) -> bool:
    """Return True if words before a number change its meaning: "multiples of 5"."""
    words = _contents(text)
    return bool(words) and words[-1] in PREPOSITIONS
