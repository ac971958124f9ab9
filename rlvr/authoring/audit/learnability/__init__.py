"""Probes of whether a policy can learn from this environment, by its rollouts."""
