"""Decontamination: find the training prompts that are in an evaluation set, and write the data without them."""

from rlvr.authoring.decontamination.clean import (
    DecontaminationReport,
    SetReport,
    decontaminate,
    read_instances,
)
from rlvr.authoring.decontamination.index import METHODS, Index, Instance, Options, OverlapMatch

__all__ = [
    "METHODS",
    "DecontaminationReport",
    "Index",
    "Instance",
    "Options",
    "OverlapMatch",
    "SetReport",
    "decontaminate",
    "read_instances",
]
