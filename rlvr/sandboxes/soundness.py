"""Find out from the source of tests whether they judge a solution's answers themselves.

A test is sound if each answer of the solution is compared, by the tests, with a value that the solution had no part in.
`assert close(f(2), 1.4)` isn't, if `close` is the solution's as well: `close` gets the expected value and says whether
it's right. Nor is `assert f(2) == g(1.4)`. But `assert to_list(f(make([1, 2]))) == [2, 1]` is: whatever the three
functions do, together they have to turn one list into the other.

Nothing here depends on a solution: a task's tests are sound or they aren't.
"""

from __future__ import annotations

import ast
import datetime
from collections import defaultdict, deque
from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction

from rlvr.sandboxes.flow import MOST_ROUNDS, Flow, arguments_of, base_name

_PLAIN = (
    bool, int, float, complex, str, bytes, bytearray, list, tuple, dict, set, frozenset, range, deque, Fraction, Decimal,
    datetime.date, datetime.time, datetime.datetime, datetime.timedelta,
)  # fmt: skip
_PLAIN_ATTRIBUTES = frozenset(
    name for kind in _PLAIN for name in dir(kind) if not name.startswith("__")
)
ITEM, LENGTH = "[]", "len()"  # beside attributes: what else is asked of plain data
_EQUAL = (ast.Eq, ast.Is)
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.GeneratorExp)
_KEEPING = (
    "list",
    "tuple",
    "set",
    "frozenset",
    "sorted",
)  # what they're given is still in what they make

# What a test may expect of a value: one of these, a constant's text, or `_VALUE`.
_TRUE, _FALSE, _WEAK, _VALUE = "True", "False", "weakly", "a value"
_EMPTY = frozenset({_TRUE, _FALSE, "None", "0", "0.0", "''", "[]", "()", "{}", "set()"})


class Soundness(Flow):
    """The values that one test expects of the solution's answers, and who gives them."""

    def __init__(self, tree: ast.Module, names: set[str], entry: str) -> None:
        super().__init__(tree, names, entry)
        self._of_name: dict[str, set[str]] = {}  # what is expected of what a name stands for
        for _ in range(MOST_ROUNDS):
            before = sum(map(len, self._of_name.values()))
            for name, loads in self.loads.items():
                results = [self.parents[load] for load in loads] if name in self.functions else []
                calls = [parent for parent in results if isinstance(parent, ast.Call)]
                expectations = map(self.expected, [*loads, *calls])
                self._of_name[name] = set[str]().union(*expectations)
            if before == sum(map(len, self._of_name.values())):
                break

    def expected(self, node: ast.AST) -> set[str]:
        """Return what the tests expect of the value of an expression, as far as it decides if they pass."""
        parent = self.parents.get(node)
        if parent is None:
            return set()
        if node in self.returned:
            return self._of_name.get(self.returned[node], set())
        if isinstance(parent, ast.Assert | ast.If | ast.While):
            return {_TRUE} if node is parent.test else set()
        if isinstance(parent, ast.IfExp) and node is parent.test:
            return {_TRUE}
        if isinstance(parent, ast.UnaryOp) and isinstance(parent.op, ast.Not):
            opposite = {_TRUE: _FALSE, _FALSE: _TRUE}
            return {opposite.get(expectation, expectation) for expectation in self.expected(parent)}
        if isinstance(parent, ast.Compare):
            return self._compared(node, parent)
        if isinstance(parent, ast.Call) and node is not parent.func:
            return self._as_argument(node, parent)
        if isinstance(parent, ast.keyword):
            return self._as_argument(parent, self.parents[parent])
        if isinstance(parent, ast.comprehension | ast.For | ast.AsyncFor):
            return {_TRUE} if node is not parent.iter else self._of_names(parent.target)
        if isinstance(parent, ast.Assign):
            return set[str]().union(*map(self._of_names, parent.targets))
        if isinstance(parent, ast.AnnAssign | ast.AugAssign):
            return self._of_names(parent.target)
        if isinstance(parent, ast.NamedExpr):
            return self._of_names(parent.target) | self.expected(parent)
        if isinstance(parent, ast.Expr) and isinstance(node, ast.Call) and self._is_last(node):
            return {_TRUE}  # assert_close(f(1), 2): to raise something is all that it can do
        return self.expected(parent) if isinstance(parent, ast.expr) else set()

    def _is_last(self, call: ast.Call) -> bool:
        """Say if nothing else is done with the answers that a call gets."""
        answers = [argument for argument in arguments_of(call) if self.made(argument)]
        names = [n.id for answer in answers for n in ast.walk(answer) if isinstance(n, ast.Name)]
        return all(len(self.loads[name]) == 1 for name in names if name in self.values)

    def _of_names(self, target: ast.AST) -> set[str]:
        names = [part.id for part in ast.walk(target) if isinstance(part, ast.Name)]
        return set[str]().union(*(self._of_name.get(name, ()) for name in names))

    def _compared(self, node: ast.AST, compare: ast.Compare) -> set[str]:
        sides = [compare.left, *compare.comparators]
        other_sides = [side for side in sides if side is not node]
        if any(self.made(other) for other in other_sides):
            return {_WEAK}  # the solution is on either side
        if not all(isinstance(op, _EQUAL) for op in compare.ops):
            return {_VALUE} if all(isinstance(op, ast.In) for op in compare.ops) else {_WEAK}
        return {_text(other) for other in other_sides}

    def _as_argument(self, node: ast.AST, call: ast.AST) -> set[str]:
        assert isinstance(call, ast.Call)
        if self._roots_called(call):
            return set()
        name = _callee(call).lower()
        other_arguments = [
            argument for argument in (*call.args, *call.keywords) if argument is not node
        ]
        if not name.startswith("assert"):
            wanted = self.expected(call)
            if isinstance(node, _COMPREHENSIONS) and name not in _KEEPING and wanted:
                return wanted & _EMPTY or {_WEAK}  # sum(g(x) for …) == 3
            if not other_arguments or not wanted <= _EMPTY | {_WEAK} or not wanted:
                return wanted
        elif not other_arguments:
            return {_FALSE if name.endswith("false") else _TRUE}
        if any(self.made(other) for other in other_arguments):
            return {_WEAK}
        return {_text(other) for other in other_arguments}  # isclose(g(1), 2), assertEqual(g(1), 2)

    # ---------------------------------------------------------------- what is wrong with that

    def judging(self) -> Iterator[tuple[str, set[str]]]:
        """Yield the solution's functions, except the entry, that are called with its answers, and the values expected."""
        for call in self._calls():
            roots = self._roots_called(call)
            if not roots or self.entry in roots:
                continue
            arguments = arguments_of(call)
            incoming = {
                origin.root
                for origin in self._union(arguments)
                if not origin.is_object or origin.root == self.entry
            }
            incoming |= {
                self.entry
                for argument in arguments
                if isinstance(argument, ast.Name)
                and self.roots.get(argument.id, "") == self.entry != ""
            }
            if incoming - roots:
                for root in roots:
                    yield root, self.expected(call)

    def gets_objects(self, name: str) -> bool:
        """Say if a name is called with the solution's objects and with no other answers of the solution's."""
        calls = [call for call in self._calls() if name in self._roots_called(call)]
        origins_of_calls = [self._union(arguments_of(call)) for call in calls]
        return bool(calls) and all(
            origins and all(origin.is_object for origin in origins) for origins in origins_of_calls
        )

    def opposed(self) -> Iterator[str]:
        """Names of the solution's, other than the entry, that make what its answers are compared with."""
        for node in self.nodes:
            if isinstance(node, ast.Compare):
                sides: list[ast.AST] = [node.left, *node.comparators]
            elif isinstance(node, ast.Call) and not self._roots_called(node):
                sides = arguments_of(node)
                if not _callee(node).startswith("assert") and not self._decides(node):
                    continue
            elif isinstance(node, ast.BinOp) and self._decides(node):
                sides = [node.left, node.right]
            else:
                continue
            apart = [self._outermost(side) for side in sides]
            roots = set().union(*apart)
            if sum(map(bool, apart)) < 2:
                continue
            if len(roots) > 1:
                if self.entry in roots:
                    yield from roots - {self.entry}
                elif not self.entry and not any(root[:1].isupper() for root in roots):
                    yield from roots

    def _decides(self, node: ast.AST) -> bool:
        wanted = self.expected(node)
        return bool(wanted) and wanted <= _EMPTY | {_WEAK}

    def _outermost(self, side: ast.AST) -> set[str]:
        """Return the roots of a side, without objects that were handed to the solution and may come back."""
        if base_name(side) in self.inputs and not isinstance(side, ast.Call):
            return set()
        return {origin.root for origin in self.made(side)}

    def asked_of_answers(self) -> Iterator[tuple[str, str, bool]]:
        """Yield each attribute of an answer: the answer's root, the attribute, and whether tests use only its truth."""
        for node in self.nodes:
            if isinstance(node, ast.Attribute):
                value, name = node.value, node.attr
            elif isinstance(node, ast.Subscript):
                value, name = node.value, ITEM
            elif isinstance(node, ast.Call) and _callee(node) == "len" and len(node.args) == 1:
                value, name = node.args[0], LENGTH
            else:
                continue
            roots = {origin.root for origin in self.made(value) if not origin.is_object}
            if roots:
                is_truth = bool(self.expected(node) & (_EMPTY | {_WEAK}))
                for root in roots:
                    yield root, name, is_truth

    def defined(self) -> Iterator[str]:
        """Return the attributes of the tests' classes, as far as their source names them."""
        for kind in self.nodes:
            for node in ast.walk(kind) if isinstance(kind, ast.ClassDef) else ():
                if isinstance(node, ast.FunctionDef):
                    yield node.name
                elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
                    yield node.attr
                elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                    yield node.id

    # ---------------------------------------------------------------- all that was found out

    def judges(self) -> dict[str, str]:
        """Return the solution's functions that would judge its own answers, each with the reason."""
        reasons: dict[str, str] = {}
        wanted: dict[str, list[set[str]]] = defaultdict(list)
        for name in self.opposed():
            reasons[name] = f"they compare the solution's answers with what its own `{name}` makes"
        for name, expected in self.judging():
            if expected:
                wanted[name].append(expected)
        for name, several in wanted.items():
            texts = set[str]().union(*several)
            strong = texts - {_WEAK}
            # One that says the same of every answer tells nothing of them.
            same = len(strong) < 2 and _VALUE not in strong
            if same and (_WEAK in texts or strong <= _EMPTY or len(several) > 1):
                reasons[name] = (
                    f"they have the solution's own `{name}` say if its answers are right"
                )
        return reasons

    def plain_attributes(self) -> set[str]:
        """Attributes whose truth tests ask of answers that can only be plain data, or of a class of the author's.

        `assert f(1).startswith("a")` is about text. An object that has its own `startswith` is no text. And whether
        `zip(x, x[1:])` is in order says nothing if the object `x` can say that `x[1:]` is empty.
        """
        own = _PLAIN_ATTRIBUTES.union(self.defined(), (ITEM, LENGTH))
        used: dict[str, set[str]] = defaultdict(set)
        truth: dict[str, set[str]] = defaultdict(set)
        for root, attribute, is_truth in self.asked_of_answers():
            used[root].add(attribute)
            if is_truth:
                truth[root].add(attribute)
        return set[str]().union(*(truth[root] for root in truth if used[root] <= own))


def calls_opposite(tree: ast.Module) -> set[str]:
    """Return the functions that are called on more than one side of a comparison: `set(f(1)) == set([1])`."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare):
            seen: set[str] = set()
            for side in (node.left, *node.comparators):
                called = {_callee(part) for part in ast.walk(side) if isinstance(part, ast.Call)}
                names |= seen & called
                seen |= called
    return names


def may_ask_plain_data(node: ast.AST) -> bool:
    """Say if a node of tests may ask something that plain data or objects of their own classes answer."""
    if isinstance(node, ast.Call):
        return _callee(node) == "len"
    if isinstance(node, ast.Attribute):
        return node.attr in _PLAIN_ATTRIBUTES
    return isinstance(node, ast.ClassDef | ast.Subscript)


def _callee(call: ast.Call) -> str:
    func = call.func
    return func.attr if isinstance(func, ast.Attribute) else getattr(func, "id", "")


def _text(node: ast.AST) -> str:
    """Return a constant as it's written; `_VALUE` for anything else."""
    if isinstance(node, ast.keyword):
        node = node.value
    try:
        return repr(ast.literal_eval(ast.unparse(node)))
    except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
        return _VALUE
