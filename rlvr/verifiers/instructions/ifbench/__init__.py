"""IFBench's 58 instructions (Pyatkin et al., arXiv:2507.02833)."""
