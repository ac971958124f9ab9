"""The 29 instructions that IF-RLVR trains on beside IFEval's (Pyatkin et al., arXiv:2507.02833)."""
