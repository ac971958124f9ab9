"""Dockerfiles whose images our jails resemble, read into a `Start`.

A jail shows this machine's programs, so an image can be had if it is a plain Debian, Ubuntu or Python one with files
put into it: FROM, COPY, ADD, WORKDIR, ENV, ARG, LABEL, and RUN of commands that handle files. All else is refused by
line and reason (`ImageUnavailableError`): an environment is never another one than its Dockerfile says.
"""

from __future__ import annotations

import json
import posixpath
import re
import shlex
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from rlvr.core.errors import DataError, OptionError
from rlvr.envs.terminal.draft import packed
from rlvr.envs.terminal.start import Start
from rlvr.sandboxes.packages import declared

_BASES = re.compile(
    r"(?:docker\.io/)?(?:library/)?(debian|ubuntu|python)(?::([\w.-]+))?(?:@sha256:\w+)?"
)
_PYTHON = re.compile(r"(\d+)(?:\.(\d+))?")
_COMMANDS = frozenset(
    "base64 cat cd chmod cp cut echo false find git grep gunzip gzip head ln mkdir mv printf python python3 rm "  # noqa: SIM905
    "rmdir sed seq sha256sum sort tail tar tee test touch tr true truncate wc".split()
)
_GIT = frozenset(("add", "branch", "checkout", "commit", "config", "init", "mv", "rm", "tag"))
_INSTALLERS = ("apt", "apt-get", "apk", "conda", "curl", "npm", "pip", "pip3", "uv", "wget", "yum")
_JOINS = {"&&", "||", ";", "|", "&"}
_IGNORED = ("LABEL", "MAINTAINER", "EXPOSE", "STOPSIGNAL", "CMD")
# Folders that are the jail's own: a workspace can't have its own in their place.
_SYSTEM = ("bin", "boot", "box", "dev", "etc", "lib", "lib32", "lib64", "libx32", "proc", "root", "run", "sbin", "sys", "usr", "var")  # fmt: skip
_ABSOLUTE = re.compile(r"(?<![\w./~-])/[\w.-]+(?:/[\w.-]+)*")
_VARIABLE = re.compile(r"\$(?:\{(\w+)\}|(\w+))")
_MOST_MB = 16  # of all files


class ImageUnavailableError(DataError):
    """An image that our jails don't resemble; the message names the file, the line and the reason."""


@dataclass
class _Image:
    workdir: str = "/"
    environment: dict[str, str] = field(default_factory=dict)
    arguments: dict[str, str] = field(default_factory=dict)
    steps: list[dict[str, Any]] = field(default_factory=list)
    folders: set[str] = field(default_factory=set)
    packages: set[str] = field(default_factory=set)
    size: int = 0


def read_image(dockerfile: Path, context: Path, more: Mapping[str, str] | None = None) -> Start:
    """Return the start that a Dockerfile describes.

    Args:
        dockerfile: the file.
        context: the folder that COPY reads.
        more: further variables.

    Raises `ImageUnavailableError` if our jails can't be like it, `DataError` if it can't be read.
    """
    try:
        text = dockerfile.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{dockerfile} can't be read: {error}.") from None
    image, begun = _Image(), False
    for number, line in _instructions(text):
        word, _, rest = line.partition(" ")
        where = f"{dockerfile}, line {number}"
        word, rest = word.upper(), rest.strip()
        if word == "FROM":
            if begun:
                raise ImageUnavailableError(f"{where}: it has several stages.")
            check_base(rest, where)
            begun = True
        elif not begun and word != "ARG":
            raise DataError(f"{where}: {word} comes before FROM.")
        else:
            _apply(image, word, rest, context, where)
    if not begun:
        raise DataError(f"{dockerfile} has no FROM.")
    environment = {**image.environment, **(more or {})}
    start = start_of(image.workdir, image.folders, environment, image.steps, str(dockerfile))
    return replace(start, packages=tuple(sorted(image.packages)))


def start_of(
    workdir: str,
    folders: set[str],
    environment: Mapping[str, str],
    steps: list[dict[str, Any]],
    where: str,
) -> Start:
    """Return a start with all folders that its steps need. Raises `ImageUnavailableError` for one of the system's."""
    tops = sorted({top for folder in {workdir, *folders} if (top := top_of(folder, where))})
    first = top_of(workdir, where) or (tops[0] if tops else "/app")
    also = tuple(top for top in tops if top != first)
    return Start(first, also, workdir, dict(environment), tuple(steps))


def top_of(path: str, where: str) -> str:
    """Return the top folder of an absolute path; "" for `/` and `/tmp`, which are there. Raises `ImageUnavailableError`."""
    name = posixpath.normpath(path).lstrip("/").partition("/")[0]
    if name in _SYSTEM:
        raise ImageUnavailableError(
            f"{where}: it writes to {path!r:.80}, and a jail's own folders (/{name}) can't be changed."
        )
    return "" if name in ("", ".", "tmp") else f"/{name}"


def check_base(name: str, where: str) -> None:
    """Raise `ImageUnavailableError` if our jails don't resemble an image."""
    parts = name.split()
    match = _BASES.fullmatch(parts[0]) if len(parts) == 1 or parts[1:2] == ["AS"] else None
    if match is None:
        raise ImageUnavailableError(
            f"{where}: the image {name!r:.80} can't be had: jails are like a plain debian, ubuntu or python image."
        )
    version = _PYTHON.match(match[2] or "") if match[1] == "python" else None
    if version is not None:
        here = sys.version_info
        wanted = (int(version[1]), here.minor if version[2] is None else int(version[2]))
        if wanted != (here.major, here.minor):
            raise ImageUnavailableError(
                f"{where}: it asks for Python {version[0]}, and jails have {here.major}.{here.minor}."
            )


def _instructions(text: str) -> Iterator[tuple[int, str]]:
    """Yield instructions with the number of their first line; continued lines are joined, comments left out."""
    begun = 0
    parts: list[str] = []
    for number, line in enumerate(text.splitlines(), 1):
        stripped = line.strip()
        if stripped.startswith("#") or (not stripped and not parts):
            continue
        begun = begun or number
        parts.append(stripped.removesuffix("\\").strip())
        if not stripped.endswith("\\"):
            yield begun, " ".join(part for part in parts if part)
            begun, parts = 0, []
    if parts:
        yield begun, " ".join(parts)


def _apply(image: _Image, word: str, rest: str, context: Path, where: str) -> None:
    if "<<" in rest:
        raise ImageUnavailableError(f"{where}: here-documents in Dockerfiles aren't read.")
    if word == "WORKDIR":
        image.workdir = posixpath.join(image.workdir, _filled(image, rest))
        top_of(image.workdir, where)
        image.folders.add(image.workdir)
    elif word in ("ENV", "ARG"):
        pairs = dict(_pairs(image, rest, where, needs_value=word == "ENV"))
        (image.environment if word == "ENV" else image.arguments).update(pairs)
    elif word in ("COPY", "ADD"):
        _copy(image, word, rest, context, where)
    elif word == "RUN":
        _run(image, rest, where)
    elif word == "USER":
        if rest not in ("root", "0"):
            raise ImageUnavailableError(f"{where}: USER {rest!r:.40}: a workspace has one user.")
    elif word == "ENTRYPOINT":
        if rest not in ("[]", '["/bin/bash"]', '["bash"]', '["/bin/sh"]', '["sh"]'):
            raise ImageUnavailableError(
                f"{where}: nothing is started by ENTRYPOINT in a workspace."
            )
    elif word not in _IGNORED:
        raise ImageUnavailableError(f"{where}: {word} can't be had in a workspace.")


def _filled(image: _Image, text: str) -> str:
    values = {**image.arguments, **image.environment}
    return _VARIABLE.sub(lambda match: values.get(match[1] or match[2], match[0]), text)


def _pairs(image: _Image, text: str, where: str, needs_value: bool) -> Iterator[tuple[str, str]]:
    try:
        parts = shlex.split(text)
    except ValueError as error:
        raise DataError(f"{where}: {error}.") from None
    if parts and "=" not in parts[0] and needs_value:  # ENV NAME VALUE
        parts = [f"{parts[0]}={' '.join(parts[1:])}"]
    for part in parts:
        name, equals, value = part.partition("=")
        if equals:
            yield name, _filled(image, value)
        elif needs_value:
            raise DataError(f"{where}: {part!r:.60} has no value.")


def _copy(image: _Image, word: str, rest: str, context: Path, where: str) -> None:
    words = rest.split()
    executable = None
    while words and words[0].startswith("--"):
        flag, _, value = words.pop(0).partition("=")
        if flag != "--chmod" or not re.fullmatch(r"0?[0-7]{3}", value):
            raise ImageUnavailableError(f"{where}: {flag}={value} can't be had in a workspace.")
        executable = int(value, 8) & 0o100 != 0
    if rest.lstrip().startswith("["):
        try:
            words = [str(word) for word in json.loads(rest)]
        except ValueError as error:
            raise DataError(f"{where}: {error}.") from None
    words = [_filled(image, word) for word in words]
    if len(words) < 2:
        raise DataError(f"{where}: COPY has a source and a destination.")
    *sources, destination = words
    into = destination.endswith("/") or destination in (".", "..") or len(sources) > 1
    target = posixpath.normpath(posixpath.join(image.workdir, destination))
    files: dict[str, Any] = {}
    programs: list[str] = []
    for source in sources:
        if "://" in source or source.startswith("git@"):
            raise ImageUnavailableError(
                f"{where}: {source!r:.60} is downloaded, and jails have no network."
            )
        if source.endswith((".tar", ".gz", ".tgz", ".xz", ".bz2")) and word == "ADD":
            raise ImageUnavailableError(f"{where}: archives aren't unpacked.")
        for path, relative in _sources(context, source, where):
            content = path.read_bytes()
            image.size += len(content)
            if image.size > _MOST_MB << 20:
                raise ImageUnavailableError(f"{where}: the files have more than {_MOST_MB} MiB.")
            place = (
                target
                if relative == "" and not into
                else posixpath.join(target, relative or path.name)
            )
            files[place] = packed(content)
            if path.stat().st_mode & 0o100 if executable is None else executable:
                programs.append(place)
    image.folders.add(target if into or len(files) != 1 else posixpath.dirname(target))
    image.steps.append({"files": files, "executable": programs})


def _sources(context: Path, source: str, where: str) -> Iterator[tuple[Path, str]]:
    """Yield a source's files, each with its path within the source; "" for a file itself."""
    if (context / ".dockerignore").exists():
        raise ImageUnavailableError(f"{where}: a .dockerignore isn't read.")
    root = context.resolve()
    matches = sorted(root.glob(source.lstrip("/"))) if source.strip("./") else [root]
    if not matches:
        raise DataError(f"{where}: there's no {source!r:.80} in {context}.")
    for match in matches:
        if root not in (match.resolve(), *match.resolve().parents):
            raise DataError(f"{where}: {source!r:.80} leads out of {context}.")
        if match.is_dir():
            for path in sorted(match.rglob("*")):
                if path.is_symlink():
                    raise ImageUnavailableError(f"{where}: {path} is a link, which isn't copied.")
                if path.is_file():
                    yield path, path.relative_to(match).as_posix()
        else:
            yield match, ""


def _run(image: _Image, rest: str, where: str) -> None:
    if rest.startswith("["):
        try:
            command = shlex.join(str(word) for word in json.loads(rest))
        except ValueError as error:
            raise DataError(f"{where}: {error}.") from None
    else:
        command = rest
    installs, changes_files = False, False
    for words in _simple_commands(command, where):
        name = words[0]
        if packages := _pip_packages(words, where):
            image.packages |= packages
            installs = True
            continue
        changes_files = True
        if name in _INSTALLERS:
            raise ImageUnavailableError(
                f"{where}: {name!r} installs or downloads something, and jails have no network. Packages for Python "
                f"are declared for all jails: rlvr sandbox build --packages."
            )
        plain = name in _COMMANDS and not (name == "find" and {"-exec", "-execdir"} & set(words))
        if not plain or (name == "git" and (len(words) < 2 or words[1] not in _GIT)):
            raise ImageUnavailableError(
                f"{where}: RUN with {' '.join(words[:2])!r:.60}; only commands that handle files can be had."
            )
    if installs and changes_files:
        raise ImageUnavailableError(
            f"{where}: pip install is in a RUN of its own, or can't be had."
        )
    if installs:
        return
    for path in _ABSOLUTE.findall(command):
        if path not in ("/dev/null", "/bin/bash", "/bin/sh") and not path.startswith("/tmp/"):
            top_of(path, where)
            image.folders.add(path)
    image.steps.append({"run": command, "in": image.workdir})


def _pip_packages(words: list[str], where: str) -> set[str]:
    """Return the packages of `pip install NAME==VERSION …`, which jails must have; none for another command.

    Raises `ImageUnavailableError` for packages of another form.
    """
    if words[:3] in (["python", "-m", "pip"], ["python3", "-m", "pip"]):
        words = words[2:]
    if words[:2] not in (["pip", "install"], ["pip3", "install"]):
        return set()
    names = [
        word
        for word in words[2:]
        if word not in ("--no-cache-dir", "-q", "--quiet", "--upgrade", "-U")
    ]
    try:
        versions = declared(names)
    except OptionError as error:
        raise ImageUnavailableError(f"{where}: {error}") from None
    return {name if version is None else f"{name}=={version}" for name, version in versions.items()}


def _simple_commands(command: str, where: str) -> Iterator[list[str]]:
    if "$(" in command or "`" in command:
        raise ImageUnavailableError(f"{where}: RUN with commands in other commands isn't read.")
    try:
        lexer = shlex.shlex(command, posix=True, punctuation_chars=True)
        lexer.whitespace_split = True
        tokens = list(lexer)
    except ValueError as error:
        raise DataError(f"{where}: {error}.") from None
    words: list[str] = []
    for token in [*tokens, ";"]:
        if token in _JOINS:
            if words:
                yield words
            words = []
        elif set(token) <= set("()"):
            continue
        else:
            words.append(token)
