"""An episode on tokens: what's the model's and what isn't, the limits, and every fault."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from typing import Any

import pytest

import rlvr
from rlvr import Cause, Scored, Unscored
from rlvr.adapters.token_episode import Generated, TokenEpisode, play
from rlvr.partners import Partner
from rlvr.policies.template import Template

Said = Sequence[str]


def played(
    tokenizer: Any,
    env: rlvr.Environment,
    said: Said,
    room: int = 64,
    logprobs: bool = True,
    deadline_s: float = 20.0,
    spoil: Callable[[list[int]], list[int]] = lambda ids: ids,
) -> tuple[TokenEpisode, list[list[int]]]:
    """The episode in which the model says `said`, and what it was shown each time."""
    template, left, shown = Template(tokenizer), iter(said), []

    async def generate(tokens: list[int], most: int) -> Generated:
        shown.append(tokens)
        ids = spoil([*tokenizer(next(left))["input_ids"], tokenizer.eos_token_id][:most])
        return Generated(ids, [-0.5] * len(ids) if logprobs else None)

    task = env.tasks[2]  # 2+1=
    prompt = template.prompt(task.prompt)
    episode = asyncio.run(play(env, task, template, prompt, room, generate, deadline_s))
    assert len(episode.response) == len(episode.mask) <= room
    return episode, shown


def test_each_response_is_the_models_and_each_reply_isnt(tokenizer: Any) -> None:
    episode, shown = played(tokenizer, rlvr.make("test_guess"), ["1", "3"])
    assert tokenizer.decode(episode.response) == "1<eos><user>+1<bot>3<eos>"
    assert episode.mask == [1, 1, 0, 0, 0, 0, 1, 1]
    assert episode.logprobs == [-0.5, -0.5, 0.0, 0.0, 0.0, 0.0, -0.5, -0.5]
    assert episode.ranges == [(0, 2), (6, 8)]
    assert shown[1] == episode.prompt + episode.response[:6]  # its own tokens, as it wrote them
    assert isinstance(episode.verdict, Scored)
    assert episode.verdict.reward == 1.0
    assert [m["content"] for m in episode.messages] == ["2+1=", "1", "+1", "3"]


def test_the_models_tokens_are_kept_where_its_text_would_be_others(tokenizer: Any) -> None:
    box = tokenizer.convert_tokens_to_ids("\\boxed{")
    odd = [box, tokenizer.pad_token_id, tokenizer.eos_token_id]  # no text tokenises to this
    episode, _ = played(tokenizer, rlvr.make("test_sums"), ["1"], spoil=lambda ids: odd)
    assert episode.response == odd


def test_the_turns_are_used_up_and_the_last_is_judged(tokenizer: Any) -> None:
    episode, _ = played(tokenizer, rlvr.make("test_guess", max_turns=2), ["1", "2"])
    assert episode.turns == 2
    assert isinstance(episode.verdict, Scored)
    assert episode.verdict.reward == 0.0


def test_a_single_turn_environment_has_one(tokenizer: Any) -> None:
    episode, shown = played(tokenizer, rlvr.make("test_sums"), ["3"])
    assert len(shown) == 1
    assert isinstance(episode.verdict, Scored)
    assert episode.verdict.components == {"short": 1.0, "picky": 1.0}


@pytest.mark.parametrize("room", range(1, 12))
def test_no_episode_is_longer_than_its_room(tokenizer: Any, room: int) -> None:
    episode, _ = played(tokenizer, rlvr.make("test_guess", max_turns=9), ["1"] * 9, room=room)
    assert episode.mask[-1] == 1  # no reply that nothing follows
    assert isinstance(episode.verdict, Scored)


def test_without_logprobs_there_are_none(tokenizer: Any) -> None:
    episode, _ = played(tokenizer, rlvr.make("test_guess"), ["1", "3"], logprobs=False)
    assert episode.logprobs is None


@pytest.mark.parametrize(
    ("said", "cause"), [(["4"], Cause.JUDGE), (["0"], Cause.SANDBOX), (["1", "0"], Cause.SANDBOX)]
)
def test_a_fault_is_unscored(tokenizer: Any, said: Said, cause: Cause) -> None:
    episode, _ = played(tokenizer, rlvr.make("test_guess"), said)
    assert isinstance(episode.verdict, Unscored)
    assert episode.verdict.cause is cause


@pytest.mark.parametrize("spoilt", [[], [5] * 65])
def test_a_server_that_says_nothing_or_too_much_is_no_wrong_answer(
    tokenizer: Any, spoilt: list[int]
) -> None:
    env = rlvr.make("test_sums")
    episode, _ = played(tokenizer, env, ["1"], spoil=lambda ids: spoilt)
    assert isinstance(episode.verdict, Unscored)
    assert (episode.response, episode.verdict.cause) == ([], Cause.INTERNAL)


class Own(rlvr.MultiTurn):
    """Its judge and reply do what they are told to."""

    def __init__(self, reply: Any, judge: Any) -> None:
        super().__init__(rlvr.make("test_sums").tasks, rlvr.Math(), max_turns=2)
        self._reply, self._judge = reply, judge

    def reply(self, task: rlvr.Task, messages: list[dict[str, str]]) -> Any:
        return self._reply()

    def judge(self, task: rlvr.Task, messages: list[dict[str, str]]) -> Any:
        return self._judge()


def test_what_hangs_is_not_waited_for(tokenizer: Any) -> None:
    never = threading.Event()
    try:
        for env in (Own(never.wait, None), Own(lambda: None, never.wait)):
            episode, _ = played(tokenizer, env, ["1"], deadline_s=0.1)
            assert isinstance(episode.verdict, Unscored)
            assert episode.verdict.cause is Cause.TIMEOUT
    finally:
        never.set()


def _raise() -> None:
    raise ValueError("odd")


@pytest.mark.parametrize(
    ("reply", "judge", "said"),
    [
        (lambda: 7, None, "is a int"),
        (_raise, None, "the reply of sums raised: ValueError: odd"),
        (lambda: None, _raise, "the judge of sums raised: ValueError: odd"),
        (lambda: None, lambda: 1.0, "returned float, not a verdict"),
    ],
)
def test_an_authors_mistake_is_unscored(tokenizer: Any, reply: Any, judge: Any, said: str) -> None:
    episode, _ = played(tokenizer, Own(reply, judge), ["1"])
    assert isinstance(episode.verdict, Unscored)
    assert said in episode.verdict.message


class SideEnv(rlvr.MultiTurn):
    """Asks the policy itself for the reply, as a partner of its own."""

    def begin(self, task: rlvr.Task) -> Any:
        return Side(task)


class Side(rlvr.Episode):
    """An episode whose other side is the same policy."""

    async def reply(self, message: Any) -> Any:
        if len(self.conversation) > 3:
            return None
        talk = Partner("self", "guest").talk(self)
        generation = await talk.ask("1+1=" if message.content == "1" else "1+1=" * 40)
        return "+1" if generation.overflow else f"+{generation.text}"


@pytest.mark.parametrize(("first", "shown"), [("1", "+2"), ("2", "+1")])
def test_the_policy_also_plays_its_partner_within_its_context(
    tokenizer: Any, first: str, shown: str
) -> None:
    env = SideEnv(rlvr.make("test_sums").tasks, rlvr.Math(), Side, max_turns=3)
    said = [first, "2", "3"] if first == "1" else [first, "3"]
    episode, _ = played(tokenizer, env, said)
    assert [m["content"] for m in episode.messages] == ["2+1=", first, shown, "3"]
