"""The packages that programs may import: a declared set, the same in every jail of a machine.

By default it's NumPy, as it is installed beside rlvr. `rlvr sandbox build --packages` declares another set and
puts it into a folder of its own, from which bubblewrap's jails and Docker's image have it.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from rlvr.core.errors import OptionError, SandboxError
from rlvr.sandboxes.interpreter import Interpreter, needed_libraries

DEFAULT = ("numpy",)
"""The packages that Python programs may import if nobody declares any."""

_REQUIREMENT = re.compile(r"([A-Za-z0-9][\w.-]*)\s*(?:==\s*([\w.!+-]+))?")
_REQUIRED = re.compile(r"[A-Za-z0-9][\w.-]*")
_INSTALL_S = 1800.0


@dataclass(frozen=True, slots=True)
class Packages:
    """A set of packages as files on this machine.

    Attributes:
        versions: by name, of the declared ones and of all that these need.
        entries: source by its name in the folder where Python looks for packages: folders and modules. If
            it's one source by the name "", that is the whole folder.
        libraries: shared libraries elsewhere that they need.
    """

    versions: dict[str, str]
    entries: dict[str, Path]
    libraries: tuple[Path, ...] = ()


def normal(name: str) -> str:
    """Return a distribution's name as the index compares names."""
    return re.sub(r"[-_.]+", "-", name).lower()


def declared(names: Sequence[str]) -> dict[str, str | None]:
    """Read names such as "numpy" and "numpy==2.1.0"; return versions by name. Raises `OptionError`."""
    versions: dict[str, str | None] = {}
    for name in names:
        match = _REQUIREMENT.fullmatch(name.strip()) if isinstance(name, str) else None
        if match is None:
            raise OptionError(
                f"A package is a name such as numpy, or numpy==2.1.0, not {name!r:.80}."
            )
        versions[normal(match[1])] = match[2]
    return versions


def of_jails(python: Interpreter) -> Packages:
    """Return the packages that bubblewrap's jails have: the built set, otherwise the default one."""
    folder = built_folder(python)
    try:
        versions = json.loads((folder / "packages.json").read_text("utf-8"))
        if (folder / "packages").is_dir():
            return Packages(versions, {"": folder / "packages"})
    except (OSError, ValueError):
        pass
    return _beside_us(python.tag)


def built_folder(python: Interpreter) -> Path:
    """Return the folder of the set that was built for a Python, whether it's there or not."""
    data = os.environ.get("XDG_DATA_HOME") or "~/.local/share"
    name = f"{python.tag}-{platform.machine()}"
    return Path(os.path.expanduser(data), "rlvr", "sandbox", name)


@functools.cache
def _beside_us(tag: str) -> Packages:
    """Return the packages of the default set that this process's Python has, with only their own files, if they fit."""
    packages = Packages({}, {})
    for name in DEFAULT:
        with contextlib.suppress(metadata.PackageNotFoundError):
            distribution = metadata.distribution(name)
            entries = _entries(distribution)
            # Without its modules (an editable install), or for another Python, it's of no use.
            if tag == sys.implementation.cache_tag and any(
                path.is_dir() for path in entries.values()
            ):
                packages.versions[name] = distribution.version
                packages.entries.update(entries)
    objects = [path for source in packages.entries.values() for path in source.rglob("*.so")]
    libraries = (
        () if any(e.endswith(".libs") for e in packages.entries) else needed_libraries(objects)
    )
    return Packages(packages.versions, packages.entries, libraries)


def _entries(distribution: metadata.Distribution) -> dict[str, Path]:
    """Return what a distribution has in its folder, by name: import packages, modules, its own metadata."""
    names = {path.parts[0] for path in _files(distribution) if len(path.parts) > 1}
    names |= {path.name for path in _files(distribution) if len(path.parts) == 1}
    root = Path(str(distribution.locate_file("")))
    return {name: root / name for name in sorted(names) if (root / name).exists()}


def _files(distribution: metadata.Distribution) -> Iterator[Path]:
    """Return a distribution's files, relative to the folder where it's installed."""
    root = Path(str(distribution.locate_file("")))
    own = Path(str(getattr(distribution, "_path", root)))
    if (own / "RECORD").is_file():
        for file in distribution.files or ():
            if file.parts[0] != ".." and not file.is_absolute() and "__pycache__" not in file.parts:
                yield Path(*file.parts)
        return
    # A system's package has no list; its import packages are named.
    for name in (distribution.read_text("top_level.txt") or distribution.metadata["Name"]).split():
        for path in (root / name, root / f"{name}.libs", root / f"{name}.py", own):
            if path.is_dir():
                inside = (file for file in path.rglob("*") if file.is_file())
                yield from (
                    file.relative_to(root) for file in inside if "__pycache__" not in file.parts
                )
            elif path.is_file():
                yield path.relative_to(root)


# ---------------------------------------------------------------- building a set


def build(
    names: Sequence[str],
    python: Interpreter,
    from_host: bool = False,
    say: Callable[[str], None] = lambda line: None,
) -> Packages:
    """Put a set of packages, with all that they need, into the folder that bubblewrap's jails show.

    Args:
        names: such as "numpy" or "numpy==2.1.0"; none of them for the standard library alone.
        python: that they are for.
        from_host: only copy what is installed beside rlvr. Otherwise what isn't there, or in another
            version, is installed by pip.

    Raises `SandboxError` and `OptionError`; then the set that was there before is untouched.
    """
    wanted = declared(names)
    absent = _absent(wanted, python)
    if absent and from_host:
        raise SandboxError(
            f"Not installed beside rlvr: {', '.join(absent)}. Install them with pip first, or leave "
            f"out --from-host."
        )
    folder = built_folder(python)
    folder.parent.mkdir(parents=True, exist_ok=True)
    new_folder = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        new_folder.chmod(0o755)
        place = new_folder / "packages"
        place.mkdir(mode=0o755)
        if absent:
            say(f"installing {' '.join(names)} for Python {python.version}")
            _install(
                {name: version or _here(name) for name, version in wanted.items()}, python, place
            )
        else:
            for distribution in _with_dependencies(wanted):
                say(f"copying {distribution.metadata['Name']} {distribution.version}")
                _copy(distribution, place)
        make_readable(place)
        command = [str(python.program), "-I", "-m", "compileall", "-q", "--invalidation-mode"]
        subprocess.run([*command, "unchecked-hash", str(place)], capture_output=True)
        versions = {normal(name): version for name, version in _installed(place)}
        (new_folder / "packages.json").write_text(json.dumps(versions, indent=1), "utf-8")
        _swap(new_folder, folder)
    finally:
        shutil.rmtree(new_folder, ignore_errors=True)
    return Packages(versions, {"": folder / "packages"})


def _absent(wanted: dict[str, str | None], python: Interpreter) -> list[str]:
    """Return those of a set that can't be copied from beside rlvr, or aren't complete there."""
    if python.tag != sys.implementation.cache_tag:
        return list(wanted)
    absent = []
    for name, version in wanted.items():
        try:
            if version not in (None, metadata.version(name)):
                absent.append(f"{name}=={version}")
            for distribution in _with_dependencies({name: None}):
                if not any(
                    file.suffix in (".py", ".so") for file in _files(distribution)
                ):  # editable
                    raise metadata.PackageNotFoundError(distribution.metadata["Name"])
        except metadata.PackageNotFoundError as error:
            absent.append(name if str(error.name) == name else f"{error.name}, which {name} needs")
    return absent


def _here(name: str) -> str | None:
    """Return the version that is installed beside rlvr, so that jails of all kinds have the same."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _with_dependencies(wanted: dict[str, str | None]) -> list[metadata.Distribution]:
    """Return distributions and what they require. Raises `PackageNotFoundError`."""
    distributions: dict[str, metadata.Distribution] = {}
    left = list(wanted)
    while left:
        name = left.pop()
        if name in distributions:
            continue
        distributions[name] = metadata.distribution(name)
        for requirement in distributions[name].requires or ():
            specifier, _, marker = requirement.partition(";")
            required = _REQUIRED.match(specifier.strip())
            if required is None or re.search(r"\bextra\b", marker):
                continue
            try:
                metadata.distribution(required[0])
            except metadata.PackageNotFoundError:
                if marker:  # for another system or another Python
                    continue
                raise
            left.append(normal(required[0]))
    return [distributions[name] for name in sorted(distributions)]


def _copy(distribution: metadata.Distribution, place: Path) -> None:
    root = Path(str(distribution.locate_file("")))
    for file in _files(distribution):
        target = place / file
        target.parent.mkdir(parents=True, exist_ok=True)
        if (root / file).is_file():
            shutil.copy2(root / file, target)


def _install(wanted: dict[str, str | None], python: Interpreter, place: Path) -> None:
    names = [name if version is None else f"{name}=={version}" for name, version in wanted.items()]
    command = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-compile",
        "--target",
        str(place),
    ]
    command += ["--only-binary", ":all:", "--python-version", python.minor]
    done = subprocess.run([*command, *names], capture_output=True, text=True, timeout=_INSTALL_S)
    if done.returncode != 0:
        last = "\n  ".join(done.stderr.strip().splitlines()[-4:])
        raise SandboxError(
            f"pip can't install {' '.join(names)}:\n  {last}\nWhere no index can be reached, install "
            f"them beside rlvr, and: rlvr sandbox build --from-host"
        )
    shutil.rmtree(place / "bin", ignore_errors=True)


def make_readable(place: Path) -> None:
    """Let every user read it: programs have user ids of their own."""
    for folder, _, files in os.walk(place):
        os.chmod(folder, 0o755)
        for name in files:
            path = Path(folder, name)
            if not path.is_symlink():
                path.chmod(0o755 if os.access(path, os.X_OK) else 0o644)


def _installed(place: Path) -> list[tuple[str, str]]:
    distributions = metadata.distributions(path=[str(place)])
    return sorted(
        (distribution.metadata["Name"], distribution.version) for distribution in distributions
    )


def _swap(new: Path, folder: Path) -> None:
    """Put one folder in another's place. Jails that run keep what they have."""
    old = new.with_name(f"{new.name}-old")
    with contextlib.suppress(FileNotFoundError):
        folder.rename(old)
    new.rename(folder)
    shutil.rmtree(old, ignore_errors=True)
