"""Hostile responses for every verifier. Each must get a verdict, and none may block the caller's thread."""
