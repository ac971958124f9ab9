"""The names that tests of functions ask a solution for; every other name is Python's or the author's.

A test names more than the function it tests: `assert math.isclose(f(2), 1.4)`, `assert f("ab") == Counter("ab")`.
A solution that could give the tests its own `math` or `Counter` would pass without solving anything. So each
free name of the tests is put into one of these classes, from the tests' source alone, whatever a solution defines:

1. The entry point is the solution's.
2. Names of Python's built-ins are Python's.
3. Names of the standard library's modules, and the usual short names of packages (`np`), are those modules.
4. Public names of the modules that programs usually import everything from (`Counter`, `sqrt`, `List`) are theirs.
5. All other names are the solution's: helper functions and classes that the task asks for.

If there's no entry point, a name of class 4 is the solution's if nothing else can be what is tested: each assert
that uses it has no other name of the solution's, or only classes whose objects it's called with. A built-in's name is
the solution's if it's the only function that the asserts have in common, and no name of another class is there to be
tested: `assert sum(10, 15) == 6`.
"""

from __future__ import annotations

import ast
import builtins
import functools
import importlib
import symtable
import sys
import types
from collections import Counter
from dataclasses import dataclass, field

from rlvr.sandboxes.base import FunctionTests
from rlvr.sandboxes.scopes import parsed, with_local_names
from rlvr.sandboxes.soundness import (
    Soundness,
    calls_opposite,
    may_ask_plain_data,
)

# Short names of packages that nothing in the standard library is called like.
_PACKAGES = {
    "np": "numpy", "pd": "pandas", "nx": "networkx", "plt": "matplotlib.pyplot", "mpl": "matplotlib",
    "sns": "seaborn", "tf": "tensorflow", "numpy": "numpy", "pandas": "pandas", "networkx": "networkx",
    "matplotlib": "matplotlib", "scipy": "scipy", "sympy": "sympy", "sklearn": "sklearn", "torch": "torch",
    "pytest": "pytest",
}  # fmt: skip
# In this order: `Counter` is in `typing`, too.
_IMPORTED_WHOLE = (
    "collections", "math", "itertools", "functools", "heapq", "bisect", "copy", "datetime", "decimal", "fractions",
    "statistics", "typing",
)  # fmt: skip
_CALLED = (type, types.FunctionType, types.BuiltinFunctionType)


@dataclass(frozen=True, slots=True)
class Asked:
    """The names that tests use and don't define, by who gives them.

    Attributes:
        names: those that the solution is asked for.
        imports: those that are imported beside the tests: name to module and the name in it ("": the module).
        modules: names that are only used as `name.attribute`: a module's, if there is such a module beside the
            tests, and otherwise the solution's.
        judges: names of the solution's that would decide whether its answers are right, each with why.
        own: attributes whose truth the tests ask of answers: only plain data and the author's classes have them.
        refused: why no name can be asked for at all; "" usually.
    """

    names: tuple[str, ...] = ()
    imports: dict[str, tuple[str, str]] = field(default_factory=dict)
    modules: tuple[str, ...] = ()
    judges: dict[str, str] = field(default_factory=dict)
    own: tuple[str, ...] = ()
    refused: str = ""


@functools.lru_cache(maxsize=4096)
def asked_of(tests: FunctionTests) -> Asked:
    """Classify the names in tests. Tests that can't be parsed ask for nothing: the runner says what's wrong."""
    try:
        beside = [_Source(source) for source in (tests.prelude, tests.setup, tests.check) if source]
        asserts = [_Source(source) for source in tests.asserts]
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        return Asked(refused=f"the tests can't be read: {error}")
    return _Reading(tests.entry_point, beside, asserts, bool(tests.check)).asked()


class _Source:
    """One source of the tests: its tree, and the names that it uses and defines at module level."""

    def __init__(self, source: str) -> None:
        self.text = source
        self.tree = parsed(source)
        self.used: set[str] = set()
        self.defined: set[str] = set()
        self._read(symtable.symtable(source, "tests", "exec"), top=True)
        self.called: set[str] = set()
        self.read: dict[str, set[str]] = {}  # the attributes that are read of each name
        named: dict[ast.AST, str] = {}
        bases: set[ast.AST] = set()
        self.may_ask_plain_data = False
        for node in ast.walk(self.tree):
            self.may_ask_plain_data |= may_ask_plain_data(node)
            if isinstance(node, ast.Name):
                named[node] = node.id
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                self.called.add(node.func.id)
            elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                bases.add(node.value)
                self.read.setdefault(node.value.id, set()).add(node.attr)
        self.named = set(named.values())
        self.bare = {name for node, name in named.items() if node not in bases}

    def renamed(self, own: set[str]) -> list[ast.stmt]:
        """Return the statements, with a new name for each local variable and for those `own` names of the module."""
        return with_local_names(parsed(self.text), own).body

    def _read(self, table: symtable.SymbolTable, top: bool) -> None:
        for symbol in table.get_symbols():
            if top or symbol.is_global():
                if symbol.is_assigned() or symbol.is_imported():
                    self.defined.add(symbol.get_name())
                if symbol.is_referenced():
                    self.used.add(symbol.get_name())
        for child in table.get_children():
            self._read(child, top=False)


class _Reading:
    """The names of all sources together, and what becomes of them."""

    def __init__(
        self, entry: str, beside: list[_Source], asserts: list[_Source], has_check: bool
    ) -> None:
        self.entry = entry
        self.beside = beside
        self.asserts = asserts
        self.has_check = has_check
        self.sources = sources = [*beside, *asserts]
        defined = set[str]().union(*(source.defined for source in sources))
        for source in sources:  # names that the tests define themselves are no question
            source.used -= {name for name in source.used if name in defined and name != entry}
            source.used -= {name for name in source.used if name.startswith("__")}
        self.used = set[str]().union(*(source.used for source in sources)) - {entry}
        self.called = set[str]().union(*(source.called for source in sources))

    def asked(self) -> Asked:
        library = {name: place for name in self.used if (place := self._in_the_library(name))}
        unresolved = {n for n in self.used - set(library) if not hasattr(builtins, n)}
        judged = {self.entry, *unresolved} - {""}
        alone = {name for name in library if library[name][1] and self._is_alone(name, judged)}
        names, refused = judged | alone, ""
        if not names and self.asserts:
            names, refused = self._named_like_built_ins()
        shadowing = {name for name in names if hasattr(builtins, name)}
        if self.asserts and any(shadowing & source.used for source in self.beside):
            refused = (
                "a function of Python's is named like the one that's asked for, and more uses it"
            )
        soundness = self._soundness(names)
        return Asked(
            names=tuple(sorted(names)),
            imports={name: place for name, place in library.items() if name not in alone},
            modules=tuple(sorted(name for name in unresolved if self._is_module_like(name))),
            judges=soundness.judges() if soundness else {},
            own=tuple(sorted(soundness.plain_attributes())) if soundness else (),
            refused=refused,
        )

    def _in_the_library(self, name: str) -> tuple[str, str] | None:
        """Return the module, and the name in it, that a name of class 3 or 4 is; None for others."""
        if hasattr(builtins, name):
            return None
        whole, within = _PACKAGES.get(name), _library().get(name)
        if name in sys.stdlib_module_names:
            whole = name
        if whole is None or name in self.called:
            member = getattr(sys.modules[within[0]], within[1]) if within else None
            # `List()` isn't of `typing`, where nothing can be made of it.
            return within if name not in self.called or isinstance(member, _CALLED) else None
        read = set[str]().union(*(source.read.get(name, ()) for source in self.sources))
        if within and (
            not read or not all(hasattr(sys.modules[name], attribute) for attribute in read)
        ):
            return within  # `datetime.now()` is of the class, `datetime.date(…)` of the module
        return whole, ""

    def _is_alone(self, name: str, judged: set[str]) -> bool:
        """Say if nothing else can be what is tested in each assert that uses a name of class 4."""
        if self.entry or any(source.used & {name, *judged} for source in self.beside):
            return False
        return all(
            not source.used & judged or self._gets_objects(source, name, judged)
            for source in self.asserts
            if name in source.used
        )

    def _gets_objects(self, source: _Source, name: str, judged: set[str]) -> bool:
        """Say if a name of class 4 is only ever called with objects: `assert chain([Pair(5, 24)]) == 1`."""
        if name[:1].isupper() or name not in source.called:
            return False
        tree = ast.Module(source.renamed(set()), [])
        return Soundness(tree, {name, *judged}, name).gets_objects(name)

    def _named_like_built_ins(self) -> tuple[set[str], str]:
        called = [{n for n in source.called if hasattr(builtins, n)} for source in self.asserts]
        expecting = set[str]().union(*(calls_opposite(source.tree) for source in self.asserts))
        common = set.intersection(*called)
        common = common - expecting if len(common) > 1 else common
        if len(common) == 1:
            return common, ""
        if all(len(names) == 1 for names in called):
            return set[str]().union(*called), ""
        if not any(called):
            return set(), ""
        return (
            set(),
            "they call functions of Python's alone, and no entry_point says which is tested",
        )

    def _is_module_like(self, name: str) -> bool:
        """Say if a name of class 5 is used as a module is: `name.attribute`, and nothing else."""
        return not name[:1].isupper() and not any(name in source.bare for source in self.sources)

    def _soundness(self, names: set[str]) -> Soundness | None:
        """Return the analysis of all tests together; None if there is nothing to find in them."""
        plain = any(source.may_ask_plain_data for source in self.sources)
        if not names or (len(names) == 1 and not plain):
            return None  # as nearly always: nothing of the solution's but its one function
        entry = self.entry or self._common(names)
        # A variable's name in one assert says nothing of the same name in another.
        definitions = Counter(name for source in self.asserts for name in source.defined)
        taken = Counter(name for source in self.asserts for name in source.defined | source.named)
        body = [node for source in self.beside for node in source.renamed(set())]
        for source in self.asserts:
            own = {name for name in source.defined if definitions[name] == taken[name]}
            body += source.renamed(own)
        return Soundness(ast.Module(body, []), names, entry)

    def _common(self, names: set[str]) -> str:
        """Return the one name that every assert calls; of several the one function among classes."""
        common = set.intersection(names, *(source.called for source in self.asserts))
        functions = {name for name in common if not name[:1].isupper()}
        candidates = functions or common
        return candidates.pop() if len(candidates) == 1 else ""


@functools.lru_cache(maxsize=1)
def _library() -> dict[str, tuple[str, str]]:
    """Return the public names of the modules that are usually imported whole."""
    places: dict[str, tuple[str, str]] = {}
    for module in map(importlib.import_module, _IMPORTED_WHOLE):
        for name in getattr(module, "__all__", dir(module)):
            if not name.startswith("_") and not isinstance(getattr(module, name), type(sys)):
                places.setdefault(name, (module.__name__, name))
    return places
