"""Harbor's task folders (schema 1.0 to 1.4) as tasks of the environment `terminal`.

    task/
      task.toml              [task] name, [verifier], [agent], [environment], artifacts
      instruction.md
      environment/Dockerfile
      tests/test.sh          writes /logs/verifier/reward.json or reward.txt
      solution/solve.sh

A field that isn't known is refused, and what our jails can't be is said per task: its episodes are unscored, with the
reason, so that a figure never counts another environment than the folder describes.
"""

from __future__ import annotations

import functools
import hashlib
import posixpath
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

from rlvr.core.errors import CannotScore, DataError
from rlvr.core.task import Task
from rlvr.core.verdict import Cause
from rlvr.envs.prompt import Prompt
from rlvr.envs.terminal.controls import CONTROLS, Controls, read_controls
from rlvr.envs.terminal.dockerfile import (
    ImageUnavailableError,
    check_base,
    read_image,
    start_of,
)
from rlvr.envs.terminal.harbor_files import (
    SOLUTION,
    plain_json,
    solution_of,
    text_of,
    tree_of,
)
from rlvr.envs.terminal.start import Start

_SCHEMA = re.compile(r"1\.[0-4]")
_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
_TABLES: dict[str, frozenset[str]] = {
    "": frozenset("schema_version version task metadata verifier agent environment solution source artifacts steps multi_step_reward_strategy".split()),  # noqa: SIM905
    "task": frozenset(("name", "version", "description", "authors", "keywords")),
    "agent": frozenset(("timeout_sec", "user", "network_mode", "allowed_hosts")),
    "solution": frozenset(("env",)),
    "verifier": frozenset("timeout_sec env user environment_mode environment collect network_mode allowed_hosts".split()),  # noqa: SIM905
    "environment": frozenset("build_timeout_sec docker_image os cpus memory_mb storage_mb memory storage gpus gpu_types tpu mcp_servers env skills_dir healthcheck workdir network_mode allowed_hosts allow_internet".split()),  # noqa: SIM905
}  # fmt: skip
_UNAVAILABLE = ("gpus", "gpu_types", "tpu", "mcp_servers", "skills_dir", "healthcheck")
TESTS, LOGS = "/tests", "/logs"
MOST_KB = 8192
"""Most KiB of a task's artifacts."""
_MOST_SECONDS = 3600.0


def is_task(folder: Path) -> bool:
    """Return whether a folder is a task of Harbor's."""
    return (folder / "task.toml").is_file()


def harbor_folders(data: str | Path) -> list[Path]:
    """Return the task folders of a folder, which may be one itself. Raises `DataError` if there is none."""
    root = Path(data)
    folders = [root] if is_task(root) else sorted(path for path in root.glob("*") if is_task(path))
    if not folders:
        raise DataError(f"{root} is no task of Harbor's and holds none: there's no task.toml.")
    return folders


@dataclass(frozen=True, slots=True)
class HarborTask:
    """A task's folder, read.

    Attributes:
        name: as `task.toml` has it.
        instruction: what the model is asked to do.
        start: the task's image.
        agents: the agent's workspace before its first command: the image, with folders for logs and a solution.
        judging: the verifier's workspace before artifacts and tests are put into it.
        shared: True if the tests are written for the agent's own container: then the artifacts are all of its folders.
        artifacts: the files and folders that the verifier gets.
        collect: commands that run in the agent's workspace at the end.
        tests: the files of `tests/`, by their path in it.
        timeout_s: of the tests.
        environment: variables of the tests.
        solution: commands that do what is asked; none if `solution/` can't be written by calls.
        controls: what `tests/rlvr.json` says; see `rlvr.envs.terminal.controls`.
        metadata: the table `[metadata]`.
        unavailable: the reason why our jails can't be what the folder describes; "" if they can.
    """

    name: str
    instruction: str
    start: Start
    agents: Start
    judging: Start
    shared: bool
    artifacts: tuple[str, ...]
    collect: tuple[str, ...]
    tests: Mapping[str, Any]
    timeout_s: float
    environment: Mapping[str, str]
    solution: tuple[str, ...]
    controls: Controls | None
    metadata: Mapping[str, Any]
    unavailable: str = ""


def harbor_tasks(
    data: str | Path, prompt: Prompt, tools: str = "", offline: bool = False
) -> list[Task]:
    """Read the tasks of a folder.

    Args:
        data: a task's folder, or one that holds several.
        prompt: may use {instruction}, {folder} and {tools}.
        tools: the description of the tools for the prompt.
        offline: take tasks that would have a network, and play them without one.

    Raises `DataError` naming the file and the field that can't be read, and if no task of all can be had here.
    """
    tasks = []
    for folder in harbor_folders(data):
        read = read_task(str(folder.resolve()), offline)
        fields = {
            "instruction": read.instruction,
            "folder": read.start.workdir or read.start.folder,
            "tools": tools,
        }
        reference = {
            "folder": str(folder.resolve()),
            "offline": offline,
            "digest": digest_of(folder),
        }
        metadata = {
            "harbor": read.name,
            "unavailable": read.unavailable,
            **plain_json({"metadata": read.metadata}),
        }
        tasks.append(Task(prompt.render(fields), reference, folder.resolve().name, metadata))
    if all(task.metadata["unavailable"] for task in tasks):
        raise DataError(
            f"None of the {len(tasks)} tasks of {data} can be had here. The first: {tasks[0].metadata['unavailable']}"
        )
    return tasks


def task_at(reference: Mapping[str, Any]) -> HarborTask:
    """Return the folder that a task's reference names. Raises `CannotScore` if it can't be read any more."""
    try:
        return read_task(str(reference["folder"]), bool(reference["offline"]))
    except (DataError, KeyError, TypeError) as error:
        raise CannotScore(Cause.GOLD, str(error)) from error


def digest_of(folder: Path) -> str:
    """Return a digest of all files of a task's folder."""
    hasher = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            hasher.update(
                f"{path.relative_to(folder).as_posix()}\0{path.stat().st_size}\0".encode()
            )
            hasher.update(path.read_bytes())
    return hasher.hexdigest()


@functools.lru_cache(maxsize=64)
def read_task(folder: str, offline: bool = False) -> HarborTask:
    """Read one task. Raises `DataError` naming the file and the field."""
    root = Path(folder)
    path = root / "task.toml"
    config = _config(path)
    instruction = text_of(root / "instruction.md").strip()
    if not instruction:
        raise DataError(f"{root / 'instruction.md'} is empty.")
    verifier, own = config.get("verifier", {}), config.get("environment", {})
    unavailable, start, judging = "", Start("/app"), None
    try:
        _check_available(config, own, verifier, offline, path)
        start = _start(root / "environment", own, path)
        if "environment" in verifier:
            _check_table(verifier["environment"], "environment", path)
            judging = _start(root / "tests", verifier["environment"], path)
    except ImageUnavailableError as error:
        unavailable = str(error)
    shared = judging is None and verifier.get("environment_mode", "shared") == "shared"
    declared = _artifacts(config, path, start.workdir or start.folder)
    spec = root / "tests" / CONTROLS
    also = (*start.also, *(item for item in (LOGS, SOLUTION) if item not in start.also))
    return HarborTask(
        name=config.get("task", {}).get("name", root.name),
        instruction=instruction,
        start=start,
        agents=replace(start, also=also),
        judging=judging or start,
        shared=shared,
        artifacts=(start.folder, *start.also) if shared else tuple(declared),
        collect=tuple(
            _string(item, "command", path, "verifier.collect")
            for item in verifier.get("collect", [])
        ),
        tests=tree_of(root / "tests", "test.sh"),
        timeout_s=_seconds(verifier, "timeout_sec", 600.0, path, "verifier"),
        environment=_strings(verifier.get("env", {}), path, "verifier.env"),
        solution=tuple(solution_of(root / "solution")),
        controls=read_controls(spec) if spec.is_file() else None,
        metadata=config.get("metadata", {}),
        unavailable=unavailable,
    )


# ------------------------------------------------------------------ task.toml


def _config(path: Path) -> dict[str, Any]:
    try:
        config = tomllib.loads(text_of(path))
    except tomllib.TOMLDecodeError as error:
        raise DataError(f"{path}: {error}.") from None
    _check_table(config, "", path)
    version = str(config.get("schema_version", config.get("version", "1.4")))
    if not _SCHEMA.fullmatch(version):
        raise DataError(f"{path}: schema_version is {version!r:.20}; 1.0 to 1.4 can be read.")
    for name in ("task", "agent", "solution", "verifier", "environment"):
        _check_table(config.get(name, {}), name, path)
    name = config.get("task", {}).get("name")
    if name is not None and (not isinstance(name, str) or not _NAME.fullmatch(name)):
        raise DataError(f"{path}: task.name is 'org/name', not {name!r:.60}.")
    mode = config.get("verifier", {}).get("environment_mode", "shared")
    if mode not in ("shared", "separate"):
        raise DataError(
            f"{path}: verifier.environment_mode is 'separate' or 'shared', not {mode!r:.40}."
        )
    return config


def _check_table(table: Any, name: str, path: Path) -> None:
    where = f"[{name}]" if name else "the file"
    if not isinstance(table, Mapping):
        raise DataError(f"{path}: {name} is a table, not {table!r:.40}.")
    for field in table:
        if field not in _TABLES[name]:
            raise DataError(
                f"{path}: {where} has a field {field!r:.40} that isn't known in schema 1.4."
            )


def _check_available(
    config: Mapping[str, Any],
    own: Mapping[str, Any],
    verifier: Mapping[str, Any],
    offline: bool,
    path: Path,
) -> None:
    """Raise `ImageUnavailableError` if a workspace can't be what the file asks for."""
    if config.get("steps"):
        raise ImageUnavailableError(f"{path}: steps: tasks of several steps can't be played.")
    tables = {"environment": own, "verifier": verifier, "agent": config.get("agent", {})}
    tables["verifier.environment"] = verifier.get("environment", {})
    for name, table in tables.items():
        for field in _UNAVAILABLE:
            if table.get(field):
                raise ImageUnavailableError(f"{path}: {name}.{field} can't be had in a workspace.")
        if str(table.get("os", "linux")).lower() != "linux":
            raise ImageUnavailableError(
                f"{path}: {name}.os is {table['os']!r:.20}; workspaces have Linux."
            )
        if table.get("user") not in (None, "root", 0):
            raise ImageUnavailableError(f"{path}: {name}.user: a workspace has one user.")
        default = (
            "no-network"
            if name != "environment" or own.get("allow_internet") is False
            else "public"
        )
        mode = table.get("network_mode", default)
        if mode not in ("no-network", "public", "allowlist"):
            raise DataError(f"{path}: {name}.network_mode is {mode!r:.40}.")
        if mode != "no-network" and not offline:
            raise ImageUnavailableError(
                f'{path}: {name}.network_mode is {mode!r}, and a workspace has no network. Set it to "no-network", or '
                f"make the environment with offline=True if the task needs none."
            )


def _start(folder: Path, table: Mapping[str, Any], path: Path) -> Start:
    more = _strings(table.get("env", {}), path, "environment.env")
    if missing := [value for value in more.values() if "${" in value]:
        raise ImageUnavailableError(
            f"{path}: environment.env takes {missing[0]!r:.40} from the host, which is kept apart."
        )
    workdir = table.get("workdir")
    dockerfile = folder / "Dockerfile"
    if dockerfile.is_file():
        start = read_image(dockerfile, folder, more)
    elif isinstance(image := table.get("docker_image"), str):
        check_base(image, f"{path}, environment.docker_image")
        start = start_of("/", set(), more, [], str(path))
    else:
        raise ImageUnavailableError(
            f"{path}: there's neither {dockerfile} nor environment.docker_image."
        )
    if any((folder / name).exists() for name in ("docker-compose.yaml", "docker-compose.yml")):
        raise ImageUnavailableError(f"{folder}: several services (docker-compose) can't be had.")
    if isinstance(workdir, str):
        folders = {start.folder, *start.also, workdir}
        start = start_of(
            workdir, folders, start.environment, [dict(step) for step in start.steps], str(path)
        )
    return start


def _artifacts(config: Mapping[str, Any], path: Path, workdir: str) -> list[str]:
    sources = [f"{LOGS}/artifacts"]
    for entry in config.get("artifacts", []):
        table = {"source": entry} if isinstance(entry, str) else entry
        source = table.get("source") if isinstance(table, Mapping) else None
        if not isinstance(source, str) or not source:
            raise DataError(
                f"{path}: artifacts has {entry!r:.60}; each is a path or a table with a source."
            )
        if table.get("service") not in (None, "main"):
            raise DataError(f"{path}: artifacts has {entry!r:.60}: there are no other services.")
        source = posixpath.join(workdir, source)
        parts = PurePosixPath(source).parts
        if ".." in parts or parts[:2] == ("/", "tests") or parts[:3] == ("/", "logs", "verifier"):
            raise DataError(
                f"{path}: artifacts has {source!r:.60}, where the verifier's own files are."
            )
        sources.append(source.rstrip("/"))
    return sources


def _seconds(table: Mapping[str, Any], field: str, default: float, path: Path, name: str) -> float:
    value = table.get(field, default)
    if (
        isinstance(value, bool)
        or not isinstance(value, int | float)
        or not 0 < value <= _MOST_SECONDS
    ):
        raise DataError(
            f"{path}: {name}.{field} is a number of seconds up to {_MOST_SECONDS:g}, not {value!r:.40}."
        )
    return float(value)


def _strings(table: Any, path: Path, name: str) -> dict[str, str]:
    if not isinstance(table, Mapping) or not all(
        isinstance(value, str) for value in table.values()
    ):
        raise DataError(f"{path}: {name} is a table of texts.")
    return {str(key): value for key, value in table.items()}


def _string(table: Any, field: str, path: Path, name: str) -> str:
    value = table.get(field) if isinstance(table, Mapping) else None
    if not isinstance(value, str):
        raise DataError(f"{path}: {name}.{field} is text, not {value!r:.40}.")
    return value
