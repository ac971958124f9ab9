"""The file for `--reward.remote_url`, for single-turn environments only; see docs/openrlhf.md."""

import rlvr

reward_func = rlvr.openrlhf.reward_func
