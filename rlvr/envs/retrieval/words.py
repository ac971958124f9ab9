"""The words of a text, as an index knows them: without case and accents, in any script."""

from __future__ import annotations

import re
import unicodedata

_MOST_LETTERS = 64
"""Letters of a word that count; a longer run of them is no word of a language."""

# Scripts that are written without spaces: each of their characters is a word.
_UNSPACED = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_WORD = re.compile(rf"[{_UNSPACED}]|[^\W_{_UNSPACED}]+")


def words_in(text: str) -> list[str]:
    """Return the words of a text in order::

    words_in("Évora's 3 rivers")  # ["evora", "s", "3", "rivers"]

    It takes linear time. Halves of surrogate pairs, which a model may write as escapes, are no words.
    """
    if not text.isascii():
        # NFKD gives at most 18 characters per character, and marks are dropped from them.
        decomposed = unicodedata.normalize("NFKD", text)
        text = "".join(letter for letter in decomposed if not unicodedata.combining(letter))
    words = _WORD.findall(text.casefold())
    return [word[:_MOST_LETTERS] for word in words]
