from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from processes import Script

from rlvr.scoring import Pool


@pytest.fixture(scope="session")
def pool() -> Iterator[Pool]:
    """Two workers, for all tests that leave the pool itself alone."""
    with Pool(2) as pool:
        yield pool


@pytest.fixture
def lone() -> Iterator[Pool]:
    """A pool of one worker, for this test alone."""
    with Pool(1) as pool:
        yield pool


@pytest.fixture
def script(tmp_path: Path) -> Iterator[Callable[..., Script]]:
    started: list[Script] = []

    def start(text: str, *flags: str, cwd: Path | None = None) -> Script:
        started.append(Script(tmp_path, text, *flags, cwd=cwd))
        return started[-1]

    yield start
    for one in started:
        one.process.kill()
        one.process.communicate()
