"""KL to the reference: estimated, measured at every step of a run, held to a budget, plotted.

`estimators` is arithmetic on log-probabilities; `trainer` measures in TRL's trainers; `budget`
decides what happens when it's spent; `measure` compares two saved models on published prompts;
`best_of_n` is the curve that a run is held against. Docs: docs/kl.md.
"""
