"""The Python that programs run with: where its parts are, and which of them a jail needs.

A jail shows a Python's program, standard library and shared libraries, and none of the packages installed for it.
"""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from rlvr.core.errors import SandboxError

_ASK_S = 30.0
_ABOUT = """
import json, platform, site, sys, sysconfig
paths = sysconfig.get_paths()
print(json.dumps({
    "version": platform.python_version(), "tag": sys.implementation.cache_tag, "prefix": sys.prefix,
    "library": [paths["stdlib"], paths["platstdlib"]], "modules": sorted(sys.stdlib_module_names),
    "sites": [*site.getsitepackages(), paths["purelib"], paths["platlib"]],
}))
"""
# What lies beside the modules of the standard library and belongs to it. `config-…` is for embedding.
_BESIDE = (
    "__pycache__",
    "lib-dynload",
    "__hello__",
    "__phello__",
    "LICENSE",
    "EXTERNALLY-MANAGED",
)
_BESIDE_BEGINS = ("_sysconfigdata", "config-")


@dataclass(frozen=True, slots=True)
class Interpreter:
    """A Python below any virtual environment.

    Attributes:
        program: its file, no link.
        version: "3.12.1".
        tag: "cpython-312": packages that have compiled modules fit interpreters of one tag.
        prefix: the folder that `program` finds its library from.
        library: the folders of its standard library; most often one.
        foreign: entries of these folders that aren't the standard library's, such as `site-packages`.
        sites: the folders where it looks for packages, of which the first is for ours.
        libraries: shared libraries that it needs and that aren't in a folder of the system's.
    """

    program: Path
    version: str
    tag: str
    prefix: Path
    library: tuple[Path, ...]
    foreign: tuple[Path, ...]
    sites: tuple[Path, ...]
    libraries: tuple[Path, ...]

    @property
    def minor(self) -> str:
        """Return the version as in "python3.12"."""
        return ".".join(self.version.split(".")[:2])


def base_python() -> str:
    """Return the interpreter below any virtual environment."""
    return os.path.realpath(getattr(sys, "_base_executable", None) or sys.executable)


@functools.cache
def interpreter(python: str) -> Interpreter:
    """Ask a Python about itself, once. Raises `SandboxError` if it doesn't answer."""
    program = Path(os.path.realpath(python))
    asked = [str(program), "-I", "-S", "-c", _ABOUT]
    try:
        done = subprocess.run(asked, capture_output=True, text=True, timeout=_ASK_S)
        about = json.loads(done.stdout)
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        raise SandboxError(
            f"The Python {python} doesn't say where its library is: {error}"
        ) from None
    library = tuple(dict.fromkeys(map(Path, about["library"])))
    return Interpreter(
        program,
        about["version"],
        about["tag"],
        Path(about["prefix"]),
        library,
        tuple(path for folder in library for path in _foreign(folder, set(about["modules"]))),
        tuple(dict.fromkeys(map(Path, about["sites"]))),
        _libraries(program, library, Path(about["prefix"])),
    )


def _foreign(folder: Path, modules: set[str]) -> list[Path]:
    """Return the entries of a standard library's folder that aren't its own."""
    entries = []
    for path in sorted(folder.iterdir()):
        name = path.name.partition(".")[0]
        own = name in modules or name in _BESIDE or name.startswith(_BESIDE_BEGINS)
        if not own and not path.is_symlink():  # a link's target isn't shown
            entries.append(path)
    return entries


def _libraries(program: Path, library: tuple[Path, ...], prefix: Path) -> tuple[Path, ...]:
    """Return the shared libraries that are of the interpreter's own prefix."""
    if prefix == Path("/usr"):
        return ()
    objects = [program]
    own = [path for path in prefix.glob("lib/*.so*") if not path.name.startswith("libpython")]
    if own:  # as in a conda environment: extension modules use what is there
        objects += [path for folder in library for path in folder.glob("lib-dynload/*.so")]
    return needed_libraries(objects)


def needed_libraries(objects: list[Path]) -> tuple[Path, ...]:
    """Return the shared libraries that these files load and that are in no folder of the system's."""
    try:
        done = subprocess.run(
            ["ldd", *map(str, objects)], capture_output=True, text=True, timeout=_ASK_S
        )
    except (OSError, subprocess.TimeoutExpired):
        return ()
    libraries: dict[Path, None] = {}
    for line in done.stdout.splitlines():
        path = line.partition("=> ")[2].rpartition(" (")[0]
        if path.startswith("/") and not path.startswith(("/usr/lib", "/lib")):
            libraries[Path(os.path.normpath(path))] = None
    return tuple(libraries)
