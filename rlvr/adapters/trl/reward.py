"""`reward`: the environments' verdicts as TRL's reward function, and what's logged of them."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import Callable, Collection, Coroutine, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeAlias

from rlvr.adapters.trl.backend import context_of, too_long
from rlvr.adapters.trl.beside import Beside, number_among_namesakes, trainer_behind, warn_of_others
from rlvr.adapters.trl.episodes import Episode
from rlvr.adapters.trl.rows import COLUMN, ENV_COLUMN, EPISODE_COLUMN, unknown
from rlvr.adapters.trl.tools import TaskTools
from rlvr.core.errors import DataError
from rlvr.core.task import Message, Task
from rlvr.core.verdict import Cause, Scored, Status, Unscored, Verdict
from rlvr.envs.mixture import Environments, Mixture, a_mixture
from rlvr.evaluation.judge import EpisodeJudge
from rlvr.policies.template import Template
from rlvr.runs.rollouts import Rollout
from rlvr.scoring import default_pool
from rlvr.scoring.prints import aside

RewardFunction: TypeAlias = Callable[..., Coroutine[Any, Any, list[float | None]]]
_THREADS = 16  # for environments that judge by a method of their own


def reward(
    env: Environments,
    deadline_s: float | None = None,
    record: Callable[[list[Rollout]], None] | None = None,
    ends: Collection[int] = (),
    template: Template | None = None,
    *,
    also: Sequence[Callable[..., Any]] | None = None,
) -> Any:
    """The environments' verdicts as a reward function.

    Each row is judged by its own environment, in the scoring pool, off the training process's
    threads; TRL runs the function on its event loop. Rows that `rollout` played have their
    verdicts, or they are under way. Without it an environment with tools is judged by the last
    message, and one with several turns can't be.

    Metrics logged with each batch: `rlvr/<component>`, the mean of each component over the scored
    rows; `rlvr/status/<status>`, its share of the scored; `rlvr/unscored`, the share of all rows
    that got no reward, and `rlvr/unscored/<cause>`; `rlvr/scoring_wait_s`, how long TRL waited for
    verdicts. A second reward of the same name (of the same environment) has them under `rlvr/2/`. Of a mixture also the same under `rlvr/<environment>/`. Of rollouts `rlvr/turns`, the
    mean, and the shares `rlvr/stop/length` and `rlvr/stop/turns`. The feedback is logged beside
    each completion.

    Args:
        env: one, a list, a mapping by name, or a `Mixture`, as `dataset` got it.
        deadline_s: for a batch; what isn't judged by then is unscored. None: each row's own limit.
        record: called once with each batch's rollouts, in TRL's order; what it raises ends the
            training.
        ends: token ids that end a completion. TRL doesn't say why one ended: where `rollout` didn't
            play them, rollouts have a `stop` by these, and without them an empty one.
        template: of the model's tokenizer. TRL decodes a completion without its special tokens, and a thought
            between two of them (gpt-oss's), or that the prompt opened (DeepSeek-R1's), looks like the answer;
            with the template it's told apart. `rollout` does so by itself.
        also: other reward functions as TRL has them, such as one for a format. A row without a verdict
            gets nothing from them either; beside ours in a plain list they would have it count as wrong.

    Returns:
        The reward function; with `also`, the list of all of them, ours first, for `reward_funcs`.
    """
    mixture = a_mixture(env)
    aside()
    default_pool().start()  # warm by the time the first completions are there
    threads = ThreadPoolExecutor(_THREADS, "rlvr-judges")
    judges = {name: EpisodeJudge(one, threads) for name, one in mixture.environments.items()}
    beside = Beside(also or ())
    looked = False  # at the trainer's other reward functions
    number = 1  # among those of the same name

    async def judged(
        completions: Sequence[Any],
        completion_ids: Sequence[Sequence[int]] | None = None,
        log_metric: Callable[[str, float], None] | None = None,
        log_extra: Callable[[str, list[Any]], None] | None = None,
        **columns: Any,
    ) -> list[float | None]:
        aside(getattr(getattr(trainer_behind(log_metric), "args", None), "output_dir", None))
        episodes = columns.get(EPISODE_COLUMN)
        if episodes is None:
            episodes = _finished(mixture, completions, completion_ids, columns, ends, template)
            unfit = _unfit(trainer_behind(log_metric), columns.get("prompts"), len(episodes))
            for episode, why in zip(episodes, unfit, strict=True):
                if why is not None:
                    episode.verdict, episode.stop = Unscored(Cause.INPUT, why), "error"
                judge = judges[episode.name]
                episode.verdict = episode.verdict or judge(episode.task, episode.messages)
        nonlocal looked, number
        if not looked:
            looked = warn_of_others(reward_function, log_metric)
            number = number_among_namesakes(reward_function, trainer_behind(log_metric))
        began = time.monotonic()
        verdicts = await _verdicts([episode.verdict for episode in episodes], deadline_s)
        if log_metric is not None:
            figures = {"rlvr/scoring_wait_s": time.monotonic() - began}
            figures |= _logged(mixture, episodes, verdicts)
            for name, value in figures.items():
                own = name if number == 1 else name.replace("rlvr/", f"rlvr/{number}/", 1)
                log_metric(own, value)
        if log_extra is not None:
            log_extra("feedback", [_feedback(verdict) for verdict in verdicts])
        if record is not None:
            record([one.rollout(v) for one, v in zip(episodes, verdicts, strict=True)])
        return [verdict.reward if isinstance(verdict, Scored) else None for verdict in verdicts]

    async def reward_function(completions: Sequence[Any], **given: Any) -> list[float | None]:
        try:
            rewards = await judged(completions, **given)
        except BaseException as error:
            beside.scored(completions, error)
            raise
        beside.scored(completions, [one is not None for one in rewards])
        return rewards

    # TRL names the reward's metrics after it.
    names = list(mixture.environments)
    reward_function.__name__ = names[0] if len(names) == 1 else "rlvr"
    return reward_function if also is None else [reward_function, *beside.functions]


def _unfit(trainer: Any, prompts: Any, rows: int) -> list[str | None]:
    """Return why each row's prompt leaves no room in the model's context; None for those that do.

    `rlvr.train`'s trainers and PPOTrainer know. TRL's own generate from such a prompt beyond the context, if the
    model lets them.
    """
    found: list[str | None] | None = getattr(trainer, "unfit", None)
    if found:
        return found
    if found is None and hasattr(trainer, "_tokenize_prompts") and prompts is not None:
        context = context_of(trainer)
        ids, *_ = trainer._tokenize_prompts(
            list(prompts)
        )  # all rows: each may have tools of its own
        lengths = [len(row) for row in ids]
        return [too_long(length, context) if length >= context else None for length in lengths]
    return [None] * rows


def metrics(verdicts: Sequence[Verdict]) -> dict[str, float]:
    """What `reward` logs about a batch. Every status and cause each time, so that no curve has gaps."""
    scored = [verdict for verdict in verdicts if isinstance(verdict, Scored)]
    values: dict[str, list[float]] = {}
    for verdict in scored:
        for name, value in verdict.components.items():
            values.setdefault(name, []).append(value)
    logged = {f"rlvr/{name}": sum(some) / len(some) for name, some in values.items()}
    statuses = Counter(verdict.status for verdict in scored)
    causes = Counter(verdict.cause for verdict in verdicts if isinstance(verdict, Unscored))
    total = max(1, len(verdicts))
    if scored:
        # Under a folder of its own: a component may well be called "correct".
        logged |= {f"rlvr/status/{status}": statuses[status] / len(scored) for status in Status}
    logged["rlvr/unscored"] = (len(verdicts) - len(scored)) / total
    return logged | {f"rlvr/unscored/{cause}": causes[cause] / total for cause in Cause}


def _finished(
    mixture: Mixture,
    completions: Sequence[Any],
    completion_ids: Sequence[Sequence[int]] | None,
    columns: dict[str, Any],
    ends: Collection[int],
    template: Template | None,
) -> list[Episode]:
    """Episodes that TRL generated itself, ready to be judged."""
    if COLUMN not in columns:
        raise DataError(
            f"The training data have no column {COLUMN!r}; make them with rlvr.trl.dataset(env). "
            f"TRL handed over: {', '.join(columns)}."
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
        episode = Episode.of(env, name, tasks[text], samples[name, text])
        samples[name, text] += 1
        if template is None or completion_ids is None or isinstance(tools, TaskTools):
            episode.messages += _messages(completions[i])
        else:
            said = template.text(completion_ids[i])
            episode.messages.append({"role": "assistant", "content": said})
        episode.mask = [1] * len(completion_ids[i]) if completion_ids is not None else []
        episode.stop = ""
        if ends and completion_ids is not None:
            episode.stop = "stop" if set(completion_ids[i][-1:]) & set(ends) else "length"
        episode.verdict = tools.fault if isinstance(tools, TaskTools) else None
        episodes.append(episode)
    return episodes


async def _verdicts(
    pending: Sequence[Verdict | Future[Verdict] | None], deadline_s: float | None
) -> list[Verdict]:
    """The verdicts, in order. Those that aren't there by the deadline are unscored."""
    waited = {
        i: asyncio.wrap_future(one) for i, one in enumerate(pending) if isinstance(one, Future)
    }
    if waited:
        await asyncio.wait(waited.values(), timeout=deadline_s)
    found: list[Verdict] = []
    for i, one in enumerate(pending):
        if i not in waited:
            assert not isinstance(one, Future)
            assert one is not None  # it's over
            found.append(one)
        elif waited[i].done() and not waited[i].cancelled():
            found.append(waited[i].result())
        else:
            waited[i].cancel()  # takes what waits out of the pool's queue
            late = f"not judged within the deadline of {deadline_s} s"
            found.append(Unscored(Cause.TIMEOUT, late))
    return found


def _logged(
    mixture: Mixture, episodes: Sequence[Episode], verdicts: Sequence[Verdict]
) -> dict[str, float]:
    logged = metrics(verdicts)
    if len(mixture.environments) > 1:
        for name in {episode.name for episode in episodes}:
            own = [v for e, v in zip(episodes, verdicts, strict=True) if e.name == name]
            for key, value in metrics(own).items():
                logged[f"rlvr/{name}/{key.removeprefix('rlvr/')}"] = value
    played = [episode for episode in episodes if episode.stop]
    if played:
        logged["rlvr/turns"] = sum(episode.turns for episode in played) / len(played)
        for stop in ("length", "turns"):
            share = sum(episode.stop == stop for episode in played) / len(played)
            logged[f"rlvr/stop/{stop}"] = share
    return logged


def _messages(completion: Any) -> list[Message]:
    """A completion as messages; at least one, and the model's is the last."""
    if isinstance(completion, str):
        return [{"role": "assistant", "content": completion}]
    found = [
        {"role": str(message.get("role", "assistant")), "content": _text(message)}
        for message in completion
    ]
    # Calls are shown, but for those of the last message, which is judged: they're no answer.
    for shown, message in zip(found[:-1], completion, strict=False):
        for made in message.get("tool_calls") or ():
            shown["content"] += f"\n<tool_call>\n{json.dumps(made.get('function'))}\n</tool_call>"
    if not found or found[-1]["role"] != "assistant":
        found.append({"role": "assistant", "content": ""})
    return found


def _text(message: dict[str, Any]) -> str:
    """A message's text: of all its parts, as multi-modal templates have them."""
    content = message.get("content")
    if isinstance(content, list):
        return "".join(part.get("text", "") for part in content)
    return content or ""


def _feedback(verdict: Verdict) -> str:
    if isinstance(verdict, Scored):
        return verdict.feedback
    return f"unscored ({verdict.cause}): {verdict.message}"
