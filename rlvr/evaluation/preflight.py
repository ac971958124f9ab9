"""Checks before an evaluation's first request: its split, sampling, verifier and server.

A paid model must not answer a thousand tasks before it turns out that no answer can be judged.
"""

from __future__ import annotations

import asyncio
import copy
import inspect
from typing import Any

from rlvr.core.compose import leaves
from rlvr.core.environment import Environment, judged_alone
from rlvr.core.errors import MissingExtraError, OptionError, RlvrError
from rlvr.core.registry import find, make
from rlvr.core.task import Task
from rlvr.core.verdict import Cause, Unscored
from rlvr.envs.turns import MultiTurn, SingleTurn
from rlvr.policies.base import name_of
from rlvr.policies.openai import OpenAIPolicy

TEST = "test"
_PATIENCE_S = 5.0  # for a server's first answer; later it may be away for minutes


class NotReadyError(RlvrError, RuntimeError):
    """An evaluation can't begin: no response could be judged on this machine."""


def make_to_evaluate(name: str, **options: Any) -> tuple[Environment, str | None]:
    """Make an environment with its test split, unless `options` name a split or it has no test split.

    Returns:
        the environment, and the split it has; None for an environment without splits.
    """
    if options.get("split") is not None:
        return make(name, **options), str(options["split"])
    options.pop("split", None)
    parameter = inspect.signature(find(name).load()).parameters.get("split")
    if parameter is None:
        return make(name, **options), None
    default = parameter.default if isinstance(parameter.default, str) else None
    if default != TEST:
        try:
            return make(name, split=TEST, **options), TEST
        except MissingExtraError:
            raise
        except Exception:  # an author's factory may look the split up in a dict of its own
            pass
    return make(name, **options), default


def check_sampling(k: int, temperature: float, flags: bool = False) -> None:
    """Raise `OptionError` if several samples are asked for of a model that always answers the same."""
    if k > 1 and temperature == 0:
        many, zero = ("-k", "--temperature") if flags else ("k", "temperature")
        raise OptionError(
            f"With {zero} 0 the {k} samples of a task are the same greedy answer, and pass@k says "
            f"nothing. Set {zero} above 0 (such as {zero}{' ' if flags else '='}0.7), or {many} to 1."
        )


def check_policy(policy: Any) -> None:
    """Raise `OptionError` if a policy's method can't be called as `rlvr.policies.base` says."""
    asynchronous = hasattr(policy, "generate")
    method = getattr(policy, "generate" if asynchronous else "respond", None)
    try:
        signature = inspect.signature(method)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return
    wanted = (
        "async def generate(self, request, n=1)" if asynchronous else "def respond(self, requests)"
    )
    try:
        signature.bind(None, 1) if asynchronous else signature.bind([])
    except TypeError:
        raise OptionError(
            f"The policy {name_of(policy)!r} has {method.__name__}{signature}; it is called as "  # type: ignore[union-attr]
            f"`{wanted}`."
        ) from None


def check_stop(policy: Any, stop: tuple[str, ...], env: str) -> None:
    """Raise `OptionError` if a policy doesn't end responses where the environment's prompt has them end.

    A base model goes on with further questions of its own, and the last of its answers would be judged.
    """
    own = getattr(policy, "stop", None)
    if own is not None and not set(stop) <= set(own):
        raise OptionError(
            f"The prompt of {env!r} has responses end at {', '.join(map(repr, stop))}: make the policy with "
            f"stop={list(stop)!r}."
        )


def check_verifier(env: Environment, tasks: int) -> None:
    """Judge a response before the first request, and if that fails two more, of other tasks.

    Raises `NotReadyError` if none can be judged, for a cause that is this machine's or the verifier's own.
    """
    if tasks == 0 or type(env).judge not in (SingleTurn.judge, MultiTurn.judge):
        return
    if any(_asks_a_model(leaf) for leaf in leaves(env.verifier)):
        return
    faults: list[tuple[Task, Unscored]] = []
    for place in dict.fromkeys((0, tasks // 2, tasks - 1)):
        task = env.tasks[place]
        verdict = judged_alone(env, task, _response(env, task))
        if not isinstance(verdict, Unscored) or verdict.cause not in (
            Cause.SANDBOX,
            Cause.INTERNAL,
        ):
            return
        faults.append((task, verdict))
    task, verdict = faults[0]
    tried = "The only task" if len(faults) == 1 else f"Each of {len(faults)} tasks"
    raise NotReadyError(
        f"{tried} of {env.name!r} that {'was' if len(faults) == 1 else 'were'} tried before asking the "
        f"policy can't be judged. Task {task.id} is unscored ({verdict.cause}): {verdict.message}"
    )


def check_server(policy: Any) -> None:
    """Raise `PolicyError` within seconds if a policy's server can't be reached or lacks its model."""
    if not isinstance(policy, OpenAIPolicy):
        return
    # In the middle of a run a server may be away for minutes; one that was never there is a mistake.
    first = copy.copy(policy)
    timeout_s, patience_s, backoff_s = policy._times
    first._times = (min(timeout_s, 30.0), min(patience_s, _PATIENCE_S), backoff_s)

    async def reach() -> None:
        try:
            await first.start()
        finally:
            await first.aclose()

    run_to_end(reach())


def run_to_end(work: Any) -> None:
    """Run a coroutine to its end, also if this thread has a loop already (a notebook)."""
    from concurrent.futures import ThreadPoolExecutor

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        asyncio.run(work)
        return
    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, work).result()


def _response(env: Environment, task: Task) -> str:
    try:
        return env.verifier.demonstrate(task) or "\\boxed{0}"
    except Exception:
        return "\\boxed{0}"


def _asks_a_model(verifier: Any) -> bool:
    from rlvr.verifiers.judge.verifier import Judge

    return isinstance(verifier, Judge)
