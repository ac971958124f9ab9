r"""Tool-integrated reasoning: any task set in mathematics, with a Python interpreter to compute with.

    How many positive divisors has 20!? … You can run Python.    python("from math import *; …")   →   41040

The answer is the first message without a call. What only the interpreter printed is no answer, and neither is what stands in
a call.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from rlvr.core.environment import Environment
from rlvr.core.errors import OptionError
from rlvr.core.registry import environment
from rlvr.core.registry import make as make_environment
from rlvr.core.task import Task
from rlvr.envs.agents.derived import DerivedTasks, with_more_to_read
from rlvr.envs.fixtures import fixtures_of
from rlvr.envs.toolboxes.workspace import Python
from rlvr.envs.tools import ToolEnv, describe
from rlvr.envs.turns import MultiTurn, SingleTurn
from rlvr.verifiers.math import Math
from rlvr.verifiers.transcript import Answered

_WITH_TOOL = (
    "You can compute with Python before you answer. Only what you write yourself is your answer."
)


@environment("math_python", gym_name="MathPython")
def make(
    source: str = "gsm8k",
    split: str | None = None,
    options: Mapping[str, Any] | None = None,
    calls: Literal["text", "native"] = "text",
    max_turns: int = 6,
    wall_s: float = 10.0,
    memory_mb: int = 512,
    packages: tuple[str, ...] = (),
) -> Environment:
    """Make problems in mathematics that may be computed on with Python.

    Args:
        source: the environment whose tasks these are, such as gsm8k, math, math500, arithmetic or aime.
        split: the source's split; by default its own.
        options: further options of the source.
        calls: `text`: the prompt says how to call the tool. `native`: it doesn't, because the model's server or its
            chat template does.
        max_turns: responses an episode may take, the answer included.
        wall_s: seconds that a call may take.
        memory_mb: memory of the interpreter, in MiB.
        packages: that it needs beside the standard library, such as numpy.
    """
    source_options = dict(options or {}) | ({} if split is None else {"split": split})
    base = make_environment(source, **source_options)
    if not isinstance(base, SingleTurn) or isinstance(base, MultiTurn):
        raise OptionError(f"source is an environment of one turn, and {source!r} has several.")
    if not base.judges_by_verifier or not isinstance(base.verifier, Math):
        raise OptionError(f"source is an environment that rlvr.Math judges, and {source!r} isn't.")
    toolbox = Python(wall_s=wall_s, memory_mb=memory_mb, packages=tuple(packages))
    instructions = _WITH_TOOL + (f"\n\n{describe(toolbox)}" if calls == "text" else "")

    def change(task: Task) -> Task:
        return with_more_to_read(task, instructions)

    tasks = DerivedTasks(base.tasks, change, f"math_python of {base.tasks.name}")
    usual = base.verifier.mode == "boxed" and max_turns > 3
    fixtures = fixtures_of("math_python", usual)
    verifier = Answered() >> base.verifier
    return ToolEnv(tasks, verifier, toolbox, max_turns, calls=calls, fixtures=fixtures)
