r"""Sums over ledgers that only sub-agents can read: the policy divides the work, and adds up what they report.

How much was paid for lamps in all, in the ledgers Aalen, Bergen and Cork? …    →    \boxed{1204}
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from rlvr.core.environment import Environment
from rlvr.core.errors import OptionError, ToolError
from rlvr.core.fixtures import Turn
from rlvr.core.registry import environment
from rlvr.core.task import Task, content_text
from rlvr.core.tasks import generated
from rlvr.core.tool_calls import written_call
from rlvr.envs.fixtures import fixtures_of
from rlvr.envs.prompt import Prompt
from rlvr.envs.toolboxes.sub_agents import SubAgents
from rlvr.envs.tools import ToolEnv, describe
from rlvr.partners.partner import PartnerPolicy
from rlvr.policies.base import Request
from rlvr.verifiers.extraction import Mode
from rlvr.verifiers.math import Math

PROMPT = Prompt(
    "How much was paid for {item}s in all, in the ledgers {ledgers}? Each ledger has {pages} pages. You can't read them: "
    "sub-agents can, who have the tool `page(ledger, number)`. Put the sum in \\boxed{}.{tools}"
)
TOWNS = ("Aalen", "Bergen", "Cork", "Delft", "Essen", "Faro", "Graz", "Hull", "Izmir", "Jena")
ITEMS = ("lamp", "kettle", "chair", "clock", "mirror", "basket", "blanket", "stool", "vase", "fan")
_LINES = 12


@dataclass(frozen=True)
class LedgersLevel:
    """So many ledgers of so many pages."""

    ledgers: int
    pages: int


LEVELS = {
    1: LedgersLevel(2, 1),
    2: LedgersLevel(2, 2),
    3: LedgersLevel(3, 3),
    4: LedgersLevel(4, 4),
    5: LedgersLevel(6, 5),
}


class LedgerShelf:
    """The ledgers of one task, as a sub-agent reads them."""

    def __init__(self, task: Task) -> None:
        self._ledgers: dict[str, list[list[list[Any]]]] = task.metadata["ledgers"]

    def page(self, ledger: str, number: int) -> list[str]:
        """Return the lines of a ledger's page: an item, and what was paid for it.

        Args:
            ledger: its name.
            number: of the page, from 1.
        """
        pages = self._ledgers.get(ledger)
        if pages is None:
            raise ToolError(f"there's no ledger {ledger!r:.40}")
        if not 1 <= number <= len(pages):
            raise ToolError(f"the ledger has the pages 1 to {len(pages)}")
        return [f"{item}: {amount}" for item, amount in pages[number - 1]]


class Clerk:
    """The scripted sub-agent: if it is told one ledger and one item, it reads all pages and says the sum."""

    name = "clerk"

    def respond(self, requests: Sequence[Request]) -> list[str]:
        """Return each sub-agent's next message."""
        return [self._message(request) for request in requests]

    def _message(self, request: Request) -> str:
        task = request.task
        text = str(task.metadata["assignment"]).lower()
        ledgers = [name for name in task.metadata["ledgers"] if name.lower() in text]
        items = [item for item in ITEMS if item in text]
        if len(ledgers) != 1 or len(items) != 1:
            return "Tell me one ledger and one item, and I'll add up what was paid for it there."
        (ledger,), (item,) = ledgers, items
        if not any(message["role"] == "assistant" for message in request.prompt):
            pages = range(1, len(task.metadata["ledgers"][ledger]) + 1)
            return "\n".join(written_call("page", ledger=ledger, number=n) for n in pages)
        results = content_text(request.prompt[-1])
        return str(sum(map(int, re.findall(rf"\b{item}: (\d+)", results))))


class Ledgers(ToolEnv):
    """Sums over ledgers; see the module."""

    def demonstrate(self, task: Task) -> tuple[Turn, ...] | None:
        """Return the messages of an agent that gives each ledger to a sub-agent; or those of a sub-agent's task."""
        if "assignment" in task.metadata:
            return None
        item = task.metadata["item"]
        assignments = [
            f"Read the pages 1 to {len(pages)} of the ledger {name}, and say the sum that was paid for {item}s there."
            for name, pages in task.metadata["ledgers"].items()
        ]
        answer = self.verifier.demonstrate(task)
        return None if answer is None else (written_call("delegate", tasks=assignments), answer)


@environment("ledgers", gym_name="Ledgers")
def make(
    split: str = "train",
    level: int = 2,
    agents: PartnerPolicy | str | Mapping[str, Any] = "clerk",
    calls: Literal["text", "native"] = "text",
    max_turns: int = 6,
    prompt: Prompt | str | dict[str, str] = PROMPT,
    size: int = 100_000,
    seed: int = 0,
    mode: Mode = "boxed",
) -> Environment:
    """Make sums over ledgers that sub-agents read.

    Args:
        split: train, dev or test.
        level: 1 to 5: more ledgers, and more pages.
        agents: who plays the sub-agents: `clerk` (a script that understands one ledger and one item), `self` (the policy
            itself), options of `rlvr.policies.OpenAIPolicy`, or a policy.
        calls: `text`: the prompts say how to call the tools. `native`: the model's server or its chat template does.
        max_turns: responses an episode may take, the answer included.
        prompt: may use {item}, {ledgers}, {pages} and {tools}.
        size: how many tasks the split has.
        seed: of all tasks of all splits.
        mode: where the answer is looked for.
    """
    if level not in tuple(LEVELS):  # a tuple also answers for what can't be hashed
        raise OptionError(f"level is one of {', '.join(map(str, LEVELS))}, not {level!r}.")
    is_scripted = isinstance(agents, str) and agents == "clerk"
    policy: Any = Clerk() if is_scripted else agents
    # The clerk writes its calls as text.
    delegating = SubAgents(
        policy, (LedgerShelf,), calls="text" if is_scripted else calls, varies=not is_scripted
    )
    tasks = generated(
        problem,
        split=split,
        size=size,
        seed=seed,
        name="ledgers",
        prompt=Prompt.of(prompt),
        level=LEVELS[level],
        tools=f"\n\n{describe(delegating)}" if calls == "text" else "",
    )
    fixtures = fixtures_of("ledgers", is_scripted and mode == "boxed" and max_turns > 2)
    return Ledgers(tasks, Math(mode), delegating, max_turns, calls=calls, fixtures=fixtures)


def problem(rng: np.random.Generator, prompt: Prompt, level: LedgersLevel, tools: str) -> Task:
    """Draw ledgers and an item."""
    towns = [TOWNS[at] for at in rng.permutation(len(TOWNS))[: level.ledgers].tolist()]
    ledgers: dict[str, list[list[list[Any]]]] = {
        town: [
            [
                [ITEMS[int(at)], int(amount)]
                for at, amount in zip(
                    rng.integers(len(ITEMS), size=_LINES),
                    rng.integers(11, 999, size=_LINES),
                    strict=True,
                )
            ]
            for _ in range(level.pages)
        ]
        for town in towns
    }
    item = ledgers[towns[0]][-1][-1][0]
    total = sum(
        amount
        for pages in ledgers.values()
        for page in pages
        for name, amount in page
        if name == item
    )
    listed = f"{', '.join(towns[:-1])} and {towns[-1]}"
    fields = {"item": item, "ledgers": listed, "pages": level.pages, "tools": tools}
    return Task(prompt.render(fields), str(total), None, {"item": item, "ledgers": ledgers})
