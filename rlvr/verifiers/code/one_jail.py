"""The program that runs tests in the process of the solution, where a reference asks for that.

It is never imported by rlvr: its source goes to a jail as a program of its own, and uses the standard library alone.

The tests come by standard input, are read to their end before the solution is loaded, and are in no file. What the
solution prints goes nowhere. Only a report with a random key counts. Before each test, built-ins, the modules that the tests
use and `unittest` are put back, and trace functions removed. A value that a call in the tests returns may not be an object that
equals unrelated things, and what a comparison expects isn't among the constants of the frame that calls the solution. A
solution that looks for this program in its own process finds it all the same: docs/code.md has the measured floor.
"""

from __future__ import annotations

import ast
import builtins
import importlib
import json
import linecache
import operator
import os
import sys
import threading
import types
from typing import Any

_MOST_MESSAGE = 2000  # characters of an error
_MOST_ITEMS = 100  # of a returned value that are looked at
_PLAIN = (int, float, complex, bool, str, bytes, type(None), range, slice, type, object)
# Two underscores at the end, too: a name with none there is another one in a class.
_HONEST, _EXPECTED = "__honest__", "__expected__"


def main() -> None:
    """Run the tests that standard input holds and write the report."""
    tests = json.loads(sys.stdin.buffer.read())
    reported = os.dup(1)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    key, source, asked = tests.pop("key"), tests.pop("solution"), tests.pop("asked")
    entry, stop = tests["entry_point"], tests["stop"]
    report: dict[str, Any] = {"key": key, "outcomes": []}
    dumps, write, leave, error_text = json.dumps, os.write, os._exit, _text_of

    def end() -> None:
        data = dumps(report).encode()
        while data:
            data = data[write(reported, data) :]
        leave(0)

    module = types.ModuleType("tests")
    sys.modules["tests"] = module
    names = module.__dict__
    names[_HONEST] = _honest
    names[_EXPECTED] = _expected.__getitem__
    try:
        if asked["refused"]:
            raise ValueError(asked["refused"])
        for name, (imported, part) in asked["imports"].items():
            package = importlib.import_module(imported)
            names[name] = getattr(package, part) if part else package
        exec(_compiled(tests["prelude"], "prelude"), names)
        prelude_names = dict(names) if tests["prelude"] else {}
        exec(_compiled(tests["setup"], "setup"), names)
        exec(_compiled(tests["check"], "check"), names)
        asserts = [_compiled(statement, "assert") for statement in tests["asserts"]]
        check = names.get("check") if tests["check"] else None
    except BaseException as error:
        report["broken"] = error_text(error)
        end()
    has_check = bool(tests["check"])
    tests.clear()
    put_back = _put_back(names)

    solution = types.ModuleType("solution")
    solution.__file__ = "solution.py"
    sys.modules["solution"] = solution
    linecache.cache["solution.py"] = (len(source), None, source.splitlines(True), "solution.py")
    try:
        code = compile(source, "solution.py", "exec", dont_inherit=True)
    except BaseException as error:
        report["compile_error"] = error_text(error)
        end()
    kept = dict(names)
    try:
        solution.__dict__.update((n, v) for n, v in prelude_names.items() if not n.startswith("__"))
        exec(code, solution.__dict__)
    except BaseException as error:
        report["load_error"] = error_text(error)
        end()
    names.clear()
    names.update(kept)
    for name in asked["names"]:
        if (name not in names or name == entry) and name in solution.__dict__:
            names[name] = solution.__dict__[name]

    def call_check() -> None:
        if entry not in solution.__dict__:
            raise NameError("the solution defines no " + entry)
        check(solution.__dict__[entry])  # type: ignore[misc]

    steps: list[Any] = [*asserts, *([call_check] if has_check else [])]
    del asserts, code, source, kept, prelude_names
    for step in steps:
        put_back()
        try:
            if step is call_check:
                call_check()
            else:
                exec(step, names)
            report["outcomes"].append([True, ""])
        except BaseException as error:
            report["outcomes"].append([False, error_text(error)])
            if stop:
                break
    end()


def _text_of(error: BaseException) -> str:
    try:
        text = str(error)[:_MOST_MESSAGE]
    except BaseException:
        text = ""
    return type(error).__name__ + (": " + text if text else "")


def _put_back(names: dict[str, Any]) -> Any:
    """Return a function that restores the built-ins, the modules that tests use and unittest as they are now.

    It looks nothing up by a name that a solution could have replaced.
    """
    used = {id(value): value for value in names.values() if isinstance(value, types.ModuleType)}
    for value in [*names.values()]:
        named = getattr(value, "__module__", None)
        home = sys.modules.get(named) if isinstance(named, str) else None
        if isinstance(home, types.ModuleType):
            used[id(home)] = home
    used = {
        key: value for key, value in used.items() if value not in (sys, os, sys.modules["tests"])
    }
    parts = [name for name in sys.modules if name.partition(".")[0] == "unittest"]
    modules = [builtins, operator, *used.values(), *(sys.modules[name] for name in parts)]
    modules = [module for module in modules if module.__name__ not in ("random", "__main__")]
    kept = [(vars(module), dict(vars(module))) for module in modules]
    classes = [
        (value, dict(vars(value)))
        for name in parts
        for value in vars(sys.modules[name]).values()
        if isinstance(value, type) and value.__module__.partition(".")[0] == "unittest"
    ]
    settrace, setprofile, restored = sys.settrace, sys.setprofile, dict.update
    of_threads, same = (threading.settrace, threading.setprofile), operator.is_
    members, assign = type.__dict__["__dict__"].__get__, type.__setattr__

    def put_back() -> None:
        settrace(None)
        setprofile(None)
        for setter in of_threads:
            setter(None)
        for namespace, before in kept:
            restored(namespace, before)
        for cls, attributes in classes:
            now = members(cls)
            for name, value in attributes.items():
                if not same(value, now.get(name)):
                    assign(cls, name, value)

    return put_back


_expected: list[Any] = []  # the constants of comparisons


class _Hardened(ast.NodeTransformer):
    """Have the value of each call in the tests looked at, and take what comparisons expect out of their code."""

    def visit_Call(self, node: ast.Call) -> ast.AST:
        asserts = isinstance(node.func, ast.Attribute) and node.func.attr.startswith("assert")
        self.generic_visit(node)
        if asserts:
            node.args = [self._hidden(argument) for argument in node.args]
        return self._looked_at(node)

    def visit_Await(self, node: ast.Await) -> ast.AST:
        self.generic_visit(node)
        return self._looked_at(node)

    def visit_Compare(self, node: ast.Compare) -> ast.AST:
        self.generic_visit(node)
        if not any(isinstance(op, ast.Is | ast.IsNot) for op in node.ops):
            node.left = self._hidden(node.left)
            node.comparators = [self._hidden(comparator) for comparator in node.comparators]
        return node

    def _looked_at(self, node: ast.expr) -> ast.AST:
        name = ast.copy_location(ast.Name(_HONEST, ast.Load()), node)
        return ast.copy_location(ast.Call(name, [node], []), node)

    def _hidden(self, node: Any) -> Any:
        if isinstance(node, ast.Constant):
            _expected.append(node.value)
            place = ast.Constant(len(_expected) - 1)
            call = ast.Call(ast.Name(_EXPECTED, ast.Load()), [place], [])
            return ast.fix_missing_locations(ast.copy_location(call, node))
        if isinstance(node, ast.List | ast.Tuple | ast.Set):
            node.elts = [self._hidden(element) for element in node.elts]
        elif isinstance(node, ast.Dict):
            node.keys = [key and self._hidden(key) for key in node.keys]
            node.values = [self._hidden(value) for value in node.values]
        elif isinstance(node, ast.UnaryOp):
            node.operand = self._hidden(node.operand)
        return node


def _compiled(source: str, name: str) -> types.CodeType:
    """Return the code of a source of the tests, hardened."""
    tree = compile(source, name, "exec", ast.PyCF_ONLY_AST, dont_inherit=True)
    try:
        code: types.CodeType = compile(_Hardened().visit(tree), name, "exec", dont_inherit=True)
    except RecursionError:  # deeper than this program can go
        code = compile(source, name, "exec", dont_inherit=True)
    return code


class _Unrelated:
    """An object that nothing equals."""


def _make_honest() -> Any:
    """Return a function that raises AssertionError for a value that equals unrelated things, and else returns it.

    All that it uses is bound here, before a solution is loaded.
    """
    kinds, number_of, mro = type, id, type.__dict__["__mro__"].__get__
    members = type.__dict__["__dict__"].__get__
    # By identity: a class of the solution's may have a hash and an equality of its own.
    plain = frozenset(map(id, _PLAIN))
    containers = frozenset(map(id, (list, tuple, set, frozenset)))
    slot, most, error = type(object.__eq__), _MOST_ITEMS, AssertionError
    bare: dict[type, Any] = {
        int: int.__add__,
        float: float.__add__,
        str: str.__add__,
        bytes: bytes.__add__,
    }
    more: dict[type, Any] = {int: 7919, float: 7919.5, str: "\0other", bytes: b"\0other"}
    values, isinstance_of = dict.values, isinstance
    numbers, texts = (918273645, -0.8172635), ("\0unrelated", "\1neither")

    def equals_unrelated(value: Any) -> bool:
        equal = None
        for cls in mro(kinds(value)):
            equal = members(cls).get("__eq__")
            if equal is not None:
                break
        if kinds(equal) is slot and equal.__name__ == "__eq__":  # type: ignore[union-attr]
            return False
        objects = (_Unrelated(), _Unrelated())
        unrelated: list[Any] = [*objects, *numbers, *texts]
        for first, second in (objects, numbers, texts):
            unrelated += [[first], [second, first], (first,), (second, first), {first: 1}, {second}]
        for base, add in bare.items():
            if isinstance_of(value, base):
                unrelated += [add(value, more[base]), add(add(value, more[base]), more[base])]
        agreed = 0
        for other in unrelated:
            try:
                agreed += (value == other) is True
            except BaseException:
                continue
        return agreed > 1

    def honest(value: Any) -> Any:
        kind = kinds(value)
        if number_of(kind) in plain:
            return value
        left, looked = [value], 0
        while left and looked < most:
            item = left.pop()
            looked += 1
            kind = kinds(item)
            if number_of(kind) in plain:
                continue
            if number_of(kind) in containers:
                left += [*item][: most - looked]
            elif kind is dict:
                left += [*item, *values(item)][: most - looked]
            elif equals_unrelated(item):
                raise error("an object that equals unrelated things")
        return value

    return honest


_honest = _make_honest()

if __name__ == "__main__":
    main()
