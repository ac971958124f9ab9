"""The audit: what is wrong with an environment, found before a policy finds it.

`registry.py` says how a check joins it, and which modules have them; `subject.py` is what they look at;
`page.py` and `table.py` show what they found.
"""

from rlvr.authoring.audit.engine import audit
from rlvr.authoring.audit.finding import Audit, Finding, ProbeOutcome
from rlvr.authoring.audit.probe_registry import Probe, fail, note, nothing, ok, probe, probes
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
]  # fmt: skip
