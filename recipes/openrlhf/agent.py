"""The file for `--train.agent_func_path`: any rlvr environment, single- or multi-turn."""

import rlvr

AgentExecutor = rlvr.openrlhf.agent_executor()
