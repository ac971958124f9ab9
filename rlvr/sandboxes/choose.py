"""Which backend builds the jails: the one that's named, or the strongest that works here."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

from rlvr.core.errors import OptionError, SandboxError, nearest
from rlvr.sandboxes.link import Backend

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


def chosen(wanted: str | Backend = "auto") -> Choice:
    """The backend to use. Raises `SandboxError` where there's none, with what to install; never none at all."""
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
    for name, make in BACKENDS.items():
        backend = make()
        reason = backend.why_not()
        if reason is None:
            why = "the strongest that works here"
            if passed_over:
                why += f" ({' '.join(passed_over)})"
            _log.info("sandbox: %s, %s", name, why)
            return Choice(backend, why)
        passed_over.append(f"{name}: {reason}")
    raise SandboxError(
        "There's no sandbox on this machine, and without one no program is run.\n"
        + "\n".join(f"  {reason}" for reason in passed_over)
    )
