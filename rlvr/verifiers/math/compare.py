"""Whether an answer's tree is equal to the gold's: the structure, down to single expressions.

Three-valued: True, False, or None where only a look at the numbers can tell. The caller gives the
way single expressions are compared, so the same walk serves the quick look in the caller's thread
(normal forms alone) and the thorough one in a worker.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import gcd
from typing import TypeAlias

from rlvr.verifiers.math.answer import is_name, is_quantity
from rlvr.verifiers.math.normal import Undefined, normal
from rlvr.verifiers.math.sets import TURNED, as_sets
from rlvr.verifiers.math.tree import (
    ZERO,
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

Truth: TypeAlias = bool | None
Leaf: TypeAlias = Callable[[Tree, Tree], Truth]

MAX_ITEMS = 200
"""Longer lists and sets are equal only where they're written alike."""


@dataclass(frozen=True)
class Comparison:
    """A way to compare.

    Attributes:
        leaf: compares two single expressions.
        ordered: whether the order of a bare list counts.
    """

    leaf: Leaf
    ordered: bool = False

    def same(self, gold: Tree, answer: Tree) -> Truth:
        """Whether `answer` is equal to `gold`."""
        if gold == answer:
            return True
        gold, answer = spread(gold), spread(answer)
        answer = _consistent(answer)
        if _states_a_value(answer) and not isinstance(gold, Relation):  # tan 75° = 2 + √3
            assert isinstance(answer, Relation)
            true = self.leaf(*answer.sides)
            if true:
                answer = answer.sides[1]
            elif true is None or not symbols(answer):  # m + n = 42 names a quantity, and may hold
                return true
        if isinstance(answer, Relation) and "?" in answer.signs:
            return False
        gold, answer = _without_names(gold, answer)
        gold, answer = spread(gold), spread(answer)
        gold, answer = as_sets(gold, answer)
        if isinstance(gold, Group) or isinstance(answer, Group):
            return self._groups(gold, answer)
        if isinstance(gold, Relation) or isinstance(answer, Relation):
            if isinstance(gold, Relation) and isinstance(answer, Relation):
                return self._relations(gold, answer)
            return False
        if isinstance(gold, Word) or isinstance(answer, Word):
            return _words(gold, answer)
        return self.leaf(gold, answer)

    # ------------------------------------------------------------------ several values

    def _groups(self, gold: Tree, answer: Tree) -> Truth:
        if not isinstance(gold, Group) or not isinstance(answer, Group):
            return self._one_against_many(gold, answer)
        if {gold.kind, answer.kind} == {"", "()"}:
            gold, answer = _point(gold), _point(answer)
        kinds = {gold.kind, answer.kind}
        if len(kinds) > 1 and not _comparable(gold, answer):
            return False
        if max(len(gold.items), len(answer.items)) > MAX_ITEMS:
            return False
        if gold.kind == ":":
            return self._ratios(gold, answer)
        if gold.kind in ("{}", "u") or (gold.kind == "" and not self.ordered and "()" not in kinds):
            return self._unordered(gold.items, answer.items)
        if "rows" in kinds and len(kinds) > 1:  # a vector, as a column, a row or a tuple
            return self._each(_entries(gold), _entries(answer))
        return self._each(gold.items, answer.items)

    def _one_against_many(self, gold: Tree, answer: Tree) -> Truth:
        """A set or matrix of one value is not the value; a list that repeats one value is."""
        if isinstance(answer, Group) and answer.kind == "" and not isinstance(gold, Group):
            return self._every(self.same(gold, item) for item in answer.items[:MAX_ITEMS])
        for one, other in ((gold, answer), (answer, gold)):
            ratio = isinstance(one, Group) and one.kind == ":" and len(one.items) == 2
            if ratio and not _may_be_time(one) and not isinstance(other, Group | Relation | Word):
                return self.leaf(Call("div", children(one)), other)
        if isinstance(gold, Group) and gold.kind == "rows" and isinstance(answer, Call):
            return self.leaf(gold, answer)  # a product of matrices, say
        return False

    def _each(self, gold: Sequence[Tree], answer: Sequence[Tree]) -> Truth:
        if len(gold) != len(answer):
            return False
        return self._every(self.same(a, b) for a, b in zip(gold, answer, strict=True))

    @staticmethod
    def _every(truths: Iterable[Truth]) -> Truth:
        seen: Truth = True
        for truth in truths:
            if truth is False:
                return False
            if truth is None:
                seen = None
        return seen

    def _unordered(self, gold: Sequence[Tree], answer: Sequence[Tree]) -> Truth:
        """As sets: every value of one is in the other. Of equally many, each as often as there."""
        table = [[self.same(a, b) for b in answer] for a in gold]
        columns = list(zip(*table, strict=True))
        if len(gold) == len(answer):
            for row in table:
                for j, same in enumerate(row):
                    if same is True and row.count(True) != columns[j].count(True):
                        return False if None not in row and None not in columns[j] else None
        return self._every([_some(line) for line in (*table, *columns)])

    def _ratios(self, gold: Group, answer: Group) -> Truth:
        """6:4:2 is 3:2:1; but 10:30, a time, is not 1:3."""
        if len(gold.items) != len(answer.items):
            return False
        if self._each(gold.items, answer.items):
            return True
        if _may_be_time(gold):
            return False
        if ZERO in gold.items + answer.items:
            return False
        first, other = gold.items[0], answer.items[0]
        pairs = zip(gold.items[1:], answer.items[1:], strict=True)
        return self._every(
            self.leaf(Call("mul", (a, other)), Call("mul", (b, first))) for a, b in pairs
        )

    # ------------------------------------------------------------------ relations

    def _relations(self, gold: Relation, answer: Relation) -> Truth:
        straight = self._sided(gold, answer)
        if straight is True:
            return True
        signs = tuple(TURNED.get(sign, sign) for sign in reversed(answer.signs))
        turned = self._sided(gold, Relation(signs, tuple(reversed(answer.sides))))
        if turned is True:
            return True
        if gold.signs == answer.signs == ("=",):
            return self._equations(gold, answer)
        return None if None in (straight, turned) else False

    def _sided(self, gold: Relation, answer: Relation) -> Truth:
        return gold.signs == answer.signs and self._each(gold.sides, answer.sides)

    def _equations(self, gold: Relation, answer: Relation) -> Truth:
        """Two equations are the same where one's difference of sides is a multiple of the other's."""
        if symbols(gold) != symbols(answer) or not symbols(gold):
            return False
        if any(isinstance(side, Group | Word) for side in gold.sides + answer.sides):
            return False
        if len(symbols(gold)) == 1 and any(is_name(r.sides[0]) for r in (gold, answer)):
            return False  # x = 5 against x = 6, or 2x = 10: a value was asked for
        return self.leaf(Call("difference", gold.sides), Call("difference", answer.sides))


def quick(gold: Tree, answer: Tree) -> Truth:
    """A leaf comparison by normal form: exact where both are numbers, else undecided."""
    try:
        gold, answer = normal(gold), normal(answer)
    except Undefined:
        return False
    if gold == answer:
        return True
    if isinstance(gold, Num) and isinstance(answer, Num):
        return False
    if symbols(gold) != symbols(answer) and not _may_vanish(gold, answer):
        return False
    return None


def _may_vanish(gold: Tree, answer: Tree) -> bool:
    """Whether symbols that one side alone has could cancel out there."""
    extra = symbols(gold) ^ symbols(answer)
    counts = [node.name for tree in (gold, answer) for node in nodes(tree) if isinstance(node, Sym)]
    return all(counts.count(name) > 1 for name in extra)


# ---------------------------------------------------------------------- shapes


def _some(truths: Sequence[Truth]) -> Truth:
    if True in truths:
        return True
    return None if None in truths else False


def _comparable(gold: Group, answer: Group) -> bool:
    """Groups of different kinds that may still be the same: a bare list and a set, a column and a tuple."""
    kinds = {gold.kind, answer.kind}
    if kinds == {"", "{}"}:
        return True
    if kinds == {"", "()"}:  # brackets are often left off, or put around a list of solutions
        return not any(isinstance(item, Group) for item in gold.items + answer.items)
    return kinds == {"rows", "()"} and _is_vector(gold) and _is_vector(answer)


def _may_be_time(ratio: Tree) -> bool:
    """Whether it could be a time of day, and hardly a ratio, which would have been reduced."""
    values = [item.value for item in children(ratio) if isinstance(item, Num)]
    if len(values) != 2 or any(value.denominator != 1 for value in values):
        return False
    hours, minutes = map(int, values)
    return hours <= 24 and (minutes == 0 or 10 <= minutes < 60) and gcd(hours, minutes) > 1


def _point(group: Group) -> Group:
    """`y = 2, x = 1` as the point (1, 2), where its names are neighbours in the alphabet."""
    named: dict[str, Tree] = {}
    for item in group.items:
        if not isinstance(item, Relation) or item.signs != ("=",):
            return group
        name, value = item.sides
        if not isinstance(name, Sym) or len(name.name) != 1 or name.name in named:
            return group
        named[name.name] = value
    names = sorted(named)
    if len(names) < 2 or ord(names[-1]) - ord(names[0]) != len(names) - 1:
        return group
    return Group("()", tuple(named[name] for name in names))


def _is_vector(group: Group) -> bool:
    if group.kind == "()":
        return True
    return len(group.items) == 1 or all(
        isinstance(row, Group) and len(row.items) == 1 for row in group.items
    )


def _entries(group: Group) -> tuple[Tree, ...]:
    if group.kind != "rows":
        return group.items
    return tuple(entry for row in group.items if isinstance(row, Group) for entry in row.items)


def spread(tree: Tree) -> Tree:
    """± stands for two values, so an expression with it is a list of two."""
    if isinstance(tree, Group) and tree.kind in ("", "{}"):
        items: list[Tree] = []
        for item in tree.items:
            both = spread(item)
            items += both.items if isinstance(both, Group) and both.kind == "" else [both]
        return Group(tree.kind, tuple(items))
    if isinstance(tree, Relation) and tree.signs == ("=",):
        right = spread(tree.sides[1])
        if isinstance(right, Group) and right.kind == "" and is_name(tree.sides[0]):
            return Group("", tuple(Relation(("=",), (tree.sides[0], one)) for one in right.items))
    if isinstance(tree, Call) and any(
        isinstance(node, Call) and node.name in ("pm", "mp") for node in nodes(tree)
    ):
        return Group("", (_signed(tree, 1), _signed(tree, -1)))
    return tree


def _signed(tree: Tree, sign: int) -> Tree:
    args = tuple(_signed(arg, sign) for arg in children(tree))
    if isinstance(tree, Call) and tree.name in ("pm", "mp"):
        plus = (tree.name == "pm") == (sign > 0)
        return Call("add", (args[0], args[1] if plus else Call("neg", (args[1],))))
    return rebuilt(tree, args) if args else tree


def _states_a_value(answer: Tree) -> bool:
    """Whether it's an equation of two values, neither of which names a quantity."""
    return (
        isinstance(answer, Relation)
        and answer.signs == ("=",)
        and not any(is_name(side) or isinstance(side, Group | Word) for side in answer.sides)
    )


def _consistent(answer: Tree) -> Tree:
    """A chain `x = 5 + 6 = 11` becomes `x = 11`; `x = 5 = 11` says two things and is marked so."""
    answer = _exact_side(answer)
    if not isinstance(answer, Relation):
        return answer
    if len(answer.signs) < 2:
        return answer
    if set(answer.signs) - {"=", "~"}:
        return answer
    values = [side for side in answer.sides if not is_name(side)]
    if any(quick(values[0], other) is False for other in values[1:]):
        return Relation(("?",), answer.sides[:2])
    names = [side for side in answer.sides if is_name(side)]
    if names and values:
        return Relation(("=",), (names[0], values[-1]))
    return answer


def _exact_side(answer: Tree) -> Tree:
    """`x = 1/3 ≈ 0.33`: the exact value was meant, the decimals are a courtesy."""
    if isinstance(answer, Relation) and answer.signs[-1] == "~" and len(answer.sides) >= 2:
        kept = answer.sides[:-1]
        if is_name(kept[-1]):  # x ≈ 0.33 has no other value
            return Relation((*answer.signs[:-1], "="), answer.sides)
        return kept[0] if len(kept) == 1 else Relation(answer.signs[:-1], kept)
    return answer


def _without_names(gold: Tree, answer: Tree) -> tuple[Tree, Tree]:
    """`x = 5` against `5`: a name of the value is dropped where the other side has none."""
    if isinstance(gold, Group) and isinstance(answer, Group) and gold.kind in ("", "{}"):
        return gold, answer  # item by item
    gold_value = _named_value(gold)
    answer_value = _named_value(answer) or _value_of_quantity(answer, gold)
    if gold_value is not None and not isinstance(answer, Relation):
        return gold_value, answer
    if answer_value is not None and not isinstance(gold, Relation):
        return gold, answer_value
    if gold_value is not None and answer_value is not None:
        assert isinstance(gold, Relation)
        assert isinstance(answer, Relation)
        ours, theirs = gold.sides[0], answer.sides[0]
        functions = symbols(gold_value) and not (
            symbols(ours) & symbols(gold_value) - symbols(theirs)
        )
        if ours == theirs or (functions and {type(ours), type(theirs)} == {Sym, Call}):
            return gold_value, answer_value  # y = 2x and f(x) = 2x
    return gold, answer


def _value_of_quantity(answer: Tree, gold: Tree) -> Tree | None:
    """The 42 of `m + n = 42`, where the gold is a bare value."""
    if not isinstance(answer, Relation) or answer.signs != ("=",) or isinstance(gold, Relation):
        return None
    quantity, found = answer.sides
    bare = not symbols(found) and not symbols(gold) and found != ZERO  # x + y = 0 is an equation
    return found if bare and is_quantity(quantity) else None


def _named_value(tree: Tree) -> Tree | None:
    """The value in `name = value` or `name ∈ value`, where the name isn't in the value."""
    if (
        not isinstance(tree, Relation)
        or len(tree.signs) != 1
        or tree.signs[0] not in ("=", "in", "~")
    ):
        return None
    left, right = tree.sides
    if is_name(left) and not isinstance(right, Relation):
        bound = symbols(left) if isinstance(left, Sym) else frozenset()
        if not bound & symbols(right):
            return right
    if is_name(right) and isinstance(right, Sym) and right.name not in symbols(left):
        return left if tree.signs[0] == "=" and not is_name(left) else None
    return None


def _words(gold: Tree, answer: Tree) -> Truth:
    """Words, and single letters however they are cased: a choice (B) against b."""
    texts = [
        tree.text if isinstance(tree, Word) else tree.name.lower()
        for tree in (gold, answer)
        if isinstance(tree, Word) or (isinstance(tree, Sym) and len(tree.name) == 1)
    ]
    return len(texts) == 2 and texts[0] == texts[1]
