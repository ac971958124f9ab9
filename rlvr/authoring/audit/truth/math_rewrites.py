"""Metamorphic cases for mathematical answers: a gold in equal forms, and in forms that just miss it.

A verifier must keep its verdict on the equal forms and change it on the others. All changes are made to the
text of the gold, so that they don't depend on the verifier's reader.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from fractions import Fraction

from rlvr.verifiers.math.clean import clean
from rlvr.verifiers.math.numbers import read_number

Rewrite = Callable[[str], str | None]

_SIMPLE_FRACTION = re.compile(
    r"(?<![\d}a-z] )(?<![\d}a-z])\\d?frac\{(\d+)\}\{(\d+)\}(?![\d{a-zA-Z\\(^!])"
)
_COMMANDS = re.compile(r"\\[a-zA-Z]+")
_TUPLE = re.compile(r"(?:\\left)?\(([^()\[\],]+),([^()\[\],]+)(?:\\right)?\)")


def rewritings(gold: str) -> Iterator[tuple[str, str]]:
    """Yield (name, the gold in an equal form) for each rewriting that applies to this gold."""
    for name, rewrite in _REWRITINGS.items():
        text = rewrite(gold)
        if text is not None and text != gold:
            yield name, text


def perturbations(gold: str, rng: random.Random) -> Iterator[tuple[str, str]]:
    """Yield (name, a form that isn't equal) for each perturbation that applies to this gold."""
    for name, perturb in _PERTURBATIONS.items():
        text = perturb(gold, rng)
        if text is not None and clean(text) != clean(gold):
            yield name, text


def _expression(gold: str) -> bool:
    """Return True if a gold is one expression and no plain number, list, relation, text or unit."""
    if read_number(clean(gold)) is not None or any(c in gold for c in "=<>,;:%$&|°'"):
        return False
    barred = ("text", "mbox", "circ", "begin", "le", "ge", "in ", "infty", "cup", "pm", "%")
    if any(f"\\{word}" in gold for word in barred) or "_" in gold or "!" in gold:
        return False
    if re.fullmatch(r"\(?[A-Z]\)?", gold.strip()):
        return False  # a choice's letter
    bare = _COMMANDS.sub(" ", gold)
    return (
        not re.search(r"[a-zA-Z]{3}", bare)
        and not re.search(r"\d\s*\\[dt]?frac", gold)
        and bool(gold.strip())
    )


def _slashed(gold: str) -> str | None:
    if not _SIMPLE_FRACTION.search(gold) or "sin" in gold or "tan" in gold:
        return None
    return _SIMPLE_FRACTION.sub(lambda m: f"({m.group(1)}/{m.group(2)})", gold)


def _decimal(gold: str) -> str | None:
    number = read_number(clean(gold))
    if number is None or number.percent or "." in gold:
        return None
    for digits in range(1, 7):
        scaled = number.value * 10**digits
        if scaled.denominator == 1:
            sign = "-" if scaled < 0 else ""
            text = str(abs(scaled.numerator)).rjust(digits + 1, "0")
            return f"{sign}{text[:-digits]}.{text[-digits:]}"
    return None


def _fraction(gold: str) -> str | None:
    number = read_number(clean(gold))
    if number is None or number.percent or number.value.denominator == 1:
        return None
    sign = "-" if number.value < 0 else ""
    return f"{sign}\\dfrac{{{abs(number.value.numerator)}}}{{{number.value.denominator}}}"


def _thousands(gold: str) -> str | None:
    if not re.fullmatch(r"-?[1-9]\d{3,}", gold):
        return None
    return f"{int(gold):,}"


def _named(gold: str) -> str | None:
    if re.search(r"[=<>]|\\(?:le|ge|in|text|mbox|to)(?![a-z])", gold) or re.search(
        r"[a-zA-Z]{3}|:", _COMMANDS.sub("", gold)
    ):
        return None
    free = next((name for name in "xyzwtuv" if name not in gold), None)
    return None if free is None else f"{free} = {gold}"


def _doubled(gold: str) -> str | None:
    return f"\\frac{{2\\left({gold}\\right)}}{{2}}" if _expression(gold) else None


def _shifted(gold: str) -> str | None:
    return f"7+\\left({gold}\\right)-7" if _expression(gold) else None


def _spaced(gold: str) -> str | None:
    return None if "\\!" in gold or re.search(r"\d,\d{3}", gold) else gold.replace(",", ",\\; ")


def _sized(gold: str) -> str | None:
    if "\\left" in gold or "(" not in gold or gold.count("(") != gold.count(")"):
        return None
    return gold.replace("(", "\\left( ").replace(")", " \\right)")


_REWRITINGS: dict[str, Rewrite] = {
    "between dollars": lambda gold: f"${gold}$",
    "boxed again": lambda gold: f"\\boxed{{{gold}}}",
    "bold": lambda gold: f"**{gold}**",
    "in display style": lambda gold: f"\\displaystyle {gold}",
    "\\dfrac": lambda gold: gold.replace("\\frac", "\\dfrac"),
    "\\tfrac": lambda gold: gold.replace("\\frac", "\\tfrac"),
    "\\left and \\right": _sized,
    "a full stop": lambda gold: f"{gold}.",
    "spaces around commas": _spaced,
    "Unicode minus": lambda gold: gold.replace("-", "−") if "text" not in gold else None,
    "slashed fractions": _slashed,
    "as a decimal": _decimal,
    "as a fraction": _fraction,
    "thousands separators": _thousands,
    "with a name": _named,
    "doubled and halved": _doubled,
    "7 added and taken off": _shifted,
}


def _digit(gold: str, rng: random.Random) -> str | None:
    places = [i for i, char in enumerate(gold) if char.isascii() and char.isdigit()]
    if not places:
        return None
    i = rng.choice(places)
    return gold[:i] + str((int(gold[i]) + rng.randint(1, 8)) % 10) + gold[i + 1 :]


def _negated(gold: str, rng: random.Random) -> str | None:
    number = read_number(clean(gold))
    if number is None or number.value == 0:
        return None
    return gold.strip()[1:] if gold.strip().startswith("-") else f"-{gold.strip()}"


def _off_by_one(gold: str, rng: random.Random) -> str | None:
    number = read_number(clean(gold))
    if number is None or number.percent:
        return f"\\left({gold}\\right)+1" if _expression(gold) else None
    value = number.value + Fraction(rng.choice([1, -1]))
    return str(value)


def _nearly(gold: str, rng: random.Random) -> str | None:
    return f"\\left({gold}\\right)+10^{{-30}}" if _expression(gold) else None


def _twice(gold: str, rng: random.Random) -> str | None:
    number = read_number(clean(gold))
    if number is None:
        return f"2\\left({gold}\\right)" if _expression(gold) else None
    return str(2 * number.value) if number.value and not number.percent else None


def _one_more(gold: str, rng: random.Random) -> str | None:
    return f"{gold}, 7919"


def _either(gold: str, rng: random.Random) -> str | None:
    return f"{gold} \\text{{ or }} 7919"


def _swapped(gold: str, rng: random.Random) -> str | None:
    pair = _TUPLE.fullmatch(gold.strip())
    if pair is None or clean(pair.group(1)) == clean(pair.group(2)):
        return None
    return f"({pair.group(2)},{pair.group(1)})"


def _other_end(gold: str, rng: random.Random) -> str | None:
    if not re.fullmatch(r"\[[^\[\]()]+,[^\[\]()]+[)\]]", gold):
        return None
    return "(" + gold[1:]


_PERTURBATIONS: dict[str, Callable[[str, random.Random], str | None]] = {
    "another digit": _digit,
    "the other sign": _negated,
    "off by one": _off_by_one,
    "off by 10^-30": _nearly,
    "twice": _twice,
    "a value more": _one_more,
    "or another value": _either,
    "swapped": _swapped,
    "the other bracket": _other_end,
}
