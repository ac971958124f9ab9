"""Verifiers: they turn a response into a verdict."""
