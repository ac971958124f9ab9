"""Policies: everything that answers prompts.

    policy = rlvr.policies.OpenAIPolicy("Qwen/Qwen3-4B", "http://localhost:8000/v1")
    report = rlvr.evaluate("gsm8k", policy, limit=100)

An object of your own is a policy, too: `Policy` and `AsyncPolicy` say which methods it has. Modules with
heavy imports (torch, vLLM) are loaded when first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rlvr.core.lazy import lazy_exports

_HOME = {
    "AsyncPolicy": "rlvr.policies.base",
    "Generation": "rlvr.policies.base",
    "OpenAIPolicy": "rlvr.policies.openai",
    "Policy": "rlvr.policies.base",
    "PolicyError": "rlvr.policies.base",
    "Request": "rlvr.policies.base",
    "StreamPolicy": "rlvr.policies.base",
    "TransformersPolicy": "rlvr.policies.transformers",
    "VllmPolicy": "rlvr.policies.vllm",
    "Scripted": "rlvr.policies.scripted",
}

if TYPE_CHECKING:
    from rlvr.policies.base import (
        AsyncPolicy,
        Generation,
        Policy,
        PolicyError,
        Request,
        StreamPolicy,
    )
    from rlvr.policies.openai import OpenAIPolicy
    from rlvr.policies.scripted import Scripted
    from rlvr.policies.transformers import TransformersPolicy
    from rlvr.policies.vllm import VllmPolicy

__all__ = [
    "AsyncPolicy",
    "Generation",
    "OpenAIPolicy",
    "Policy",
    "PolicyError",
    "Request",
    "Scripted",
    "StreamPolicy",
    "TransformersPolicy",
    "VllmPolicy",
]

__getattr__, __dir__ = lazy_exports(__name__, _HOME)
