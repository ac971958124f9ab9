"""IFEval's 25 instructions (Zhou et al., arXiv:2311.07911)."""
