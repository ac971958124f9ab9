"""The features that tests of functions use besides calls, read off their source, and whether two jails can carry them.

Values cross as data, and objects that stay are asked. Output, files, seeds and the environment are carried if the tests use
them. What is left can't be: the tests are refused then, whatever a solution is.
"""

from __future__ import annotations

import ast
import builtins
import functools
from dataclasses import dataclass

from rlvr.sandboxes.asked import asked_of
from rlvr.sandboxes.base import FunctionTests
from rlvr.sandboxes.flow import Flow
from rlvr.sandboxes.scopes import parsed

_FILES = frozenset("glob io os pathlib shutil tempfile".split())  # noqa: SIM905
# With these alone, files that a solution wrote are read as data. Others could run them: `pickle`, `importlib`.
_READ_AS_DATA = _FILES | frozenset(
    "asyncio base64 bisect collections contextlib copy csv dataclasses datetime decimal enum fractions functools gzip "  # noqa: SIM905
    "hashlib heapq itertools json math operator random re statistics string textwrap time typing unittest zipfile".split()
)
_RUN = frozenset("__import__ compile eval exec".split())  # noqa: SIM905
_SEEDS = frozenset("seed set_state setstate".split())  # noqa: SIM905
_ENVIRONMENT = frozenset("chdir environ putenv".split())  # noqa: SIM905
_ENDED_BY_STOP_ITERATION = frozenset("filter itertools map".split())  # noqa: SIM905
# What needs the solution's own process or objects, by module or by name, each with why.
_NOT_CARRIED = {
    "unittest.mock": "replaces names inside the solution's modules",
    "mock": "replaces names inside the solution's modules",
    "multiprocessing": "starts processes that would share one connection to the solution",
    "subprocess": "starts other programs",
    "ctypes": "reaches into memory",
    "tracemalloc": "measures one process",
    "cProfile": "measures one process",
    "pandas": "has objects that no plain data stand for",
    "polars": "has objects that no plain data stand for",
    "torch": "has objects that no plain data stand for",
    "tensorflow": "has objects that no plain data stand for",
    "matplotlib": "has objects that no plain data stand for",
    "PIL": "has objects that no plain data stand for",
    "networkx": "has objects that no plain data stand for",
    "sqlalchemy": "has objects that no plain data stand for",
}
_ATTRIBUTES_NOT_CARRIED = {
    "getsource": "reads the solution's source",
    "getsourcelines": "reads the solution's source",
    "co_code": "looks into a function",
    "co_consts": "looks into a function",
    "co_names": "looks into a function",
    "__globals__": "looks into a function",
    "__closure__": "looks into a function",
    "fork": "starts a process that would share one connection to the solution",
}
IN_ONE_JAIL = '"isolation": "shared" has tests and solution share a process'


@dataclass(frozen=True, slots=True)
class Carried:
    """The features that tests use besides calls.

    Attributes:
        surroundings: "random", "files", "files back", "environment", "recursion": see `runner/surroundings.py`.
        objects: names of the solution's classes of which the tests use what only objects have, and use operators on
            objects that they made.
        asserts_within: whether a `with` of theirs holds assertions, so that no `__exit__` may end an exception.
        stop_iteration: whether the tests mean to catch a StopIteration, and none of their loops could be ended by it.
        refused: which construct can't be carried, and why; "" if all can.
    """

    surroundings: tuple[str, ...] = ()
    objects: tuple[str, ...] = ()
    asserts_within: bool = False
    stop_iteration: bool = False
    refused: str = ""


@functools.lru_cache(maxsize=4096)
def carried_of(tests: FunctionTests) -> Carried:
    """Read tests. Those that can't be parsed use nothing: others say what is wrong with them."""
    sources = (tests.prelude, tests.setup, tests.check, *tests.asserts)
    try:
        trees = [parsed(source) for source in sources if source]
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return Carried()
    nodes = [node for tree in trees for node in ast.walk(tree)]
    names = {node.id for node in nodes if isinstance(node, ast.Name)}
    attributes = {node.attr for node in nodes if isinstance(node, ast.Attribute)}
    asked = asked_of(tests)
    modules = _modules(nodes) | {module for module, _ in asked.imports.values()}
    tops = {module.partition(".")[0] for module in modules}
    surroundings = set()
    if _SEEDS & (names | attributes):
        surroundings.add("random")
    if "open" in names or _FILES & tops:
        surroundings.add("files")
        if tops <= _READ_AS_DATA and not _RUN & names:
            surroundings.add("files back")
    if "setrecursionlimit" in names | attributes:
        surroundings.add("recursion")
    if _ENVIRONMENT & (names | attributes):
        surroundings.add("environment")
    capitals = {name for name in asked.names if name[:1].isupper()}
    return Carried(
        surroundings=tuple(sorted(surroundings)),
        objects=tuple(sorted(_objects(trees, capitals, asked.names, tests.entry_point)))
        if capitals
        else (),
        asserts_within=any(_holds_asserts(node) for node in nodes),
        stop_iteration="StopIteration" in names and not any(map(_may_end_in_silence, nodes)),
        refused=_refused(modules, attributes),
    )


def _modules(nodes: list[ast.AST]) -> set[str]:
    modules: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            modules |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return modules


def _refused(modules: set[str], attributes: set[str]) -> str:
    for module in sorted(modules):
        parts = module.split(".")
        for name in (".".join(parts[:2]), parts[0]):
            if name in _NOT_CARRIED:
                return f"`{name}`, which {_NOT_CARRIED[name]}"
    for name in sorted(attributes & set(_ATTRIBUTES_NOT_CARRIED)):
        return f"`{name}`, which {_ATTRIBUTES_NOT_CARRIED[name]}"
    return ""


def _holds_asserts(node: ast.AST) -> bool:
    if not isinstance(node, ast.With | ast.AsyncWith):
        return False
    within = [part for statement in node.body for part in ast.walk(statement)]
    return any(isinstance(part, ast.Assert) or _is_assertion(part) for part in within)


def _may_end_in_silence(node: ast.AST) -> bool:
    """Say if an exception that a function raises may end a loop over its answers: `all(map(f, …))`."""
    if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "iter":
        return len(node.args) != 1
    name = node.id if isinstance(node, ast.Name) else getattr(node, "module", None)
    return name in _ENDED_BY_STOP_ITERATION


def _is_assertion(node: ast.AST) -> bool:
    if not isinstance(node, ast.Call):
        return False
    name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    return name.lower().startswith("assert")


def _objects(
    trees: list[ast.Module], capitals: set[str], names: tuple[str, ...], entry: str
) -> set[str]:
    """Return the classes of whose objects the tests use an attribute that no plain data have, or that they ask about."""
    flow = Flow(ast.Module([node for tree in trees for node in tree.body], []), set(names), entry)
    classes: set[str] = set()
    for node in flow.nodes:
        if isinstance(node, ast.Attribute):
            if isinstance(node.value, ast.Name) and node.value.id in capitals:
                classes.add(node.value.id)
            elif node.attr not in _PLAIN:
                classes |= {origin.root for origin in flow.made(node.value) if origin.is_object}
        elif isinstance(node, ast.Call) and getattr(node.func, "id", "") in (
            "isinstance",
            "issubclass",
        ):
            classes |= (
                {part.id for part in ast.walk(node.args[-1]) if isinstance(part, ast.Name)}
                if node.args
                else set()
            )
        elif isinstance(node, ast.ClassDef):
            classes |= {base.id for base in node.bases if isinstance(base, ast.Name)}
    return classes & capitals & _operands(flow)


def _operands(flow: Flow) -> set[str]:
    """Return the classes of objects that operators are used on, by the tests or by a function that they call for it."""
    classes: set[str] = set()
    for node in flow.nodes:
        if isinstance(node, ast.BinOp):
            operands: list[ast.AST] = [node.left, node.right]
        elif isinstance(node, ast.Compare):
            operands = [node.left, *node.comparators]
        elif isinstance(node, ast.AugAssign):
            operands = [node.target, node.value]
        elif isinstance(node, ast.Call) and getattr(node.func, "id", "") in _OPERATE:
            operands = list(node.args)
        else:
            continue
        for operand in operands:
            origins = flow.made(operand)
            if origins and all(origin.is_object for origin in origins):
                classes |= {origin.root for origin in origins}
    return classes


_OPERATE = frozenset("divmod max min pow sorted sum".split())  # noqa: SIM905
_PLAIN = frozenset(
    name
    for kind in vars(builtins).values()
    if isinstance(kind, type) and not issubclass(kind, BaseException)
    for name in dir(kind)
)
