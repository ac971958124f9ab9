"""What `--train.agent_func_path` points to: any rlvr environment, single- or multi-turn."""

import rlvr

AgentExecutor = rlvr.openrlhf.agent_executor()
