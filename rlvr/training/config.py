"""`TrainConfig`: all that a training run is told, from Python or from a TOML file."""

from __future__ import annotations

import dataclasses
import math
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args

from rlvr.authoring.difficulty import Kind
from rlvr.core.environment import Environment
from rlvr.core.errors import DataError, OptionError
from rlvr.core.http import checked_url
from rlvr.core.registry import make
from rlvr.training.guards import GuardConfig

Algorithm: TypeAlias = Literal["grpo", "rloo", "ppo"]
Vllm: TypeAlias = Literal["none", "colocate", "server"]


@dataclass(frozen=True)
class Source:
    """An environment to draw tasks from.

    Attributes:
        name: as registered.
        weight: its share of the tasks beside others'; only ratios count.
        split, data, options: of the environment.
        limit: the first so many tasks alone.
        difficulties: a file of `rlvr data difficulty`; then tasks come in a curriculum.
        curriculum: `easy-to-hard`, or `target`: those first that are solved half of the time.
        env: the environment itself, instead of all these but `weight` and `limit`: from Python alone, and
            such a run can't be resumed by the command line.
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
        """The environment, with all its tasks."""
        if self.env is not None:
            return self.env
        given = {k: v for k, v in (("split", self.split), ("data", self.data)) if v is not None}
        return make(self.name, **dict(self.options), **given)


@dataclass(frozen=True)
class TrainConfig:
    """One run of RLVR.

    Attributes:
        model: a local folder or a Hub id; what the policy starts as, and the KL's reference.
        environments: what is trained on: a name, an environment, a `Source`, or several of these.
        trainer: `grpo` and `rloo` are TRL's, `ppo` is `rlvr.training.ppo`.
        steps: optimizer steps.
        batch: completions of a generation, over all processes.
        group: completions of a prompt; by default 8, for PPO 1.
        micro_batch: completions that a process takes through the model at once; by default all of its
            share. Smaller ones are accumulated: less memory, the same step.
        max_tokens: of a completion; in several turns, of the whole trajectory behind the prompt.
        temperature: of sampling.
        learning_rate: constant after `warmup_steps`.
        warmup_steps: until the learning rate is reached.
        beta: weight of the KL to the reference.
        lora: rank of LoRA adapters to train instead of all weights; None: all weights.
        vllm: what generates: transformers itself, vLLM in this process, or a server at `base_url`.
        base_url: of the server, such as `http://localhost:8000`.
        held_out: what is measured along the way, greedily; None: nothing.
        measure_every: steps between two measurements; there's one at the start and one at the end, too.
        save_every: steps between two checkpoints; of those the last two are kept.
        kl_budget: nats a sequence that the run may go from the reference; None: no limit.
        kl_action: what happens when it's spent: `stop`, or `raise_beta`.
        guards: which guard rails are on.
        seed: of the order of tasks and of sampling.
        report_to: where TRL reports to as well: `tensorboard`, `wandb`, …
        trl: further arguments of TRL's config (`GRPOConfig`, `RLOOConfig`, `PPOConfig`), as they are.

    Raises `OptionError` where one of them can't be.
    """

    model: str
    environments: Any
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
    lora: int | None = None
    vllm: Vllm = "none"
    base_url: str | None = None
    held_out: Any = None
    measure_every: int = 20
    save_every: int = 50
    kl_budget: float | None = None
    kl_action: Literal["stop", "raise_beta"] = "stop"
    guards: GuardConfig = field(default_factory=GuardConfig)
    seed: int = 0
    report_to: Sequence[str] = ()
    trl: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, known in (("trainer", Algorithm), ("vllm", Vllm)):
            if getattr(self, name) not in get_args(known):
                raise OptionError(
                    f"{name} is one of {', '.join(get_args(known))}, not {getattr(self, name)!r}."
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
        for name in ("beta", "warmup_steps"):
            self._check(name, "0 or more", 0 <= getattr(self, name) < math.inf)
        budget = self.kl_budget
        self._check("kl_budget", "above 0, or None", budget is None or budget > 0)
        if self.group < 2 and self.trainer != "ppo":
            raise OptionError(
                f"{self.trainer} compares the completions of a prompt: group is 2 or more."
            )
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

    def _check(self, name: str, what: str, holds: bool) -> None:
        if not holds:
            raise OptionError(f"{name} is {what}, not {getattr(self, name)!r}.")

    def to_json(self) -> dict[str, Any]:
        """Plain data that `from_json` makes an equal configuration of.

        Environments that were handed over as objects are named, no more.
        """
        row = {f.name: getattr(self, f.name) for f in fields(self)}
        row["guards"] = dataclasses.asdict(self.guards)
        for name in ("environments", "held_out"):
            if row[name] is not None:
                row[name] = [_plain(source) for source in row[name]]
        return row | {"trl": dict(self.trl), "report_to": list(self.report_to)}

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> TrainConfig:
        """The configuration that a run's `run.json` or a TOML file holds. Raises `OptionError`."""
        given = dict(row)
        for name in ("environments", "held_out"):
            sources = given.get(name)
            if isinstance(sources, list):
                given[name] = [_source(one) if isinstance(one, dict) else one for one in sources]
            elif isinstance(sources, dict):
                given[name] = _source(sources)
        if isinstance(given.get("guards"), dict):
            given["guards"] = _made(GuardConfig, given["guards"], "guards")
        made: TrainConfig = _made(cls, given, "a training run")
        return made

    @classmethod
    def read(cls, path: str | Path, **changes: Any) -> TrainConfig:
        """The TOML file at `path`, with `changes` over it. Raises `DataError` where it can't be read."""
        return cls.from_json(read_toml(path) | changes)


def read_toml(path: str | Path) -> dict[str, Any]:
    """The fields of the TOML file at `path`. Raises `DataError` where it can't be read."""
    try:
        row = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"The config {str(path)!r} can't be read: {error}.") from error
    if "environment" in row:  # [[environment]], one table each
        row["environments"] = row.pop("environment")
    return row


def _sources(given: Any) -> tuple[Source, ...]:
    several = given if isinstance(given, list | tuple) else [given]
    found = []
    for one in several:
        if isinstance(one, Environment):
            found.append(Source(one.name, env=one))
        elif isinstance(one, str):
            found.append(Source(one))
        elif isinstance(one, Source):
            found.append(one)
        else:
            raise OptionError(f"An environment is its name, itself or a Source, not {one!r:.80}.")
    return tuple(found)


def _plain(source: Source) -> dict[str, Any]:
    row = {f.name: getattr(source, f.name) for f in fields(source) if f.name != "env"}
    row["options"] = dict(source.options)
    return row if source.env is None else row | {"object": True}


def _source(row: Mapping[str, Any]) -> Source:
    if row.get("object"):
        raise OptionError(
            f"The environment {row.get('name')!r} was handed over as an object: go on with this run "
            f"from the script that made it."
        )
    made: Source = _made(Source, row, "an environment")
    return made


def _made(cls: Any, row: Mapping[str, Any], what: str) -> Any:
    known = [f.name for f in fields(cls) if f.name != "env"]
    unknown = [name for name in row if name not in known]
    if unknown:
        raise OptionError(f"{what} has no option {unknown[0]!r}. There are: {', '.join(known)}.")
    try:
        return cls(**row)
    except TypeError as error:
        raise OptionError(f"{what}: {error}.") from None
