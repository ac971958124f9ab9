"""Environments in several turns, or with tools, that have one fault each. Like `broken.py`, whose names they join."""

from __future__ import annotations

import itertools
import json
import os
import tempfile
import threading
from typing import Any

import numpy as np
from broken import FACTORIES, broken
from broken_too import ASKED, rows

import rlvr
from rlvr.core.episode import ModelMessage
from rlvr.envs.tools import ToolEnv, ToolSession, describe


def _riddle(rng: np.random.Generator) -> rlvr.Task:
    n = int(rng.integers(100, 99_999))
    return rlvr.Task(f"Riddle {rng.integers(10**6)}: guess my number.", str(n))


def riddles(kind: type[rlvr.MultiTurn]) -> rlvr.Environment:
    verifier = rlvr.verifier(lambda t, a: a == t.reference, mode="whole", name="guessed")
    return kind(rlvr.generated(_riddle, size=40), verifier, max_turns=4)


class Telling(rlvr.MultiTurn):
    def reply(self, task: rlvr.Task, messages: Any) -> str | None:
        right = messages[-1]["content"].strip() == task.reference
        return None if right else f"Wrong: it was {task.reference}. Try again."


@broken("replies-tell")
def tells_the_answer_in_its_reply() -> rlvr.Environment:
    return riddles(Telling)


class Going(rlvr.MultiTurn):
    def reply(self, task: rlvr.Task, messages: Any) -> str | None:
        return "Go on."


@broken("right-episode")
def goes_on_after_the_right_answer() -> rlvr.Environment:
    return riddles(Going)


class Raising(rlvr.MultiTurn):
    def reply(self, task: rlvr.Task, messages: Any) -> str | None:
        return None if int(messages[-1]["content"].split()[1]) else "no"


@broken("right-episode")
def raises_in_its_reply() -> rlvr.Environment:
    return riddles(Raising)


class Remembering(rlvr.MultiTurn):
    asked = 0

    def reply(self, task: rlvr.Task, messages: Any) -> str | None:
        self.asked += 1
        right = messages[-1]["content"].strip() == task.reference
        return None if right else f"That was question {self.asked}."


@broken("replies-again")
def remembers_other_episodes() -> rlvr.Environment:
    return riddles(Remembering)


class Solver:
    def __init__(self, task: rlvr.Task) -> None:
        self._task = task

    def solve(self) -> str:
        """Solve it."""
        return str(self._task.reference)


@broken("tools-tell")
def has_a_tool_that_answers() -> rlvr.Environment:
    found = rows(f"{ASKED}\n\n{describe(Solver)}")
    return ToolEnv(rlvr.TaskSet(found), rlvr.Math(), Solver)


# ---------------------------------------------------------------- episodes with state


class Accounts(rlvr.Episode):
    """An account per episode, which a model pays into; its final state is judged."""

    _pays = 0.1  # the reward of a step
    _once = True

    def __init__(self, task: rlvr.Task) -> None:
        super().__init__(task)
        self._balance = 0
        self._log: list[str] = []

    def pay(self, amount: int) -> Any:
        """Pay an amount in, from 1 to 1000 at once.

        Args:
            amount: the amount.
        """
        if not 1 <= amount <= 1000:
            raise rlvr.ToolError("pay from 1 to 1000")
        first = not self._balance
        self._balance += amount
        self._log.append(f"paid {amount}")
        return rlvr.Reply("paid", reward=self._pays if first or not self._once else 0.0)

    def history(self) -> list[str]:
        """Return the payments."""
        return list(self._log)

    def outcome(self) -> Any:
        return {"balance": self._balance}


def _account(rng: np.random.Generator) -> rlvr.Task:
    amount = int(rng.integers(100, 1000))
    return rlvr.Task(f"Account {rng.integers(10**6)}: pay {amount} in.", amount)


def _paying(amount: int) -> rlvr.core.task.Message:
    function = {"name": "pay", "arguments": json.dumps({"amount": amount})}
    return {"content": None, "tool_calls": [{"id": "a", "type": "function", "function": function}]}


def accounts(
    toolbox: type[Any] = Accounts,
    verifier: rlvr.Verifier | None = None,
    kind: type[ToolEnv] = ToolEnv,
    **options: Any,
) -> rlvr.Environment:
    tasks = rlvr.generated(_account, size=40)
    fixtures = [
        rlvr.Fixture("right", (_paying(task.reference), "done"), task)
        for task in itertools.islice(tasks, 3)
    ]
    return kind(
        tasks,
        verifier or rlvr.Outcome(path="balance"),
        toolbox,
        calls="native",
        fixtures=fixtures,
        **options,
    )


FACTORIES["healthy_accounts"] = accounts


class Shared(Accounts):
    _all: list[str] = []

    def history(self) -> list[str]:
        """Return the payments."""
        self._all.append("read")
        return list(self._all)


@broken("replies-again")
def keeps_its_state_on_the_class() -> rlvr.Environment:
    return accounts(Shared)


_present: dict[str, rlvr.Task] = {}


class Present(rlvr.Episode):
    def __init__(self, task: rlvr.Task) -> None:
        super().__init__(task)
        _present["task"] = task

    def reply(self, message: ModelMessage) -> str | None:
        task = _present["task"]
        return None if message.content == task.reference else f"not in {task.text}"


def riddles_of(episode: type[rlvr.Episode], **options: Any) -> rlvr.Environment:
    verifier = rlvr.verifier(lambda t, a: a == t.reference, mode="whole", name="guessed")
    tasks = rlvr.generated(_riddle, size=40)
    return rlvr.MultiTurn(tasks, verifier, episode, max_turns=4, **options)


@broken("episodes-apart")
def keeps_the_present_task_in_its_module() -> rlvr.Environment:
    return riddles_of(Present)


class Dice(rlvr.Episode):
    _thrown = itertools.count()

    def reply(self, message: ModelMessage) -> str | None:
        return None if message.content == self.task.reference else f"no, {next(self._thrown)}"


@broken("replies-again")
def varies_and_does_not_say_so() -> rlvr.Environment:
    return riddles_of(Dice)


class Closing(rlvr.Episode):
    def __init__(self, task: rlvr.Task) -> None:
        super().__init__(task)
        self._log: Any = None

    def reply(self, message: ModelMessage) -> str | None:
        self._log = self._log or tempfile.TemporaryFile()  # noqa: SIM115  (`close` closes it)
        if message.content != self.task.reference:
            return "no"
        self.close()
        return None

    def close(self) -> None:
        self._log.close()


@broken("closed-once")
def closes_what_it_has_not_opened() -> rlvr.Environment:
    return riddles_of(Closing)


class Twice(rlvr.Episode):
    def reply(self, message: ModelMessage) -> str | None:
        self.close()
        return None if message.content == self.task.reference else "no"

    def close(self) -> None:
        pass


@broken("closed-once")
def closes_by_itself() -> rlvr.Environment:
    return riddles_of(Twice)


class Leaving(rlvr.Episode):
    _kept: list[Any] = []

    def open(self) -> None:
        descriptor, path = tempfile.mkstemp()
        os.close(descriptor)
        self._path = path

    def reply(self, message: ModelMessage) -> str | None:
        return None if message.content == self.task.reference else "no"

    def close(self) -> None:
        pass


@broken("episode-leaves-nothing")
def leaves_its_files() -> rlvr.Environment:
    return riddles_of(Leaving)


class Waiting(Leaving):
    def open(self) -> None:
        self._stop = threading.Event()
        threading.Thread(target=self._stop.wait, args=(60,), daemon=True).start()

    def close(self) -> None:
        if len(self.conversation) > 4:  # not if it is broken off
            self._stop.set()


@broken("episode-leaves-nothing")
def leaves_a_thread_when_it_is_broken_off() -> rlvr.Environment:
    return riddles_of(Waiting)


class Replaying(ToolEnv):
    """Makes a toolbox anew at each turn, and all earlier calls again."""

    def begin(self, task: rlvr.Task) -> ToolSession:
        session = super().begin(task)
        reply, seen = session.reply, []

        async def replayed(message: ModelMessage) -> Any:
            for earlier in seen:
                await reply(earlier)
            seen.append(message)
            return await reply(message)

        session.reply = replayed  # type: ignore[method-assign]
        return session


@broken("calls-once")
def makes_earlier_calls_again() -> rlvr.Environment:
    return accounts(kind=Replaying)


class Rewarding(Accounts):
    _pays = 0.3
    _once = False


@broken("repeated-step")
def pays_for_a_step_again_and_again() -> rlvr.Environment:
    return accounts(Rewarding)


class Done(Accounts):
    def outcome(self) -> Any:
        return {"balance": self._balance} if self._balance else None


@broken("never-acts")
def has_no_verdict_if_nothing_was_done() -> rlvr.Environment:
    return accounts(Done)


@broken("never-acts")
def pays_for_doing_nothing() -> rlvr.Environment:
    return accounts(verifier=rlvr.UsedTool("pay", least=0, most=3))


@broken("calls-every-tool")
def pays_for_the_use_of_a_tool() -> rlvr.Environment:
    return accounts(verifier=rlvr.UsedTool("pay"))


@broken("loops-to-the-limit")
def pays_for_many_turns() -> rlvr.Environment:
    long = rlvr.verifier(sees="transcript", name="long")(lambda t, episode: episode.turns >= 4)
    return rlvr.MultiTurn(rlvr.generated(_riddle, size=40), long, Sure, max_turns=4)


class Sure(rlvr.Episode):
    def reply(self, message: ModelMessage) -> str | None:
        return "Are you sure?" if message.content.isdecimal() else "Say a number."


class Stock(rlvr.Episode):
    def report(self) -> str:
        """Return a report on the stock, and its number of lamps."""
        return f"Everything is fine. Lamps: {self.task.reference}"


@broken("quotes-results")
def asks_for_what_a_tool_says() -> rlvr.Environment:
    return ToolEnv(rlvr.TaskSet(rows(f"{ASKED}\n\n{describe(Stock)}")), rlvr.Math(), Stock)
