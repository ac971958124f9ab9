"""The languages and Python packages that programs need, and those that a jail has.

A jail that lacks something is a fault of the set-up, and nobody's wrong answer.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rlvr.sandboxes.languages import LANGUAGES, language_of
from rlvr.sandboxes.packages import declared


@dataclass(frozen=True, slots=True)
class Needs:
    """The languages and packages that programs need.

    Attributes:
        languages: names of `rlvr.sandboxes.languages`.
        packages: that Python programs may import, such as "numpy" or "numpy==2.1.0".
    """

    languages: frozenset[str] = frozenset()
    packages: frozenset[str] = frozenset()

    @classmethod
    def of(cls, languages: Sequence[str] = (), packages: Sequence[str] = ()) -> Needs:
        """Read names and aliases. Raises `OptionError` for one that is none."""
        wanted = declared(packages)
        return cls(
            frozenset(language_of(name).name for name in languages),
            frozenset(name if v is None else f"{name}=={v}" for name, v in wanted.items()),
        )

    def __or__(self, other: Needs) -> Needs:
        return Needs(self.languages | other.languages, self.packages | other.packages)

    def __bool__(self) -> bool:
        return bool(self.languages or self.packages)


@dataclass(frozen=True, slots=True)
class Inventory:
    """The Python, languages and packages that a jail has.

    Attributes:
        python: its version.
        tools: whether each command is there that a language is compiled or run with.
        packages: versions by name.
    """

    python: str
    tools: Mapping[str, bool]
    packages: Mapping[str, str]

    @property
    def languages(self) -> tuple[str, ...]:
        """Return the languages in which programs can run."""
        return tuple(name for name in LANGUAGES if not self.missing_tools(name))

    def missing_tools(self, language: str) -> list[str]:
        """Return the commands that a language needs and that aren't there."""
        return [tool for tool in language_of(language).tools if not self.tools.get(tool)]

    def lacks(self, needs: Needs) -> list[str]:
        """Return what is needed and isn't there, in words."""
        missing = []
        for language in sorted(needs.languages):
            if tools := self.missing_tools(language):
                missing.append(f"{' and '.join(tools)} (for {language})")
        for name, version in declared(sorted(needs.packages)).items():
            here = self.packages.get(name)
            if here is None:
                missing.append(f"the Python package {name}")
            elif version not in (None, here):
                missing.append(f"{name} {version}, only {here}")
        return missing

    def to_json(self) -> dict[str, object]:
        """Return it as a run records it."""
        return {
            "python": self.python,
            "languages": list(self.languages),
            "packages": dict(self.packages),
        }


IMPORTS = b"""
import importlib, importlib.metadata, json, sys
failed = {}
for name in sys.argv[1:]:
    try:
        found = importlib.metadata.distribution(name)
        tops = set((found.read_text("top_level.txt") or "").split())
        for file in found.files or ():
            if file.parts[0].endswith(".py") or file.parts[1:] == ("__init__.py",):
                tops.add(file.parts[0].removesuffix(".py"))
        for top in sorted(tops or {name.replace("-", "_")}):
            if top.isidentifier() and top[0] != "_":
                importlib.import_module(top)
    except BaseException as error:
        failed[name] = "%s: %s" % (type(error).__name__, error)
print(json.dumps(failed))
"""
"""A program that imports what it's told to, and prints what can't be: a package may be there and not work."""


def unusable(stdout: bytes, names: Sequence[str]) -> list[str]:
    """Return, in words, the packages that `IMPORTS` couldn't import."""
    try:
        failed: dict[str, str] = json.loads(stdout)
    except ValueError:
        return [f"a Python that can import {', '.join(names)}"]
    return [f"a {name} that can be imported ({why[:200]})" for name, why in failed.items()]
