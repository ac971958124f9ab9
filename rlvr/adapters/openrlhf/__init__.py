"""OpenRLHF's PPO and GRPO, single- and multi-turn::

    rlvr data openrlhf gsm8k -o data
    recipes/openrlhf/grpo.sh Qwen/Qwen2.5-1.5B-Instruct data/train.jsonl

OpenRLHF needs a file of two lines, with `--train.agent_func_path`::

    import rlvr
    AgentExecutor = rlvr.openrlhf.agent_executor()

A row without a verdict keeps its place, since OpenRLHF can't continue without it: its mask is empty, so that it has no
loss, and its reward is its group's mean, so that it changes no other advantage. `reward_func` is for scripts that have an
executor already. Written against OpenRLHF 0.11.2.
"""

from __future__ import annotations

from rlvr.adapters.openrlhf.dataset import write_jsonl
from rlvr.adapters.openrlhf.executor import agent_executor
from rlvr.adapters.openrlhf.reward import response_in, reward_func

__all__ = ["agent_executor", "response_in", "reward_func", "write_jsonl"]
