"""`Search`: tools that find passages of a corpus and read them."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from rlvr.core.episode import Episode
from rlvr.core.errors import CannotScore, DataError, OptionError, ToolError
from rlvr.core.task import Task
from rlvr.core.tool_calls import MOST_CHARACTERS
from rlvr.core.verdict import Cause
from rlvr.envs.retrieval import Corpus, Passage, PassageIndex, indexed
from rlvr.envs.retrieval.cache import opened
from rlvr.envs.toolboxes.base import Tool, Toolbox

_ROOM = MOST_CHARACTERS - 100
_TITLE = 100  # characters of a title in a list of results
_PAGE = 3000
_HEAD = 220  # of an entry besides its text: the id, the title and marks


class SearchSession(Episode):
    """The searches of one episode, and the ids that they have returned."""

    def __init__(self, index: PassageIndex, results: int, characters: int) -> None:
        self._index = index
        self._results = results
        self._characters = characters
        self._retrieved: dict[str, None] = {}
        self._read: dict[str, None] = {}

    def search(self, query: str) -> str:
        """Search for passages. Returns the best ones: the id of each in square brackets, its title, and its beginning.

        Args:
            query: words to look for, such as a name or a question.
        """
        hits = self._index.search(query, self._results)
        if not hits:
            return "Nothing is found: no passage has a word of the query."
        self._retrieved |= {hit.passage.id: None for hit in hits}
        return "\n\n".join(_entry(hit.passage, self._characters) for hit in hits)

    def read(self, id: str, page: int = 1) -> str:
        """Open a passage and read all of it.

        Args:
            id: the id of the passage, as a search shows it.
            page: of a long passage, from 1 on.
        """
        passage = self._index.passage(id.strip().removeprefix("[").removesuffix("]"))
        if passage is None:
            raise ToolError(f"there's no passage {id!r:.60}; a search shows ids in square brackets")
        pages = max(1, -(-len(passage.text) // _PAGE))
        if not 1 <= page <= pages:
            raise ToolError(f"the passage has {pages} page{'s' * (pages > 1)}, counted from 1")
        self._retrieved[passage.id] = None
        self._read[passage.id] = None
        text = passage.text[(page - 1) * _PAGE : page * _PAGE]
        of = f" (page {page} of {pages})" if pages > 1 else ""
        return f"[{passage.id}] {_cut(passage.title, 300)}{of}\n{text}"

    def outcome(self) -> dict[str, list[str]]:
        """Return the ids of the passages that were retrieved, and of those that were opened."""
        return {"retrieved": list(self._retrieved), "opened": list(self._read)}


@dataclass(frozen=True, init=False)
class Search(Toolbox):
    """Tools to search a corpus: `search(query)` returns the best passages, `open(id)` reads one.

        env = rlvr.ToolEnv(tasks, verifier, rlvr.tools.Search("passages.jsonl"), calls="native")

    The corpus is a JSONL, JSON or Parquet file whose rows have a `text` and perhaps an `id` and a `title`, or such rows.
    Its index is built when the toolbox is made, once per content; episodes and processes share it from the disk
    (`RLVR_CACHE`, by default `~/.cache/rlvr`). Queries are words: nothing in them is an operator, and none is an error.

    The outcome is `{"retrieved": [ids], "opened": [ids]}`, which `rlvr.Citations(path="retrieved")` compares with an
    answer's citations.

    Args:
        corpus: a file or rows; or a function from a task to a `PassageIndex`, for corpora that differ by task.
        results: the most passages per search.
        characters: of each passage's beginning in the results.

    Raises `DataError` if the corpus can't be used, and `OptionError` if results don't fit into a tool's result.
    """

    name: ClassVar[str] = "search"  # type: ignore[misc]
    session: ClassVar[type[Any]] = SearchSession

    corpus: str | Callable[[Task], PassageIndex] = field(repr=True)
    results: int = 5
    characters: int = 500
    folder: str = field(default="", repr=False)

    def __init__(
        self,
        corpus: Corpus | Callable[[Task], PassageIndex],
        results: int = 5,
        characters: int = 500,
    ) -> None:
        for name, value in (("results", results), ("characters", characters)):
            if type(value) is not int or value < 1:
                raise OptionError(f"{name} is a whole number from 1 on, not {value!r:.40}.")
        if results * (characters + _HEAD) > _ROOM:
            raise OptionError(
                f"{results} results of {characters} characters don't fit into the {MOST_CHARACTERS} of a tool's result: "
                f"{_ROOM // results - _HEAD} characters would."
            )
        set_ = object.__setattr__
        set_(self, "results", results)
        set_(self, "characters", characters)
        if callable(corpus):
            set_(self, "corpus", corpus)
            set_(self, "folder", "")
            return
        is_path = isinstance(corpus, str | os.PathLike)
        set_(self, "corpus", str(Path(corpus).absolute()) if is_path else "")  # type: ignore[arg-type]
        set_(self, "folder", str(indexed(corpus)))

    def start(self, task: Task, shared: dict[str, Any]) -> SearchSession:
        """Return the searches of an episode. Raises `CannotScore` if the index is gone."""
        return SearchSession(self.index_of(task), self.results, self.characters)

    def notes(self) -> Mapping[str, str]:
        """Return the number of results."""
        return {"search": f"There are at most {self.results} of them."}

    def tools(self) -> dict[str, Tool]:
        """Return `search` and `open`."""
        tools = super().tools()
        return {"search": tools["search"], "open": tools["read"]}

    def index_of(self, task: Task) -> PassageIndex:
        """Return the index that a task's episode searches. Raises `CannotScore` if it can't be read."""
        if callable(self.corpus):
            return self.corpus(task)
        try:
            if self.corpus and not Path(self.folder).is_dir():  # on another machine
                return opened(indexed(self.corpus))
            return opened(Path(self.folder))
        except DataError as error:
            raise CannotScore(Cause.INTERNAL, str(error)) from None


def _entry(passage: Passage, characters: int) -> str:
    title = _cut(" ".join(passage.title.split()), _TITLE)
    return f"[{passage.id}] {title}\n{_cut(passage.text, characters)}"


def _cut(text: str, most: int) -> str:
    """Return the beginning of a text, up to a whole word."""
    if len(text) <= most:
        return text
    return f"{text[:most].rsplit(None, 1)[0]} …"
