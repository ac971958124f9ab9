"""Tasks in a terminal: a shell in a jail, judged by the files that it leaves.

    rlvr.make("terminal", family="fix_script", level=2)       # generated, fifteen families
    rlvr.make("terminal", data="tasks/")                      # folders in Harbor's format

The verifier is out of the agent's reach: it gets the declared artifacts as data, in another process, and what has to be
run is run in another jail. See `docs/terminal.md`.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from rlvr.core.environment import Environment
from rlvr.core.registry import environment
from rlvr.core.task import Task
from rlvr.core.tasks import TaskSet, generated
from rlvr.envs.fixtures import fixtures_of
from rlvr.envs.prompt import Prompt
from rlvr.envs.puzzles.common import pick
from rlvr.envs.terminal.episode import Terminal
from rlvr.envs.terminal.families import FAMILIES, chosen
from rlvr.envs.terminal.families.common import by_level
from rlvr.envs.terminal.verifier import TerminalVerifier, calling
from rlvr.envs.tools import ToolEnv, describe

PROMPT = Prompt(
    "{instruction}\n\nYou have a terminal with bash in the folder {folder}, and no network. Only the files that you leave "
    "count, not what you say. When the work is done, call `submit`.{tools}"
)
_DATA_DEADLINE_S = 900.0  # Harbor's workspaces may take longer to build
_DEADLINE_S = 300.0  # of a call: on a busy machine, a command's 30 seconds may take that long


@environment("terminal", gym_name="Terminal")
def make(
    split: str = "train",
    family: str = "all",
    level: int = 1,
    calls: Literal["text", "native"] = "text",
    max_turns: int = 20,
    prompt: Prompt | str | dict[str, str] = PROMPT,
    size: int = 100_000,
    seed: int = 0,
    data: str | None = None,
    offline: bool = False,
) -> Environment:
    """Make tasks in a terminal, judged by the files that an episode leaves.

    Args:
        split: train, dev or test.
        family: the kind of tasks, such as `fix_script`; several with commas between; `all` for each of them.
        level: 1 to 3: more files, more conditions, more that is wrong.
        calls: `text`: the prompt says how to call the tools. `native`: it doesn't, because the model's server or its
            chat template does.
        max_turns: responses an episode may take.
        prompt: may use {instruction}, {folder} and {tools}.
        size: how many tasks the split has.
        seed: of all tasks of all splits.
        data: a folder in Harbor's format, or one that holds several; then there are no generated tasks, and no splits.
        offline: take tasks of `data` that would have a network, and play them without one.
    """
    described = f"\n\n{describe(Terminal)}" if calls == "text" else ""
    if data is not None:
        from rlvr.envs.terminal.harbor import harbor_tasks
        from rlvr.envs.terminal.harbor_episode import HarborTerminal, HarborVerifier

        path, template = data, Prompt.of(prompt)
        return ToolEnv(
            TaskSet(lambda: harbor_tasks(path, template, described, offline), "terminal"),
            HarborVerifier(),
            HarborTerminal,
            max_turns,
            calls=calls,
            deadline_s=_DATA_DEADLINE_S,
        )
    by_level(level, *range(3))  # raises for a level that there isn't
    tasks = generated(
        problem,
        split=split,
        size=size,
        seed=seed,
        name="terminal",
        prompt=Prompt.of(prompt),
        families=chosen(family),
        level=level,
        tools=described,
    )
    return ToolEnv(
        tasks,
        TerminalVerifier(),
        Terminal,
        max_turns,
        calls=calls,
        deadline_s=_DEADLINE_S,
        fixtures=fixtures_of("terminal"),
    )


def problem(
    rng: np.random.Generator, prompt: Prompt, families: tuple[str, ...], level: int, tools: str
) -> Task:
    """Draw a family and a task of it."""
    name = pick(rng, families)
    return FAMILIES[name](rng, level).task(prompt, name, level, tools)


def naive(task: Task) -> str:
    """Return the message of a lazy attempt. It never reads the reference."""
    return calling(task.metadata["naive"])
