"""`LiveEpisode`: the one rule by which every driver plays an episode.

A driver (Gymnasium's `step`, the evaluator, a trainer's adapter, the audit) hands over the model's messages. The rule
decides what comes next: the environment's messages, the end, or a fault. Authors' methods run on a loop and in threads
of rlvr's own (`rlvr.core.calls`), each within a deadline and each once; `close` follows in any case.
"""

from __future__ import annotations

import asyncio
import functools
import math
import weakref
from collections.abc import Mapping
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from rlvr.core import errors
from rlvr.core.actor import Actor
from rlvr.core.calls import CallTimeoutError
from rlvr.core.episode import AskPolicy, Child, Episode, ModelMessage, Reply
from rlvr.core.errors import ResponseError, TaskError
from rlvr.core.faults import raised
from rlvr.core.task import Message, Task, as_message, content_text
from rlvr.core.tool_calls import ToolCall, are_results, calls_of, encodable, openai_call
from rlvr.core.transcript import Transcript
from rlvr.core.verdict import Cause, Unscored, Verdict

if TYPE_CHECKING:
    from rlvr.core.environment import Environment

Stop: TypeAlias = Literal["", "stop", "length", "turns", "error"]


class LiveEpisode:
    """One episode that is being played; `Environment.episode(task)` makes it::

        async with env.episode(task) as episode:
            while not episode.over:
                await episode.respond(await ask(model, episode.messages))
            verdict = await episode.verdict()

    Each of the methods has a form that returns a `concurrent.futures.Future`, for drivers without a loop.

    Attributes:
        task: the task.
        messages: the conversation so far. Read it; the episode keeps it. After the last turn, the results of its calls
            are there, too, though the model doesn't read them.
        turns: the number of the model's messages.
        over: True if no further message of the model is wanted.
        stop: why the last message ended (`stop`, `length`), or `turns` if the environment had more to say and no turns
            were left; `length`, too, if a reply didn't fit any more; `error` after a fault.
        step_rewards: one per turn.
        outcome: what the author's `outcome` returned, after the end.
        fault: the unscored verdict of an episode in which an author's method failed.
        children: the conversations of other policies in it: of users, opponents, sub-agents.
        policy: asks the policy that plays the episode for a sub-agent's messages. A driver that can sets it before
            `begin_open`.
    """

    def __init__(self, env: Environment, task: Task, deadline_s: float | None = None) -> None:
        self.task = task
        self.messages: list[Message] = [dict(message) for message in task.prompt]
        self.turns = 0
        self.over = False
        self.stop: Stop = ""
        self.step_rewards: list[float] = []
        self.outcome: Any = None
        self.fault: Unscored | None = None
        self.children: list[Child] = []
        self.policy: AskPolicy | None = None
        self._env = env
        self._ended: Transcript | None = None
        self._actor: Actor | None = None
        if env.is_interactive:
            self._actor = Actor(env.deadline_s if deadline_s is None else deadline_s)
            weakref.finalize(self, self._actor.close_soon).atexit = False

    # ------------------------------------------------------------------ the rule

    async def _open(self) -> None:
        assert self._actor is not None
        try:
            kept = Episode(self.task)
            kept.conversation, kept.children, kept.policy = (
                self.messages,
                self.children,
                self.policy,
            )
            await self._actor.make(functools.partial(self._env.begin, self.task), kept)
            await self._actor.open()
        except BaseException as error:
            self._failed("the beginning", error)

    async def _respond(self) -> list[Message]:
        actor = self._actor
        assert actor is not None
        message = self.messages[-1]
        try:
            response = ModelMessage(content_text(message), tuple(calls_of(message)))
            reply = _as_reply(await actor.reply(response))
            new = [] if reply is None or (reply.over and not reply.content) else reply.all_messages
            self.step_rewards.append(self._bounded(0.0 if reply is None else reply.reward))
        except BaseException as error:
            self.step_rewards.append(0.0)
            self._failed("the reply", error)
            return []
        if reply is None or reply.over:
            self.over = True
        elif self.turns >= self._env.max_turns:
            self.over, self.stop = True, "turns"
            if not are_results(response.tool_calls, new):
                new = []
        self.messages += map(_encodable, new)
        return new

    async def _end(self) -> None:
        if self._actor is not None:
            if self.fault is None:
                try:
                    self.outcome = plain(await self._actor.outcome())
                except BaseException as error:
                    self._failed("the outcome", error)
            try:
                await self._actor.close()
            except BaseException as error:
                self._failed("the close", error)
        self.over = True
        self._ended = self._transcript()

    def _transcript(self) -> Transcript:
        return Transcript(self.messages, self.outcome, self.step_rewards, len(self.task.prompt))

    async def _call(self, call: ToolCall) -> Reply:
        assert self._actor is not None
        reply: Reply = await self._actor.played.result(call)
        self.step_rewards.append(self._bounded(reply.reward))
        return reply

    def _failed(self, action: str, error: BaseException) -> None:
        """Record an exception as the episode's fault, so that it never counts as a wrong answer."""
        if isinstance(error, asyncio.CancelledError):
            raise error
        if isinstance(error, NotImplementedError) and action == "the reply":
            raise error  # the author hasn't written the method yet
        self.over, self.stop = True, "error"
        if self.fault is not None:
            return
        where = f"{action} of {self._env.name}"
        if isinstance(error, CallTimeoutError):
            assert self._actor is not None
            deadline = f"{self._actor.deadline_s:g} s"
            self.fault = Unscored(Cause.TIMEOUT, f"{where} took over {deadline}")
        elif isinstance(error, _InvalidError | TaskError):
            self.fault = Unscored(Cause.INTERNAL, f"{where} {error}")
        elif isinstance(error, Exception | SystemExit):
            self.fault = raised(f"{where} raised", error)
        else:
            raise error

    def _bounded(self, reward: float) -> float:
        """Return what is paid of a step reward. Raises `_InvalidError` if it lies outside of the environment's range."""
        low, high = self._env.step_reward_range
        if not (
            isinstance(reward, int | float) and math.isfinite(reward) and low <= reward <= high
        ):
            raise _InvalidError(
                f"has the reward {reward!r:.60}, and a step's is a number from {low:g} to {high:g}; an environment "
                f"declares another range by step_reward_range=(low, high)"
            )
        earned = math.fsum(self.step_rewards)
        paid = min(max(earned + reward, low), high) - earned
        return float(reward) if math.isclose(paid, reward, abs_tol=1e-12) else paid

    # ------------------------------------------------------------------ driving it

    def begin_open(self) -> Future[None]:
        """Make the author's object and open it. An exception of it becomes the episode's fault."""
        if self._actor is None:
            return _done(None)
        return self._actor.run(self._open)

    def begin_respond(
        self, message: str | Mapping[str, Any], stop: Stop = "stop", last: bool = False
    ) -> Future[list[Message]]:
        """Hand over a message of the model.

        Args:
            message: its text, or the message.
            stop: why it ended.
            last: True if the model can't say more, for want of tokens: then the environment isn't asked.

        Returns:
            The environment's new messages. If the episode is over, the model doesn't read them.

        Raises `ResetNeededError` if it is over already, and `ResponseError` for what isn't a message.
        """
        if self.over:
            raise errors.ResetNeededError(
                "Call env.reset() before env.step(): the episode is over or none was begun."
            )
        self.messages.append(self._of_model(message))
        self.turns += 1
        self.stop = stop
        if self._actor is None or last:
            self.step_rewards.append(0.0)
            self.over = True
            return _done([])
        return self._actor.run(self._respond)

    def cut(self, stop: Stop) -> None:
        """End the episode without another message of the model.

        A reply that it won't answer is taken back, unless it holds the results of calls: those were made.
        """
        end = len(self.messages)
        while end > len(self.task.prompt) and self.messages[end - 1]["role"] != "assistant":
            end -= 1
        if not are_results(calls_of(self.messages[end - 1]), self.messages[end:]):
            del self.messages[end:]
        self.over, self.stop = True, stop

    def fail(self, fault: Unscored) -> None:
        """End the episode with a fault of the driver's: no server, no response."""
        self.over, self.stop, self.fault = True, "error", self.fault or fault

    def begin_end(self) -> Future[Transcript | Unscored]:
        """Ask for the outcome, close the author's object, and return what the verifier sees, or the fault."""
        result: Future[Transcript | Unscored] = Future()

        def ended(done: Future[None]) -> None:
            error = None if done.cancelled() else done.exception()
            if self.fault is not None:
                result.set_result(self.fault)
            elif error is not None:
                result.set_exception(error)
            elif self._ended is None:
                result.set_result(
                    Unscored(Cause.INTERNAL, f"an episode of {self._env.name} was closed")
                )
            else:
                result.set_result(self._ended)

        if self._ended is not None or self._actor is None:
            if self._ended is None:
                self.over = True
                self._ended = self._transcript()
            ended(_done(None))
        else:
            self._actor.run(self._end).add_done_callback(ended)
        return result

    def begin_close(self) -> Future[None]:
        """Close the author's object, whatever it does now. Does nothing the second time."""
        self.over = True
        return _done(None) if self._actor is None else self._actor.close_soon()

    def begin_call(self, call: ToolCall) -> Future[Reply]:
        """Make one call of a tool, without a message of the model, for drivers that keep the conversation themselves.

        Its step reward is one of the episode's. Raises `CannotScore` if the tool does.
        """
        assert self._actor is not None
        return self._actor.run(functools.partial(self._call, call))

    async def respond(
        self, message: str | Mapping[str, Any], stop: Stop = "stop", last: bool = False
    ) -> list[Message]:
        """Hand over a message of the model, and return the environment's new messages; see `begin_respond`."""
        return await asyncio.wrap_future(self.begin_respond(message, stop, last))

    async def end(self) -> Transcript | Unscored:
        """Return what the verifier sees, or the fault; see `begin_end`."""
        return await asyncio.wrap_future(self.begin_end())

    async def verdict(self) -> Verdict:
        """End the episode and return its verdict, with the step rewards in it."""
        ended = await self.end()
        if isinstance(ended, Unscored):
            return ended
        verdict = self._env.submit(self.task, ended)
        if isinstance(verdict, Future):
            verdict = await asyncio.wrap_future(verdict)
        return ended.with_step_rewards(verdict)

    async def __aenter__(self) -> LiveEpisode:
        try:
            await asyncio.wrap_future(self.begin_open())
        except BaseException:
            self.begin_close()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.shield(asyncio.wrap_future(self.begin_close()))

    def _of_model(self, message: str | Mapping[str, Any]) -> Message:
        if isinstance(message, str):
            return {"role": "assistant", "content": message}
        try:
            calls = message.get("tool_calls") or ()
            if not isinstance(calls, list | tuple):
                calls = [calls]  # one that can't be read, which the environment answers
            response = as_message(
                {**message, "role": "assistant", "tool_calls": list(calls) or None}
            )
        except (TypeError, AttributeError, TaskError) as error:
            raise ResponseError(
                f"A response is a str or a message of the model, not {message!r:.200}."
            ) from error
        calls = response.get("tool_calls")
        if calls:
            response["tool_calls"] = [
                openai_call(call, f"call_{self.turns + 1}_{number}")
                for number, call in enumerate(calls, 1)
            ]
        return response


def plain(value: Any) -> Any:
    """Return `value` if it is plain JSON data. Raises `_InvalidError` otherwise."""
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        return {key: plain(item) for key, item in value.items()}
    raise _InvalidError(f"holds {value!r:.80}, which is no plain JSON data")


def _as_reply(value: Any) -> Reply | None:
    if value is None or isinstance(value, Reply):
        return value
    if isinstance(value, str):
        return Reply(value)
    raise _InvalidError(f"is a {type(value).__name__}: return a str, an rlvr.Reply or None")


class _InvalidError(Exception):
    """An author's method returned what it may not: the end of a sentence about it."""


def _encodable(message: Message) -> Message:
    """Return a message without halves of surrogate pairs, which a model may write as escapes and a tool may echo."""
    content = message.get("content")
    if isinstance(content, str) and not content.isascii():
        message["content"] = encodable(content)
    return message


def _done(value: Any) -> Future[Any]:
    future: Future[Any] = Future()
    future.set_result(value)
    return future
