"""Probes of the reward that a policy can earn without solving anything."""
