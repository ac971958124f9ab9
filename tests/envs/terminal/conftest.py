"""Fixtures of the terminal's tests: playing commands to a verdict, and a jail that has pytest."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from rlvr import sandboxes
from rlvr.core.environment import Environment, judged_alone
from rlvr.core.task import Task
from rlvr.core.verdict import Verdict
from rlvr.envs.terminal.verifier import calling
from rlvr.sandboxes import packages
from rlvr.sandboxes.interpreter import base_python, interpreter
from rlvr.sandboxes.workspace_jails import jails

Play = Callable[[Environment, Task, Sequence[str]], Verdict]


@pytest.fixture
def play() -> Play:
    """Return a function that runs commands in an episode, submits, and returns the verdict."""
    return lambda env, task, commands: judged_alone(env, task, calling(commands))


@pytest.fixture(scope="session")
def with_pytest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a data folder whose jails have pytest."""
    folder = tmp_path_factory.mktemp("data")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_DATA_HOME", str(folder))
        packages.build(["pytest"], interpreter(base_python()), from_host=True)
    return folder


@contextmanager
def jails_of(data: Path) -> Iterator[None]:
    """Let jails have the packages of a data folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_DATA_HOME", str(data))
        patch.setenv("RLVR_SANDBOX", "bubblewrap")
        for close in (jails.close, sandboxes.close):
            close()
        yield
        for close in (jails.close, sandboxes.close):
            close()


@pytest.fixture
def jails_with_pytest(with_pytest: Path) -> Iterator[None]:
    """Let jails have pytest."""
    with jails_of(with_pytest):
        yield
