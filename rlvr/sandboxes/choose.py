"""The choice of the backend that builds the jails: the one that's named, or the strongest that works here."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rlvr.core.errors import LacksError, OptionError, SandboxError, nearest
from rlvr.sandboxes.jail import Jail
from rlvr.sandboxes.link import Backend
from rlvr.sandboxes.needs import Needs

_log = logging.getLogger("rlvr.sandboxes")


@dataclass(frozen=True, slots=True)
class Choice:
    """A backend, and why it's this one."""

    backend: Backend
    why: str


def _docker() -> Backend:
    from rlvr.sandboxes.docker import Docker

    return Docker()


def _bubblewrap() -> Backend:
    from rlvr.sandboxes.bubblewrap import Bubblewrap

    return Bubblewrap()


# The strongest first: only Docker's control groups hold the memory of a whole jail.
BACKENDS: dict[str, Callable[[], Backend]] = {"docker": _docker, "bubblewrap": _bubblewrap}


def chosen(wanted: str | Backend = "auto", needs: Needs | None = None) -> Choice:
    """Return the backend to use; "auto" passes over one that lacks what programs need.

    Raises `SandboxError` if there's none, with what to install; never none at all.
    """
    if not isinstance(wanted, str):
        return Choice(wanted, "it was given")
    if wanted in BACKENDS:
        backend = BACKENDS[wanted]()
        reason = backend.why_not()
        if reason is not None:
            raise SandboxError(reason)
        return Choice(backend, "it was asked for")
    if wanted != "auto":
        raise OptionError(f"There's no sandbox {wanted!r}. {nearest(wanted, ['auto', *BACKENDS])}")
    passed_over: list[str] = []
    lacking = False
    for name, make in BACKENDS.items():
        backend = make()
        reason = backend.why_not()
        if reason is None and needs and (missing := lacks(backend, needs)):
            reason, lacking = explained(name, missing), True
        if reason is None:
            why = "the strongest that works here"
            if passed_over:
                why += f" ({' '.join(passed_over)})"
            # Somebody who built an image for it should hear that it isn't used.
            _log.log(logging.WARNING if lacking else logging.INFO, "sandbox: %s, %s", name, why)
            return Choice(backend, why)
        passed_over.append(f"{name}: {reason}")
    if lacking:
        raise LacksError(
            "No sandbox on this machine has what the programs need.\n"
            + "\n".join(f"  {reason}" for reason in passed_over)
        )
    raise SandboxError(
        "There's no sandbox on this machine, and without one no program is run.\n"
        + "\n".join(f"  {reason}" for reason in passed_over)
    )


_found: dict[tuple[str, Needs], list[str]] = {}


def lacks(backend: Backend, needs: Needs) -> list[str]:
    """Return what a backend's jails lack, in words; a jail is started to know it. Raises `SandboxError`."""
    key = (getattr(backend, "key", backend.name), needs)
    if key not in _found:
        jail = Jail(backend, 1024)
        try:
            missing = jail.lacks(needs)
        finally:
            jail.close()
        if missing:
            return missing
        _found[key] = missing  # what is lacking may be built meanwhile
    return _found[key]


def explained(backend: str, missing: Sequence[str]) -> str:
    """Return a sentence that says what a backend lacks, and what to do about it."""
    problem = f"it lacks {', '.join(missing)}"
    if backend == "docker":
        return f"{problem}: rebuild the image with `rlvr sandbox build` (--languages, --packages)."
    if any("package" in item or "import" in item or "only" in item for item in missing):
        return f"{problem}: `rlvr sandbox build --packages NAME,…`, and install languages on this machine."
    return f"{problem}: install it on this machine."
