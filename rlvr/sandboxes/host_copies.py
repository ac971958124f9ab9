"""Copies of this machine's Python, its packages and its toolchains, for an image that is made of its archive."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

from rlvr.sandboxes.host_files import toolchain
from rlvr.sandboxes.interpreter import Interpreter
from rlvr.sandboxes.languages import LANGUAGES
from rlvr.sandboxes.packages import Packages, make_readable

_TRY_S = 120.0
_LOCAL = Path("usr/local")
_OPT = Path("opt")
# Modules whose libraries a small system may lack.
_TRIED = ("ssl", "sqlite3", "ctypes", "bz2", "lzma", "zlib", "hashlib", "multiprocessing")


def toolchains(names: Sequence[str]) -> dict[str, list[str]]:
    """Return the tools of each language that the machine has in a folder of its own, not by its archive.

    Node.js counts as such if its program is all there is of it.
    """
    own_tools = {}
    for name in names:
        tools = LANGUAGES[name].tools
        if tools and all(_is_own(tool) for tool in tools):
            own_tools[name] = list(dict.fromkeys(tools))
    return own_tools


def _is_own(tool: str) -> bool:
    program, parts = toolchain(tool)
    if program is None:
        return False
    if tool == "node" and not parts:
        done = subprocess.run(["ldd", str(program)], capture_output=True, text=True)
        return done.returncode == 0 and "libnode" not in done.stdout
    return bool(parts)


def copy_toolchains(tools: Sequence[str], root: Path) -> None:
    """Copy tools with what they need below `root`, and link to them where all programs look."""
    commands = root / _LOCAL / "bin"
    commands.mkdir(parents=True, exist_ok=True)
    for tool in tools:
        program, parts = toolchain(tool)
        assert program is not None
        folder = program.parent.parent
        # Not where it is here: that may be somebody's home.
        place = _OPT / folder.name if parts else _OPT / tool
        for part in parts or [program]:
            relative = (
                part.relative_to(folder) if folder in part.parents else Path("lib", part.name)
            )
            if not (root / place / relative).exists():  # another tool of the toolchain's has it
                _copy(part, root / place / relative)
        (commands / tool).unlink(missing_ok=True)
        (commands / tool).symlink_to(f"/{place / program.relative_to(folder)}")


def copy_python(
    python: Interpreter, packages: Packages, root: Path, say: Callable[[str], None]
) -> Packages:
    """Copy a Python and the packages for it below `root`; return the packages that work there.

    The system's own Python is there already. One that can't run there isn't kept: then the image has the system's
    Python, and no packages.
    """
    if failure := _within(root, ["true"]):
        say(f"Nothing runs there, so no Python is copied: {failure}")
        return Packages({}, {})
    local = python.prefix != Path("/usr")
    site = root / "usr/lib/python3/dist-packages"
    copied: list[Path] = []
    if local:
        say(f"copying this machine's Python {python.version}")
        place = root / _LOCAL
        program = place / "bin" / python.program.name
        copied = [program, *(place / "bin" / name for name in ("python", "python3"))]
        _copy(python.program, program)
        for link in copied[1:]:
            if link != program:
                link.unlink(missing_ok=True)
                link.symlink_to(program.name)
        for folder in python.library:
            inside = place / folder.relative_to(python.prefix)
            foreign = {path.name for path in python.foreign if path.parent == folder}
            copied.append(inside)
            shutil.rmtree(inside, ignore_errors=True)
            # Not for embedding either, which takes as much room as all else.
            _copy(folder, inside, shutil.ignore_patterns(*foreign, "config-*"))
            site = inside / "site-packages"
        for library in python.libraries:
            copied.append(place / "lib" / library.name)
            _copy(library, copied[-1])
    _copy_packages(packages, site)
    for library in packages.libraries:
        _copy(library, root / _LOCAL / "lib" / library.name)
    for folder in (root / _LOCAL, root / _OPT, site):
        make_readable(folder)
    if (root / "usr/bin").is_dir() and not (root / "usr/bin/python").exists():
        (root / "usr/bin/python").symlink_to("python3")
    tried = ", ".join([*_TRIED, *(name for name in packages.versions if (site / name).is_dir())])
    if (root / "etc").is_dir():
        (root / "etc/localtime").unlink(missing_ok=True)
        (root / "etc/localtime").symlink_to("/usr/share/zoneinfo/Etc/UTC")
    failure = _within(root, ["ldconfig"]) or _within(root, ["python3", "-c", f"import {tried}"])
    if failure:
        for path in copied:
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        say(
            f"This machine's Python doesn't run there, so the system's is used, without packages: {failure}"
        )
        return Packages({}, {})
    return packages


def _copy_packages(packages: Packages, site: Path) -> None:
    site.mkdir(parents=True, exist_ok=True)
    for name, source in packages.entries.items():
        _copy(source, site / name if name else site)


def _copy(source: Path, target: Path, ignore: Callable[..., object] | None = None) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, symlinks=True, dirs_exist_ok=True, ignore=ignore)  # type: ignore[arg-type]
    else:
        shutil.copy2(source, target)


def _within(root: Path, command: Sequence[str]) -> str:
    """Run a command with `root` as its root; return how it failed, "" if it didn't."""
    environment = {"PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "LANG": "C.UTF-8"}
    environment["PYTHONDONTWRITEBYTECODE"] = "1"
    try:
        done = subprocess.run(
            ["chroot", str(root), *command],
            capture_output=True, text=True, timeout=_TRY_S, env=environment, stdin=subprocess.DEVNULL,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    lines = (done.stderr.strip() or f"exit status {done.returncode}").splitlines()
    return lines[-1] if done.returncode != 0 else ""
