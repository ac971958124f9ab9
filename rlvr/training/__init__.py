"""Training from start to end: what `rlvr train` runs. Needs the extra `train`."""
