"""The contract: tasks, verdicts, verifiers, environments, errors, the registry.

Imports numpy and gymnasium, both when first needed, and nothing else; everything above imports this.
"""
