"""The runs viewer: reads a run, lays its figures and rollouts out as one page."""
