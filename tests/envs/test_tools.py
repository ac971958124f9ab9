"""Environments with tools: hostile calls, state of its own for each episode, and the shop."""

from __future__ import annotations

import json
from typing import Any, Literal

import pytest

import rlvr
from rlvr import CannotScore, Cause, Scored, Unscored
from rlvr.core.errors import OptionError, ToolError
from rlvr.core.task import Task
from rlvr.envs.tools import ToolEnv, describe, tools_of


class Purse:
    """Keeps money, and counts."""

    made = 0

    def __init__(self, task: Task) -> None:
        Purse.made += 1
        self._coins = int(task.reference)

    def pay(self, coins: int, to: Literal["Ann", "Bob"] = "Ann") -> str:
        """Give coins away.

        Args:
            coins: how many.
            to: whom.
        """
        if coins > self._coins:
            raise ToolError(f"there are only {self._coins}")
        self._coins -= coins
        return f"{to} has {coins}"

    def left(self) -> int:
        """How many coins are left."""
        return self._coins

    def weigh(self, weights: list[float], names: dict[str, str] | None = None) -> float:
        """The mean weight.

        Args:
            weights: one for each coin.
            names: of the coins.
        """
        return sum(weights) / len(weights)

    def bank(self) -> str:
        """Asks the bank."""
        raise CannotScore(Cause.SANDBOX, "the bank is closed")

    def _secret(self) -> str:
        return "no tool"


@rlvr.verifier(mode="whole")
def same(task: rlvr.Task, answer: str) -> bool:
    return answer == task.reference


@pytest.fixture
def env() -> ToolEnv:
    return ToolEnv(rlvr.TaskSet([Task("How much is left?", "9", "t")]), same, Purse, max_turns=4)


def a_call(name: Any, **arguments: Any) -> str:
    made = json.dumps({"name": name, "arguments": arguments})
    return f"<tool_call>\n{made}\n</tool_call>"


def asked(env: ToolEnv, *said: str) -> str | None:
    """What comes back to the last of the model's messages."""
    episode = env.episode(env.tasks[0])
    episode.begin_open().result()
    try:
        for text in said:
            replies = episode.begin_respond(text).result()
        return replies[-1]["content"] if replies else None
    finally:
        episode.begin_close().result()


def test_calls_are_answered_and_the_first_message_without_one_is_the_answer(env: ToolEnv) -> None:
    env.reset(seed=0)
    seen, _, over, cut, _ = env.step(f"Let me see. {a_call('pay', coins=4)}{a_call('left')}")
    assert seen == (
        "<tool_response>\nAnn has 4\n</tool_response>\n<tool_response>\n5\n</tool_response>"
    )
    assert not over
    assert not cut
    _, reward, over, _, info = env.step("9")
    assert (reward, over) == (1.0, True)
    assert isinstance(info["verdict"], Scored)


def test_state_lives_through_an_episode_and_no_further(env: ToolEnv) -> None:
    first = a_call("pay", coins=4, to="Bob")
    assert "5" in str(asked(env, first, a_call("left")))
    assert "2" in str(asked(env, first, a_call("pay", coins=3), a_call("left")))
    assert "9" in str(asked(env, a_call("left")))  # another episode's purse is full
    before = Purse.made
    asked(env, a_call("left"))
    assert Purse.made == before + 1


@pytest.mark.parametrize(
    ("said", "error"),
    [
        ("<tool_call></tool_call>", "the call isn't JSON"),
        ("<tool_call>{'name': 1}</tool_call>", "the call isn't JSON"),
        ("<tool_call>" + "[" * 3900 + "</tool_call>", "the call isn't JSON"),
        ("<tool_call>" + "1" * 5000 + "</tool_call>", "the call isn't JSON"),
        ("<tool_call>" + "[" * 31_900 + "</tool_call>", "the call isn't JSON"),
        ("<tool_call>" + "1" * 33_000 + "</tool_call>", "at most 32000 characters"),
        ("<tool_call>7</tool_call>", '"name" and "arguments" alone'),
        ('<tool_call>{"name": "left"}</tool_call>', '"name" and "arguments" alone'),
        ('<tool_call>{"name": "left", "arguments": [1]}</tool_call>', '"arguments" is an object'),
        (a_call("_secret"), "there's no tool '_secret'; there are: pay, left, weigh, bank"),
        (a_call("__init__", task=1), "there's no tool '__init__'"),
        (a_call(["left"]), "there's no tool '[\"left\"]'"),
        (a_call("left", self=1), "left has no argument 'self'"),
        (a_call("pay"), "pay needs the argument 'coins'"),
        (a_call("pay", coins="4"), "'coins' of pay is int, not '4'"),
        (a_call("pay", coins=True), "'coins' of pay is int, not True"),
        (a_call("pay", coins=1.0), "'coins' of pay is int, not 1.0"),
        (a_call("pay", coins=1, to="Eve"), "'to' of pay is typing.Literal['Ann', 'Bob']"),
        (a_call("pay", coins=99), "there are only 9"),
        (a_call("weigh", weights=[]), "weigh failed: ZeroDivisionError"),
        (a_call("weigh", weights=[1, "2"]), "'weights' of weigh is list[float]"),
        (a_call("weigh", weights=[float("nan")]), "'weights' of weigh is list[float]"),
        (a_call("weigh", weights=[float("inf")]), "'weights' of weigh is list[float]"),
        (a_call("weigh", weights=[10**400]), "weigh failed: OverflowError"),
        (a_call("weigh", weights=[1], names={"a": 1}), "'names' of weigh is dict[str, str]"),
    ],
)
def test_a_call_that_isnt_one_gets_an_error(env: ToolEnv, said: str, error: str) -> None:
    reply = asked(env, said)
    assert reply is not None
    assert reply.startswith("<tool_response>\nerror: ")
    assert error in reply
    assert len(reply) < 600


@pytest.mark.parametrize(
    "said",
    [
        "",
        "9",
        "<tool_call>",
        "</tool_call>",
        "<tool_call>{}",
        f"<think>{a_call('left')}</think>9",
        f"<think>{a_call('left')}",
    ],
)
def test_what_makes_no_call_is_the_answer(env: ToolEnv, said: str) -> None:
    assert asked(env, said) is None


def test_one_message_makes_so_many_calls_and_no_more(env: ToolEnv) -> None:
    reply = str(asked(env, a_call("left") * 500))
    assert reply.count("<tool_response>") == 17
    assert reply.endswith("only the first 16 calls of a message are done\n</tool_response>")


def test_a_long_result_is_cut() -> None:
    class Long:
        def __init__(self, task: Task) -> None:
            pass

        def say(self) -> str:
            """Say a lot."""
            return "x" * 10_000

    env = ToolEnv(rlvr.TaskSet([Task("?", "9")]), same, Long)
    assert len(str(asked(env, a_call("say")))) < 4100


def test_a_tool_that_cant_work_leaves_the_episode_without_a_reward(env: ToolEnv) -> None:
    env.reset(seed=0)
    _, reward, over, cut, info = env.step(a_call("bank"))
    assert reward != reward
    assert (over, cut) == (False, True)
    assert info["verdict"] == Unscored(Cause.SANDBOX, "the bank is closed")


def _toolbox(**members: Any) -> type[Any]:
    return type("Box", (), members)


def _undocumented(self: Any) -> int:
    return 1


def _untyped(self: Any, a) -> int:  # type: ignore[no-untyped-def]
    """Do.

    Args:
        a: x.
    """
    return 1


def _odd(self: Any, a: bytes) -> int:
    """Do.

    Args:
        a: x.
    """
    return 1


def _unnamed(self: Any, a: int) -> int:
    """Do."""
    return 1


def _many(self: Any, *a: int) -> int:
    """Do."""
    return 1


@pytest.mark.parametrize(
    ("toolbox", "message"),
    [
        (3, "toolbox is a class"),
        (_toolbox(), "has no public method"),
        (_toolbox(do=_undocumented), "'do' of Box needs a docstring"),
        (_toolbox(do=_untyped), "needs a type hint for 'a'"),
        (_toolbox(do=_odd), "needs a type hint for 'a'"),
        (_toolbox(do=_unnamed), "doesn't say what 'a' is"),
        (_toolbox(do=_many), "named arguments alone"),
        (_toolbox(reset=_unnamed), "a name that TRL uses"),
    ],
)
def test_a_toolbox_that_isnt_one_says_what_it_lacks(toolbox: Any, message: str) -> None:
    with pytest.raises(OptionError, match=message):
        ToolEnv(rlvr.TaskSet([Task("?", "9")]), same, toolbox)


def test_the_prompt_can_say_what_there_is() -> None:
    text = describe(Purse)
    assert "pay(coins: int, to: Literal['Ann', 'Bob'] = 'Ann') -> str\nGive coins away." in text
    assert text.index("pay(") < text.index("left(") < text.index("weigh(")
    assert "_secret" not in text
    assert list(tools_of(Purse)) == ["pay", "left", "weigh", "bank"]


def play(env: Any, task: Task) -> tuple[float, int]:
    """A clerk who knows how to use the shop: the reward, and how many turns it took."""
    shop = task.metadata["shop"]
    order = task.text.split(".")[0].removeprefix("An order: ")
    env.reset(options={"task": task})
    total, turns = 0, 0

    def ask(name: str, **arguments: Any) -> Any:
        nonlocal turns
        turns += 1
        seen, *_ = env.step(a_call(name, **arguments))
        return json.loads(seen.removeprefix("<tool_response>\n").removesuffix("\n</tool_response>"))

    for line in order.split(", "):
        if line.startswith("delivery to "):
            total += ask("delivery", town=line.removeprefix("delivery to "))
        elif " of the set " in line:
            count, name = line.split(" of the set ")
            inside = ask("contents", bundle=name.strip("'"))
            total += int(count) * sum(shop["items"][item] * n for item, n in inside.items())
        else:
            count, item = line.split(" × ")
            total += ask("multiply", a=ask("price", item=item), b=int(count))
    _, reward, *_ = env.step(f"\\boxed{{{total}}}")
    return reward, turns


@pytest.mark.parametrize("level", [1, 2, 3, 4, 5])
def test_the_shop_is_solved_with_its_tools(level: int) -> None:
    env = rlvr.make("shop", level=level, max_turns=20)
    for task in env.tasks[:5]:
        assert play(env, task)[0] == 1.0
        for price in task.metadata["shop"]["items"].values():
            assert f" {price} " not in task.text  # nothing to be read off the prompt


def test_the_shops_tasks_depend_on_their_seed_alone() -> None:
    first, again = rlvr.make("shop", level=5), rlvr.make("shop", level=5)
    other = rlvr.make("shop", level=5, seed=1)
    assert first.tasks[7] == again.tasks[7]
    assert first.tasks[7] != other.tasks[7]
    assert "tool_call" in first.tasks[0].text
    assert "tool_call" not in rlvr.make("shop", calls="native").tasks[0].text


@pytest.mark.parametrize(
    ("options", "message"),
    [({"level": 6}, "level is one of 1, 2, 3, 4, 5"), ({"calls": "x"}, "calls is 'text' or")],
)
def test_the_shops_options(options: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        rlvr.make("shop", **options)
