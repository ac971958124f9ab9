"""Two tiers: a run keeps only some cases of exhaustive tests, unless it's told to run `--all`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import pytest

_GOLDEN = (5**0.5 - 1) / 2

Item = TypeVar("Item")
Sample = Callable[[Sequence[Item], int], list[Item]]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--all", action="store_true", help="every case of the tests marked sweep, too")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep only as many cases of a test marked `sweep` as its mark says."""
    if config.getoption("--all"):
        return
    sweeps: dict[str, list[pytest.Item]] = {}
    for item in items:
        if item.get_closest_marker("sweep"):
            sweeps.setdefault(item.nodeid.partition("[")[0], []).append(item)
    left_out = set()
    for cases in sweeps.values():
        mark = cases[0].get_closest_marker("sweep")
        assert mark is not None
        kept = mark.kwargs.get("gate", 0)
        named = [case for case in cases if isinstance(kept, tuple) and _case(case) in kept]
        left_out |= set(cases) - set(named if isinstance(kept, tuple) else spread(cases, kept))
    if left_out:
        config.hook.pytest_deselected(items=[item for item in items if item in left_out])
        items[:] = [item for item in items if item not in left_out]


def _case(item: pytest.Item) -> str:
    return item.name.partition("[")[2].removesuffix("]")


def spread(items: Sequence[Item], count: int) -> list[Item]:
    """Return `count` of the items, spread over all of them, in their order.

    The distances vary, so that no case of an inner parameter falls between them each time.

    Example: `spread("abcdefgh", 3)` is `["a", "c", "f"]`.
    """
    places = sorted(range(len(items)), key=lambda place: place * _GOLDEN % 1)[:count]
    return [items[place] for place in sorted(places)]


@pytest.fixture(scope="session")
def sample(pytestconfig: pytest.Config) -> Sample:
    """Return a function that picks items for the gate; with `--all`, it keeps every one.

    Example: `for task in sample(env.tasks, 20): …`
    """
    if pytestconfig.getoption("--all"):
        return lambda items, count: list(items)
    return spread
