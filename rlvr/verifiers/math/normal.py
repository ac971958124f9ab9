"""The normal form of an expression: what can be settled by rewriting, exactly and within bounds.

Numbers are worked out, sums and products flattened and sorted with like terms joined, square
factors drawn out of roots. It multiplies nothing out: what then still differs may yet be equal.
"""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache
from math import comb, factorial, gcd, isqrt, prod

from rlvr.verifiers.math.tree import ONE, Call, Group, Num, Relation, Sym, Tree, Unit, Word, rebuilt

MAX_BITS = 12_000
"""No intermediate value grows past this many bits: what would stays as it is written.

Python writes no integer of over 4300 digits (14,000 bits), and trees are sorted as they're written.
"""

_MINUS = Fraction(-1)


class Undefined(Exception):
    """The expression divides by zero."""


def normal(tree: Tree) -> Tree:
    """Return the normal form. Raises `Undefined`."""
    if isinstance(tree, Num | Sym | Unit | Word):
        return tree
    if isinstance(tree, Group):
        return Group(tree.kind, tuple(normal(item) for item in tree.items))
    if isinstance(tree, Relation):
        return Relation(tree.signs, tuple(normal(side) for side in tree.sides))
    if tree.name.startswith("big:"):
        # Its variable is its own; inside, only the order of factors and terms is put right.
        return rebuilt(tree, tuple(normal(arg) for arg in tree.args))
    args = tuple(normal(arg) for arg in tree.args)
    if any(isinstance(arg, Group | Relation | Word) for arg in args):
        return Call(tree.name, args)
    # No rule for "base": a number in another base stands for itself. 2516_8 isn't 1358, nor 2516_9.
    rule = _RULES.get(tree.name)
    return rule(Call(tree.name, args)) if rule else Call(tree.name, args)


def key(tree: Tree) -> str:
    """Return a text by which trees are sorted; equal only for equal trees."""
    return repr(tree)


def _add(tree: Call) -> Tree:
    return _sum(list(tree.args))


def _neg(tree: Call) -> Tree:
    return _product([Num(_MINUS), tree.args[0]])


def _mul(tree: Call) -> Tree:
    return _product(list(tree.args))


def _div(tree: Call) -> Tree:
    return _product([tree.args[0], _power(tree.args[1], _MINUS)])


def _pow(tree: Call) -> Tree:
    base, exponent = tree.args
    if isinstance(exponent, Num):
        return _power(base, exponent.value)
    return tree


def _root(tree: Call) -> Tree:
    base, degree = tree.args
    if isinstance(degree, Num) and degree.value.denominator == 1 and 2 <= degree.value <= 64:
        if isinstance(base, Num) and base.value < 0 and degree.value % 2:
            return _product([Num(_MINUS), _power(Num(-base.value), 1 / degree.value)])
        return _power(base, 1 / degree.value)
    return tree


def _factorial(tree: Call) -> Tree:
    (n,) = tree.args
    if isinstance(n, Num) and n.value.denominator == 1 and 0 <= n.value <= 1000:
        return Num(Fraction(factorial(int(n.value))))
    return tree


def _double(tree: Call) -> Tree:
    (n,) = tree.args
    if isinstance(n, Num) and n.value.denominator == 1 and -1 <= n.value <= 1000:
        return Num(Fraction(prod(range(int(n.value), 0, -2))))
    return tree


def _conjugate(tree: Call) -> Tree:
    (x,) = tree.args
    return x if isinstance(x, Num) else tree


def _binomial(tree: Call) -> Tree:
    numbers = _integers(tree)
    if numbers and 0 <= numbers[1] <= numbers[0] <= 1000:
        return Num(Fraction(comb(*numbers)))
    return tree


def _abs(tree: Call) -> Tree:
    (x,) = tree.args
    return Num(abs(x.value)) if isinstance(x, Num) else tree


def _floor(tree: Call) -> Tree:
    (x,) = tree.args
    return Num(Fraction(x.value // 1)) if isinstance(x, Num) else tree


def _ceil(tree: Call) -> Tree:
    (x,) = tree.args
    return Num(Fraction(-(-x.value // 1))) if isinstance(x, Num) else tree


def _mod(tree: Call) -> Tree:
    numbers = _integers(tree)
    return Num(Fraction(numbers[0] % numbers[1])) if numbers and numbers[1] else tree


def _log(tree: Call) -> Tree:
    """Only what is plain: the logarithm of 1, and of a power of its base."""
    if tree.args[0] == ONE:
        return Num(Fraction(0))
    if tree.name == "ln" and tree.args[0] == Sym("e"):
        return ONE
    return tree


_RULES = {
    "add": _add,
    "neg": _neg,
    "mul": _mul,
    "div": _div,
    "pow": _pow,
    "root": _root,
    "factorial": _factorial,
    "double": _double,
    "conj": _conjugate,
    "binomial": _binomial,
    "choose": _binomial,
    "abs": _abs,
    "floor": _floor,
    "ceil": _ceil,
    "mod": _mod,
    "ln": _log,
    "log": _log,
}


def _integers(tree: Call) -> tuple[int, ...] | None:
    values = [int(a.value) for a in tree.args if isinstance(a, Num) and a.value.denominator == 1]
    return tuple(values) if len(values) == len(tree.args) else None


def _fits(value: Fraction) -> bool:
    return value.numerator.bit_length() + value.denominator.bit_length() <= MAX_BITS


def _sum(terms: list[Tree]) -> Tree:
    """Terms flattened, like terms joined, sorted."""
    constant = Fraction(0)
    apart: list[Tree] = []  # like terms whose joint share would be too long a number
    shares: dict[Tree, Fraction] = {}
    todo = terms[::-1]
    while todo:
        term = todo.pop()
        if isinstance(term, Call) and term.name == "add":
            todo.extend(term.args)
        elif isinstance(term, Num) and _fits(constant + term.value):
            constant += term.value
        else:
            share, rest = _split(term)
            joint = shares.get(rest, Fraction(0)) + share
            if rest in shares and not _fits(joint):
                apart.append(term)
            else:
                shares[rest] = joint
    joined = [*apart, *(_scaled(share, rest) for rest, share in shares.items() if share)]
    if constant or not joined:
        joined.append(Num(constant))
    return joined[0] if len(joined) == 1 else Call("add", tuple(sorted(joined, key=key)))


def _split(term: Tree) -> tuple[Fraction, Tree]:
    """Return a term's rational factor, and what remains."""
    if isinstance(term, Call) and term.name == "mul":
        first, *rest = term.args
        if isinstance(first, Num):
            return first.value, rest[0] if len(rest) == 1 else Call("mul", tuple(rest))
    return Fraction(1), term


def _scaled(share: Fraction, rest: Tree) -> Tree:
    if share == 1:
        return rest
    factors = rest.args if isinstance(rest, Call) and rest.name == "mul" else (rest,)
    return Call("mul", (Num(share), *factors))


def _product(factors: list[Tree]) -> Tree:
    """Factors flattened, powers of one base joined, the rational factor first, sorted."""
    share = Fraction(1)
    apart: list[Tree] = []  # powers of one base whose joint exponent would be too long a number
    powers: dict[Tree, Fraction] = {}
    todo = factors[::-1]
    while todo:
        factor = todo.pop()
        if isinstance(factor, Call) and factor.name == "mul":
            todo.extend(factor.args)
        elif isinstance(factor, Num) and _fits(share * factor.value):
            share *= factor.value
        else:
            base, exponent = _base_and_exponent(factor)
            joint = powers.get(base, Fraction(0)) + exponent
            if base in powers and not _fits(joint):
                apart.append(factor)
            else:
                powers[base] = joint
    if share == 0:
        return Num(share)
    joined: list[Tree] = [*apart]
    for base, exponent in powers.items():
        piece = _power(base, exponent)
        if isinstance(piece, Num) and _fits(share * piece.value):
            share *= piece.value
        elif isinstance(piece, Call) and piece.name == "mul":
            for part in piece.args:
                if isinstance(part, Num) and _fits(share * part.value):
                    share *= part.value
                else:
                    joined.append(part)
        else:
            joined.append(piece)
    if len(joined) == 1 and isinstance(joined[0], Call) and joined[0].name == "add" and share != 1:
        return _sum([_product([Num(share), term]) for term in joined[0].args])
    joined.sort(key=key)
    if share != 1 or not joined:
        joined.insert(0, Num(share))
    return joined[0] if len(joined) == 1 else Call("mul", tuple(joined))


def _base_and_exponent(factor: Tree) -> tuple[Tree, Fraction]:
    if isinstance(factor, Call) and factor.name == "pow" and isinstance(factor.args[1], Num):
        return factor.args[0], factor.args[1].value
    return factor, Fraction(1)


def _power(base: Tree, exponent: Fraction) -> Tree:
    """Return `base` to a rational exponent."""
    if exponent == 0:
        return ONE
    if exponent == 1:
        return base
    if isinstance(base, Num):
        return _number_power(base.value, exponent)
    if base == Sym("i") and exponent.denominator == 1:
        turns = int(exponent) % 4
        unit: Tree = base if turns % 2 else ONE
        return _product([Num(_MINUS), unit]) if turns >= 2 else unit
    if isinstance(base, Call) and exponent.denominator == 1:  # a root of a power keeps its sign
        if base.name == "pow" and isinstance(base.args[1], Num):
            return _power(base.args[0], base.args[1].value * exponent)
        if base.name == "mul":
            return _product([_power(factor, exponent) for factor in base.args])
    return Call("pow", (base, Num(exponent)))


def _number_power(base: Fraction, exponent: Fraction) -> Tree:
    """Worked out where it's rational and small; else a root with the square factors drawn out."""
    if base == 0 and exponent < 0:
        raise Undefined
    if base in (0, 1):
        return Num(base)
    kept = Call("pow", (Num(base), Num(exponent)))
    bits = max(base.numerator.bit_length(), base.denominator.bit_length())
    if bits * abs(exponent) > MAX_BITS:
        return kept
    if exponent.denominator == 1:
        return Num(Fraction(base ** int(exponent)))
    if base < 0:
        if exponent.denominator == 2:
            return _product([Call("pow", (Sym("i"), Num(Fraction(exponent.numerator)))),
                             _number_power(-base, exponent)])  # fmt: skip
        return kept
    if exponent.denominator > 64 or bits > 256 or bits * exponent.denominator > MAX_BITS:
        return kept
    whole, part = divmod(exponent, 1)
    # (p/q)^(n/d) = (p^n q^(d-n))^(1/d) / q, so that one radicand remains
    degree, power = part.denominator, part.numerator
    radicand = base.numerator**power * base.denominator ** (degree - power)
    outside, inside = _extract(radicand, degree)
    share = Fraction(outside, base.denominator) * base ** int(whole)
    if inside == 1:
        return Num(share)
    root = Call("pow", (Num(Fraction(inside)), Num(Fraction(1, degree))))
    return root if share == 1 else Call("mul", (Num(share), root))


@lru_cache(maxsize=4096)
def _extract(radicand: int, degree: int) -> tuple[int, int]:
    """Return (a, b) with a^degree · b = radicand, and b without small factors to the degree."""
    root = _integer_root(radicand, degree)
    if root**degree == radicand:
        return root, 1
    outside = 1
    for prime in _SMALL_PRIMES:
        factor = prime**degree
        if factor > radicand:
            break
        while radicand % factor == 0:
            radicand //= factor
            outside *= prime
    if degree == 2:  # a large square times a small number
        common = 1
        for prime in _SMALL_PRIMES:
            if radicand % prime == 0:
                common *= prime
        rest = radicand // common
        root = isqrt(rest)
        if root > 1 and root * root == rest and gcd(root, common) == 1:
            return outside * root, common
    return outside, radicand


def _integer_root(value: int, degree: int) -> int:
    """Return the largest integer whose power is at most `value`."""
    if degree == 2:
        return isqrt(value)
    low, high = 1, 1 << (value.bit_length() // degree + 1)
    while low < high:
        middle = (low + high + 1) // 2
        if middle**degree <= value:
            low = middle
        else:
            high = middle - 1
    return low


_SMALL_PRIMES = [n for n in range(2, 1000) if all(n % d for d in range(2, isqrt(n) + 1))]
