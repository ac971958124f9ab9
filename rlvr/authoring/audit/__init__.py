"""The audit: an environment's faults, found before a policy finds them.

`engine.py` runs the probes, `probe_registry.py` collects them, `subject.py` is what they look at, `finding.py` what they
return and `rendering.py` how that is shown. The probes are in a folder per group.
"""

from rlvr.authoring.audit.engine import audit
from rlvr.authoring.audit.finding import (
    Audit,
    Finding,
    ProbeOutcome,
    fail,
    note,
    nothing,
    ok,
)
from rlvr.authoring.audit.probe_registry import Probe, probe, probes
from rlvr.authoring.audit.subject import Subject

__all__ = [
    "Audit",
    "Finding",
    "Probe",
    "ProbeOutcome",
    "Subject",
    "audit",
    "fail",
    "note",
    "nothing",
    "ok",
    "probe",
    "probes",
]
