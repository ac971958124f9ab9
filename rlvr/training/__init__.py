"""Training from start to end, for `rlvr train` and `rlvr quickstart`. It needs the extra `train`."""
