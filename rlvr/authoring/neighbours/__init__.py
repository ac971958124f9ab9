"""Neighbour databases: small databases on which wrong queries give another result than the gold query.

On a task's own database a wrong query often gives the right result: a constant does, and if the result is empty, any
query without rows does. A neighbour is filled with rows that tell such queries apart. Its effect is measured on mutants
of the gold query, and a neighbour that adds nothing isn't kept (mutation testing of queries, Tuya et al.,
doi:10.1016/j.infsof.2006.06.009; distilled test suites, Zhong et al., arXiv:2010.02840).
"""

from rlvr.authoring.neighbours.files import NeighbourSummary, write_neighbours
from rlvr.authoring.neighbours.search import Neighbours, neighbours_of

__all__ = ["NeighbourSummary", "Neighbours", "neighbours_of", "write_neighbours"]
