"""KL to the reference: estimated, measured at every step of a run, held to a budget, plotted.

`estimators` has the arithmetic on log-probabilities. `trainer` measures in TRL's trainers, and `budget` acts when the
KL is spent. `measure` compares two saved models on the prompts of `prompts`. `curve` reads and plots a run's score
against its KL, beside the curve of `best_of_n`; `report` writes all of it to a file. Docs: docs/kl.md.
"""
