"""Work in web applications, in text: a headless Chromium in a jail, judged by the state that the application is left in.

    rlvr.make("browser", family="inbox", level=2)        # generated, twelve families

The pages are read as text and acted on by element. The verifier sees the state of the application's server alone: exactly
what was asked for must have changed. See `docs/browser.md`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np

from rlvr.core.environment import Environment
from rlvr.core.fixtures import Turn
from rlvr.core.registry import environment
from rlvr.core.task import Task
from rlvr.core.tasks import generated
from rlvr.envs.browser.families import BROWSER_FAMILIES, chosen
from rlvr.envs.browser.families.common import by_level
from rlvr.envs.browser.verifier import SiteState, right_messages
from rlvr.envs.fixtures import fixtures_of
from rlvr.envs.prompt import Prompt
from rlvr.envs.puzzles.common import pick
from rlvr.envs.toolboxes.browser import Browser
from rlvr.envs.tools import ToolEnv, describe

PROMPT = Prompt(
    "{instruction}\n\nDo this in the web application “{title}”, which is open in a browser; its first page is /. Change "
    "nothing else: only the state that you leave it in counts. When it is done, call `finish`.{tools}"
)
SITE = Path(__file__).with_name("application.py")
"""The module of the site."""

KNOWN_FINDINGS = {
    "seconds-per-verification": "each episode starts a browser of its own, which takes a second of a processor",
}


class BrowserEnv(ToolEnv):
    """Generated tasks in a web application; see the module."""

    def demonstrate(self, task: Task) -> tuple[Turn, ...] | None:
        """Return the messages of an episode that takes the reference's steps; None if there are none."""
        return right_messages(task)


@environment("browser", gym_name="Browser")
def make(
    split: str = "train",
    family: str = "all",
    level: int = 1,
    calls: Literal["text", "native"] = "text",
    max_turns: int = 30,
    prompt: Prompt | str | dict[str, str] = PROMPT,
    size: int = 100_000,
    seed: int = 0,
    memory_mb: int = 1024,
) -> Environment:
    """Make tasks in web applications, judged by the state that an episode leaves.

    Args:
        split: train, dev or test.
        family: the kind of tasks, such as `inbox`; several with commas between; `all` for each of them.
        level: 1 to 3: more records, more to be done.
        calls: `text`: the prompt says how to call the tools. `native`: it doesn't, because the model's server or its
            chat template does.
        max_turns: responses an episode may take.
        prompt: may use {instruction}, {title} and {tools}.
        size: how many tasks the split has.
        seed: of all tasks of all splits.
        memory_mb: memory of an episode's browser, in MiB, if this machine lets jails have limits.
    """
    by_level(level, *range(3))  # raises for a level that there isn't
    browser = Browser(SITE, "site", memory_mb)
    tasks = generated(
        problem,
        split=split,
        size=size,
        seed=seed,
        name="browser",
        prompt=Prompt.of(prompt),
        families=chosen(family),
        level=level,
        tools=f"\n\n{describe(browser)}" if calls == "text" else "",
    )
    fixtures = fixtures_of("browser", max_turns > 2)
    return BrowserEnv(
        tasks,
        SiteState(),
        browser,
        max_turns,
        calls=calls,
        fixtures=fixtures,
        known_findings=KNOWN_FINDINGS,
    )


def problem(
    rng: np.random.Generator, prompt: Prompt, families: tuple[str, ...], level: int, tools: str
) -> Task:
    """Draw a family and a task of it."""
    name = pick(rng, families)
    return BROWSER_FAMILIES[name](rng, level).task(prompt, name, level, tools)
