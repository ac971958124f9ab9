"""The contract: tasks, verdicts, verifiers, environments, errors, the registry.

Imports numpy and gymnasium and nothing else; everything above imports this.
"""
