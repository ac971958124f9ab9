"""rlvr: reinforcement learning with verifiable rewards.

Text environments with the Gymnasium API, verifiers whose rewards can be trusted, and adapters into
the trainers that people use::

    import rlvr

    env = rlvr.make("arithmetic", level=2)
    verdict = rlvr.score([env.tasks[0]], ["It's \\boxed{42}."], env.verifier)[0]
    print(verdict.reward if verdict.scored else verdict.message)

Importing it registers every environment with Gymnasium as `rlvr/Name-v0` and loads nothing heavy: other
modules, Gymnasium among them, are imported when first used. Beside the names here there are the modules `rlvr.errors`,
`rlvr.policies`, `rlvr.authoring`, `rlvr.testing`, `rlvr.tools`, `rlvr.games`, and `rlvr.trl`, `rlvr.verl`, `rlvr.openrlhf` for those trainers.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from rlvr import envs
from rlvr.core.families import register_family as _register_family
from rlvr.core.registry import register as _register
from rlvr.core.registry import register_installed as _register_installed

__version__ = "0.1.0"

_HOME = {
    "Task": "rlvr.core.task",
    "TaskSet": "rlvr.core.tasks",
    "generated": "rlvr.core.tasks",
    "Scored": "rlvr.core.verdict",
    "Unscored": "rlvr.core.verdict",
    "Verdict": "rlvr.core.verdict",
    "Status": "rlvr.core.verdict",
    "Cause": "rlvr.core.verdict",
    "Verifier": "rlvr.core.verifier",
    "working_on": "rlvr.core.blame",
    "Environment": "rlvr.core.environment",
    "Episode": "rlvr.core.episode",
    "Reply": "rlvr.core.episode",
    "Transcript": "rlvr.core.transcript",
    "Fixture": "rlvr.core.fixtures",
    "environment": "rlvr.core.registry",
    "environments": "rlvr.core.registry",
    "make": "rlvr.core.registry",
    "RlvrError": "rlvr.core.errors",
    "CannotScore": "rlvr.core.errors",
    "ToolError": "rlvr.core.errors",
    "verifier": "rlvr.verifiers.function",
    "AllOf": "rlvr.core.compose",
    "AnyOf": "rlvr.core.compose",
    "Code": "rlvr.verifiers.code",
    "Coherent": "rlvr.verifiers.coherence",
    "Format": "rlvr.verifiers.format",
    "Instructions": "rlvr.verifiers.instructions",
    "Judge": "rlvr.verifiers.judge",
    "instruction": "rlvr.verifiers.instructions",
    "Math": "rlvr.verifiers.math",
    "Sql": "rlvr.verifiers.sql",
    "Answered": "rlvr.verifiers.transcript",
    "Citations": "rlvr.verifiers.citations",
    "ShortAnswer": "rlvr.verifiers.short_answer",
    "Outcome": "rlvr.verifiers.transcript",
    "Turns": "rlvr.verifiers.transcript",
    "UsedTool": "rlvr.verifiers.transcript",
    "SingleTurn": "rlvr.envs.turns",
    "MultiTurn": "rlvr.envs.turns",
    "Mixture": "rlvr.envs.mixture",
    "ToolEnv": "rlvr.envs.tools",
    "Prompt": "rlvr.envs.prompt",
    "Source": "rlvr.training.config",
    "TrainConfig": "rlvr.training.config",
    "train": "rlvr.training.train",
    "audit": "rlvr.authoring.audit",
    "probe": "rlvr.authoring.audit",
    "score": "rlvr.scoring",
    "ascore": "rlvr.scoring",
    "agreement": "rlvr.evaluation.agreement",
    "evaluate": "rlvr.evaluation.evaluate",
}
_MODULES = {
    "authoring": "rlvr.authoring",
    "errors": "rlvr.errors",
    "games": "rlvr.envs.games",
    "openrlhf": "rlvr.adapters.openrlhf",
    "partners": "rlvr.partners",
    "policies": "rlvr.policies",
    "testing": "rlvr.testing",
    "tools": "rlvr.envs.toolboxes",
    "trl": "rlvr.adapters.trl",
    "verl": "rlvr.adapters.verl",
}

if TYPE_CHECKING:
    from rlvr import authoring, errors, partners, policies, testing
    from rlvr.adapters import openrlhf, trl, verl
    from rlvr.authoring.audit import audit, probe
    from rlvr.core.blame import working_on
    from rlvr.core.compose import AllOf, AnyOf
    from rlvr.core.environment import Environment
    from rlvr.core.episode import Episode, Reply
    from rlvr.core.errors import CannotScore, RlvrError, ToolError
    from rlvr.core.fixtures import Fixture
    from rlvr.core.registry import environment, environments, make
    from rlvr.core.task import Task
    from rlvr.core.tasks import TaskSet, generated
    from rlvr.core.transcript import Transcript
    from rlvr.core.verdict import Cause, Scored, Status, Unscored, Verdict
    from rlvr.core.verifier import Verifier
    from rlvr.envs import games
    from rlvr.envs import toolboxes as tools
    from rlvr.envs.mixture import Mixture
    from rlvr.envs.prompt import Prompt
    from rlvr.envs.tools import ToolEnv
    from rlvr.envs.turns import MultiTurn, SingleTurn
    from rlvr.evaluation.agreement import agreement
    from rlvr.evaluation.evaluate import evaluate
    from rlvr.scoring import ascore, score
    from rlvr.training.config import Source, TrainConfig
    from rlvr.training.train import train
    from rlvr.verifiers.citations import Citations
    from rlvr.verifiers.code import Code
    from rlvr.verifiers.coherence import Coherent
    from rlvr.verifiers.format import Format
    from rlvr.verifiers.function import verifier
    from rlvr.verifiers.instructions import Instructions, instruction
    from rlvr.verifiers.judge import Judge
    from rlvr.verifiers.math import Math
    from rlvr.verifiers.short_answer import ShortAnswer
    from rlvr.verifiers.sql import Sql
    from rlvr.verifiers.transcript import Answered, Outcome, Turns, UsedTool

__all__ = [
    "AllOf",
    "Answered",
    "AnyOf",
    "CannotScore",
    "Cause",
    "Citations",
    "Code",
    "Coherent",
    "Environment",
    "Episode",
    "Fixture",
    "Format",
    "Instructions",
    "Judge",
    "Math",
    "Mixture",
    "MultiTurn",
    "Outcome",
    "Prompt",
    "Reply",
    "RlvrError",
    "Scored",
    "ShortAnswer",
    "SingleTurn",
    "Source",
    "Sql",
    "Status",
    "Task",
    "TaskSet",
    "ToolEnv",
    "ToolError",
    "TrainConfig",
    "Transcript",
    "Turns",
    "Unscored",
    "UsedTool",
    "Verdict",
    "Verifier",
    "agreement",
    "ascore",
    "audit",
    "authoring",
    "environment",
    "environments",
    "errors",
    "evaluate",
    "games",
    "generated",
    "instruction",
    "make",
    "openrlhf",
    "partners",
    "policies",
    "probe",
    "score",
    "testing",
    "tools",
    "train",
    "trl",
    "verifier",
    "verl",
    "working_on",
]


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return importlib.import_module(_MODULES[name])
    if name in _HOME:
        exported = getattr(importlib.import_module(_HOME[name]), name)
        globals()[name] = exported
        return exported
    raise AttributeError(f"module 'rlvr' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(["__version__", *__all__])


for _spec in envs.BUILT_IN:
    _register(_spec)
for _family in envs.FAMILIES:
    _register_family(_family)
_register_installed()
