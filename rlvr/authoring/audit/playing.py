"""Episodes as probes play them: by a policy, to a verdict, with everything that the environment said."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from types import NoneType
from typing import Any, Literal, TypeAlias, get_args, get_origin, get_type_hints

from rlvr.core.environment import Environment
from rlvr.core.errors import ToolError
from rlvr.core.fixtures import Turn
from rlvr.core.live_episode import LiveEpisode
from rlvr.core.task import Message, Task, content_text
from rlvr.core.tool_calls import ToolCall
from rlvr.core.transcript import Transcript
from rlvr.core.verdict import Unscored, Verdict
from rlvr.envs.tools import ToolEnv, read_call
from rlvr.testing.fixtures import opened

EpisodePolicy: TypeAlias = Callable[[LiveEpisode], Turn | None]
"""A function from an episode to the next message; None ends it there."""

_NAME = re.compile(r"[^\W\d_]{3,}")


@dataclass(frozen=True)
class Played:
    """An episode that was played.

    Attributes:
        verdict: the verdict, with the step rewards in it.
        unrewarded: the verifier's verdict alone, as `reward_range` bounds it.
        messages: the conversation.
        prompt_messages: the number of messages that are the prompt's.
        replies: the text of the environment's messages after each message of the model.
        step_rewards: one per turn.
        outcome: the episode's outcome.
        stop: why it ended: `turns` if it was cut.
    """

    verdict: Verdict
    unrewarded: Verdict
    messages: list[Message]
    prompt_messages: int
    replies: list[str]
    step_rewards: list[float]
    outcome: Any
    stop: str

    @property
    def transcript(self) -> Transcript:
        """The episode as a verifier sees it."""
        return Transcript(self.messages, self.outcome, self.step_rewards, self.prompt_messages)

    @property
    def response(self) -> str:
        """The text of the model's last message."""
        return self.transcript.response

    @property
    def said(self) -> str:
        """The content and calls of all the model's messages, as one text."""
        messages = [m for m in self.messages[self.prompt_messages :] if m["role"] == "assistant"]
        return "\n".join(json.dumps([content_text(m), m.get("tool_calls")]) for m in messages)


def play(env: Environment, task: Task, policy: EpisodePolicy) -> Played:
    """Play an episode to its verdict."""
    with opened(env, task) as episode:
        replies = list(_turns(episode, policy))
        return finish(env, episode, replies)


def finish(env: Environment, episode: LiveEpisode, replies: list[str]) -> Played:
    """End an episode and return it with its verdict."""
    ended = episode.begin_end().result()
    verdict: Verdict
    unrewarded: Verdict
    if isinstance(ended, Unscored):
        verdict, unrewarded, outcome = ended, ended, None
    else:
        submitted = env.submit(episode.task, ended)
        unrewarded = submitted.result() if isinstance(submitted, Future) else submitted
        verdict, outcome = ended.with_step_rewards(unrewarded), ended.outcome
    return Played(
        verdict,
        unrewarded,
        list(episode.messages),
        len(episode.task.prompt),
        replies,
        list(episode.step_rewards),
        outcome,
        episode.stop,
    )


def respond(episode: LiveEpisode, turn: Turn) -> str:
    """Hand over a message, and return the text of the environment's reply; "" if the episode is over."""
    new = episode.begin_respond(turn).result()
    return "\n\n".join(map(content_text, new))


def _turns(episode: LiveEpisode, policy: EpisodePolicy) -> Iterator[str]:
    while not episode.over:
        turn = policy(episode)
        if turn is None:
            episode.cut("turns")  # without the next question
            return
        yield respond(episode, turn)


def in_order(turns: Iterable[Turn]) -> EpisodePolicy:
    """Return a policy that says these messages."""
    left = iter(list(turns))
    return lambda _: next(left, None)


def repeating(turn: Turn) -> EpisodePolicy:
    """Return a policy that says the same at each turn."""
    return lambda _: turn


# ------------------------------------------------------------------ calls


def call_message(*calls: tuple[str, dict[str, Any]]) -> Message:
    """Return a message of the model with calls of these tools, by name and arguments."""
    tool_calls = [
        {
            "id": f"call_{number}",
            "type": "function",
            "function": {"name": name, "arguments": json.dumps(arguments)},
        }
        for number, (name, arguments) in enumerate(calls, 1)
    ]
    return {"role": "assistant", "content": None, "tool_calls": tool_calls}


def plausible_calls(
    env: Environment, task: Task, word: str | None = None
) -> list[tuple[str, dict[str, Any]]]:
    """Return a valid call of each tool, with arguments made from the task's prompt; none without tools.

    Args:
        word: the value of each argument that is text (default: a long word of the prompt).
    """
    if not isinstance(env, ToolEnv):
        return []
    text = max(words_of(task), key=len) if word is None else word
    calls = [(name, _arguments(tool, text)) for name, tool in env.tools.items()]
    return [call for call in calls if _is_valid(env, *call)]


def searching_calls(
    env: Environment, task: Task, most: int = 16
) -> list[tuple[str, dict[str, Any]]]:
    """Return calls of the tools with one word of the prompt after the other, as many as a message may have."""
    calls = [call for word in words_of(task) for call in plausible_calls(env, task, word)]
    different = {json.dumps(call): call for call in calls}
    return list(different.values())[:most]


def words_of(task: Task) -> list[str]:
    """Return the words of a prompt's first paragraph, and what may be their singulars."""
    first = content_text(task.prompt[-1]).strip().partition("\n\n")[0]
    words = [
        form
        for word in _NAME.findall(first)
        for form in ([word[:-1], word] if word.endswith("s") else [word])
    ]
    return list(dict.fromkeys(words[:40])) or ["x"]


def _is_valid(env: ToolEnv, name: str, arguments: dict[str, Any]) -> bool:
    try:
        read_call(env.tools, ToolCall(name, json.dumps(arguments)))
    except ToolError:
        return False
    return True


def _arguments(tool: Callable[..., Any], text: str) -> dict[str, Any]:
    hints = get_type_hints(tool)
    parameters = list(inspect.signature(tool).parameters.values())[1:]
    needed = [p.name for p in parameters if p.default is inspect.Parameter.empty]
    return {name: _value(hints[name], text) for name in needed}


def _value(hint: Any, text: str) -> Any:
    origin, inside = get_origin(hint), get_args(hint)
    if origin is Literal:
        return inside[0]
    if origin is list:
        return [_value(inside[0], text)]
    if origin is dict:
        return {}
    if inside:  # a union
        return _value(inside[0], text)
    plain: dict[Any, Any] = {str: text, int: 1, float: 1.0, bool: False}
    return None if hint is NoneType else plain.get(hint, 1)
