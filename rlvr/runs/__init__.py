"""Runs on disk: rollouts, metrics and reports, with the statistics and the cache of verdicts.

Evaluation, training, exports, the viewer and the audit share them.
"""
