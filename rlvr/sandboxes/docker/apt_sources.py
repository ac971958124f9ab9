"""The archives that this Debian or Ubuntu gets its packages from: apt's own sources, in both of their formats."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rlvr.core.errors import SandboxError

# Suites that only add to another one.
ADDITIONS = ("-updates", "-security", "-backports", "-proposed", "/updates")


@dataclass(frozen=True, slots=True)
class Archive:
    """An archive of packages to bootstrap a system from.

    Attributes:
        uri: its mirror.
        suite: "bookworm", "noble", …
        components: "main", …
        keyring: the file of keys that its releases are signed with; "" where apt's sources name none.
    """

    uri: str
    suite: str
    components: tuple[str, ...]
    keyring: str = ""


def archive(root: Path = Path("/")) -> Archive:
    """Return the archive from which the system under `root` is made. Raises `SandboxError` if apt's sources name none."""
    sources = [source for source in _all(root) if _usable(source)]
    codename = _codename(root)
    # Further archives (a vendor's, a security update's) come with suites of their own names.
    for source in sources:
        if source.suite == codename:
            return source
    if sources:
        return sources[0]
    raise SandboxError(
        "apt's sources (/etc/apt/sources.list and sources.list.d) name no archive to take Debian's "
        "packages from. Build the image from a registry instead: rlvr sandbox build"
    )


def _usable(source: Archive) -> bool:
    """Return whether debootstrap can start from it: not a mirror list, not an addition to another suite."""
    fetchable = source.uri.startswith(("http://", "https://", "file:/"))
    return fetchable and "main" in source.components and not source.suite.endswith(ADDITIONS)


def _codename(root: Path) -> str:
    try:
        lines = (root / "etc/os-release").read_text(encoding="utf-8").splitlines()
    except OSError:
        return ""
    named = dict(line.split("=", 1) for line in lines if "=" in line)
    return named.get("VERSION_CODENAME", "").strip("\"'")


def _all(root: Path) -> Iterator[Archive]:
    folder = root / "etc/apt"
    for path in [folder / "sources.list", *sorted(folder.glob("sources.list.d/*"))]:
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            continue
        if path.suffix == ".list":
            yield from _one_line(text)
        elif path.suffix == ".sources":
            yield from _deb822(text)


def _one_line(text: str) -> Iterator[Archive]:
    """`deb [signed-by=/some/keys.gpg arch=amd64] http://deb.debian.org/debian bookworm main`."""
    for line in text.splitlines():
        line = line.partition("#")[0].strip()
        options: dict[str, str] = {}
        kind, _, rest = line.partition(" ")
        rest = rest.strip()
        if rest.startswith("["):
            inside, _, rest = rest[1:].partition("]")
            options = dict(option.split("=", 1) for option in inside.split() if "=" in option)
        words = rest.split()
        if kind == "deb" and len(words) >= 3:
            yield Archive(
                words[0], words[1], tuple(words[2:]), _keyring(options.get("signed-by", ""))
            )


def _deb822(text: str) -> Iterator[Archive]:
    """Stanzas of `Types:`, `URIs:`, `Suites:`, `Components:` and `Signed-By:`, several values each."""
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    for stanza in "\n".join(lines).split("\n\n"):
        fields: dict[str, str] = {}
        name = ""
        for line in stanza.splitlines():
            if line[:1].isspace():  # goes on
                fields[name] = f"{fields.get(name, '')} {line.strip()}"
            else:
                name, _, value = line.partition(":")
                name = name.strip().lower()
                fields[name] = value.strip()
        if fields.get("enabled", "yes").lower() in ("no", "false", "0"):
            continue
        if "deb" not in fields.get("types", "").split():
            continue
        for uri in fields.get("uris", "").split():
            for suite in fields.get("suites", "").split():
                components = tuple(fields.get("components", "").split())
                yield Archive(uri, suite, components, _keyring(fields.get("signed-by", "")))


def _keyring(signed_by: str) -> str:
    """Return a file of keys; the keys themselves, or a fingerprint, are of no use to debootstrap."""
    return signed_by if signed_by.startswith("/") and Path(signed_by).is_file() else ""
