"""Decontamination: which training prompts are in an evaluation set, and the data without them."""

from rlvr.authoring.decontamination.clean import Report, SetReport, decontaminate, read_instances
from rlvr.authoring.decontamination.index import METHODS, Found, Index, Instance, Options

__all__ = [
    "METHODS",
    "Found",
    "Index",
    "Instance",
    "Options",
    "Report",
    "SetReport",
    "decontaminate",
    "read_instances",
]
