"""Follow a solution's answers through the source of tests: which values are made of them.

The analysis follows values through names, not through statements in their order, so it errs towards a value's being
an answer.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from rlvr.sandboxes.scopes import own_parts, plain_name

MOST_ROUNDS = 6  # until names stand for all that they can be given; more than tests have


class Made(NamedTuple):
    """A value that the solution made: by which of its names, and whether that's an object it was asked to make.

    `Node(1)` is an object, by the convention that classes begin with a capital: the tests made it to hand it over.
    """

    root: str
    is_object: bool


def base_name(node: ast.AST) -> str:
    """Return the name that `a.b[0](1).c` begins with; "" if it begins with something else."""
    while True:
        if isinstance(node, ast.Attribute | ast.Subscript | ast.Await | ast.Starred):
            node = node.value
        elif isinstance(node, ast.Call):
            node = node.func
        else:
            return node.id if isinstance(node, ast.Name) else ""


class Flow:
    """The flow of answers in one test, with all that is beside it.

    Args:
        tree: their source.
        names: those that the solution is asked for.
        entry: of these the one that is tested; "" if that isn't known.
    """

    def __init__(self, tree: ast.Module, names: set[str], entry: str) -> None:
        self.tree = tree
        self.entry = entry
        self.roots = {name: name for name in names}  # name in the tests to the solution's
        self.parents: dict[ast.AST, ast.AST] = {}
        self.loads: dict[str, list[ast.Name]] = defaultdict(list)
        self.functions: dict[str, list[str]] = {}  # of the tests: their parameters
        self.returned: dict[ast.AST, str] = {}  # a return's value, by the function's name
        self.values: dict[str, set[Made]] = defaultdict(set)  # what a name may stand for
        self.direct: dict[str, set[str]] = defaultdict(set)  # roots of what it is itself
        self.nodes: list[ast.AST] = list(ast.walk(tree))
        self._is_bound = False
        self._made: dict[ast.AST, set[Made]] = {}  # what was found out once all is bound
        self._look_around()
        for _ in range(MOST_ROUNDS):
            before = sum(map(len, self.values.values())) + sum(map(len, self.direct.values()))
            for node in self.nodes:
                self._bind(node)
            if before == sum(map(len, self.values.values())) + sum(map(len, self.direct.values())):
                break
        self._is_bound = True
        self.inputs = {
            name.id
            for call in self._calls()
            if self._roots_called(call)
            for argument in arguments_of(call)
            for name in ast.walk(argument)
            if isinstance(name, ast.Name)
        }

    # ---------------------------------------------------------------- what stands for what

    def _look_around(self) -> None:
        for node in self.nodes:
            for child in ast.iter_child_nodes(node):
                self.parents[child] = node
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
                self.loads[node.id].append(node)
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                signature = node.args
                arguments = [
                    parameter.arg
                    for parameter in (
                        *signature.posonlyargs,
                        *signature.args,
                        *signature.kwonlyargs,
                    )
                ]
                self.functions[node.name] = arguments
                for part in own_parts(node.body):
                    if isinstance(part, ast.Return | ast.Yield | ast.YieldFrom) and part.value:
                        self.returned[part.value] = node.name
                if node.name == "check" and arguments and self.entry:
                    self.roots[arguments[0]] = self.entry

    def _bind(self, node: ast.AST) -> None:
        if isinstance(node, ast.Assign):
            for target in node.targets:
                self._give(target, node.value)
                same = isinstance(node.value, ast.Name) and self.roots.get(node.value.id)
                if same and isinstance(target, ast.Name):  # g = f
                    self.roots[target.id] = same
        elif isinstance(node, ast.AnnAssign | ast.AugAssign | ast.NamedExpr) and node.value:
            self._give(node.target, node.value)
        elif isinstance(node, ast.For | ast.AsyncFor | ast.comprehension):
            self._give(node.target, node.iter)
        elif isinstance(node, ast.withitem) and node.optional_vars:
            self._give(node.optional_vars, node.context_expr)
        elif node in self.returned:
            self.values[self.returned[node]] |= self.made(node)
        elif isinstance(node, ast.Call):
            if isinstance(node.func, ast.Name) and node.func.id in self.functions:
                parameters = self.functions[node.func.id]
                bindings = [*zip(parameters, node.args)]  # noqa: B905
                by_name = {plain_name(parameter): parameter for parameter in parameters}
                bindings += [(by_name.get(k.arg or "", ""), k.value) for k in node.keywords]
                for name, argument in bindings:
                    self._give(ast.Name(name, ast.Store()), argument)
            elif isinstance(node.func, ast.Attribute):  # found.append(f(1))
                name = base_name(node.func)
                if name and not self._roots_called(node):
                    for argument in node.args:
                        self.values[name] |= self.made(argument)

    def _give(self, target: ast.AST, value: ast.AST) -> None:
        origins, base = self.made(value), base_name(value)
        roots = {self.roots[base]} if base in self.roots else self.direct.get(base, set())
        for part in ast.walk(target):
            if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store):
                self.values[part.id] |= origins
                if origins:
                    self.direct[part.id] |= roots
        if isinstance(target, ast.Attribute | ast.Subscript) and base_name(target):
            self.values[base_name(target)] |= origins

    def _calls(self) -> Iterator[ast.Call]:
        return (node for node in self.nodes if isinstance(node, ast.Call))

    def _roots_called(self, call: ast.Call) -> set[str]:
        """Return the solution's names that a call is made by way of: `f(1)`, `f.g(1)`, and `x.g(1)` with its `x`."""
        name = base_name(call.func)
        if name in self.roots:
            return {self.roots[name]}
        return self.direct.get(name, set())

    def made(self, node: ast.AST) -> set[Made]:
        """Return the solution's answers that a value is made of, without those that were arguments of another call of the solution's."""
        if isinstance(node, ast.Constant):
            return set()
        if not self._is_bound:
            return self._made_now(node)
        if node not in self._made:
            self._made[node] = self._made_now(node)
        return self._made[node]

    def _made_now(self, node: ast.AST) -> set[Made]:
        if isinstance(node, ast.Name):
            return self.values.get(node.id, set())
        if isinstance(node, ast.Attribute | ast.Subscript | ast.Starred | ast.Await):
            return self.made(node.value)
        if isinstance(node, ast.Lambda):
            return self.made(node.body)
        if isinstance(node, ast.Call):
            roots = self._roots_called(node)
            if roots:
                itself = isinstance(node.func, ast.Name)
                return {Made(root, itself and root[:1].isupper()) for root in roots}
            passed = {
                Made(self.roots[argument.id], False)
                for argument in node.args
                if isinstance(argument, ast.Name) and argument.id in self.roots
            }  # map(f, x)
            return self._union([node.func, *arguments_of(node)]) | passed
        return self._union(ast.iter_child_nodes(node))

    def _union(self, nodes: Iterable[ast.AST]) -> set[Made]:
        return set().union(*(self.made(node) for node in nodes))


def arguments_of(call: ast.Call) -> list[ast.AST]:
    """Return the values that a call hands over, by position and by name."""
    return [*call.args, *(keyword.value for keyword in call.keywords)]
