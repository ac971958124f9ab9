"""verl's replay buffer, telling what there was no verdict on.

`trainer.v1.sampler.custom_sampler={path: pkg://rlvr.adapters.verl.replay_buffer, name: ReplayBuffer}`
logs with each step what the TRL adapter logs: `rlvr/unscored`, the share of the rows asked for that
brought no trajectory; `rlvr/<component>` and `rlvr/status/<status>` over those that did. And it
leaves out groups too small to compare: of a group of one, verl's GRPO takes the bare reward for the
advantage. For the `sync` trainer; `algorithm.filter_groups` needs verl's own sampler instead.
"""

from __future__ import annotations

import functools
import math
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from rlvr.core.errors import OptionError

if TYPE_CHECKING:
    # Made when asked for, since its base is verl's.
    ReplayBuffer: type


def metrics(infos: Iterable[Mapping[str, float]], asked: int) -> dict[str, float]:
    """What a batch's verdicts come to.

    Args:
        infos: what `rlvr.adapters.numbers` made of each scored row.
        asked: rows asked for, each of which has an info or is unscored.
    """
    values: dict[str, list[float]] = {}
    count = 0
    for info in infos:
        count += 1
        for name, value in info.items():
            if name.startswith(("status/", "component/")) and not math.isnan(value):
                values.setdefault("rlvr/" + name.removeprefix("component/"), []).append(value)
    means = {name: sum(some) / len(some) for name, some in values.items()}
    return means | {"rlvr/unscored": max(0, asked - count) / max(1, asked)}


def too_small(keys: Iterable[str], least: int) -> set[str]:
    """The keys (`uid_session_index`) of groups with fewer than `least` sessions."""
    sessions = {tuple(key.rsplit("_", 2)[:2]): key for key in keys}
    sizes = Counter(uid for uid, _ in sessions)
    return {key for key in keys if sizes[key.rsplit("_", 2)[0]] < least}


@functools.cache
def _replay_buffer() -> type:
    import transfer_queue as tq
    from verl.trainer.ppo.v1.replay_buffer import ReplayBuffer as Base

    class ReplayBuffer(Base):  # type: ignore[misc]
        """See the module. `sampler_kwargs`: `n`, rows a prompt; `least`, rows that a group needs."""

        def __init__(self, **options: Any) -> None:
            super().__init__(**options)
            if self.trainer_mode != "sync":
                raise OptionError(
                    f"rlvr's replay buffer is for trainer.v1.trainer_mode=sync, not "
                    f"{self.trainer_mode!r}: leave trainer.v1.sampler.custom_sampler out."
                )
            self._n = int(self.sampler_kwargs["n"])
            self._least = int(self.sampler_kwargs.get("least", 1))

        def sample(self, global_steps: int, partition_id: str, batch_size: int) -> tuple[Any, Any]:
            """verl's own batch without groups that are too small, and the metrics of all."""
            batch, found = super().sample(global_steps, partition_id, batch_size)
            if partition_id == "val":
                return batch, found
            stored = tq.kv_batch_get(
                keys=batch.keys, partition_id=partition_id, select_fields=["extra_fields"]
            )
            fields = [getattr(one, "data", one) for one in list(stored["extra_fields"])]
            infos = [one.get("reward_extra_info") or {} for one in fields]
            found = found | metrics(infos, batch_size * self._n)
            small = too_small(batch.keys, self._least)
            found["rlvr/too_small"] = len(small) / max(1, batch_size * self._n)
            if len(small) == len(batch.keys):
                raise RuntimeError(
                    f"No group of this step has {self._least} rows with a verdict: "
                    f"{found['rlvr/unscored']:.0%} of its rows are unscored. The agent loop workers' "
                    f"logs say why."
                )
            if small:
                tq.kv_clear(partition_id=partition_id, keys=sorted(small))
                kept = [i for i, key in enumerate(batch.keys) if key not in small]
                batch.tags = [batch.tags[i] for i in kept]
                batch.keys = [batch.keys[i] for i in kept]
            return batch, found

    return ReplayBuffer


def __getattr__(name: str) -> Any:
    if name == "ReplayBuffer":
        return _replay_buffer()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
