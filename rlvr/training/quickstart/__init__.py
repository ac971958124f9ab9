"""The quickstart: RLVR on a small model, from random weights to a plot, on a CPU in minutes (`rlvr quickstart`).

`additions` has the task in its disjoint parts, `model` the model with its supervised warm-up, and `run` the whole run.
"""

from rlvr.training.quickstart.run import QuickstartConfig, QuickstartOutcome, quickstart

__all__ = ["QuickstartConfig", "QuickstartOutcome", "quickstart"]
