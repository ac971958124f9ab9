"""Probes of a policy's rollouts: can it learn from this environment?"""
