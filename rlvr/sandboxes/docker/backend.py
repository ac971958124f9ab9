"""Jails in Docker containers: no network, nothing writable but memory, and few capabilities."""

from __future__ import annotations

import socket
import time
from collections.abc import Sequence
from typing import Any

from rlvr.core.errors import MissingExtraError, OptionError, SandboxError
from rlvr.sandboxes.docker import owners
from rlvr.sandboxes.docker.client import AwayError, client, explanation, package
from rlvr.sandboxes.docker.containers import (
    LABEL,
    OWNER,
    how_it_ended,
    new_name,
    reap,
    reaper,
    remove,
)
from rlvr.sandboxes.docker.link import DockerLink
from rlvr.sandboxes.link import ENVIRONMENT, PYTHON_FLAGS

__all__ = ["IMAGE", "Docker", "reap"]

IMAGE = "rlvr-sandbox"
PROCESSES = 256
# What the runner needs to change users, make namespaces, mount in them, see what programs use, and clear
# up after them. A program has none of it.
CAPABILITIES = (
    "SETUID", "SETGID", "KILL", "CHOWN", "DAC_OVERRIDE", "FOWNER", "MKNOD", "SYS_ADMIN", "SYS_PTRACE",
    "SYS_CHROOT",
)  # fmt: skip
ARGUMENT = 128 * 1024  # bytes: the kernel's bound for one argument
AWAY_S = 15.0  # how long `launch` waits for a daemon that isn't there: it may be restarting
ATTEMPTS = 3
ASK_S = 2.0  # how long `why_not` waits for an answer


class Docker:
    """The `Backend` whose jails are Docker containers. Any number of threads may launch.

    Args:
        image: the image they're made of; `rlvr sandbox build` makes it.
        runtime: the daemon's runtime, such as "runsc" for gVisor; its default where None.
        security_opt: further `--security-opt`s, such as "apparmor=unconfined".
        timeout_s: seconds that the daemon may be silent within a call, before it's tried again.
    """

    name = "docker"

    def __init__(
        self,
        image: str = IMAGE,
        runtime: str | None = None,
        security_opt: Sequence[str] = (),
        timeout_s: float = 20.0,
    ) -> None:
        self.image = image
        self.runtime = runtime
        self.security_opt = tuple(security_opt)
        self.timeout_s = timeout_s

    @property
    def key(self) -> str:
        """Two with one key have the same in their jails."""
        return f"docker {self.image} {self.runtime}"

    def why_not(self) -> str | None:
        """Return the reason why it can't be used here, and the remedy; None if it can. Takes a few seconds at most."""
        try:
            docker = package()
            with client(ASK_S) as api:
                try:
                    api.inspect_image(self.image)
                except docker.errors.NotFound:
                    return self._no_image()
                except docker.errors.APIError as error:
                    return f"Docker refuses the image {self.image!r}: {explanation(error)}"
                runtimes = list(api.info().get("Runtimes") or {}) if self.runtime else []
        except (MissingExtraError, SandboxError) as error:
            return str(error)
        except docker.errors.APIError as error:
            return f"Docker's daemon fails: {explanation(error)}"
        if self.runtime and self.runtime not in runtimes:
            return (
                f"Docker has no runtime {self.runtime!r}, only {', '.join(runtimes)}: install it and name "
                f"it in /etc/docker/daemon.json, under `runtimes`."
            )
        return None

    def launch(self, code: str, memory_mb: int) -> DockerLink:
        """Start a container in which `python3 -S -s -c CODE` runs; see `Backend`. Raises `SandboxError`."""
        if len(code.encode()) >= ARGUMENT:
            raise OptionError(
                f"{len(code.encode())} bytes of code don't fit into an argument: the kernel takes "
                f"{ARGUMENT}. Send what's long over the link."
            )
        docker = package()
        absent_until = time.monotonic() + AWAY_S
        refusals = 0
        while True:
            name = new_name()
            try:
                reaper.reap_once(self.timeout_s)
                return self._launch(name, code, memory_mb)
            except docker.errors.ImageNotFound:
                raise SandboxError(self._no_image()) from None
            except AwayError as error:
                refusals += error.hung
                absent = not error.hung and time.monotonic() > absent_until
                if refusals >= ATTEMPTS or absent:
                    raise SandboxError(str(error)) from error
            except docker.errors.APIError as error:
                refusals += 1
                if error.is_client_error() or refusals >= ATTEMPTS:
                    raise SandboxError(
                        f"Docker doesn't start a jail: {explanation(error)}"
                    ) from error
            time.sleep(0.2)

    def _launch(self, name: str, code: str, memory_mb: int) -> DockerLink:
        connection = None
        try:
            with client(self.timeout_s) as api:
                self._create(api, name, code, memory_mb)
                # Before it starts, or its first words are lost.
                connection = _attached(api, name)
                api.start(name)
        except BaseException:
            if connection is not None:
                connection.close()
            # Made or not: an answer may be lost after the deed. What this misses is reaped.
            reaper.wanted = True
            remove(name, patient=False)
            raise
        return DockerLink(connection, lambda: how_it_ended(name), lambda: remove(name))

    def _create(self, api: Any, name: str, code: str, memory_mb: int) -> None:
        types = package().types
        # In memory, so bounded by the jail's; a program has a folder of its own over each.
        memory = f"rw,exec,nosuid,nodev,mode=1777,size={memory_mb}m"
        host_config = api.create_host_config(
            auto_remove=True,
            network_mode="none",
            read_only=True,
            mem_limit=f"{memory_mb}m",
            memswap_limit=f"{memory_mb}m",  # the same as memory, no swap
            pids_limit=PROCESSES,
            cap_drop=["ALL"],
            cap_add=list(CAPABILITIES),
            security_opt=["no-new-privileges", *self.security_opt],
            ipc_mode="none",
            init=False,
            oom_score_adj=500,  # where the whole machine runs out, a jail goes before the trainer
            tmpfs={"/tmp": memory, "/box": memory},
            ulimits=[types.Ulimit(name="core", soft=0, hard=0)],
            log_config=types.LogConfig(type="none"),
            runtime=self.runtime,
        )
        api.create_container(
            self.image,
            name=name,
            entrypoint=["python3", *PYTHON_FLAGS, "-c", code],
            user="0:0",
            hostname="jail",
            working_dir="/",
            environment=ENVIRONMENT,
            stdin_open=True,  # with StdinOnce: it ends with our connection, so with our death
            labels={LABEL: "1", OWNER: owners.me()},
            stop_signal="SIGKILL",  # a daemon that starts again stops what's there, and would wait 10 s
            healthcheck={"test": ["NONE"]},
            host_config=host_config,
        )

    def _no_image(self) -> str:
        option = "" if self.image == IMAGE else f" --image {self.image}"
        return (
            f"There's no image {self.image!r}: rlvr sandbox build{option} "
            f"(with --from-host where no registry can be reached)"
        )


def _attached(api: Any, name: str) -> socket.socket:
    """Return a connection to the container's three streams, apart from docker-py's own."""
    params = {"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1}
    # What it gives is a file over the socket, and closing that wouldn't close the socket.
    return socket.socket(fileno=api.attach_socket(name, params)._sock.detach())
