"""`Answer`: an answer prepared for comparison, as a tree without units and names, which are kept beside it."""

from __future__ import annotations

import contextlib
import re
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache, partial

from rlvr.verifiers.extraction import find_answer
from rlvr.verifiers.math.clean import without_commas
from rlvr.verifiers.math.conditions import of_elements, without_conditions
from rlvr.verifiers.math.lexer import tokenize
from rlvr.verifiers.math.normal import Undefined, normal
from rlvr.verifiers.math.phrases import in_symbols
from rlvr.verifiers.math.quantities import bare, is_percentage, quantity
from rlvr.verifiers.math.reader import read
from rlvr.verifiers.math.remarks import tokens_of_words
from rlvr.verifiers.math.tree import (
    ONE,
    Call,
    Group,
    Num,
    Relation,
    Sym,
    Tree,
    Word,
    children,
    nodes,
    rebuilt,
    symbols,
)
from rlvr.verifiers.math.vocabulary import Token, Unreadable
from rlvr.verifiers.math.words import in_words, is_remainder, labelled, letters, meaning, ordinal


@dataclass(frozen=True, slots=True)
class Answer:
    """One reading of an answer.

    Attributes:
        tree: without units and remarks.
        written: with everything that was written.
        beside: what else was said, and may be missing but not be another; see `beside`.
        conditions: relations beside the value; see `conditions`.
        guessed: whether letters are taken for what they hardly are: the m of "5 m" for a unit, NE for a
            product. Two guesses aren't compared.
        loose: whether it's what a reference may want and doesn't mean itself: the text of a choice without its
            letter, the number of an ordinal.
    """

    tree: Tree
    written: Tree
    beside: str = ""
    conditions: tuple[Tree, ...] = ()
    guessed: bool = False
    loose: bool = False

    @property
    def value(self) -> Tree:
        """The tree; for a percentage its hundredth."""
        percentage = is_percentage(quantity(self.written))
        return Call("div", (self.tree, Num(Fraction(100)))) if percentage else self.tree


def readings(text: str) -> tuple[Answer, ...]:
    """Return the ways to read cleaned `text`, the likeliest first.

    More than one where a comma may mark thousands, where a logarithm has no base, where a letter may
    be a unit, where words may hold a formula, and where a choice's letter has the choice behind it.
    Raises `Unreadable` where there's none.
    """
    if len(text) <= _SHORT:
        return _short_readings(text)
    return _readings(text)


_SHORT = 300  # characters of a text whose readings are kept: the samples of a task often agree


@lru_cache(maxsize=512)
def _short_readings(text: str) -> tuple[Answer, ...]:
    return _readings(text)


# What most answers are: a number, or a fraction of two.
_NUMBER = re.compile(r"(?P<minus>-)?(?P<number>[0-9]{1,18}(?:\.[0-9]{1,18})?)")
_FRACTION = re.compile(r"(?P<minus>-)?\\frac\{(?P<top>[0-9]{1,18})\}\{(?P<bottom>[0-9]{1,18})\}")


def _plain_number(text: str) -> Tree | None:
    """Return the tree of a number or of a fraction of two, as the reader would; None for any other text."""
    number = _NUMBER.fullmatch(text)
    if number is not None:
        tree: Tree = Num(Fraction(number["number"]))
    elif (number := _FRACTION.fullmatch(text)) is not None:
        tree = Call(
            "div", (Num(Fraction(int(number["top"]))), Num(Fraction(int(number["bottom"]))))
        )
    else:
        return None
    return Call("neg", (tree,)) if number["minus"] else tree


def _readings(text: str) -> tuple[Answer, ...]:
    number = _plain_number(text)
    if number is not None:
        return (Answer(number, number),)
    nth = ordinal(text)
    answers = [Answer(nth, nth, loose=True)] if nth is not None else []
    choice = labelled(text)
    if choice is not None:
        answers.append(Answer(choice[0], choice[0], choice[1]))
        if choice[2]:  # (C) 12 is 12 as well
            with contextlib.suppress(Unreadable):
                answers += [replace(reading, loose=True) for reading in _readings(choice[2])]
    tree, loose = meaning(text)
    if tree is not None:
        answers.append(Answer(tree, tree, loose))
        if is_remainder(tree):  # 7 R 3 is no product
            return tuple(answers)
    text = _AGAIN.sub(_stated_again, text)
    rest, conditions = without_conditions(text)
    without = without_commas(rest)
    try:
        answers += _answers(rest if without is None else without, conditions)
    except Unreadable:
        if not answers:
            raise
    if without is not None:
        with contextlib.suppress(Unreadable):
            answers += _answers(rest, conditions)
    return tuple(answers)


def _answers(text: str, conditions: tuple[Tree, ...]) -> list[Answer]:
    text = in_symbols(text)
    side_by_side = letters(text)
    if side_by_side is not None:
        as_word, sure = side_by_side
        with contextlib.suppress(Unreadable):
            product = read(text)
            return [
                Answer(as_word, as_word, conditions=conditions, guessed=not sure),
                Answer(product, product, conditions=conditions, guessed=sure),
            ]
        return [Answer(as_word, as_word, conditions=conditions)]
    word = in_words(text)
    if word is not None:
        answers = [Answer(word, word, conditions=conditions)]
        with contextlib.suppress(Unreadable):
            answers += _formulas(read(text, _sentence), conditions)
        return answers
    answers = _formulas(read(text), conditions)
    if _MAY_HAVE_LETTERS.search(text):
        with contextlib.suppress(Unreadable):
            guess = read(text, partial(tokenize, letters=True))
            if guess != answers[0].written:
                answers.append(Answer(bare(guess), guess, conditions=conditions, guessed=True))
    return answers


# A value, and it again in brackets: rounded, or in percent.
_AGAIN = re.compile(
    r"(?<=[\d}])\s*\(\s*(?P<sign>\\approx|~|=|\\sim|or|about|i\.e\.,?)?\s*(?P<again>-?\d[\d.]*\s*(?P<percent>\\?%)?)\s*\)$"
)


def _stated_again(match: re.Match[str]) -> str:
    sign, again, percent = match["sign"], match["again"], match["percent"]
    if not sign and not percent and "." not in again:
        return match.group()  # a product
    return f" = {again}" if percent or sign in ("=", "or") else f" \\approx {again}"


_MAY_HAVE_LETTERS = re.compile(r"\d [A-Za-z](?![A-Za-z])")


def _sentence(text: str) -> list[Token]:
    return tokens_of_words(text, tokenize)


def _formulas(written: Tree, conditions: tuple[Tree, ...]) -> list[Answer]:
    written, declared = of_elements(written)
    conditions += declared
    tree = bare(written)
    answers = [Answer(tree, written, conditions=conditions)]
    if isinstance(tree, Group) and tree.kind == "builder":
        answers += _of_plane(*tree.items)
    if any(isinstance(node, Call) and node.name == "log" for node in nodes(tree)):
        decimal = _to_base_ten(tree)
        if decimal != tree:
            answers.append(Answer(decimal, _to_base_ten(written), conditions=conditions))
    return answers


def _of_plane(elements: Tree, condition: Tree) -> list[Answer]:
    r"""Return the equation of a set of points: y = 2x for \{(x, y): y = 2x\}."""
    plane = isinstance(elements, Group) and all(isinstance(item, Sym) for item in elements.items)
    equation = isinstance(condition, Relation) and condition.signs == ("=",)
    return [Answer(condition, condition)] if plane and equation else []


def _to_base_ten(tree: Tree) -> Tree:
    """Return a tree with logarithms without a base, which may be natural ones, as decimal ones."""
    inside = tuple(map(_to_base_ten, children(tree)))
    if isinstance(tree, Call) and tree.name == "log" and len(inside) == 1:
        return Call("log", (*inside, Num(Fraction(10))))
    return rebuilt(tree, inside) if inside else tree


def is_plain(tree: Tree) -> bool:
    """Return True for a number in the form of a result: 7, -3/4, 2 1/2, 5%, 3*10^8, x = 7; not 6*7."""
    if isinstance(tree, Relation):
        values = [side for side in tree.sides if not is_name(side)]
        return not values or is_plain(values[-1])
    if isinstance(tree, Group) and tree.kind == "":  # 6*7, 6*7
        return all(map(is_plain, tree.items))
    if not isinstance(tree, Call):
        return True
    args = tree.args
    if tree.name in ("neg", "unit"):
        return is_plain(args[0])
    if tree.name in ("pm", "mp"):
        return all(map(is_plain, args))
    if tree.name == "div":  # a fraction, and none that comes out whole
        return all(map(_is_integer, args)) and not _comes_out_whole(tree)
    if tree.name == "add":  # a mixed number
        return isinstance(args[0], Num) and isinstance(args[1], Call) and args[1].name == "div"
    if tree.name == "mul":
        return is_plain(args[0]) and _is_power_of_ten(args[1])
    return _is_power_of_ten(tree) or tree.name == "base"


def _is_integer(tree: Tree) -> bool:
    if isinstance(tree, Call) and tree.name == "neg":
        return _is_integer(tree.args[0])
    return isinstance(tree, Num)


def _comes_out_whole(tree: Call) -> bool:
    try:
        value = normal(tree)
    except Undefined:
        return False
    return isinstance(value, Num) and value.value.denominator == 1 and tree.args[1] != ONE


def _is_power_of_ten(tree: Tree) -> bool:
    return (
        isinstance(tree, Call)
        and tree.name == "pow"
        and tree.args[0] == Num(Fraction(10))
        and _is_integer(tree.args[1])
    )


def is_name(tree: Tree) -> bool:
    """Return True for a name of a quantity, which has no value of its own: x, f(x), |AB|, NO/BO, AB:CD, "the area"."""
    if isinstance(tree, Sym):
        return tree.name not in ("pi", "e", "i", "oo", "empty")
    if isinstance(tree, Word):
        return True
    if isinstance(tree, Call):
        if tree.name in ("told", "said"):
            return is_name(tree.args[0])
        if tree.name.startswith("apply:") or tree.name in ("prime", "det") or _is_application(tree):
            return True
        names = ("mul", "div", "abs", "norm", "hat", "angle", "triangle")
        if _is_unsolved(tree):
            return False
        if tree.name == "mul" and len(set(tree.args)) < len(tree.args):
            return False  # x x is still to be solved for x
        return tree.name in names and all(map(is_name, tree.args))
    return isinstance(tree, Group) and tree.kind in ("()", ":") and all(map(is_name, tree.items))


def is_quantity(tree: Tree) -> bool:
    """Return True if a tree names the requested quantity without determining its symbols: m + n, sin A, P(2), |a + b|.

    2x isn't one, nor x + 1: an answer 2x = 10 isn't solved for x yet.
    """
    if is_name(tree):
        return True
    if isinstance(tree, Call) and tree.name.startswith("big:"):
        return True
    if not isinstance(tree, Call) or _is_unsolved(tree):
        return False
    if tree.name in _ALGEBRA:
        unknowns = _unknowns(tree)
        if len({operand for operand in unknowns if _is_value_of_function(operand)}) > 1:
            return True  # f(1) + f(2)
        unknown = [operand for operand in unknowns if symbols(operand)]
        if not unknown:
            return False
        return len(set(unknown)) > 1 or not any(isinstance(operand, Sym) for operand in unknown)
    return bool(symbols(tree)) and (
        tree.name not in ("difference", "log", "ln", "exp", "factorial") or len(symbols(tree)) > 1
    )


def _is_value_of_function(tree: Tree) -> bool:
    return isinstance(tree, Call) and tree.name.startswith("apply:")


def _is_unsolved(tree: Call) -> bool:
    """Return True for a side of an equation that is still to be solved for x: |x|, and ax with a coefficient."""
    if not all(isinstance(arg, Sym) for arg in tree.args):
        return False
    names = [arg.name for arg in tree.args if isinstance(arg, Sym)]
    if tree.name == "mul":
        return len(names) == 2 and names[0] in ("a", "b", "c", "k", "m") and names[1] in ("x", "y")
    return tree.name == "abs" and names[0] in ("x", "y")


_ALGEBRA = ("add", "mul", "div", "pow", "neg", "root", "unit", "pm", "mp")


def _unknowns(tree: Tree) -> list[Tree]:
    """Return the operands of a tree's arithmetic: symbols and functions' values."""
    if isinstance(tree, Call) and tree.name in _ALGEBRA and not _is_application(tree):
        return [operand for arg in tree.args for operand in _unknowns(arg)]
    return [tree]


def _is_application(tree: Tree) -> bool:
    """Return True for a function's value rather than a product or a power: P(2), f'(1), f^{-1}(x), A^{-1}."""
    if not isinstance(tree, Call) or tree.name not in ("mul", "pow"):
        return False
    first = tree.args[0]
    if tree.name == "pow":
        return isinstance(first, Sym) and first.name.isupper() and len(first.name) == 1
    while isinstance(first, Call) and (
        first.name == "prime" or (first.name == "pow" and isinstance(first.args[0], Sym))
    ):
        if first.name == "prime" and isinstance(first.args[0], Sym):
            return True
        first = first.args[0]
    return isinstance(first, Sym) and (first.name.isupper() or first.name in ("f", "g", "h"))


def has_sums(tree: Tree) -> bool:
    """Return True if a tree has a sum, product, integral or limit that is still to be evaluated."""
    if isinstance(tree, Relation):
        tree = tree.sides[-1]
    return any(isinstance(node, Call) and node.name.startswith("big:") for node in nodes(tree))


def is_simplified(tree: Tree) -> bool:
    r"""Return True if a tree's numbers are fully simplified: no \frac{2}{4}, √8, 1/√2 or 2+3."""
    if not all(map(is_simplified, children(tree))):
        return False
    if not isinstance(tree, Call):
        return True
    numbers = [arg.value for arg in tree.args if isinstance(arg, Num)]
    if tree.name == "div":
        if len(numbers) == 2 and isinstance(tree.args[0], Num):
            top, bottom = numbers
            return bottom > 1 and top.denominator == 1 and (top / bottom).denominator == bottom
        return not any(isinstance(n, Call) and n.name == "root" for n in children(tree)[1:])
    if tree.name == "root" and len(numbers) == 2 and numbers[0].denominator == 1:
        degree = int(numbers[1])
        if degree >= int(abs(numbers[0])).bit_length():
            return True  # 2^degree is larger
        return not any(numbers[0] % d**degree == 0 for d in range(2, 100))
    if tree.name == "pow" and len(numbers) == 2:
        return numbers[0] == 10
    return not (tree.name in ("add", "mul") and len(numbers) == 2 and not is_plain(tree))


def gold_text(reference: str) -> str:
    r"""Return the part of a reference that it boxes or states as the answer; otherwise all of it."""
    if "\\boxed" in reference or "\\fbox" in reference:
        boxed = find_answer(reference, "boxed")
        if boxed.answer is not None:
            return boxed.answer
    if "####" in reference or "nswer is" in reference:
        return find_answer(reference, "flexible").answer or reference
    return reference
