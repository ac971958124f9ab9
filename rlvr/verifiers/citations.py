"""`Citations`: each citation in the last response comes from a tool's result."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, TypeAlias, get_args

from rlvr.core.errors import CannotScore, OptionError
from rlvr.core.task import Task
from rlvr.core.thinking import after_thinking
from rlvr.core.transcript import Transcript
from rlvr.core.verdict import Cause, Status, Verdict, correct, refused
from rlvr.verifiers.transcript import (
    TranscriptVerifier,
    is_count,
    item_at,
    path_of,
    read_json,
)

_MOST_CITATIONS = 200
CitationForm: TypeAlias = Literal["ids", "quotes"]
_PARAGRAPHS = re.compile(r"\n[ \t]*\n")
_FENCE = re.compile(r"^[ \t]*(`{3,}|~{3,})", re.MULTILINE)
# The classes leave out what opens a span, so that reading takes linear time.
_BRACKETS = re.compile(r"(?<!\\)\[([^\[\]]*)\]")
_QUOTES = re.compile(r'"([^"]*)"|“([^“”]*)”|«([^«»]*)»|„([^„“”]*)[“”]')


class Citations(TranscriptVerifier):
    """Full reward if each citation in the last response comes from a tool's result.

        cites = rlvr.Citations()                           # [doc-7], [a1, a2]
        quotes = rlvr.Citations("quotes")                  # "at least three words"
        verifier = rlvr.AllOf(cites, quotes) >> rlvr.Math()

    An id is any text in square brackets, outside of fences; several have commas or semicolons between them. It comes
    from a result that has it in square brackets, or as the value of `field` in JSON. A quote comes from a result in which
    its words follow each other; quotes of fewer than `words` words aren't citations.

    Results that are errors don't count, nor do those of calls in the last response itself, which come after it. Tools may echo or store what a model writes, so a quote that the model wrote
    into a call's arguments doesn't come from that call's result or a later one, nor does an id in square brackets there.
    The thinking part of the response isn't read.

    A response with fewer than `least` citations has the status `unparsable`.

    Where tools record what they have retrieved, as `rlvr.tools.Search` does, name the place: results' texts, in which
    other ids may stand, then don't count. If the reference says which sources an answer rests on, they can be asked for:

        verifier = rlvr.Citations(path="retrieved", support="support") >> rlvr.ShortAnswer()

    Args:
        form: "ids" or "quotes".
        least: the fewest citations.
        field: the name of the ids in results that are JSON.
        words: the fewest words of a quote.
        path: the place of the retrieved ids in the episode's outcome, a list; by default results are read.
        support: the key of the reference with the ids that have to be cited: a list, of which each item is an id, or a
            list of ids of which one has to be. A reference without it asks for no particular source.
        unneeded: with `support`, the most ids that may be cited besides.
    """

    def __init__(
        self,
        form: CitationForm = "ids",
        *,
        least: int = 1,
        field: str = "id",
        words: int = 3,
        path: str | Sequence[str | int] = "",
        support: str = "",
        unneeded: int = 0,
    ) -> None:
        if form not in get_args(CitationForm):
            raise OptionError(f"form is 'ids' or 'quotes', not {form!r:.40}.")
        if not is_count(least) or not is_count(words) or words < 1:
            raise OptionError("least is a whole number from 0 on, and words one from 1 on.")
        if form != "ids" and (path or support):
            raise OptionError("path and support are of ids; quotes come from results.")
        if not is_count(unneeded):
            raise OptionError(f"unneeded is a whole number from 0 on, not {unneeded!r:.40}.")
        self.form, self.least, self.field, self.words = form, least, field, words
        self.path, self.support, self.unneeded = path_of(path), support, unneeded
        self.name = "citations" if form == "ids" else "quotes"

    def __repr__(self) -> str:
        return f"Citations({self.form!r})"

    def judge(self, task: Task, transcript: Transcript) -> Verdict:
        """Look for each citation among the results, and for the sources that the reference names."""
        retrieved = self._retrieved(transcript)
        groups = self._support(task)
        text = after_thinking(transcript.response)
        cited = list(
            dict.fromkeys(_ids(_outside_fences(text)) if self.form == "ids" else self._quotes(text))
        )
        if len(cited) < self.least:
            feedback = f"{len(cited)} citations, not {self.least} at least"
            return refused(self.name, Status.UNPARSABLE, feedback)
        if len(cited) > _MOST_CITATIONS:  # a bound on the time
            feedback = f"{len(cited)} citations, which are more than {_MOST_CITATIONS}"
            return refused(self.name, Status.INCORRECT, feedback)
        unknown = self._unknown(cited, transcript) if retrieved is None else set(cited) - retrieved
        for citation in cited:
            if citation in unknown:
                feedback = f"no tool's result has {citation.strip()[:100]!r}"
                return refused(self.name, Status.INCORRECT, feedback)
        if feedback := self._complaint(cited, groups):
            return refused(self.name, Status.INCORRECT, feedback)
        return correct(self.name, citations=len(cited))

    def _unknown(self, cited: Sequence[str], transcript: Transcript) -> set[str]:
        """Return the citations that come from no result."""
        supported = self._known_ids if self.form == "ids" else self._known_quotes
        unknown = set(cited)
        written = ""  # by the model, into the arguments of calls so far
        for call in transcript.tool_calls:
            written += f"{' '.join(_texts(call['arguments']))}\n\n"
            was_read = call["turn"] < transcript.turns
            if unknown and was_read and not call["failed"]:
                unknown -= supported(unknown, call["result"], written)
        return unknown

    def _retrieved(self, transcript: Transcript) -> set[str] | None:
        """Return the ids in the outcome, or None if results are to be read. Raises `CannotScore` if it has no list."""
        if not self.path:
            return None
        ids = item_at(transcript.outcome, self.path)
        if not isinstance(ids, list | tuple):
            raise CannotScore(
                Cause.INTERNAL,
                f"{self.name}: the outcome has no list at {'.'.join(self.path)!r}; rlvr.tools.Search gives one, and a "
                f'line of `rlvr score` needs an "outcome".',
            )
        return {" ".join(str(id).split()) for id in ids}

    def _support(self, task: Task) -> list[set[str]]:
        """Return the ids of which one each has to be cited. Raises `CannotScore` if the reference has no list of them."""
        if not self.support:
            return []
        reference = task.reference
        named = reference.get(self.support) if isinstance(reference, Mapping) else None
        if named is None:
            return []
        if not isinstance(named, list | tuple):
            raise CannotScore(Cause.GOLD, f"the reference's {self.support!r} is no list of ids")
        groups = [
            set(map(str, item)) if isinstance(item, list | tuple) else {str(item)} for item in named
        ]
        if not all(groups):
            raise CannotScore(Cause.GOLD, f"the reference's {self.support!r} has an empty list")
        return groups

    def _complaint(self, cited: Sequence[str], groups: Sequence[set[str]]) -> str:
        """Return what is wrong with the citations of retrieved passages; "" if nothing is."""
        missing = sum(group.isdisjoint(cited) for group in groups)
        if missing:
            return f"{missing} of {len(groups)} sources of the answer aren't cited"
        extra = [id for id in cited if not any(id in group for group in groups)]
        if groups and len(extra) > self.unneeded:
            return f"{extra[0][:100]!r} is cited, on which the answer doesn't rest"
        return ""

    def _quotes(self, text: str) -> Iterator[str]:
        for paragraph in _PARAGRAPHS.split(text):
            for match in _QUOTES.finditer(paragraph):
                quote = _words(next(group for group in match.groups() if group is not None))
                if quote.count(" ") - 1 >= self.words:
                    yield quote

    def _known_ids(self, cited: set[str], result: str, written: str) -> set[str]:
        own = set(_ids(written))
        value = read_json(result)
        of_field = () if isinstance(value, str) else _fields(value, self.field)
        return cited & {*(id for id in _ids(result) if id not in own), *of_field}

    def _known_quotes(self, cited: set[str], result: str, written: str) -> set[str]:
        value = read_json(result)
        texts = [_words(text) for text in ([result] if isinstance(value, str) else _texts(value))]
        own = _words(written)
        return {
            quote for quote in cited if quote not in own and any(quote in text for text in texts)
        }


def _ids(text: str) -> Iterator[str]:
    """Yield the ids in square brackets."""
    for match in _BRACKETS.finditer(text):
        for id in re.split(r"[,;]", match[1]):
            if id.strip():
                yield " ".join(id.split())


def _outside_fences(text: str) -> str:
    """Return a text without its fenced blocks; one that isn't closed goes on to the end."""
    return " ".join(_FENCE.split(text)[::4])


def _fields(value: Any, field: str) -> Iterator[str]:
    """Yield the texts and numbers under a field's name, anywhere in a JSON value."""
    stack = [value]
    while stack:
        item = stack.pop()
        if isinstance(item, Mapping):
            stack += item.values()
            id = item.get(field)
            if isinstance(id, str | int) and not isinstance(id, bool):
                yield " ".join(str(id).split())
        elif isinstance(item, list):
            stack += item


def _texts(value: Any) -> list[str]:
    """Return every text and number in a JSON value."""
    texts, stack = [], [value]
    while stack:
        item = stack.pop()
        if isinstance(item, Mapping):
            stack += [*item.keys(), *item.values()]
        elif isinstance(item, list):
            stack += item
        elif item is not None:
            texts.append(" ".join(str(item).split()))
    return texts


def _words(text: str) -> str:
    """Return the words of a text with a blank around each, so that a quote begins and ends with a whole word."""
    words = re.findall(r"[^\W_]+", text.casefold())
    return f" {' '.join(words)} "
