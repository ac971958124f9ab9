"""Simulated users: what they are told, what they may not say, and what their errors mean."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

import rlvr
from rlvr.core.errors import CannotScore
from rlvr.partners import ControlUser, KnownValues, Partner, SaysAll, User, UserBrief, user_errors
from rlvr.policies import Generation, Request

ORDER = r"W\d{5}"
RULES = (KnownValues(ORDER), SaysAll(ORDER))
BRIEF = UserBrief("You are Ada.", ("Cancel W10000.", "Refund W20000."), {"passcode": "lamp-7"})
TASK = rlvr.Task("Hello.", None, "t", {"user": BRIEF.to_json()})


class Lines:
    """Says one line after another."""

    name = "lines"

    def __init__(self, *lines: str | Generation) -> None:
        self.lines = list(lines)
        self.requests: list[Request] = []

    def respond(self, requests: Sequence[Request]) -> list[Any]:
        self.requests += requests
        return [self.lines.pop(0) for _ in requests]


def talk(policy: Any, *agent: str) -> tuple[list[Any], rlvr.Episode]:
    async def play() -> tuple[list[Any], rlvr.Episode]:
        episode = rlvr.Episode(TASK)
        user = User(
            Partner(policy, "user"), BRIEF.persona, BRIEF.goal, facts=BRIEF.facts, rules=RULES
        )
        await user.open(episode, "Hello. Cancel W10000.")
        return [await user.hear(text) for text in agent], episode

    return asyncio.run(play())


def test_a_model_reads_its_part_and_answers_the_agent() -> None:
    policy = Lines("Fine. Refund W20000.", "Bye. [END] and more")
    replies, episode = talk(policy, "It is cancelled.", "Refunded.")
    assert [(reply.text, reply.over) for reply in replies] == [
        ("Fine. Refund W20000.", False), ("Bye.", True),
    ]  # fmt: skip
    system, first, opening, heard = policy.requests[0].prompt
    assert all(
        part in system["content"] for part in ("You are Ada.", *BRIEF.goal, "lamp-7", "[END]")
    )
    assert (first["role"], opening["role"]) == ("user", "assistant")
    assert heard == {"role": "user", "content": "It is cancelled."}
    assert episode.children[0].role == "user"


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        ("Cancel W99999, too.", "known-values"),
        ("[END]", "says-all"),
        ("", "in-character"),
        ("x" * 5000, "in-character"),
        ('<tool_call>\n{"name": "cancel"}\n</tool_call>', "in-character"),
        ("I have looked into it, and your order is cancelled now.", "in-character"),
    ],
)
def test_a_user_that_breaks_its_instructions_leaves_the_episode_unscored(
    line: str, rule: str
) -> None:
    with pytest.raises(CannotScore) as caught:
        talk(Lines(line), "I have looked into it, and your order is cancelled now.")
    assert (str(caught.value.cause), user_errors([caught.value.message])) == ("partner", {rule: 1})


def test_what_the_agent_said_is_not_made_up() -> None:
    (reply, _), _ = talk(Lines("Yes, W31111, too.", "W20000? [END]"), "You have W31111, too.", "?")
    assert reply.text == "Yes, W31111, too."


def test_a_conversation_beyond_the_users_context_is_over_and_no_fault() -> None:
    (reply,), _ = talk(Lines(Generation("", "error", error="too long", overflow=True)), "x" * 9000)
    assert (reply.text, reply.over) == ("", True)


def test_the_control_user_gives_what_it_is_asked_for_and_then_its_wishes() -> None:
    replies, _ = talk(ControlUser(), "Your passcode, please.", "Done.", "Your passcode is right.")
    assert [reply.text for reply in replies] == [
        "My passcode is lamp-7.", "Refund W20000.", "Thank you.",
    ]  # fmt: skip
    assert replies[-1].over


def test_errors_are_counted_by_their_rules() -> None:
    broken = "the user broke its instructions ({}): it made up 'W1'"
    messages = [broken.format("says-all"), *[broken.format("known-values")] * 2, "no response", ""]
    assert user_errors(messages) == {"known-values": 2, "says-all": 1}
