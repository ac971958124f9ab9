r"""Cleaned answers into tokens: numbers, commands, names, remarks, and marks.

One token is a `(kind, text)` pair:

- `num`: decimal digits with at most one point, "1234.5".
- `cmd`: a LaTeX command that the reader knows, without its backslash; also `begin:NAME`, `end:NAME`.
- `name`: a letter, or a word that has a meaning (sqrt, sin, pi, and, or).
- `unit`: a unit of measure in its one spelling, "cm".
- `mark`: anything else, one character or a two-character relation.
"""

from __future__ import annotations

import re
from typing import NamedTuple

MAX_TOKENS = 3000


class Unreadable(Exception):
    """The text isn't mathematics that the reader knows; the message says what it met."""


class Token(NamedTuple):
    """One token; see the module."""

    kind: str
    text: str


END = Token("end", "")

FUNCTIONS = frozenset(
    [
        "sin",
        "cos",
        "tan",
        "cot",
        "sec",
        "csc",
        "arcsin",
        "arccos",
        "arctan",
        "arccot",
        "sinh",
        "cosh",
        "tanh",
        "ln",
        "log",
        "lg",
        "exp",
    ]
)
GREEK = frozenset(
    [
        "alpha",
        "beta",
        "gamma",
        "delta",
        "epsilon",
        "varepsilon",
        "zeta",
        "eta",
        "theta",
        "vartheta",
        "iota",
        "kappa",
        "lambda",
        "mu",
        "nu",
        "xi",
        "rho",
        "sigma",
        "tau",
        "upsilon",
        "phi",
        "varphi",
        "chi",
        "psi",
        "omega",
        "Gamma",
        "Delta",
        "Theta",
        "Lambda",
        "Xi",
        "Pi",
        "Sigma",
        "Upsilon",
        "Phi",
        "Psi",
        "Omega",
        "ell",
        "hbar",
    ]
)
_COMMANDS = (
    FUNCTIONS
    | GREEK
    | frozenset(
        [
            "frac",
            "binom",
            "sqrt",
            "pi",
            "infty",
            "emptyset",
            "varnothing",
            "cup",
            "cap",
            "setminus",
            "in",
            "notin",
            "subset",
            "pm",
            "mp",
            "le",
            "ge",
            "ne",
            "approx",
            "equiv",
            "sim",
            "mid",
            "circ",
            "degree",
            "lfloor",
            "rfloor",
            "lceil",
            "rceil",
            "langle",
            "rangle",
            "lvert",
            "rvert",
            "vert",
            "lVert",
            "rVert",
            "Vert",
            "overline",
            "bar",
            "vec",
            "hat",
            "overrightarrow",
            "sum",
            "prod",
            "int",
            "iint",
            "lim",
            "bmod",
            "pmod",
            "mod",
            "to",
            "rightarrow",
            "implies",
            "prime",
            "forall",
            "exists",
            "choose",
            "max",
            "min",
            "gcd",
            "lcm",
            "det",
            "wedge",
            "vee",
            "neg",
            "perp",
            "parallel",
            "angle",
            "triangle",
            "star",
            "ast",
            "cdots",
            "ldots",
            "deg",
            "ddots",
            "vdots",
            "nabla",
            "partial",
            "Re",
            "Im",
        ]
    )
)
_WORDS = FUNCTIONS | {"sqrt", "pi", "and", "or", "infinity", "mod", "exp", "inf", "cbrt"}
_UNITS = {
    spelling: canonical
    for canonical, spellings in {
        "mm": "mm millimeter millimeters millimetre millimetres",
        "cm": "cm centimeter centimeters centimetre centimetres",
        "m": "meter meters metre metres",
        "km": "km kilometer kilometers kilometre kilometres",
        "in": "inch inches",
        "ft": "ft foot feet",
        "yd": "yd yard yards",
        "mi": "mile miles",
        "mg": "mg milligram milligrams",
        "g": "gram grams",
        "kg": "kg kilogram kilograms",
        "lb": "lb lbs pound pounds",
        "oz": "oz ounce ounces",
        "ton": "ton tons tonne tonnes",
        "s": "sec secs second seconds",
        "min": "minute minutes mins",
        "h": "hr hrs hour hours",
        "day": "day days",
        "week": "week weeks",
        "month": "month months",
        "year": "yr yrs year years",
        "mi/h": "mph",
        "km/h": "kph kmh",
        "ml": "ml milliliter milliliters millilitre millilitres",
        "L": "liter liters litre litres",
        "gal": "gal gallon gallons",
        "J": "joule joules",
        "N": "newton newtons",
        "W": "watt watts",
        "V": "volt volts",
        "Hz": "hz hertz",
        "mol": "mol moles",
        "$": "dollar dollars usd bucks",
        "c": "cent cents",
        "€": "euro euros",
        "%": "percent pct",
        "deg": "degree degrees",
        "rad": "radian radians rad",
        "unit": "unit units",
        "am": "am a.m a.m.",
        "pm": "p.m p.m.",
    }.items()
    for spelling in spellings.split()
}
# Letters that are units only where they stand in \text{…}: elsewhere they are variables.
_UNITS_IN_TEXT = {
    "m": "m", "g": "g", "s": "s", "h": "h", "in": "in", "l": "L", "mi": "mi", "min": "min",
    "pm": "pm", "yd": "yd",
}  # fmt: skip
_PIECES = re.compile(
    r"(?P<space>\s+)"
    r"|(?P<num>\d+\.(?:\d+|(?=\\(?:overline|bar)\b))|\d+|\.\d+)"
    r"|\\(?:text|textbf|textit|textrm|textnormal|textsf|mathrm|mathbf|mathit|mathsf|mbox|operatorname|mathbb|mathcal|bf|rm)"
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
        at = piece.end()
        tokens += _tokens_of(piece)
        if len(tokens) > MAX_TOKENS:
            raise Unreadable(f"over {MAX_TOKENS} symbols")
    return tokens


def _tokens_of(piece: re.Match[str]) -> list[Token]:
    group = piece.lastgroup
    if group == "space":
        return []
    if group == "num":
        if len(piece.group()) > 4000:
            raise Unreadable("a number of over 4000 digits")
        return [Token("num", piece.group())]
    if group == "text":
        return _spoken(piece.group("text"))
    if group in ("env", "name"):
        return [Token("cmd", f"{piece.group('env')}:{piece.group('name').rstrip('*')}")]
    if group == "cmd":
        return _command(piece.group("cmd"))
    if group == "word":
        return _word(piece.group("word"))
    return [Token("mark", piece.group("mark"))]


def _command(name: str) -> list[Token]:
    r"""A known command; `\cotx`, run together by careless spacing, is \cot and x."""
    for length in range(len(name), 1, -1):
        if name[:length] in _COMMANDS:
            rest = name[length:]
            return [Token("cmd", name[:length]), *(_word(rest) if rest else [])]
    raise Unreadable(f"unknown \\{name}")


def _word(word: str) -> list[Token]:
    """A word with a meaning, a unit, or letters that are variables side by side."""
    lower = word.lower()
    if lower in _WORDS:
        return [Token("name", lower)]
    if lower in _UNITS:
        return [Token("unit", _UNITS[lower])]
    for prefix in ("sqrt", "arcsin", "arccos", "arctan", "sin", "cos", "tan", "log", "ln"):
        if lower.startswith(prefix) and len(word) == len(prefix) + 1:  # sinx
            return [Token("name", prefix), Token("name", word[-1])]
    for joint in ("or", "and"):  # x=1orx=2
        if lower.startswith(joint) and len(word) == len(joint) + 1:
            return [Token("name", joint), Token("name", word[-1])]
    if len(word) > 6:
        raise Unreadable(f"unknown word {word!r}")
    return [Token("name", letter) for letter in word]


def _spoken(said: str) -> list[Token]:
    r"""What stands in \text{…} within a formula: joints, units and names count, remarks don't."""
    tokens: list[Token] = []
    for word in said.replace(",", " , ").split():
        bare = word.strip("().:;").rstrip("s") if len(word) > 3 else word.strip("().:;")
        lower = word.strip("():;").lower()
        if lower in ("and", "or", ","):
            tokens.append(Token("name", "or") if lower != "," else Token("mark", ","))
        elif lower in _UNITS or lower in _UNITS_IN_TEXT:
            tokens.append(Token("unit", _UNITS.get(lower) or _UNITS_IN_TEXT[lower]))
        elif lower in ("square", "sq", "cubic"):
            tokens.append(Token("unit", lower[:2]))
        elif lower in ("per", "/"):
            tokens.append(Token("unit", "/"))
        elif lower in FUNCTIONS:
            tokens.append(Token("name", lower))
        elif len(bare) == 1 and bare.isalpha() and bare.isascii():
            tokens.append(Token("name", bare))
        elif word.isascii() and word.isdigit():
            tokens.append(Token("num", word))
        elif lower.startswith(("^", "/")):
            return [*tokens, *tokenize(word)]
        elif lower == "not":
            raise Unreadable("a negation")
    return tokens
