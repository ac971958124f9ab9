"""The files of this machine that a jail by bubblewrap shows: a list of what is allowed, and nothing else.

These are the machine's programs, its shared libraries, the compilers and runtimes of the languages, and one
Python with the declared packages. No folder where people or their packages keep data is on it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from rlvr.sandboxes.interpreter import Interpreter, needed_libraries
from rlvr.sandboxes.languages import LANGUAGES

# In the folders that a merged /usr has, or / itself.
_LIBRARIES = ("lib", "lib32", "lib64", "libx32")
# Of a folder of libraries: those for each architecture, compilers, runtimes, and the locale of jails.
_OF_LIBRARIES = (
    "*-linux-gnu*", "ld-*.so*", "gcc", "go", "go-*", "golang", "jvm", "rustlib", "locale/C.utf8",
)  # fmt: skip
_OF_USR = ("bin", "include", "libexec/gcc", "share/zoneinfo", "share/go-*/src")
# Parts of itself that Debian's Node.js has outside of its library.
_NODE = ("acorn", "acorn-walk", "busboy", "cjs-module-lexer", "minimatch", "undici", "xtend")
# The parts of a toolchain that is in a folder of its own. What else is there are documents, or not its own.
_OF_TOOLCHAINS = {
    "go": ("bin", "pkg", "src", "lib/time", "go.env", "VERSION"),
    "java": ("bin", "lib", "conf", "release", "jre"),
    "rustc": ("bin/rustc", "lib/rustlib", "lib/*.so*"),
    "gcc": ("bin/*gcc*", "bin/as", "bin/ld", "lib/gcc", "lib64", "libexec/gcc", "*-linux-gnu"),
    "g++": ("bin/*g++*", "include/c++"),
}
_OF_TOOLCHAINS["javac"] = _OF_TOOLCHAINS["java"]
# In a folder where libraries of all kinds are side by side: other languages' packages, which nobody declared.
_PACKAGES = ("python*", "pypy*", "node_modules", "R", "ruby", "julia")
# Folders of the jail's own: nothing can be shown below them.
_TAKEN = ("/tmp", "/box", "/dev", "/proc", "/sys")
MOVED = Path("/opt/python")
"""The place of a Python in a jail if its own is taken."""
LOCAL = Path("/usr/local")
COMMANDS = LOCAL / "bin"
"""The folder of links to commands that aren't in the system's folders; the first of a jail's PATH."""


@dataclass(frozen=True, slots=True)
class View:
    """The files of the machine that a jail shows.

    Attributes:
        shown: source by place, each a folder or a file. A place below another one comes after it.
        links: target by place.
        hidden: places that are covered, and whether by an empty folder or an empty file.
    """

    shown: dict[Path, Path]
    links: dict[Path, str]
    hidden: dict[Path, bool]


def view(python: Interpreter) -> tuple[View, Path]:
    """Return the files that a jail shows, except packages, and the path of its Python there."""
    shown: dict[Path, Path] = {}
    links: dict[Path, str] = {}
    hidden: dict[Path, bool] = {}
    for path in _system():
        if path.is_symlink():
            links[path] = os.readlink(path)
        else:
            shown[path] = path
    for folder in [path for path in shown if path.name in _LIBRARIES]:
        packages = (path for pattern in _PACKAGES for path in folder.glob(pattern))
        hidden |= {path: True for path in packages if path.is_dir() and path not in python.library}
    for tool in sorted({tool for language in LANGUAGES.values() for tool in language.tools}):
        program, parts = toolchain(tool)
        if program is not None and not _is_in(program, shown):
            shown |= {path: path for path in parts}
            links[COMMANDS / tool] = str(program)
    moved = python.prefix if not _is_taken(python.prefix) else MOVED
    place = {path: _moved(path, python.prefix, moved) for path in _parts(python)}
    shown |= {there: path for path, there in place.items() if not _is_in(there, shown)}
    hidden |= {_moved(path, python.prefix, moved): path.is_dir() for path in python.foreign}
    program = place[python.program]
    for name in ("python", "python3", f"python{python.minor}"):
        for folder in (program.parent, COMMANDS):
            if not _is_in(folder / name, shown):
                links.setdefault(folder / name, str(program))
    order = sorted(shown, key=lambda path: len(path.parts))
    return View({path: shown[path] for path in order}, links, hidden), program


def site(python: Interpreter) -> Path:
    """Return the folder where a jail's Python looks for packages."""
    moved = python.prefix if not _is_taken(python.prefix) else MOVED
    # A system's Python looks in /usr/local first, where a jail has nothing.
    usual = [path for path in python.sites if python.prefix in path.parents]
    usual = [path for path in usual if python.prefix != Path("/usr") or LOCAL not in path.parents]
    return _moved([*usual, *python.sites][0], python.prefix, moved)


def _system() -> Iterator[Path]:
    """Return the files that all programs need: commands, shared libraries, headers, compilers, time zones."""
    for pattern in _OF_USR:
        yield from sorted(Path("/usr").glob(pattern))
    yield from (path for name in _NODE if (path := Path("/usr/share/nodejs", name)).is_dir())
    for root in (Path("/usr"), Path("/")):
        for name in (*_LIBRARIES, *(("bin", "sbin") if root == Path("/") else ())):
            folder = root / name
            if folder.is_symlink() or name == "bin":
                yield from [folder] if folder.exists() or folder.is_symlink() else []
            elif any(folder.glob("libc.so*")):  # all libraries are in it, side by side
                yield folder
            else:
                for pattern in _OF_LIBRARIES:
                    yield from sorted(folder.glob(pattern))


def _parts(python: Interpreter) -> list[Path]:
    paths = [python.program, *python.library, *python.libraries]
    return [path for path in paths if path.exists()]


def toolchain(tool: str) -> tuple[Path | None, list[Path]]:
    """Return a compiler or a runtime and the parts of it, if it's in a folder of its own."""
    path = shutil.which(tool)
    if path is None:
        return None, []
    if tool == "rustc":  # often a switch between toolchains; this asks it for the one in use
        asked = subprocess.run(
            [path, "--print", "sysroot"], capture_output=True, text=True, timeout=20
        )
        path = f"{asked.stdout.strip()}/bin/rustc" if asked.returncode == 0 else path
    program = Path(os.path.realpath(path))
    root = program.parent.parent
    if root.parts[:2] in (("/", "usr"), ("/",)) and LOCAL not in root.parents and root != LOCAL:
        return program, []  # the system's own
    parts = [
        part for pattern in _OF_TOOLCHAINS.get(tool, ()) for part in sorted(root.glob(pattern))
    ]
    return program, list(dict.fromkeys([program, *parts, *needed_libraries([program])]))


def _is_in(path: Path, shown: Iterable[Path]) -> bool:
    return any(path == place or place in path.parents for place in shown)


def _is_taken(prefix: Path) -> bool:
    return any(Path(place) in (prefix, *prefix.parents) for place in _TAKEN)


def _moved(path: Path, old: Path, new: Path) -> Path:
    return new / path.relative_to(old) if old in path.parents else path
