"""The environments that come with rlvr: data loading and prompts, one file each.

This table is all that's read when rlvr is imported.
"""

from rlvr.core.registry import EnvironmentSpec


def _built_in(name: str, gym_name: str, summary: str) -> EnvironmentSpec:
    return EnvironmentSpec(name, f"rlvr.envs.{name}:make", gym_name, 0, summary, "rlvr")


BUILT_IN = (
    _built_in("arithmetic", "Arithmetic", "Sums, differences and products in five levels"),
    _built_in("gsm8k", "GSM8K", "Grade-school word problems (Cobbe et al. 2021)"),
)
