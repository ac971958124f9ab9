"""Exact comparison of rational expressions, of any size: residues modulo several large primes.

`2024!` and `2024! - 1` agree to 5800 digits, and `9^{9^9}` has 370 million of them. Modulo a prime of
61 bits both take microseconds. Two expressions with different residues differ. Two with the same residues
modulo four primes are equal, unless their difference is a multiple of a number of 74 digits.
Expressions with symbols are compared at random residues (Schwartz and Zippel).
"""

from __future__ import annotations

import random
from fractions import Fraction
from functools import lru_cache
from math import comb, factorial, prod

from rlvr.verifiers.math.tree import Call, Num, Relation, Sym, Tree, nodes, symbols

_PRIMES = (
    1819502462158302959,
    2138339224436042399,
    1445165689662441359,
    2142933487532270879,
)
"""Primes p with (p-1)/2, (p-3)/4 and (p-7)/8 prime as well.

So each power has a large order, and exponents that are themselves towers can be reduced: the numbers
of `_moduli` are a prime and, one after the other, the exponents that all powers have in common.
"""
_OF_INTEGERS = {"factorial", "double", "binomial", "choose", "falling", "gcd", "lcm"}
_MODULUS = prod(_PRIMES)
_SMALL_BITS = 8192  # of an integer that is worked out: an exponent, the n of n!
_LARGEST_DEGREE = 10**12  # of a power with symbols in its base
_LARGEST_FACTORIAL = 10**6
_MOST_TERMS = 3000  # of a sum or product


class NotExact(Exception):
    """The expression isn't rational, or divides by zero, or has a part too large even for residues."""


def equal(
    gold: Tree, answer: Tree, points: list[dict[str, int]] | None, proportional: bool = False
) -> bool | None:
    """Tell whether two rational expressions are equal; None if one of them isn't rational.

    Args:
        points: whole numbers for the symbols, where only those make sense; else residues at random are used.
        proportional: whether it's enough that one is a constant multiple of the other.
    """
    rng = random.Random(20_260_131)
    names = sorted(symbols(gold) | symbols(answer))
    try:
        for prime in _PRIMES[:2] if names and (points or proportional) else _PRIMES:
            moduli = _moduli(prime)
            at_random = [
                {name: rng.randrange(2**40, prime) for name in names}
                for _ in range(4 if proportional else 1)
            ]
            if points and names:
                pairs = [pair for at in points if (pair := _at_whole(gold, answer, at, moduli))]
                if len(pairs) < 3:
                    return None
            else:
                pairs = [
                    (_residue(gold, at, moduli), _residue(answer, at, moduli)) for at in at_random
                ]
            if not proportional and any(a != b for a, b in pairs):
                return False
            if proportional and not _proportional(pairs, prime):
                return False
    except NotExact:
        return None
    return True


def _at_whole(
    gold: Tree, answer: Tree, at: dict[str, int], moduli: tuple[int, ...]
) -> tuple[int, int] | None:
    """Return both residues where the symbols are whole numbers; None where (n-5)! has no value."""
    try:
        return _residue(gold, at, moduli), _residue(answer, at, moduli)
    except NotExact:
        return None


def _proportional(pairs: list[tuple[int, int]], prime: int) -> bool:
    if any((a == 0) != (b == 0) for a, b in pairs):
        return False
    first = next(((a, b) for a, b in pairs if a), None)
    if first is None:
        return True
    return all((a * first[1] - b * first[0]) % prime == 0 for a, b in pairs)


def _moduli(prime: int) -> tuple[int, ...]:
    return prime, prime - 1, (prime - 1) // 2 - 1, (prime - 3) // 4 - 1


def _residue(tree: Tree, at: dict[str, int], moduli: tuple[int, ...]) -> int:
    """Return the value modulo the first of `moduli`. Raises `NotExact`."""
    modulus = moduli[0]
    if isinstance(tree, Num):
        return tree.value.numerator * _inverse(tree.value.denominator, modulus) % modulus
    if isinstance(tree, Sym):
        if tree.name not in at:
            raise NotExact
        return at[tree.name] % modulus
    if not isinstance(tree, Call):
        raise NotExact
    name, args = tree.name, tree.args
    if name == "pow":
        return _power(args[0], args[1], at, moduli)
    if name in ("factorial", "double", "binomial", "choose"):
        return _combinatorial(name, [_integer(arg, at) for arg in args], modulus)
    if name in ("big:sum", "big:prod"):
        start, stop, bound = _range(tree, at)
        result = 0 if name == "big:sum" else 1
        for k in range(start, stop + 1):
            term = _residue(args[0], {**at, bound: k}, moduli)
            result = (result + term if name == "big:sum" else result * term) % modulus
        return result
    if name == "big:series":
        return _residue(args[0], at, moduli)
    if name not in ("add", "mul", "neg", "div", "difference"):
        raise NotExact
    values = [_residue(arg, at, moduli) for arg in args]
    if name == "add":
        return sum(values) % modulus
    if name == "mul":
        result = 1
        for value in values:
            result = result * value % modulus
        return result
    if name == "neg":
        return -values[0] % modulus
    if name == "difference":
        return (values[0] - values[1]) % modulus
    return values[0] * _inverse(values[1], modulus) % modulus


def _inverse(value: int, modulus: int) -> int:
    if value == 1:
        return 1
    try:
        return pow(value, -1, modulus)
    except ValueError:
        raise NotExact from None


def _power(base: Tree, exponent: Tree, at: dict[str, int], moduli: tuple[int, ...]) -> int:
    modulus = moduli[0]
    value = _residue(base, at, moduli)
    exact = small(exponent, at)
    if exact is None:  # a tower: what counts is its exponent modulo the order of the powers
        if len(moduli) < 2 or symbols(base) or not _is_tower(exponent):
            raise NotExact
        return pow(value, _residue(exponent, at, moduli[1:]) + moduli[1], modulus)
    if exact.denominator != 1:
        raise NotExact
    degree = exact.numerator
    if (symbols(base) or symbols(exponent)) and abs(degree) > _LARGEST_DEGREE:
        raise NotExact
    return (
        pow(_inverse(value, modulus), -degree, modulus)
        if degree < 0
        else pow(value, degree, modulus)
    )


def _is_tower(tree: Tree) -> bool:
    """Tell whether it's a large positive integer for sure: nothing is subtracted or divided in it."""
    if isinstance(tree, Num):
        return tree.value.denominator == 1 and tree.value > 0
    if not isinstance(tree, Call) or tree.name not in ("add", "mul", "pow"):
        return False
    if tree.name == "add" and _is_small_negative(tree.args[1]):
        return small(tree.args[0], {}) is None and _is_tower(tree.args[0])
    return all(map(_is_tower, tree.args))


def _is_small_negative(tree: Tree) -> bool:
    value = small(tree, {})
    return value is not None and value.denominator == 1 and -(2**1000) < value < 0


def _combinatorial(name: str, values: list[int], modulus: int) -> int:
    n = values[0]
    if name == "factorial":
        if not 0 <= n <= _LARGEST_FACTORIAL:
            raise NotExact
        return _factorial(n) % modulus
    if name == "double":
        if not -1 <= n <= _LARGEST_FACTORIAL:
            raise NotExact
        product = 1
        for k in range(n, 1, -2):
            product = product * k % modulus
        return product
    k = values[1]
    if not 0 <= k <= n:
        raise NotExact
    if n <= 5000:
        return comb(n, k) % modulus
    k = min(k, n - k)
    if k > _LARGEST_FACTORIAL or n >= min(_PRIMES) or modulus not in _PRIMES:
        raise NotExact  # residues of a composite modulus can't be divided
    top = 1
    for factor in range(n - k + 1, n + 1):
        top = top * factor % modulus
    return top * _inverse(_factorial(k) % modulus, modulus) % modulus


@lru_cache(maxsize=256)
def _factorial(n: int) -> int:
    """Return n! modulo the product of the primes."""
    if n <= 5000:
        return factorial(n) % _MODULUS
    product = 1
    for k in range(2, n + 1):
        product = product * k % _MODULUS
    return product


def _integer(tree: Tree, at: dict[str, int]) -> int:
    value = small(tree, at)
    if value is None or value.denominator != 1:
        raise NotExact
    return value.numerator


def _range(tree: Call, at: dict[str, int]) -> tuple[int, int, str]:
    """Return the first and the last value of a sum's variable, and its name. Raises `NotExact`."""
    low = tree.args[1]
    if not isinstance(low, Relation) or low.signs != ("=",) or not isinstance(low.sides[0], Sym):
        raise NotExact
    start, stop = _integer(low.sides[1], at), _integer(tree.args[2], at)
    if stop - start > _MOST_TERMS:
        raise NotExact
    return start, stop, low.sides[0].name


def small(tree: Tree, at: dict[str, int]) -> Fraction | None:
    """Return the exact value; None if it isn't rational or has over `_SMALL_BITS` bits."""
    if isinstance(tree, Num):
        return tree.value
    if isinstance(tree, Sym):
        return Fraction(at[tree.name]) if tree.name in at else None
    if not isinstance(tree, Call):
        return None
    values: list[Fraction] = []
    for arg in tree.args:
        value = small(arg, at)
        if value is None:
            return None
        values.append(value)
    result = _small_value(tree.name, values)
    if result is None or _bits(result) > _SMALL_BITS:
        return None
    return result


def _bits(value: Fraction) -> int:
    return max(value.numerator.bit_length(), value.denominator.bit_length())


def _small_value(name: str, values: list[Fraction]) -> Fraction | None:
    first = values[0]
    if name == "add":
        return sum(values, Fraction(0))
    if name == "mul":
        return prod(values, start=Fraction(1))
    if name == "neg":
        return -first
    if name == "abs":
        return abs(first)
    if name == "floor":
        return Fraction(first // 1)
    if name == "ceil":
        return Fraction(-(-first // 1))
    if name == "div":
        return first / values[1] if values[1] else None
    whole = all(value.denominator == 1 for value in values)
    if name == "pow":
        degree = values[1]
        if degree.denominator != 1 or _bits(first) * abs(degree) > _SMALL_BITS or not first:
            return None
        return Fraction(first ** int(degree))
    if name == "factorial" and whole and 0 <= first <= 800:
        return Fraction(factorial(int(first)))
    if name in ("binomial", "choose") and whole and 0 <= values[1] <= first <= 8000:
        return Fraction(comb(int(first), int(values[1])))
    return None


def whole_numbers(tree: Tree) -> frozenset[str]:
    """Return the symbols that only make sense as whole numbers: bounds of sums, n in (2n-1)!!."""
    names: frozenset[str] = frozenset()
    for node in nodes(tree):
        if isinstance(node, Call) and (node.name in _OF_INTEGERS or _alternates(node)):
            names |= symbols(node)
        elif isinstance(node, Call) and node.name in ("big:sum", "big:prod"):
            names = names.union(*map(symbols, node.args[1:]))
    return names


def _alternates(tree: Call) -> bool:
    """Tell whether it's (-1)^n."""
    if tree.name != "pow" or not symbols(tree.args[1]):
        return False
    base = tree.args[0]
    if isinstance(base, Call) and base.name == "neg":
        return not symbols(base)
    return isinstance(base, Num) and base.value < 0
