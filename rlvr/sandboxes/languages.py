"""The languages that programs may be written in: how each is compiled and run.

A language works where its tools are in the jail: those of the machine for bubblewrap, those that the
image was built with for Docker.
"""

from __future__ import annotations

import dataclasses
import functools
import re
from dataclasses import dataclass

from rlvr.core.errors import OptionError, nearest
from rlvr.sandboxes.base import Program
from rlvr.sandboxes.java import entry_of


@dataclass(frozen=True, slots=True)
class Language:
    """The commands that compile and run programs in a language.

    Attributes:
        name: as rlvr calls it.
        aliases: other names, as Markdown fences have them.
        file: what the main file is called.
        compile: the compiler's command line; empty where there's none.
        run: the program's command line, arguments come after it. Empty for Python, which a warm
            interpreter runs. `{memory_mb}` stands for the memory limit, `{stack_kb}` for a quarter of it.
        address_space: whether virtual memory may be limited too, which makes an allocation that is
            far too large fail rather than kill. Not where a runtime reserves more than it uses.
        environment: variables beside PATH, HOME and LANG.
    """

    name: str
    aliases: tuple[str, ...]
    file: str
    run: tuple[str, ...] = ()
    compile: tuple[str, ...] = ()
    address_space: bool = True
    environment: tuple[tuple[str, str], ...] = ()

    @property
    def tools(self) -> tuple[str, ...]:
        """Return the commands that have to be in the jail."""
        first = (command[0] for command in (self.compile, self.run) if command)
        return tuple(tool for tool in first if "/" not in tool)


_MAIN = "/box/main"

LANGUAGES: dict[str, Language] = {
    language.name: language
    for language in (
        Language("python", ("py", "python3", "py3", "pypy", "pypy3", "ipython", "cpython"), "main.py"),
        Language(
            "c",
            ("c11", "c17", "gcc"),
            "main.c",
            run=(_MAIN,),
            compile=("gcc", "-O2", "-std=gnu17", "-o", _MAIN, "main.c", "-lm"),
        ),
        Language(
            "cpp",
            ("c++", "cc", "cxx", "cpp17", "c++17", "cpp20", "c++20", "g++"),
            "main.cpp",
            run=(_MAIN,),
            compile=("g++", "-O2", "-std=gnu++20", "-o", _MAIN, "main.cpp"),
        ),
        Language(
            "rust",
            ("rs",),
            "main.rs",
            run=(_MAIN,),
            compile=("rustc", "-O", "--edition=2021", "-o", _MAIN, "main.rs"),
        ),
        Language(
            "go",
            ("golang",),
            "main.go",
            run=(_MAIN,),
            compile=("go", "build", "-o", _MAIN, "main.go"),
            address_space=False,
            environment=(("GOCACHE", "/tmp/go"), ("GO111MODULE", "off"), ("CGO_ENABLED", "0")),
        ),
        Language(
            "java",
            (),
            "Main.java",
            run=("java", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xss64m", "-Xmx{memory_mb}m", "-cp", "/box", "Main"),
            compile=("javac", "-J-XX:+UseSerialGC", "-encoding", "UTF-8", "-d", "/box", "Main.java"),
            address_space=False,
        ),
        Language(
            "javascript",
            ("js", "node", "nodejs", "mjs", "ecmascript"),
            "main.js",
            run=("node", "--stack-size={stack_kb}", "--max-old-space-size={memory_mb}", "/box/main.js"),
            compile=("node", "--check", "main.js"),
            address_space=False,
        ),
        Language(
            "bash",
            ("sh", "shell", "zsh"),
            "main.sh",
            run=("bash", "/box/main.sh"),
            compile=("bash", "-n", "main.sh"),
        ),
    )
}  # fmt: skip


def placed(language: Language, program: Program) -> Language:
    """Return the language with the file and the command that fit a program: Java's depend on its classes."""
    if language.name != "java":
        return language
    entry = entry_of(program.source)
    if entry.file in program.files:  # no program may choose to overwrite what was put beside it
        return language
    return dataclasses.replace(
        language,
        file=entry.file,
        compile=(*language.compile[:-1], entry.file),
        run=(*language.run[:-1], entry.main),
    )


_BY_NAME = {
    name: language for language in LANGUAGES.values() for name in (language.name, *language.aliases)
}


def language_of(name: str) -> Language:
    """Return the language of that name or alias, in any case. Raises `OptionError` naming the nearest."""
    language = _BY_NAME.get(name.strip().lower()) if isinstance(name, str) else None
    if language is None:
        raise OptionError(f"There's no language {name!r:.40}. {nearest(str(name), LANGUAGES)}")
    return language


_VERSION = re.compile(
    r"[-_.]?v?[0-9]{1,4}(?:\.[0-9]{1,4})*[a-z]?\Z"
)  # c++14, cpp2a, python3.11, java17, c99


@functools.lru_cache(maxsize=512)
def language_tagged(tag: str) -> str:
    """Return the name of the language that a fence's tag means, with or without a version; "" if none here does."""
    tag = tag.lower()
    language = _BY_NAME.get(tag) or _BY_NAME.get(_VERSION.sub("", tag))
    return language.name if language else ""
