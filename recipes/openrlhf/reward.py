"""What `--reward.remote_url` may point to instead, for single-turn environments; see docs/openrlhf.md."""

import rlvr

reward_func = rlvr.openrlhf.reward_func
