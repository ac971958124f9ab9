"""A support desk: rules, tools over a shop's records, and a customer who is simulated by any policy.

The episode is judged by its final state: exactly the right records have changed, the right wishes were refused by the
right rules, and nothing was done for a customer who wasn't verified. A customer that breaks its own instructions leaves
the episode unscored.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal

import numpy as np

from rlvr.core.environment import Environment
from rlvr.core.errors import OptionError
from rlvr.core.fixtures import Turn
from rlvr.core.registry import environment
from rlvr.core.task import Task
from rlvr.core.tasks import generated
from rlvr.core.tool_calls import written_call
from rlvr.envs.fixtures import fixtures_of
from rlvr.envs.prompt import Prompt
from rlvr.envs.support.desk import SupportDesk, right_outcome
from rlvr.envs.support.world import LEVELS, RULES, SupportLevel, support_case
from rlvr.envs.tools import ToolEnv, describe
from rlvr.partners.partner import Partner, PartnerPolicy
from rlvr.partners.user import ControlUser
from rlvr.verifiers.transcript import Outcome

PROMPT = Prompt(
    system="You are the agent of a shop's support desk. Talk to the customer, and see to each wish with the tools. "
    "These are the shop's rules:\n{rules}\n\nIf a wish breaks a rule, change nothing for it and call `refuse` with the "
    "order and the rule's number. Once the customer has no more wishes, call `finish`.{tools}",
    user="{opening}",
)


class Support(ToolEnv):
    """Conversations at a support desk; see the module."""

    def demonstrate(self, task: Task) -> tuple[Turn, ...] | None:
        """Return the messages of an agent that does what is right, for a customer without errors."""
        verifying, *wishes = task.metadata["solution"]
        turns = ["Gladly. Please tell me your e-mail and your passcode first.", _written(verifying)]
        for calls in wishes:
            refused = calls[-1][0] == "refuse"
            answer = "I'm sorry, our rules don't allow that." if refused else "That is done."
            turns += [_written(calls), f"{answer} What else can I do for you?"]
        turns[-1] = written_call("finish")
        turns[-2:] = ["\n".join(turns[-2:])]
        return tuple(turns)


@environment("support", gym_name="Support")
def make(
    split: str = "train",
    level: int = 2,
    user: PartnerPolicy | str | Mapping[str, Any] = "control",
    calls: Literal["text", "native"] = "text",
    max_turns: int = 20,
    size: int = 100_000,
    seed: int = 0,
    prompt: Prompt | str | dict[str, str] = PROMPT,
) -> Environment:
    """Make conversations with a shop's customers, who have wishes that the shop's rules allow or don't.

    Args:
        split: train, dev or test.
        level: 1 to 5: one wish that is allowed, one that may not be, then two to four, of customers who insist.
        user: who plays the customer: `control` (a script without errors), options of `rlvr.policies.OpenAIPolicy` such as
            `{"model": …, "base_url": …}`, `self`, or a policy.
        calls: `text`: the prompt says how to call the tools. `native`: the model's server or its chat template does.
        max_turns: messages that the agent may write, calls included.
        size: the number of tasks of the split.
        seed: of all tasks of all splits.
        prompt: may use {rules}, {opening} and {tools}.
    """
    if level not in tuple(LEVELS):  # a tuple also answers for what can't be hashed
        raise OptionError(f"level is one of {', '.join(map(str, LEVELS))}, not {level!r}.")
    is_control = isinstance(user, str) and user == "control"
    policy: Any = ControlUser() if is_control else user
    desk = SupportDesk(Partner(policy, "user"), varies=not is_control)
    tasks = generated(
        problem,
        split=split,
        size=size,
        seed=seed,
        name="support",
        prompt=Prompt.of(prompt),
        level=LEVELS[level],
        tools=f"\n\n{describe(desk)}" if calls == "text" else "",
    )
    fixtures = fixtures_of("support", is_control and max_turns > 7)
    return Support(tasks, Outcome(), desk, max_turns, calls=calls, fixtures=fixtures)


def problem(rng: np.random.Generator, prompt: Prompt, level: SupportLevel, tools: str) -> Task:
    """Draw one conversation's task."""
    case = support_case(rng, level)
    fields = {"rules": RULES, "opening": case.opening, "tools": tools}
    metadata = {
        "records": case.records,
        "user": case.brief.to_json(),
        "solution": [[[name, arguments] for name, arguments in calls] for calls in case.solution],
    }
    task = Task(prompt.render(fields), None, None, metadata)
    return Task(task.prompt, right_outcome(task), None, metadata)


def _written(calls: Iterable[tuple[str, dict[str, Any]]]) -> str:
    return "\n".join(written_call(name, **arguments) for name, arguments in calls)
