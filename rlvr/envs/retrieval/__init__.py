"""Retrieval over a local corpus: passages, their index, and where indexes are kept.

    index = rlvr.envs.retrieval.open_index("passages.jsonl")
    index.search("Who wrote The Silent Harbour?", 5)

An index is exact BM25 in numpy's arrays, mapped from files that all processes share. SQLite's FTS5 visits each passage that
has any word of a query, which takes it most of a second over 100,000 passages; here common words cost nothing.
"""

from __future__ import annotations

from rlvr.envs.retrieval.cache import indexed, opened
from rlvr.envs.retrieval.corpus import Corpus, Passage, read_passages
from rlvr.envs.retrieval.index import Hit, PassageIndex

__all__ = ["Corpus", "Hit", "Passage", "PassageIndex", "indexed", "open_index", "read_passages"]


def open_index(corpus: Corpus) -> PassageIndex:
    """Open the index of a corpus; it is built first unless it is there. Raises `DataError` if the corpus can't be used."""
    return opened(indexed(corpus))
