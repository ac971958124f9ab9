"""Talking to Docker's daemon: every call bounded in time, every failure said in the user's words."""

from __future__ import annotations

import contextlib
import http.client
import socket
from collections.abc import Iterator
from types import ModuleType
from typing import Any

from rlvr.core.errors import MissingExtraError, SandboxError

SOCKET = "unix:///var/run/docker.sock"

# What version of its API a daemon speaks, by address: asking takes a call.
_versions: dict[str, str] = {}


class AwayError(SandboxError):
    """The daemon doesn't answer.

    `hung` where it took the call and then said nothing: about one call in a thousand does that.
    """

    def __init__(self, message: str, hung: bool = False) -> None:
        super().__init__(message, hung)
        self.message = message
        self.hung = hung

    def __str__(self) -> str:
        return self.message


def package() -> ModuleType:
    """docker-py. Raises `MissingExtraError`."""
    try:
        import docker
    except ImportError:
        raise MissingExtraError(
            "Docker's client for Python isn't installed: pip install \"rlvr[docker]\""
        ) from None
    module: ModuleType = docker
    return module


@contextlib.contextmanager
def client(timeout_s: float) -> Iterator[Any]:
    """docker-py's low-level client, for a few calls by one thread.

    A new one each time: it's cheap, one can't be shared by threads, and after a fork it mustn't be.

    Args:
        timeout_s: seconds that the daemon may be silent within a call.

    Raises `AwayError` where it doesn't answer, `MissingExtraError`, and docker-py's `APIError` where it
    refuses.
    """
    docker = package()
    import requests
    import urllib3

    address, settings = _settings(docker)
    _knock(address, timeout_s)
    api = None
    try:
        api = docker.APIClient(**settings, version=_versions.get(address), timeout=timeout_s)
        _versions[address] = api.api_version
        yield api
    except docker.errors.APIError:
        raise
    except (
        docker.errors.DockerException,
        requests.RequestException,
        urllib3.exceptions.HTTPError,
        http.client.HTTPException,
        ConnectionError,
        TimeoutError,
    ) as error:
        raise _away(address, error, timeout_s) from error
    finally:
        if api is not None:
            api.close()


def explanation(error: Any) -> str:
    """Return the daemon's own words in an `APIError`."""
    return str(error.explanation or error)


def _settings(docker: ModuleType) -> tuple[str, dict[str, Any]]:
    """Return the daemon's address, from DOCKER_HOST. A link is a plain socket, so neither TLS nor ssh."""
    settings: dict[str, Any] = docker.utils.kwargs_from_env()
    address = str(settings.setdefault("base_url", SOCKET))
    if settings.get("tls") or not address.startswith(("unix:", "tcp:", "http:")):
        raise SandboxError(
            f"A sandbox can't reach Docker at {address} by TLS or ssh: forward its socket to this machine "
            f"and point DOCKER_HOST there (ssh -NL /tmp/docker.sock:/var/run/docker.sock HOST; "
            f"DOCKER_HOST=unix:///tmp/docker.sock)."
        )
    return address, settings


def _knock(address: str, timeout_s: float) -> None:
    """Raise `AwayError` if no daemon answers; docker-py would leave a socket behind."""
    kind, _, place = address.partition("://")
    try:
        if kind == "unix":
            with socket.socket(socket.AF_UNIX) as door:
                door.settimeout(timeout_s)
                door.connect(place)
        else:
            host, _, port = place.rstrip("/").rpartition(":")
            socket.create_connection((host, int(port)), timeout_s).close()
    except PermissionError:
        raise AwayError(
            f"You may not use Docker's socket {address}: add yourself to the group `docker` "
            f"(sudo usermod -aG docker $USER, then log in again), or run as root."
        ) from None
    except (OSError, ValueError) as error:
        raise _away(address, error, timeout_s) from None


def _away(address: str, error: Exception, timeout_s: float) -> AwayError:
    if "timed out" in str(error).lower():
        return AwayError(
            f"Docker's daemon at {address} hasn't answered in {timeout_s:g} s: see whether "
            f"`docker version` does, else restart it.",
            hung=True,
        )
    return AwayError(
        f"No Docker daemon answers at {address}: start it (sudo systemctl start docker), or point "
        f"DOCKER_HOST to where it is."
    )
