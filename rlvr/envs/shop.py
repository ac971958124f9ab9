r"""Orders from a shop whose price list is behind tools, in five levels, generated::

    What do 3 lamps and 2 kettles cost together? … Put the result in \boxed{}.    →    1893

Prices differ from task to task, so there's no answer without asking for them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from rlvr.core.environment import Environment
from rlvr.core.errors import OptionError, ToolError
from rlvr.core.registry import environment
from rlvr.core.task import Task
from rlvr.core.tasks import generated
from rlvr.envs.fixtures import fixtures_of
from rlvr.envs.prompt import Prompt
from rlvr.envs.tools import ToolEnv, describe
from rlvr.verifiers.extraction import Mode
from rlvr.verifiers.math import Math

PROMPT = Prompt(
    "An order: {order}. What does it cost altogether? Ask for what you need to know, and put the "
    "result in \\boxed{}.{tools}"
)
ITEMS = (
    "lamp", "kettle", "chair", "clock", "mirror", "basket", "blanket", "candle", "bottle", "brush",
    "drawer", "frame", "hammer", "ladder", "pillow", "shelf", "spoon", "stool", "towel", "vase",
)  # fmt: skip
SETS = ("kitchen", "bedroom", "garden", "travel", "winter", "office")
TOWNS = ("Aalen", "Bergen", "Cork", "Delft", "Évora", "Faro")
_LOW, _HIGH = 11, 999


@dataclass(frozen=True)
class ShopLevel:
    """An order of `lines` lines, of which the first `sets` are sets of items, and a delivery."""

    lines: int
    sets: int = 0
    delivery: bool = False


LEVELS = {
    1: ShopLevel(lines=1),
    2: ShopLevel(lines=2),
    3: ShopLevel(lines=4),
    4: ShopLevel(lines=3, sets=1),
    5: ShopLevel(lines=4, sets=2, delivery=True),
}


class Shop:
    """The shop of one task."""

    def __init__(self, task: Task) -> None:
        self._known: dict[str, dict[str, Any]] = task.metadata["shop"]

    def price(self, item: str) -> int:
        """Return the price of one piece of an item.

        Args:
            item: its name in the singular, such as "lamp".
        """
        return int(self._find("items", item))

    def contents(self, bundle: str) -> dict[str, int]:
        """Return the items in a set and the number of each.

        Args:
            bundle: its name, such as "kitchen".
        """
        return dict(self._find("sets", bundle))

    def delivery(self, town: str) -> int:
        """Return the price of a delivery, whatever it contains.

        Args:
            town: where to.
        """
        return int(self._find("towns", town))

    def add(self, numbers: list[int]) -> int:
        """Return the sum of whole numbers.

        Args:
            numbers: to be added.
        """
        return sum(self._small(number) for number in numbers)

    def multiply(self, a: int, b: int) -> int:
        """Return the product of two whole numbers.

        Args:
            a: the first.
            b: the second.
        """
        return self._small(a) * self._small(b)

    def _find(self, kind: str, name: str) -> Any:
        if name not in self._known[kind]:
            raise ToolError(f"there's no {name!r:.40} among the {kind}")
        return self._known[kind][name]

    def _small(self, number: int) -> int:
        if abs(number) > 10**12:
            raise ToolError("the numbers are at most 10^12")
        return number


@environment("shop", gym_name="Shop")
def make(
    split: str = "train",
    level: int = 1,
    calls: Literal["text", "native"] = "text",
    max_turns: int = 8,
    prompt: Prompt | str | dict[str, str] = PROMPT,
    size: int = 100_000,
    seed: int = 0,
    mode: Mode = "boxed",
) -> Environment:
    """Make orders whose prices must be asked for with tools.

    Args:
        split: train, dev or test.
        level: 1 to 5: more lines, then sets of items, then a delivery.
        calls: `text`: the prompt says how to call the tools. `native`: it doesn't, because the model's server or
            its chat template does.
        max_turns: responses an episode may take, the answer included.
        prompt: may use {order} and {tools}.
        size: how many tasks the split has.
        seed: of all tasks of all splits.
        mode: where the answer is looked for.
    """
    if level not in tuple(LEVELS):  # a tuple also answers for what can't be hashed
        raise OptionError(f"level is one of {', '.join(map(str, LEVELS))}, not {level!r}.")
    tasks = generated(
        problem,
        split=split,
        size=size,
        seed=seed,
        name="shop",
        prompt=Prompt.of(prompt),
        level=LEVELS[level],
        tools=f"\n\n{describe(Shop)}" if calls == "text" else "",
    )
    fixtures = fixtures_of("shop", mode == "boxed" and max_turns > 3)
    return ToolEnv(tasks, Math(mode), Shop, max_turns, calls=calls, fixtures=fixtures)


def problem(rng: np.random.Generator, prompt: Prompt, level: ShopLevel, tools: str) -> Task:
    """Draw one order and its shop."""
    prices = {item: _price(rng) for item in _some(rng, ITEMS, 12)}
    sets = {
        name: {item: int(rng.integers(1, 5)) for item in _some(rng, tuple(prices), 3)}
        for name in _some(rng, SETS, 3)
    }
    towns = {town: _price(rng) for town in _some(rng, TOWNS, 3)}
    total, lines = 0, []
    for name in _some(rng, tuple(sets), level.sets):
        count = int(rng.integers(2, 10))
        total += count * sum(prices[item] * n for item, n in sets[name].items())
        lines.append(f"{count} of the set {name!r}")
    for item in _some(rng, tuple(prices), level.lines - level.sets):
        count = int(rng.integers(2, 10))
        total += count * prices[item]
        lines.append(f"{count} × {item}")
    if level.delivery:
        (town,) = _some(rng, tuple(towns), 1)
        total += towns[town]
        lines.append(f"delivery to {town}")
    fields = {"order": ", ".join(lines), "tools": tools}
    shop = {"items": prices, "sets": sets, "towns": towns}
    return Task(prompt.render(fields), str(total), None, {"shop": shop})


def _price(rng: np.random.Generator) -> int:
    return int(rng.integers(_LOW, _HIGH + 1))


def _some(rng: np.random.Generator, names: tuple[str, ...], count: int) -> list[str]:
    return [names[i] for i in rng.permutation(len(names))[:count].tolist()]
