"""Hostile responses for every verifier: none may be without a verdict, nor hold the caller's thread."""
