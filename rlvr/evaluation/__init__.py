"""Measuring a policy on an environment."""
