"""verl's replay buffer with metrics of verdicts and of unscored rows.

`trainer.v1.sampler.custom_sampler={path: pkg://rlvr.adapters.verl.replay_buffer, name: ReplayBuffer}`
logs at each step the metrics of the TRL adapter: `rlvr/unscored`, the share of requested rows without a trajectory, and
`rlvr/<component>` and `rlvr/status/<status>` over the others. It also leaves out groups that are too small to compare: in
a group of one, verl's GRPO takes the bare reward for the advantage. It is for the `sync` trainer;
`algorithm.filter_groups` needs verl's own sampler instead.
"""

from __future__ import annotations

import functools
import math
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from rlvr.core.errors import OptionError

if TYPE_CHECKING:
    # Made at the first use, since its base class is verl's.
    ReplayBuffer: type


def metrics(infos: Iterable[Mapping[str, float]], requested: int) -> dict[str, float]:
    """Return the metrics of a batch's verdicts.

    Args:
        infos: The metrics of each scored row, by `rlvr.adapters.metrics`.
        requested: Number of requested rows, each of which has metrics or is unscored.
    """
    values: dict[str, list[float]] = {}
    count = 0
    for info in infos:
        count += 1
        for name, value in info.items():
            if name.startswith(("status/", "component/")) and not math.isnan(value):
                values.setdefault("rlvr/" + name.removeprefix("component/"), []).append(value)
    means = {name: sum(numbers) / len(numbers) for name, numbers in values.items()}
    return means | {"rlvr/unscored": max(0, requested - count) / max(1, requested)}


def too_small(keys: Iterable[str], least: int) -> set[str]:
    """Return the keys (`uid_session_index`) of groups with fewer than `least` sessions."""
    sessions = {tuple(key.rsplit("_", 2)[:2]): key for key in keys}
    sizes = Counter(uid for uid, _ in sessions)
    return {key for key in keys if sizes[key.rsplit("_", 2)[0]] < least}


@functools.cache
def _replay_buffer() -> type:
    import transfer_queue as tq
    from verl.trainer.ppo.v1.replay_buffer import ReplayBuffer as Base

    class ReplayBuffer(Base):  # type: ignore[misc]
        """The replay buffer of this module. `sampler_kwargs` are `n`, rows per prompt, and `least`, rows that a group needs."""

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
            """Return verl's batch without groups that are too small, and the metrics of all rows."""
            batch, figures = super().sample(global_steps, partition_id, batch_size)
            if partition_id == "val":
                return batch, figures
            stored = tq.kv_batch_get(
                keys=batch.keys, partition_id=partition_id, select_fields=["extra_fields"]
            )
            rows = [getattr(row, "data", row) for row in list(stored["extra_fields"])]
            infos = [row.get("reward_extra_info") or {} for row in rows]
            figures = figures | metrics(infos, batch_size * self._n)
            small = too_small(batch.keys, self._least)
            figures["rlvr/too_small"] = len(small) / max(1, batch_size * self._n)
            if len(small) == len(batch.keys):
                raise RuntimeError(
                    f"No group of this step has {self._least} rows with a verdict: "
                    f"{figures['rlvr/unscored']:.0%} of its rows are unscored. The agent loop workers' "
                    f"logs say why."
                )
            if small:
                tq.kv_clear(partition_id=partition_id, keys=sorted(small))
                kept = [i for i, key in enumerate(batch.keys) if key not in small]
                batch.tags = [batch.tags[i] for i in kept]
                batch.keys = [batch.keys[i] for i in kept]
            return batch, figures

    return ReplayBuffer


def __getattr__(name: str) -> Any:
    if name == "ReplayBuffer":
        return _replay_buffer()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
