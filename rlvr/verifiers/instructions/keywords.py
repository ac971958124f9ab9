"""Words that a response must have, must not have, or must have so many times."""

from __future__ import annotations

import string

from rlvr.verifiers.instructions.kwargs import (
    Relation,
    holds,
    wrong,
)
from rlvr.verifiers.instructions.matching import (
    contains,
    contains_whole,
    occurrences,
    published_count,
)
from rlvr.verifiers.instructions.registry import (
    deviates,
    instruction,
)
from rlvr.verifiers.instructions.text import EDGES, Text

_NO_REPORT = "none found"
_AS_PATTERN = {
    "published": "takes a keyword for a regular expression",
    "ours": "takes it for text",
    "report": "none found",
}


@instruction("keywords:existence", says="Include the keywords {keywords}.", cheap=True)
def existence(text: Text, keywords: list[str]) -> bool:
    """All of them, in whatever case, also within other words."""
    return all(contains(word, text.raw) for word in keywords)


@deviates("keywords:existence", **_AS_PATTERN)
def published_existence(text: Text, keywords: list[str]) -> bool:
    """As patterns."""
    return all(published_count(word, text.raw) for word in keywords)


@instruction(
    "keywords:frequency",
    says="Use the word {keyword!r} {relation} {frequency} times.",
    cheap=True,
)
def frequency(text: Text, keyword: str, frequency: int, relation: Relation) -> bool:
    """In whatever case, also within other words."""
    return holds(occurrences(keyword, text.raw), relation, frequency)


@deviates("keywords:frequency", **_AS_PATTERN)
def published_frequency(text: Text, keyword: str, frequency: int, relation: Relation) -> bool:
    """As a pattern."""
    return holds(published_count(keyword.strip(), text.raw), relation, frequency)


@instruction("keywords:forbidden_words", says="Don't use the words {forbidden_words}.", cheap=True)
def forbidden_words(text: Text, forbidden_words: list[str]) -> bool:
    """None of them as a whole word, in whatever case."""
    return not any(contains_whole(word, text.raw) for word in forbidden_words)


@deviates("keywords:forbidden_words", **_AS_PATTERN)
def published_forbidden_words(text: Text, forbidden_words: list[str]) -> bool:
    r"""As patterns between `\b`s."""
    return not any(published_count(rf"\b{word}\b", text.raw) for word in forbidden_words)


@instruction(
    "keywords:letter_frequency",
    says="Use the letter {letter!r} {let_relation} {let_frequency} times.",
    cheap=True,
)
def letter_frequency(text: Text, letter: str, let_frequency: int, let_relation: Relation) -> bool:
    """In whatever case; a sign such as # is counted as it is."""
    sign = letter.strip().lower()
    if len(sign) != 1:
        raise wrong(f"keywords:letter_frequency: letter is one character, not {letter!r:.80}.")
    return holds(text.lower.count(sign), let_relation, let_frequency)


@deviates(
    "keywords:letter_frequency",
    published="draws a random letter in place of one that isn't in a–z, such as # and !",
    ours="counts the sign itself",
    report="https://github.com/google-research/google-research/issues/3427",
)
def published_letter_frequency(
    text: Text, letter: str, let_frequency: int, let_relation: Relation
) -> bool:
    """Nothing is drawn: for a sign, what most of the letters that it may draw would give."""
    sign = letter.strip().lower()
    if len(sign) == 1 and "a" <= sign <= "z":
        return letter_frequency(text, letter, let_frequency, let_relation)
    given = [
        holds(text.lower.count(one), let_relation, let_frequency) for one in string.ascii_lowercase
    ]
    return 2 * sum(given) > len(given)


@instruction("keywords:word_once", says="Use the keyword {keyword!r} exactly once.", cheap=True)
def word_once(text: Text, keyword: str) -> bool:
    """In whatever case, also within another word."""
    return occurrences(keyword, text.raw) == 1


@deviates("keywords:word_once", **_AS_PATTERN)
def published_word_once(text: Text, keyword: str) -> bool:
    """As a pattern."""
    return published_count(keyword.strip(), text.raw) == 1


@instruction(
    "keywords:word_count_different_numbers",
    says="Use the word {keyword!r} {relation} {frequency} times.",
    cheap=True,
)
def word_count(text: Text, keyword: str, frequency: int, relation: Relation) -> bool:
    """As `keywords:frequency`."""
    return holds(occurrences(keyword, text.raw), relation, frequency)


@deviates("keywords:word_count_different_numbers", **_AS_PATTERN)
def published_word_count(text: Text, keyword: str, frequency: int, relation: Relation) -> bool:
    """As a pattern."""
    return holds(published_count(keyword.strip(), text.raw), relation, frequency)


@instruction("keywords:exclude_word_harder", says="Don't use the keyword {keyword!r}.", cheap=True)
def exclude_word(text: Text, keyword: str, instruction: str = "") -> bool:
    """Not as a whole word, in whatever case. `instruction` is where the keyword was taken from."""
    return not contains_whole(keyword, text.raw)


@deviates(
    "keywords:exclude_word_harder",
    published="misses the word beside punctuation, at either end, or in another case",
    ours="finds it as a whole word",
    report=_NO_REPORT,
)
def published_exclude_word(text: Text, keyword: str, instruction: str = "") -> bool:
    """The word between two spaces."""
    return f" {keyword.strip()} " not in text.raw


@instruction("keywords:palindrome", says="Include a palindrome.", cheap=True)
def palindrome(text: Text) -> bool:
    """A word of three letters or more that reads the same backwards, in whatever case."""
    words = (chunk.strip(EDGES).lower() for chunk in text.chunks)
    return any(len(one) >= 3 and one.isalpha() and one == one[::-1] for one in words)


@deviates(
    "keywords:palindrome",
    published='any word will do: "a", "I", a dash; in its own case, punctuation included',
    ours="three letters or more, whatever the case and the punctuation around",
    report=_NO_REPORT,
)
def published_palindrome(text: Text) -> bool:
    """What stands between spaces, a single sign included."""
    return any(chunk == chunk[::-1] for chunk in text.chunks)


@instruction(
    "count:keywords_multiple",
    says="Use {keyword1!r} once, {keyword2!r} twice, {keyword3!r} three times, {keyword4!r} five "
    "times and {keyword5!r} seven times.",
    cheap=True,
)
def keywords_multiple(
    text: Text, keyword1: str, keyword2: str, keyword3: str, keyword4: str, keyword5: str
) -> bool:
    """Exactly so often, in whatever case, also within other words."""
    words = (keyword1, keyword2, keyword3, keyword4, keyword5)
    return all(
        text.lower.count(word.strip().lower()) == count
        for word, count in zip(words, (1, 2, 3, 5, 7), strict=True)
    )


@instruction(
    "count:count_increment_word",
    says="Use the keyword {keyword1!r} once and the keyword {keyword2!r} twice.",
    cheap=True,
)
def count_increment_word(text: Text, keyword1: str, keyword2: str) -> bool:
    """Exactly so often, in whatever case, also within other words."""
    return occurrences(keyword1, text.raw) == 1 and occurrences(keyword2, text.raw) == 2


@deviates("count:count_increment_word", **_AS_PATTERN)
def published_count_increment_word(text: Text, keyword1: str, keyword2: str) -> bool:
    """As patterns."""
    first = published_count(keyword1.strip(), text.raw)
    return first == 1 and published_count(keyword2.strip(), text.raw) == 2
