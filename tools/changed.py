"""List the test files that the working tree's changes can affect, for `make test-changed`.

A test is affected if it reaches a changed file by imports, or by names that rlvr looks up at run time:
environments, commands, kinds of verifiers and the names of `import rlvr`. Files of tests are selected as a whole.
"""

from __future__ import annotations

import argparse
import ast
import gc
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from pathlib import Path

import rlvr
from rlvr.cli import COMMANDS
from rlvr.envs import BUILT_IN, FAMILIES
from rlvr.verifiers.kinds import KINDS
from tools.imports import ROOT, imports_in

FOLDERS = ("rlvr", "tests", "benchmarks", "recipes", "docs")
LAZY = {
    "rlvr/__init__.py": "imports the home of a name when the name is used",
    "rlvr/authoring/__init__.py": "imports the home of a name when the name is used",
    "rlvr/cli/__init__.py": "imports a command when it runs",
    "rlvr/envs/__init__.py": "names the modules of environments, which make() imports",
    "rlvr/envs/toolboxes/__init__.py": "imports the home of a name when the name is used",
    "rlvr/verifiers/kinds.py": "imports a kind of verifier when it is named",
    "rlvr/testing/__init__.py": "imports the home of a name when the name is used",
    "rlvr/scoring/template.py": "imports SymPy's readers early and ignores errors; verifiers import them again",
}
"""Modules whose strings and computed imports don't count, with the reason: their users name the targets themselves."""

PAGES = ("docs/*", "README.md", "mkdocs.yml")
READERS = (
    ((*PAGES, "recipes/*"), "tests/docs/*", "reads or runs pages and recipes"),
    (PAGES, "tests/test_readme.py", "runs blocks of the pages"),
    (("recipes/*",), "tests/recipes/*", "runs the recipes"),
    (("recipes/*",), "tests/adapters/*/*", "configures trainers by the recipes"),
    (("rlvr/authoring/audit/*",), "tests/authoring/audit/test_built_in.py", "audits all environments"),
    (("rlvr/authoring/scaffold/*",), "tests/authoring/test_new_packages.py", "writes all packages"),
    (("rlvr/envs/*", "rlvr/verifiers/*"), "tests/envs/test_fixtures.py", "scores all fixtures"),
    (("rlvr/envs/*",), "tests/envs/test_gymnasium.py", "makes all environments"),
    (("rlvr/*",), "tests/test_layers.py", "reads the imports of all modules"),
    (("rlvr/*", "tests/*"), "tests/test_changed.py", "reads the names and imports of all files"),
)  # fmt: skip
"""Changed files, the tests that go through all of them, and what these tests do."""

SWEEPS = ("tests/docs/*", "tests/test_readme.py", "tests/recipes/*", "tests/authoring/test_new_packages.py",
          "tests/authoring/audit/test_built_in.py")  # fmt: skip
"""Tests of the whole project: changes in rlvr select them only by `READERS`, and `make test` runs them."""

ELSEWHERE = {
    "tests/vllm_cpu/": "make test-vllm",
    "tests/adapters/verl/": "make test-trainers",
    "tests/adapters/openrlhf/": "make test-trainers",
}
"""Folders of tests that need another virtual environment, and how to run them."""

EVERY_TEST = (
    "tests/conftest.py",
    "tests/tiers.py",
    "tests/missing.py",
    "tests/warm.py",
)  # and unexplained ones
NO_TEST = ("CHANGELOG.md", "LICENSE", ".gitignore")

_HOMES = {f"rlvr.{name}": home for name, home in (rlvr._HOME | rlvr._MODULES).items()}
_ENTRIES = [(spec.name, spec.gym_id, str(spec.target)) for spec in BUILT_IN]
_ENTRIES += [(family.name, family.gym_id, family.module) for family in FAMILIES]
_NAMES = {
    kind: {target} for kind, target in KINDS.items()
}  # to the modules that make what is named
for _name, _gym_id, _target in _ENTRIES:
    _NAMES.setdefault(_name, set()).add(_target)
    _NAMES.setdefault(_gym_id, set()).add(_target)
_DOTTED = re.compile(r"\brlvr(?:\.\w+)+")
_FROM = re.compile(r"\bfrom (rlvr[\w.]*) import (\([^)]*\)|[^\n;]*)")
_COMPUTED = re.compile(r"[\"']rlvr\.|\bimport rlvr\b|\b(?:make|files|import_module)\(")
_COMMAND_LINE = re.compile(r"rlvr_cli|rlvr\.cli|[\"']rlvr[\"']")


class Graph:
    """The files of the repository and, in `users`, the Python files that use each."""

    def __init__(self, root: Path = ROOT, extra: Iterable[str] = ()) -> None:
        """Read the sources; paths in `extra` count as files even if they are deleted."""
        self.root = root
        self.users: dict[str, set[str]] = defaultdict(set)
        self._by_name: dict[str, set[str]] = defaultdict(set)
        self._by_folder: dict[str, set[str]] = defaultdict(set)
        entries = (path for folder in FOLDERS for path in (root / folder).rglob("*"))
        files = {path.relative_to(root).as_posix() for path in entries if path.is_file()}
        self.paths = {path for path in {*files, *extra} if "__pycache__" not in path}
        for path in self.paths:
            folder, _, name = path.rpartition("/")
            if path.startswith(FOLDERS[1:]) and name != "conftest.py":
                self._by_name[name].add(path)
            if name.endswith(".py"):
                self._by_folder[folder].add(path)
        gc.disable()  # syntax trees are many small objects
        for path in files & self.paths:
            if path.endswith(".py.txt"):  # a template of a program that uses rlvr
                for dotted in _DOTTED.findall((root / path).read_text(encoding="utf-8")):
                    for used in self._files(dotted):
                        self.users[used] |= self._near(path)
            for used in self._used(path) if path.endswith(".py") else ():
                self.users[used].add(path)
        gc.enable()

    def _used(self, path: str) -> Iterator[str]:
        """Yield the files that a Python file imports or names."""
        source = (self.root / path).read_text(encoding="utf-8")
        tree = ast.parse(source)
        package = tuple(path.split("/")[:-1])
        yield from self._files(".".join(package))
        for length in range(2, len(package) + 1):
            yield from {"/".join([*package[:length], "conftest.py"])} & self.paths
        in_house = path.startswith("rlvr/")
        for item in imports_in(tree, path, package):
            if not item.typing:
                yield from self._files(f"{item.module}.{item.name}" if item.name else item.module)
                if not in_house:  # pytest puts the folders of tests on sys.path
                    yield from self._by_name.get(f"{item.module.partition('.')[0]}.py", ())
        if path in LAZY or (
            in_house and not _COMPUTED.search(source)
        ):  # most need no walk: it is slow
            return
        commands = not in_house and bool(_COMMAND_LINE.search(source))
        yield from self._files("rlvr.__main__") if commands else ()
        docstrings: set[int] = set()
        for node in ast.walk(tree):  # a docstring's statement comes before the string
            if isinstance(node, ast.Attribute):
                yield from self._files(_dotted(node))
            elif isinstance(node, ast.Expr):
                docstrings.add(id(node.value))
            elif isinstance(node, ast.Call):
                yield from self._called(node, ".".join(package))
            elif isinstance(node, ast.Constant) and id(node) not in docstrings:
                text = node.value if isinstance(node.value, str) else ""
                yield from self._files(text) if in_house else self._named(text, commands)

    def _files(self, dotted: str) -> Iterator[str]:
        """Yield the module of a dotted name, and the packages around it, which it imports."""
        parts = dotted.replace(":", ".").split(".")
        home = _HOMES.get(".".join(parts[:2]))
        parts = [*home.split("."), *parts[1:]] if home else parts
        for length in range(1, len(parts) + 1) if parts[0] in FOLDERS else ():
            stem = "/".join(parts[:length])
            yield from {f"{stem}.py", f"{stem}/__init__.py"} & self.paths

    def _called(self, call: ast.Call, package: str) -> Iterator[str]:
        """Yield the files for `make("gsm8k")`, `files("rlvr.x")` or `import_module(f"rlvr.x.{name}")`."""
        function = _dotted(call.func).rpartition(".")[2]
        if call.args and function in ("make", "files", "import_module"):
            text = ast.unparse(call.args[0]).replace("__package__", package)
            for module in _NAMES.get(text.strip("'"), ()) if function == "make" else ():
                yield from self._files(module)
            for dotted in _DOTTED.findall(text):
                yield from self._by_folder.get(dotted.replace(".", "/"), ())

    def _named(self, text: str, commands: bool) -> Iterator[str]:
        """Yield the files that a string of a test names, or the words of a command or program."""
        for dotted in _DOTTED.findall(text):
            yield from self._files(dotted)
        for module, names in _FROM.findall(text):
            for name in re.findall(r"\w+", names):
                yield from self._files(f"{module}.{name}")
        for word in re.findall(r"[\w./-]+", text) if "rlvr" in text else [text]:
            for module in {*_NAMES.get(word, ()), *_NAMES.get(word.partition("/")[0], ())}:
                yield from self._files(module)
            if commands and word in COMMANDS:
                yield from self._files(f"rlvr.cli.{word}")
            yield from self._by_name.get(word.rpartition("/")[2], ())

    def chains(self, changed: str) -> dict[str, list[str]]:
        """Return the chain from each file that uses a changed file, directly or not, to that file."""
        chains = {changed: [changed]}
        if not changed.endswith(".py") or (changed[:5] == "rlvr/" and not self.users.get(changed)):
            chains = {path: [path, changed] for path in self._near(changed)} | chains
        queue = list(chains)
        for used in queue:
            for user in sorted(self.users.get(used, set()) - chains.keys()):
                chains[user] = [user, *chains[used]]
                queue.append(user)
        return chains

    def _near(self, path: str) -> set[str]:
        """Return the modules of the nearest folder: they may read the file by a computed name."""
        folders = (self._by_folder.get(str(folder)) for folder in Path(path).parents)
        return next(filter(None, folders), set())


def _dotted(node: ast.expr) -> str:
    """Return `a.b.c` for such an attribute, and `?` for expressions that are no names."""
    if isinstance(node, ast.Attribute):
        return f"{_dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else "?"


def select(changed: Iterable[str], graph: Graph | None = None) -> dict[str, str]:
    """Return the affected test files with the reason of each."""
    changed = sorted(set(changed))
    graph = graph or Graph(extra=changed)
    tests = sorted(p for p in graph.paths if fnmatchcase(p, "tests/*test_*.py") and (graph.root / p).exists())  # fmt: skip
    selected: dict[str, str] = {}
    for path in changed:
        readers = [(test, how) for files, test, how in READERS if _match(path, files)]
        explained = readers or path.split("/")[0] in FOLDERS or path in NO_TEST
        chains = graph.chains(path)
        for test in tests:
            how = next((how for pattern, how in readers if fnmatchcase(test, pattern)), None)
            if path in EVERY_TEST or not explained:
                selected.setdefault(test, f"{path} can affect every test")
            elif how:
                selected.setdefault(test, f"{path}: the test {how}")
            elif test in chains and not (path.startswith("rlvr/") and _match(test, SWEEPS)):
                selected.setdefault(test, " -> ".join(chains[test]))
    return dict(sorted(selected.items()))


def _match(path: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(path, pattern) for pattern in patterns)


def changed_files(root: Path = ROOT, since: str = "HEAD") -> list[str]:
    """Return the paths that differ from a revision: committed, staged, unstaged and untracked."""
    output = ""
    for command in ("diff --name-only --no-renames -z " + since, "ls-files --others --exclude-standard -z"):  # fmt: skip
        git = ["git", "-C", str(root), *command.split()]
        output += subprocess.run(git, stdout=subprocess.PIPE, text=True, check=True).stdout
    return sorted({*output.split("\0")} - {""})


def main() -> None:
    """Print the affected test files, one per line, and notes on standard error."""
    parser = argparse.ArgumentParser(description="List the test files that a change can affect.")
    parser.add_argument("files", nargs="*", help="Changed files (default: git's).")
    parser.add_argument("--since", default="HEAD", metavar="REV", help="Changes since a revision (default HEAD).")  # fmt: skip
    parser.add_argument("--why", action="store_true", help="Print the reason below each file.")
    options = parser.parse_args()
    changed = options.files or changed_files(since=options.since)
    selected = select(changed)
    runnable = [path for path in selected if not path.startswith(tuple(ELSEWHERE))]
    for path in runnable:
        print(f"{path}\n    {selected[path]}" if options.why else path)
    notes = {f"{len(changed)} changed files can affect {len(runnable)} test files"}
    notes |= {reason for reason in selected.values() if reason.endswith("every test")}
    skipped = [
        pattern for pattern in SWEEPS if not any(fnmatchcase(path, pattern) for path in runnable)
    ]
    if skipped and any(path.startswith("rlvr/") for path in changed):
        notes.add(f"left to make test: {', '.join(skipped)}")
    elsewhere = {ELSEWHERE[folder] for folder in ELSEWHERE for path in selected if path.startswith(folder)}  # fmt: skip
    notes |= {f"{command} also covers this change" for command in elsewhere}
    print(*sorted(notes), sep="\n", file=sys.stderr)


if __name__ == "__main__":
    main()
