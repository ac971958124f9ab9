"""Neighbour databases: small ones beside a task's own, on which queries that are wrong show it.

On one database a wrong query often gives the right result: a constant does, and where the result
is empty, any query without rows. A neighbour is filled with what tells such queries apart. Which
it tells apart is measured on mutants of the gold, and none is kept that adds nothing (mutation
testing of queries, as Tuya et al., doi:10.1016/j.infsof.2006.06.009; distilled test suites, as
Zhong et al., arXiv:2010.02840).
"""

from rlvr.authoring.neighbours.search import Neighbours, neighbours_of

__all__ = ["Neighbours", "neighbours_of"]
