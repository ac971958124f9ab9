"""`reward`: the environments' verdicts as TRL's reward function, with metrics."""

from __future__ import annotations

import asyncio
import json
import pickle
import time
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

import cloudpickle

from rlvr.adapters.trl.backend import context_of, too_long
from rlvr.adapters.trl.episode import TrlEpisode
from rlvr.adapters.trl.other_rewards import (
    Completion,
    LogMetric,
    OtherRewards,
    Reward,
    number_among_namesakes,
    trainer_behind,
    warn_of_others,
)
from rlvr.adapters.trl.rows import COLUMN, ENV_COLUMN, EPISODE_COLUMN, unknown
from rlvr.adapters.trl.tools import TaskTools, children_of, ended
from rlvr.core.errors import DataError
from rlvr.core.task import Message, Task, as_message
from rlvr.core.verdict import Cause, Scored, Status, Unscored, Verdict
from rlvr.envs.mixture import Environments, Mixture, a_mixture
from rlvr.evaluation.judge import EpisodeJudge
from rlvr.policies.template import Template
from rlvr.runs.rollouts import Rollout
from rlvr.scoring import default_pool
from rlvr.scoring.prints import aside

if TYPE_CHECKING:
    from rlvr.adapters.trl.trainer_types import TrlTrainer


def reward(
    env: Environments,
    deadline_s: float | None = None,
    record: Callable[[list[Rollout]], None] | None = None,
    stop_token_ids: Collection[int] = (),
    template: Template | None = None,
    *,
    also: Sequence[Reward] | None = None,
) -> Any:
    """Return the environments' verdicts as a reward function for TRL.

    Each row is judged by its own environment, in the scoring pool, off the training process's threads; TRL runs the
    function on its event loop. Rows that `rollout` played are judged already, or being judged. Without `rollout` an
    environment with tools is judged by the last message, and other environments with several turns are refused.

    Metrics of each batch: `rlvr/<component>`, the mean of each component over the scored rows; `rlvr/status/<status>`,
    its share of the scored rows; `rlvr/unscored`, the share of all rows without a reward, and `rlvr/unscored/<cause>`;
    `rlvr/scoring_wait_s`, the seconds that TRL waited for verdicts. A mixture has the same under `rlvr/<environment>/`,
    and a second reward of the same name (of the same environment) under `rlvr/2/`. Rollouts have `rlvr/turns`, the mean,
    and the shares `rlvr/stop/length` and `rlvr/stop/turns`. The feedback is logged with each completion.

    Args:
        env: One environment, a list, a mapping by name, or a `Mixture`: the same value as for `dataset`.
        deadline_s: Seconds for a batch; rows without a verdict by then are unscored (default: each row's own limit).
        record: Called once with each batch's rollouts, in TRL's order. Its exceptions end the training.
        stop_token_ids: Token ids that end a completion. TRL doesn't tell why a completion ended, so these decide the
            `stop` of rollouts that `rollout` didn't play; without them it is empty.
        template: The chat template of the model's tokenizer. TRL decodes completions without special tokens, so that a
            thought between two of them (gpt-oss's), or one that the prompt opened (DeepSeek-R1's), looks like the answer.
            The template separates it. `rollout` does so by itself.
        also: Other reward functions for TRL, such as one for a format. An unscored row gets no reward from them either;
            in a plain list with this one, they would make it count as wrong.

    Returns:
        The reward function; with `also`, a list of all of them, this one first, for `reward_funcs`.
    """
    other_rewards = OtherRewards(also or ())
    function = RewardFunction(
        a_mixture(env), deadline_s, record, stop_token_ids, template, other_rewards
    )
    return function if also is None else [function, *other_rewards.functions]


class RewardFunction:
    """The environments' verdicts as a reward function; `reward` makes it.

    It can be pickled with its environments, for trainers that reward in a process of their own (TRL's AsyncGRPOTrainer).
    """

    has_step_rewards = True
    """`rlvr.train`'s PPO puts the step rewards in its rewards on the turns that earned them."""

    def __init__(
        self,
        mixture: Mixture,
        deadline_s: float | None,
        record: Callable[[list[Rollout]], None] | None,
        stop_token_ids: Collection[int],
        template: Template | None,
        other_rewards: OtherRewards,
    ) -> None:
        self._settings = (mixture, deadline_s, record, tuple(stop_token_ids), template)
        self._mixture = mixture
        self._others = other_rewards
        self._judges = {name: EpisodeJudge(env) for name, env in mixture.environments.items()}
        self._checked = False  # the trainer's other reward functions
        self._number = 1  # among the reward functions of the same name
        names = list(mixture.environments)
        self.__name__ = names[0] if len(names) == 1 else "rlvr"
        """TRL names the reward's metrics after it."""
        aside()
        default_pool().start()  # ready before the first completions

    async def __call__(
        self, completions: Sequence[Completion], **columns: Any
    ) -> list[float | None]:
        """Return the rewards of a batch's completions; None for one without a verdict."""
        try:
            rewards = await self._rewards(completions, **columns)
        except BaseException as error:
            self._others.set_scored(completions, error)
            raise
        self._others.set_scored(completions, [reward is not None for reward in rewards])
        return rewards

    def __reduce__(self) -> tuple[Any, ...]:
        # Not by pickle alone: an environment may be of the script that runs.
        return _unpickled, (cloudpickle.dumps(self._settings),)

    async def _rewards(
        self,
        completions: Sequence[Completion],
        completion_ids: Sequence[Sequence[int]] | None = None,
        log_metric: LogMetric | None = None,
        log_extra: Callable[[str, list[str]], None] | None = None,
        **columns: Any,
    ) -> list[float | None]:
        mixture, deadline_s, record, stop_token_ids, template = self._settings
        trainer = trainer_behind(log_metric)
        aside(getattr(getattr(trainer, "args", None), "output_dir", None))
        episodes = columns.get(EPISODE_COLUMN)
        if episodes is None:
            episodes = _finished(
                mixture, completions, completion_ids, columns, stop_token_ids, template
            )
            unfit = _unfit(trainer, columns.get("prompts"), len(episodes))
            for episode, why in zip(episodes, unfit, strict=True):
                if why is not None:
                    episode.verdict, episode.stop = Unscored(Cause.INPUT, why), "error"
                judge = self._judges[episode.name]
                episode.verdict = episode.verdict or judge(episode.task, episode.transcript)
        if not self._checked:
            self._checked = warn_of_others(self, log_metric)
            self._number = number_among_namesakes(self, trainer)
        began = time.monotonic()
        verdicts = await _verdicts([episode.verdict for episode in episodes], deadline_s)
        if log_metric is not None:
            figures = {"rlvr/scoring_wait_s": time.monotonic() - began}
            figures |= _logged(mixture, episodes, verdicts)
            for name, value in figures.items():
                number = self._number
                key = name if number == 1 else name.replace("rlvr/", f"rlvr/{number}/", 1)
                log_metric(key, value)
        if log_extra is not None:
            log_extra("feedback", [_feedback(verdict) for verdict in verdicts])
        if record is not None:
            record([e.rollout(v) for e, v in zip(episodes, verdicts, strict=True)])
        return [verdict.reward if isinstance(verdict, Scored) else None for verdict in verdicts]


def _unpickled(settings: bytes) -> RewardFunction:
    mixture, deadline_s, record, stop_token_ids, template = pickle.loads(settings)
    return RewardFunction(mixture, deadline_s, record, stop_token_ids, template, OtherRewards(()))


def _unfit(
    trainer: TrlTrainer | None, prompts: Sequence[Any] | None, rows: int
) -> list[str | None]:
    """Return for each row why its prompt leaves no room in the model's context, or None.

    `rlvr.train`'s trainers and PPOTrainer have these reasons. TRL's trainers generate from such a prompt beyond the
    context, if the model can.
    """
    unfit: list[str | None] | None = getattr(trainer, "unfit", None)
    if unfit:
        return unfit
    if unfit is None and trainer is not None and prompts is not None:
        if not hasattr(trainer, "_tokenize_prompts"):
            return [None] * rows
        context = context_of(trainer)
        # All rows: each may have tools of its own.
        ids, *_ = trainer._tokenize_prompts(list(prompts))
        lengths = [len(row) for row in ids]
        return [too_long(length, context) if length >= context else None for length in lengths]
    return [None] * rows


def metrics(verdicts: Sequence[Verdict]) -> dict[str, float]:
    """Return the metrics of a batch's verdicts, with every status and cause, so that no curve has gaps."""
    scored = [verdict for verdict in verdicts if isinstance(verdict, Scored)]
    values: dict[str, list[float]] = {}
    for verdict in scored:
        for name, value in verdict.components.items():
            values.setdefault(name, []).append(value)
    logged = {f"rlvr/{name}": sum(parts) / len(parts) for name, parts in values.items()}
    statuses = Counter(verdict.status for verdict in scored)
    causes = Counter(verdict.cause for verdict in verdicts if isinstance(verdict, Unscored))
    total = max(1, len(verdicts))
    if scored:
        # In a folder of their own, since a component may be called "correct".
        logged |= {f"rlvr/status/{status}": statuses[status] / len(scored) for status in Status}
    logged["rlvr/unscored"] = (len(verdicts) - len(scored)) / total
    return logged | {f"rlvr/unscored/{cause}": causes[cause] / total for cause in Cause}


def _finished(
    mixture: Mixture,
    completions: Sequence[Completion],
    completion_ids: Sequence[Sequence[int]] | None,
    columns: dict[str, Any],
    stop_token_ids: Collection[int],
    template: Template | None,
) -> list[TrlEpisode]:
    """Return the episodes that TRL generated itself, ready to be judged."""
    if COLUMN not in columns:
        raise DataError(
            f"The training data have no column {COLUMN!r}; make them with rlvr.trl.dataset(env). "
            f"TRL passed: {', '.join(columns)}."
        )
    names = columns.get(ENV_COLUMN)
    if names is None:
        if len(mixture.environments) > 1:
            raise DataError(
                f"The training data have no column {ENV_COLUMN!r}, and there are several "
                f"environments; make them with rlvr.trl.dataset(env)."
            )
        names = list(mixture.environments) * len(completions)
    tasks = {text: Task.from_json(json.loads(text)) for text in set(columns[COLUMN])}
    samples: Counter[tuple[str, str]] = Counter()
    episodes = []
    for i, (name, text) in enumerate(zip(names, columns[COLUMN], strict=True)):
        env = mixture.environments.get(name)
        if env is None:
            raise DataError(unknown(name, mixture))
        tools = columns["environments"][i] if columns.get("environments") else None
        if env.max_turns > 1 and not isinstance(tools, TaskTools):
            raise DataError(
                f"{name!r} has several turns, and TRL generated one: give GRPOTrainer "
                f"rollout_func=rlvr.trl.rollout(env) too. (RLOOTrainer has no such option.)"
            )
        episode = TrlEpisode.of(env, name, tasks[text], samples[name, text])
        samples[name, text] += 1
        if template is None or completion_ids is None or isinstance(tools, TaskTools):
            episode.messages += _messages(completions[i])
        else:
            text = template.text(completion_ids[i])
            episode.messages.append({"role": "assistant", "content": text})
        episode.mask = [1] * len(completion_ids[i]) if completion_ids is not None else []
        episode.stop = ""
        if stop_token_ids and completion_ids is not None:
            complete = set(completion_ids[i][-1:]) & set(stop_token_ids)
            episode.stop = "stop" if complete else "length"
        if isinstance(tools, TaskTools):
            end = ended(tools, episode.messages)
            episode.children = children_of(tools)
            if isinstance(end, Unscored):
                episode.verdict = end
            else:
                episode.outcome, episode.step_rewards = end.outcome, end.step_rewards
        episodes.append(episode)
    return episodes


async def _verdicts(
    pending: Sequence[Verdict | Future[Verdict] | None], deadline_s: float | None
) -> list[Verdict]:
    """Return the verdicts, in order. Rows without one by the deadline are unscored."""
    waited = {
        i: asyncio.wrap_future(item) for i, item in enumerate(pending) if isinstance(item, Future)
    }
    if waited:
        await asyncio.wait(waited.values(), timeout=deadline_s)
    verdicts: list[Verdict] = []
    for i, item in enumerate(pending):
        if i not in waited:
            assert not isinstance(item, Future)
            assert item is not None  # the episode is over
            verdicts.append(item)
        elif waited[i].done() and not waited[i].cancelled():
            verdicts.append(waited[i].result())
        else:
            waited[i].cancel()  # removes it from the pool's queue if it waits there
            late = f"not judged within the deadline of {deadline_s} s"
            verdicts.append(Unscored(Cause.TIMEOUT, late))
    return verdicts


def _logged(
    mixture: Mixture, episodes: Sequence[TrlEpisode], verdicts: Sequence[Verdict]
) -> dict[str, float]:
    logged = metrics(verdicts)
    if len(mixture.environments) > 1:
        for name in {episode.name for episode in episodes}:
            of_env = [v for e, v in zip(episodes, verdicts, strict=True) if e.name == name]
            for key, value in metrics(of_env).items():
                logged[f"rlvr/{name}/{key.removeprefix('rlvr/')}"] = value
    played = [episode for episode in episodes if episode.stop]
    if played:
        logged["rlvr/turns"] = sum(episode.turns for episode in played) / len(played)
        for stop in ("length", "turns"):
            share = sum(episode.stop == stop for episode in played) / len(played)
            logged[f"rlvr/stop/{stop}"] = share
    return logged


def _messages(completion: Completion) -> list[Message]:
    """Return a completion as messages, of which the last is the model's."""
    if isinstance(completion, str):
        return [{"role": "assistant", "content": completion}]
    messages = [
        as_message({"role": "assistant", **message, "content": message.get("content") or ""})
        for message in completion
    ]
    if not messages or messages[-1]["role"] != "assistant":
        messages.append({"role": "assistant", "content": ""})
    messages[-1].pop("tool_calls", None)  # nobody answered them: they are no answer either
    return messages


def _feedback(verdict: Verdict) -> str:
    if isinstance(verdict, Scored):
        return verdict.feedback
    return f"unscored ({verdict.cause}): {verdict.message}"
