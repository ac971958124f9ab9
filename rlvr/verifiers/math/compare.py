"""Compare an answer's tree with the gold's: the structure, down to single expressions.

Three-valued: True, False, or None where only a look at the numbers can tell. The caller gives the
way single expressions are compared, so the same walk serves the quick look in the caller's thread
(normal forms alone) and the thorough one in a worker.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial
from typing import Literal

from rlvr.verifiers.math.answer import is_name
from rlvr.verifiers.math.environments import same_cases
from rlvr.verifiers.math.estimates import sign
from rlvr.verifiers.math.intervals import (
    RealSet,
    Undecided,
    Unordered,
    ordered,
    same_as_written,
    same_set,
)
from rlvr.verifiers.math.leaf import Leaf, Truth, is_at_most_one, quick, some
from rlvr.verifiers.math.lists import (
    added_up,
    are_comparable,
    are_told_apart,
    as_lists,
    as_point,
    is_listed,
    is_single,
    lettered,
    marks_some,
    may_be_time,
    same_choices,
    same_phrase,
    same_words,
    spread,
    systems,
)
from rlvr.verifiers.math.names import (
    consistent,
    exact_side,
    in_order,
    is_open,
    states_a_value,
    without_names,
)
from rlvr.verifiers.math.quantities import (
    Quantity,
    agree,
    bare,
    is_percentage,
    quantity,
    same_unit,
    says,
    scaled,
)
from rlvr.verifiers.math.renaming import rebound, replaced, without_constant
from rlvr.verifiers.math.sets import TURNED, sets_of
from rlvr.verifiers.math.tree import (
    ZERO,
    Call,
    Group,
    Num,
    Relation,
    Tree,
    Word,
    children,
    symbols,
)
from rlvr.verifiers.math.vectors import entries, has_rows, in_basis, is_vector

MAX_ITEMS = 200
"""Longer lists and sets are equal only where they're written alike."""


@dataclass
class Comparison:
    """A way to compare trees with their units and remarks.

    Attributes:
        leaf: compares two single expressions.
        ordered: whether the order of a bare list counts.
        units: `lenient`, `required` or `ignored`; see `Math`.
        marked: whether units tell the values of a list apart, so that each has to be there on both sides.
        why: what else than the value was different, at the last difference; "" where it was the value.
    """

    leaf: Leaf
    ordered: bool = False
    units: str = "lenient"
    why: str = ""
    marked: bool = False

    def same(self, gold: Tree, answer: Tree) -> Truth:
        """Tell whether `answer` is equal to `gold`."""
        if gold == answer:
            return True
        if is_single(gold) and is_single(answer):
            return self.values(gold, answer)
        gold, answer = spread(gold), spread(answer)
        gold, answer = exact_side(gold), consistent(answer)
        answer = in_order(gold, answer)
        if states_a_value(answer) and not isinstance(gold, Relation):  # tan 75° = 2 + √3
            assert isinstance(answer, Relation)
            first, *rest = answer.sides
            true = self._every(self.values(first, other) for other in rest)
            if true:
                answer = rest[-1]
            elif true is None or not is_open(answer):  # m + n = 42 names a quantity, and may hold
                return true
        if isinstance(answer, Relation) and "?" in answer.signs:
            return False
        gold, answer = without_names(gold, answer)
        gold, answer = spread(gold), spread(answer)
        sets = sets_of(bare(gold), bare(answer))
        if sets is not None or not (is_listed(gold) and is_listed(answer)):
            pooled = self._without_units(gold, answer)
            if pooled is None:
                return False
            gold, answer = pooled
        if sets is not None:
            equal = self._sets(*sets)
            if equal != "unordered":
                return equal
        gold, answer = as_lists(gold, answer)
        if isinstance(gold, Group) or isinstance(answer, Group):
            return self._groups(gold, answer)
        if isinstance(gold, Relation) or isinstance(answer, Relation):
            if isinstance(gold, Relation) and isinstance(answer, Relation):
                return self._relations(gold, answer)
            return False
        return self.values(gold, answer)

    # ------------------------------------------------------------------ one value

    def values(self, gold: Tree, answer: Tree) -> Truth:
        """Tell whether two single values are equal, with their units and words."""
        ours, theirs = quantity(gold), quantity(answer)
        if not agree(ours, theirs):
            self.why = "another remark"
            return False
        if isinstance(ours.tree, Word) or isinstance(theirs.tree, Word):
            return same_words(ours.tree, theirs.tree) or same_phrase(ours, theirs)
        factor = self._factor(ours, theirs)
        if factor is None or (self.marked and (ours.unit is None) != (theirs.unit is None)):
            return False
        if is_percentage(ours) != is_percentage(theirs):
            return self._percentage(ours, theirs)
        return self._single(ours.tree, scaled(theirs.tree, factor))

    def _single(self, gold: Tree, answer: Tree) -> Truth:
        """Tell whether two expressions are equal, 3i - 2j and 3î - 2ĵ as well."""
        same = self.leaf(gold, answer)
        if same is False and isinstance(gold, Call) and isinstance(answer, Call):
            ours, theirs = in_basis(gold), in_basis(answer)
            if isinstance(ours, Group) and isinstance(theirs, Group):
                return self._each(ours.items, theirs.items)
            return self._up_to_a_constant(gold, answer)
        return same

    def _up_to_a_constant(self, gold: Tree, answer: Tree) -> Truth:
        """Tell whether two antiderivatives differ by a constant, and both have one of integration."""
        ours, theirs = without_constant(gold), without_constant(answer)
        if ours is None or theirs is None:
            return False
        names = symbols(ours) | symbols(theirs)
        if len(names) != 1:
            return False
        difference = Call("add", (ours, Call("neg", (theirs,))))
        somewhere = replaced(difference, dict.fromkeys(names, _SOMEWHERE))
        return self.leaf(difference, somewhere)

    def _factor(self, ours: Quantity, theirs: Quantity) -> Fraction | None:
        """Return what the answer's value is times in the gold's unit; None where the units don't fit."""
        if self.units == "ignored":
            return Fraction(1)
        if self.units == "required" and says(ours.unit) != says(theirs.unit):
            self.why = "the unit is missing or another"
            return None
        factor = same_unit(ours.unit, theirs.unit)
        if factor is None:
            self.why = "another unit"
        return factor

    def _percentage(self, gold: Quantity, answer: Quantity) -> Truth:
        """50% is 0.5, and 50 where the data drop the sign; 0.5% is no spelling of 0.5."""
        share = Fraction(1, 100)
        if is_percentage(gold):
            truths = [
                self.leaf(gold.tree, answer.tree),
                self.leaf(scaled(gold.tree, share), answer.tree),
            ]
        else:
            truths = [self.leaf(gold.tree, scaled(answer.tree, share))]
            if not is_at_most_one(gold.tree):
                truths.append(self.leaf(gold.tree, answer.tree))
        return some(truths)

    def _without_units(self, gold: Tree, answer: Tree) -> tuple[Tree, Tree] | None:
        """Return sets, equations and matrices without their units and remarks; None if those don't fit."""
        if not any(isinstance(tree, Group | Relation) for tree in (gold, answer)):
            return gold, answer
        ours, theirs = quantity(gold), quantity(answer)
        if self._factor(ours, theirs) != 1:
            self.why = self.why or "another unit"
            return None
        if not agree(ours, theirs):
            self.why = "another remark"
            return None
        return ours.tree, theirs.tree

    # ------------------------------------------------------------------ sets

    def _sets(self, gold: RealSet, answer: RealSet) -> Truth | Literal["unordered"]:
        """Tell whether two sets of real numbers are the same; "unordered" if their ends have no known order."""
        try:
            return same_set(gold, answer, partial(ordered, same=self.leaf), self.leaf)
        except Undecided:
            return None
        except Unordered:
            return same_as_written(gold, answer, self.leaf)

    # ------------------------------------------------------------------ several values

    def _groups(self, gold: Tree, answer: Tree) -> Truth:
        if isinstance(gold, Group) and is_vector(gold):
            answer = in_basis(answer)
        if isinstance(answer, Group) and is_vector(answer):
            gold = in_basis(gold)
        if not isinstance(gold, Group) or not isinstance(answer, Group):
            return self._one_against_many(gold, answer)
        if {gold.kind, answer.kind} == {"", "()"}:
            gold, answer = as_point(gold), as_point(answer)
        if "letters" in (gold.kind, answer.kind):
            return same_choices(lettered(gold), lettered(answer))
        gold, answer = systems(gold), systems(answer)
        kinds = {gold.kind, answer.kind}
        if len(kinds) > 1 and not are_comparable(gold, answer):
            return False
        if max(len(gold.items), len(answer.items)) > MAX_ITEMS:
            return False
        if kinds == {"cases"}:
            return same_cases(gold, answer, self.same)
        if kinds == {"builder"}:
            answer = rebound(gold, answer)
        if gold.kind == ":":
            return self._ratios(gold, answer)
        if not self.marked and marks_some(gold) and marks_some(answer):  # 10, 20% isn't 10%, 20
            return replace(self, marked=True)._groups(gold, answer)
        if "" in kinds and are_told_apart(gold, answer):
            named = any(isinstance(item, Relation) for item in gold.items)
            return self._each(gold.items, answer.items if named else as_point(answer).items)
        if gold.kind in ("{}", "u") or (gold.kind == "" and not self.ordered and "()" not in kinds):
            return self._unordered(gold.items, answer.items)
        if "rows" in kinds and len(kinds) > 1:  # a vector, as a column, a row or a tuple
            return self._each(entries(gold), entries(answer))
        return self._each(gold.items, answer.items)

    def _one_against_many(self, gold: Tree, answer: Tree) -> Truth:
        """Tell apart a set or matrix of one value from the value; a list that repeats one value is the value."""
        gold, answer = added_up(gold), added_up(answer)
        if not isinstance(gold, Group) and not isinstance(answer, Group):
            return self.values(gold, answer)
        if isinstance(answer, Group) and answer.kind == "" and not isinstance(gold, Group):
            first, *rest = answer.items[:MAX_ITEMS]
            if any(
                quick(bare(first), bare(other)) is False
                for other in rest
                if _are_alike(first, other)
            ):
                return False  # though both may be within a tolerance
            return self._every(self.same(gold, item) for item in answer.items[:MAX_ITEMS])
        for side, other in ((gold, answer), (answer, gold)):
            ratio = isinstance(side, Group) and side.kind == ":" and len(side.items) == 2
            if ratio and not may_be_time(side) and not isinstance(other, Group | Relation | Word):
                return self.leaf(Call("div", children(side)), other)
            matrix = isinstance(side, Group) and side.kind == "rows"
            if matrix and isinstance(other, Call) and has_rows(other):
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
        return self._every([some(line) for line in (*table, *columns)])

    def _ratios(self, gold: Group, answer: Group) -> Truth:
        """6:4:2 is 3:2:1; but 10:30, a time, is not 1:3."""
        if len(gold.items) != len(answer.items):
            return False
        if self._each(gold.items, answer.items):
            return True
        if may_be_time(gold) or may_be_time(answer):
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
        if gold.signs == answer.signs and gold.signs in (("=",), ("!=",)):
            return self._equations(gold, answer)
        if gold.signs in _STRICT_OR_NOT and answer.signs in _STRICT_OR_NOT:
            return self._inequalities(gold, answer)
        return None if None in (straight, turned) else False

    def _sided(self, gold: Relation, answer: Relation) -> Truth:
        return gold.signs == answer.signs and self._each(gold.sides, answer.sides)

    def _inequalities(self, gold: Relation, answer: Relation) -> Truth:
        """Two inequalities are the same if one's difference of sides is a positive multiple of the other's."""
        gold, answer = _upwards(gold), _upwards(answer)
        if gold.signs != answer.signs:
            return False
        if len(symbols(gold)) == 1 and any(map(is_name, gold.sides)):
            return False  # 2x > 4 against x > 2: a value was asked for
        same = self._equations(gold, answer)
        names = sorted(symbols(gold))
        if same:
            for start in (2.0, 0.3, 17.0):
                at = {name: start + 0.71 * place for place, name in enumerate(names)}
                turn = sign(_difference(gold), at) * sign(_difference(answer), at)
                if turn:
                    return turn > 0
            return False
        return same

    def _equations(self, gold: Relation, answer: Relation) -> Truth:
        """Two equations are the same where one's difference of sides is a multiple of the other's."""
        if symbols(gold) != symbols(answer) or not symbols(gold):
            return False
        if any(isinstance(side, Group | Word) for side in gold.sides + answer.sides):
            return False
        if len(symbols(gold)) == 1 and is_name(gold.sides[0]):
            return False  # x = 5 against x = 6, or 2x = 10: a value was asked for
        return self.leaf(Call("difference", gold.sides), Call("difference", answer.sides))


# ---------------------------------------------------------------------- shapes


_SOMEWHERE = Num(Fraction(7, 3))


def _are_alike(first: Tree, second: Tree) -> bool:
    """Tell whether two are numbers without units, so that their digits tell whether they're the same."""
    return all(isinstance(tree, Num) for tree in (first, second))


_STRICT_OR_NOT = (("<",), (">",), ("<=",), (">=",))


def _upwards(relation: Relation) -> Relation:
    """Write `a > b` as `b < a`."""
    if relation.signs[0] in ("<", "<="):
        return relation
    return Relation((TURNED[relation.signs[0]],), relation.sides[::-1])


def _difference(relation: Relation) -> Tree:
    return Call("add", (relation.sides[0], Call("neg", (relation.sides[1],))))
