"""`TrainConfig`: the configuration of a training run, from Python or from a TOML file."""

from __future__ import annotations

import dataclasses
import math
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, TypeAlias, TypeVar, get_args

from rlvr.authoring.difficulty import Kind
from rlvr.core.environment import Environment
from rlvr.core.errors import DataError, OptionError
from rlvr.core.http import checked_url
from rlvr.core.registry import make
from rlvr.training.guards import GuardConfig

Algorithm: TypeAlias = Literal["grpo", "rloo", "ppo"]
Vllm: TypeAlias = Literal["none", "colocate", "server"]
KLAction: TypeAlias = Literal["stop", "raise_beta"]


@dataclass(frozen=True)
class Source:
    """An environment to draw tasks from, with its options::

        sources = [rlvr.Source("gsm8k"), rlvr.Source("arithmetic", weight=0.5, options={"level": 3})]
        config = rlvr.TrainConfig("Qwen/Qwen3-1.7B", sources)

    Attributes:
        name: The environment's registered name.
        weight: Its share of the tasks, relative to the other sources' weights.
        split: The split of its tasks.
        data: A local data file, or a folder laid out like RLVR_DATA.
        options: Further options of the environment.
        limit: Use the first so many tasks only.
        difficulties: A file of `rlvr data difficulty`, for a curriculum.
        curriculum: The order of the curriculum: `easy-to-hard`, or `target`, which begins with the tasks that are
            solved half of the time.
        env: The environment itself, from Python only. It replaces all these except `weight` and `limit`, and the
            command line can't resume such a run.
    """

    name: str = ""
    weight: float = 1.0
    split: str | None = None
    data: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    limit: int | None = None
    difficulties: str | None = None
    curriculum: Kind = "easy-to-hard"
    env: Environment | None = None

    def make(self) -> Environment:
        """Return the environment, with all its tasks."""
        if self.env is not None:
            return self.env
        named = {"split": self.split, "data": self.data}
        options = {name: value for name, value in named.items() if value is not None}
        return make(self.name, **dict(self.options), **options)


SourceLike: TypeAlias = str | Environment | Source
"""An environment's name, the environment itself, or a `Source` with its options."""


@dataclass(frozen=True)
class TrainConfig:
    """The configuration of one training run::

        config = rlvr.TrainConfig("Qwen/Qwen3-1.7B", "gsm8k", steps=200, held_out=rlvr.Source("gsm8k", split="test"))

    Attributes:
        model: The model to train, a local folder or a Hub id. It is also the KL's reference.
        environments: The environments to train on: a name, an environment, a `Source`, or several of these.
        trainer: The algorithm: TRL's grpo or rloo, or rlvr's ppo.
        steps: Optimizer steps.
        batch: Completions per generation, over all processes.
        group: Completions per prompt (default 8; 1 for ppo).
        micro_batch: Completions per process in one forward pass (default: all). Smaller uses less memory.
        max_tokens: Most tokens of a completion. In several turns, of the whole trajectory after the prompt.
        temperature: Sampling temperature.
        learning_rate: Learning rate, constant after the warm-up.
        warmup_steps: Steps until the learning rate is reached.
        beta: Weight of the KL to the reference in the loss.
        turn_returns: Credit each turn with what was earned from it on, instead of the whole sum. It is grpo's, for
            environments with step rewards; ppo credits single tokens anyway.
        lora: Rank of LoRA adapters to train (default: train all weights).
        vllm: Generate with transformers (none), with vLLM in the training processes (colocate), or with a vLLM
            server at base_url (server).
        base_url: Address of the vLLM server, such as http://localhost:8000.
        held_out: The environments to measure on during training, by greedy decoding; None measures nothing.
        measure_every: Steps between two measurements. There is one before the first step and one after the last.
        save_every: Steps between two checkpoints. The last two are kept.
        kl_budget: Largest KL to the reference, in nats per sequence (default: no limit).
        kl_action: What to do when the KL budget is spent: stop or raise_beta.
        guards: The guard rails that are on.
        seed: Seed of the order of tasks and of sampling.
        report_to: Further places for TRL's reports, such as tensorboard or wandb.
        trl: Further arguments of TRL's config (`GRPOConfig`, `RLOOConfig`, `PPOConfig`).

    Raises `OptionError` if a value is invalid.
    """

    model: str
    environments: SourceLike | Sequence[SourceLike]
    trainer: Algorithm = "grpo"
    steps: int = 100
    batch: int = 128
    group: int | None = None
    micro_batch: int | None = None
    max_tokens: int = 512
    temperature: float = 1.0
    learning_rate: float = 1e-6
    warmup_steps: int = 5
    beta: float = 0.0
    turn_returns: bool = False
    lora: int | None = None
    vllm: Vllm = "none"
    base_url: str | None = None
    held_out: SourceLike | Sequence[SourceLike] | None = None
    measure_every: int = 20
    save_every: int = 50
    kl_budget: float | None = None
    kl_action: KLAction = "stop"
    guards: GuardConfig = field(default_factory=GuardConfig)
    seed: int = 0
    report_to: Sequence[str] = ()
    trl: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, kind in (("trainer", Algorithm), ("vllm", Vllm), ("kl_action", KLAction)):
            if getattr(self, name) not in get_args(kind):
                raise OptionError(
                    f"{name} is one of {', '.join(get_args(kind))}, not {getattr(self, name)!r}."
                )
        object.__setattr__(self, "environments", _sources(self.environments))
        if not self.environments:
            raise OptionError("Training needs an environment: name one.")
        if self.held_out is not None:
            object.__setattr__(self, "held_out", _sources(self.held_out))
        reports = [self.report_to] if isinstance(self.report_to, str) else self.report_to
        object.__setattr__(self, "report_to", tuple(reports))
        if self.group is None:
            object.__setattr__(self, "group", 1 if self.trainer == "ppo" else 8)
        assert self.group is not None
        for name in ("steps", "batch", "group", "max_tokens", "measure_every", "save_every"):
            self._check(name, "at least 1", getattr(self, name) >= 1)
        for name in ("micro_batch", "lora"):
            self._check(
                name, "at least 1, or None", getattr(self, name) is None or getattr(self, name) >= 1
            )
        for name in ("learning_rate", "temperature"):
            self._check(name, "a number above 0", 0 < getattr(self, name) < math.inf)
        for name in ("beta", "warmup_steps", "seed"):
            self._check(name, "0 or more", 0 <= getattr(self, name) < math.inf)
        budget = self.kl_budget
        self._check("kl_budget", "above 0, or None", budget is None or budget > 0)
        if self.group < 2 and self.trainer != "ppo":
            raise OptionError(
                f"{self.trainer} compares the completions of a prompt: group is 2 or more."
            )
        if self.turn_returns and self.trainer != "grpo":
            raise OptionError(f"turn_returns is grpo's: {self.trainer} has no groups with turns.")
        if self.batch % self.group:
            raise OptionError(
                f"A batch of {self.batch} completions can't be groups of {self.group}: choose a "
                f"multiple."
            )
        if self.base_url is not None:
            object.__setattr__(self, "base_url", checked_url(self.base_url))
        if self.vllm == "server" and self.base_url is None:
            raise OptionError(
                "vllm='server' needs the server's base_url, such as http://localhost:8000."
            )

    def _check(self, name: str, requirement: str, holds: bool) -> None:
        if not holds:
            raise OptionError(f"{name} is {requirement}, not {getattr(self, name)!r}.")

    @property
    def sources(self) -> tuple[Source, ...]:
        """The environments to train on."""
        return _sources(self.environments)

    @property
    def held_out_sources(self) -> tuple[Source, ...]:
        """The environments to measure on; none if nothing is measured."""
        return () if self.held_out is None else _sources(self.held_out)

    def to_json(self) -> dict[str, Any]:
        """Return plain data from which `from_json` makes an equal configuration.

        It holds only the names of environments that are objects.
        """
        row = {f.name: getattr(self, f.name) for f in fields(self)}
        row["guards"] = dataclasses.asdict(self.guards)
        row["environments"] = [_source_to_json(source) for source in self.sources]
        if self.held_out is not None:
            row["held_out"] = [_source_to_json(source) for source in self.held_out_sources]
        return row | {"trl": dict(self.trl), "report_to": list(self.report_to)}

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> TrainConfig:
        """Return the configuration in a run's `run.json` or a TOML file. Raises `OptionError`."""
        values = dict(row)
        for name in ("environments", "held_out"):
            sources = values.get(name)
            if isinstance(sources, list):
                values[name] = [
                    _source(item) if isinstance(item, dict) else item for item in sources
                ]
            elif isinstance(sources, dict):
                values[name] = _source(sources)
        if isinstance(values.get("guards"), dict):
            values["guards"] = _instance(GuardConfig, values["guards"], "guards")
        return _instance(cls, values, "a training run")

    @classmethod
    def read(cls, path: str | Path, **changes: Any) -> TrainConfig:
        """Return the configuration in the TOML file at `path`, with `changes` over it.

        Raises `DataError` if the file can't be read.
        """
        return cls.from_json(read_toml(path) | changes)


def read_toml(path: str | Path) -> dict[str, Any]:
    """Return the fields of the TOML file at `path`. Raises `DataError` if it can't be read."""
    try:
        row = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"The config {str(path)!r} can't be read: {error}.") from error
    if "environment" in row:  # [[environment]], one table each
        row["environments"] = row.pop("environment")
    return row


def _sources(environments: SourceLike | Sequence[SourceLike]) -> tuple[Source, ...]:
    items = environments if isinstance(environments, list | tuple) else [environments]
    return tuple(_as_source(item) for item in items)


def _as_source(item: Any) -> Source:
    if isinstance(item, Environment):
        return Source(item.name, env=item)
    if isinstance(item, str):
        return Source(item)
    if isinstance(item, Source):
        return item
    raise OptionError(f"An environment is its name, itself or a Source, not {item!r:.80}.")


def _source_to_json(source: Source) -> dict[str, Any]:
    row = {f.name: getattr(source, f.name) for f in fields(source) if f.name != "env"}
    row["options"] = dict(source.options)
    return row if source.env is None else row | {"object": True}


def _source(row: Mapping[str, Any]) -> Source:
    if row.get("object"):
        raise OptionError(
            f"The environment {row.get('name')!r} was an object of a script, which run.json can't hold: resume "
            f"this run from that script."
        )
    return _instance(Source, row, "an environment")


Config = TypeVar("Config", Source, GuardConfig, TrainConfig)


def _instance(cls: type[Config], row: Mapping[str, Any], name: str) -> Config:
    """Return an instance with a row's values. Raises `OptionError`; `name` is used in its message."""
    options = [f.name for f in fields(cls) if f.name != "env"]
    unknown = [option for option in row if option not in options]
    if unknown:
        raise OptionError(f"{name} has no option {unknown[0]!r}. There are: {', '.join(options)}.")
    try:
        return cls(**row)
    except TypeError as error:
        raise OptionError(f"{name}: {error}.") from None
