"""Policies of the command line: models from flags, and policies in Python files."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rlvr.core.environment_file import imported
from rlvr.core.errors import OptionError
from rlvr.policies.base import name_of
from rlvr.policies.openai import OpenAIPolicy

if TYPE_CHECKING:
    from rlvr.evaluation.drive import AnyPolicy


def model_policy(flags: Mapping[str, Any], stop: Sequence[str]) -> AnyPolicy:
    """Return the policy that the flags of a command name: a server's model, or one for transformers.

    Args:
        flags: `model`, `base_url`, `api`, `template`, `thinking_tokens`, `api_key_env`, `concurrency`, `max_tokens` and
            `temperature`.
        stop: texts before which a response ends.
    """
    if flags["base_url"] is None and flags["api"] is not None:
        raise click.UsageError("--api is of a server: name it with --base-url.")
    sampling = {
        "temperature": flags["temperature"],
        "stop": tuple(stop),
        "thinking_tokens": flags["thinking_tokens"],
        "template": flags["template"],
    }
    if flags["base_url"] is not None:
        return OpenAIPolicy(
            flags["model"],
            flags["base_url"],
            api=flags["api"],
            max_tokens=flags["max_tokens"],
            concurrency=flags["concurrency"],
            api_key_env=flags["api_key_env"],
            **sampling,
        )
    from rlvr.policies.transformers import TransformersPolicy

    return TransformersPolicy(flags["model"], max_new_tokens=flags["max_tokens"], **sampling)


def policy_in_file(place: str) -> Any:
    """Return the policy at `FILE.py:NAME`, a policy or a class or function that makes one; NAME is `policy` by default.

    Raises `OptionError` if there's none.
    """
    file, colon, name = place.partition(".py")
    name = name.removeprefix(":") or "policy"
    if not colon or not Path(f"{file}.py").is_file():
        raise OptionError(f"A policy in a file is named FILE.py or FILE.py:NAME, not {place!r}.")
    module = sys.modules[imported(Path(f"{file}.py").resolve())]
    if not hasattr(module, name):
        raise OptionError(f"{file}.py has no {name!r}: name the policy as FILE.py:NAME.")
    policy = getattr(module, name)
    if isinstance(policy, type) or not (hasattr(policy, "respond") or hasattr(policy, "generate")):
        if not callable(policy):
            raise OptionError(f"{name!r} in {file}.py is {policy!r:.60}, and no policy.")
        policy = policy()
    name_of(policy)
    return policy
