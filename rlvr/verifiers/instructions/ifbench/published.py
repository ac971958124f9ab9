"""IFBench's checks as published, faults included, if ours differ: what `reference_bugs` brings back."""

from __future__ import annotations

import re
import string
from collections import Counter, defaultdict, deque
from itertools import pairwise

from rlvr.verifiers.instructions import matching, resources
from rlvr.verifiers.instructions.ifbench.counts import trigrams, within
from rlvr.verifiers.instructions.ifbench.custom import CAPITALS, is_date, plain
from rlvr.verifiers.instructions.ifbench.layout import explained, indent
from rlvr.verifiers.instructions.ifbench.words import PRIMES, alliterating, nth
from rlvr.verifiers.instructions.kwargs import wrong
from rlvr.verifiers.instructions.registry import deviates
from rlvr.verifiers.instructions.text import EDGES, NO_PUNCTUATION, Text, spoken
from rlvr.verifiers.instructions.vocabulary import CONJUNCTIONS, NAMES, PRONOUNS, STOP_WORDS

_PIECES = {
    "published": "takes punctuation and curly quotes for words or for parts of them",
    "ours": "compares words alone",
    "report": "none found",
}
_HALVES = {
    "published": "cuts contractions in two",
    "ours": "takes them for one word",
    "report": "https://github.com/allenai/IFBench/issues/22",
}


@deviates("count:unique_word_count", **_PIECES, cheap=True)
def unique_word_count(text: Text, N: int) -> bool:
    """Strip ASCII punctuation off what white space separates."""
    return len({chunk.strip(EDGES) for chunk in text.lower.split()}) >= N


@deviates(
    "count:word_count_range",
    published='takes "don\'t" and "3.50" for two words each',
    ours="takes them for one",
    report="none found",
    cheap=True,
)
def word_count_range(text: Text, min_words: int, max_words: int) -> bool:
    r"""Count the matches of `\w+`."""
    return min_words <= len(text.word_runs) <= max_words


@deviates("words:repeats", **_PIECES, cheap=True)
def repeats(text: Text, small_n: int) -> bool:
    """Compare without ASCII punctuation."""
    return max(Counter(text.bare_words).values(), default=0) <= small_n


@deviates(
    "count:conjunctions",
    published='counts "and", "And" and "and," as three different ones, and misses “And”',
    ours="counts them as one",
    report="none found",
    cheap=True,
)
def conjunctions(text: Text, small_n: int) -> bool:
    """Count different spellings, case and punctuation included."""
    spellings = {chunk for chunk in text.chunks if chunk.strip(EDGES).lower() in CONJUNCTIONS}
    return len(spellings) >= small_n


@deviates(
    "count:keywords_multiple",
    published="finds keywords within other words",
    ours="finds them as whole words or plurals",
    report="https://github.com/modelscope/evalscope/issues/1755",
    cheap=True,
)
def keywords_multiple(
    text: Text, keyword1: str, keyword2: str, keyword3: str, keyword4: str, keyword5: str
) -> bool:
    """Count occurrences, also within other words."""
    keywords = (keyword1, keyword2, keyword3, keyword4, keyword5)
    return all(
        text.lower.count(word.strip().lower()) == count
        for word, count in zip(keywords, (1, 2, 3, 5, 7), strict=True)
    )


_NAME = re.compile(rf"\b(?:{'|'.join(NAMES)})\b")


@deviates(
    "count:person_names",
    published="misses a name in capitals, and between underscores",
    ours="finds it",
    report="none found",
    cheap=True,
)
def person_names(text: Text, N: int) -> bool:
    r"""Find names between `\b`s, in their own case."""
    return len(set(_NAME.findall(text.raw))) >= N


_DIGITS = re.compile(r"\d+")


@deviates(
    "count:numbers",
    published='removes punctuation first, so that "10-20" and "1,2,3" are one number each; counts H2O',
    ours="counts them apart, and no digit of a name",
    report="none found",
    cheap=True,
)
def numbers(text: Text, N: int) -> bool:
    """Count runs of digits without ASCII punctuation."""
    return len(_DIGITS.findall(text.bare)) == N


@deviates(
    "count:pronouns",
    published="misses a pronoun before a curly apostrophe, as in I’m",
    ours="finds it",
    report="none found",
)
def pronouns(text: Text, N: int) -> bool:
    """Count among the Treebank tokens."""
    spaced = Text(text.raw.replace("/", " ").lower())
    return sum(token in PRONOUNS for token in spaced.treebank_tokens) >= N


_JAPANESE = re.compile("[\u3040-\u30ff\u4e00-\u9fff]")


@deviates(
    "count:words_japanese",
    published="counts a dash as a word",
    ours="doesn't",
    report="none found",
    cheap=True,
)
def words_japanese(text: Text, N: int) -> bool:
    """Count everything between white space."""
    if N < 1:
        raise wrong("count:words_japanese: N is at least 1, not 0.")
    every = (chunk.strip(EDGES) for chunk in text.chunks[N - 1 :: N])
    return all(_JAPANESE.search(word) for word in every if word and not word.isdigit())


@deviates("ratio:stop_words", **_HALVES, cheap=True)
def stop_words(text: Text, percentage: float) -> bool:
    r"""Compare shares of the matches of `\w+`."""
    if not text.word_runs:
        return False
    stops = sum(word.lower() in STOP_WORDS for word in text.word_runs)
    return 100 * stops <= percentage * len(text.word_runs)


_NO_SENTENCE = {
    "published": "accepts a text without any such sentence, and misses a mark before a quote",
    "report": "https://github.com/scitix/sieval/pull/105",
}


@deviates(
    "ratio:sentence_type", ours="wants a question, and looks through quotes and brackets",
    **_NO_SENTENCE,
)  # fmt: skip
def sentence_type(text: Text) -> bool:
    """None to none is two to one."""
    statements, questions, _ = _marks(text.punkt_sentences)
    return statements == 2 * questions


@deviates(
    "ratio:sentence_balance", ours="wants one of each, and looks through quotes and brackets",
    **_NO_SENTENCE,
)  # fmt: skip
def sentence_balance(text: Text) -> bool:
    """None of each is balanced."""
    statements, questions, exclamations = _marks(text.punkt_sentences)
    return statements == questions == exclamations


def _marks(sentences: list[str]) -> tuple[int, int, int]:
    statements, questions, exclamations = (
        sum(1 for sentence in sentences if sentence.endswith(mark)) for mark in ".?!"
    )
    return statements, questions, exclamations


@deviates(
    "ratio:sentence_words",
    published="never looks whether the words differ",
    ours="does",
    report="https://github.com/modelscope/evalscope/issues/1675",
)
def sentence_words(text: Text) -> bool:
    """Compare lengths alone."""
    sentences = text.punkt_sentences
    return len(sentences) == 3 and len(set(map(len, sentences))) == 1


@deviates(
    "ratio:overlap",
    published="takes the trigrams of characters",
    ours="takes those of words",
    report="https://github.com/allenai/IFBench/pull/34",
    cheap=True,
)
def overlap(text: Text, reference_text: str, percentage: float) -> bool:
    """Compare trigrams of characters."""
    return within(trigrams(text.raw), trigrams(reference_text), percentage)


@deviates("words:alphabet", **_PIECES, cheap=True)
def alphabet(text: Text) -> bool:
    """Compare without ASCII punctuation."""
    letters = [word[0] for word in text.bare_words]
    if not letters or not "a" <= letters[0] <= "z":
        return False
    begin = ord(letters[0]) - 97
    return all(ord(letter) - 97 == (begin + place) % 26 for place, letter in enumerate(letters))


@deviates(
    "words:vowel",
    published="doesn't see vowels with accents",
    ours="does",
    report="none found",
    cheap=True,
)
def vowel(text: Text) -> bool:
    """Look for a, e, i, o and u."""
    return "\n" not in text.stripped and len(set("aeiou").intersection(text.lower)) <= 3


_CLUSTER = re.compile("[bcdfghjklmnpqrstvwxyz]{2}")


@deviates("words:consonants", **_PIECES, cheap=True)
def consonants(text: Text) -> bool:
    """Look at everything between white space."""
    return all(_CLUSTER.search(word) for word in text.lower.split())


@deviates("words:palindrome", **_PIECES, cheap=True)
def palindrome(text: Text) -> bool:
    """Compare without ASCII punctuation."""
    return sum(len(word) >= 5 and word == word[::-1] for word in text.bare_words) >= 10


@deviates("words:prime_lengths", **_PIECES, cheap=True)
def prime_lengths(text: Text) -> bool:
    """Measure everything between white space without ASCII punctuation."""
    return all(len(word) in PRIMES for word in text.bare.split())


@deviates("words:no_consecutive", **_PIECES, cheap=True)
def no_consecutive(text: Text) -> bool:
    """Compare without ASCII punctuation."""
    return all(a[0] != b[0] for a, b in pairwise(text.bare_words))


@deviates("words:odd_even_syllables", **_PIECES)
def odd_even_syllables(text: Text) -> bool:
    """Count without ASCII punctuation."""
    parities = (resources.syllables(word) % 2 for word in text.bare_words)
    return all(a != b for a, b in pairwise(parities))


@deviates(
    "words:start_verb",
    published="takes most imperatives for nouns, as the tagger does at the beginning of a sentence",
    ours="knows the base forms of verbs, and looks at what follows",
    report="none found",
)
def start_verb(text: Text) -> bool:
    """Ask the tagger."""
    tokens = text.treebank_tokens
    # It reads left to right and looks two words ahead, so what comes later can't matter.
    return bool(tokens) and "VB" in resources.tags(tokens[:3])[0]


@deviates(
    "words:words_position",
    published="counts punctuation as words, except one mark at the end, and contractions as two",
    ours="counts words",
    report="https://github.com/allenai/IFBench/issues/22",
)
def words_position(text: Text, keyword: str) -> bool:
    """Count all tokens except a last one that is punctuation."""
    tokens, wanted = text.treebank_tokens, keyword.strip().lower()
    last = -3 if tokens and tokens[-1] in string.punctuation else -2
    return len(tokens) >= -last and tokens[1].lower() == tokens[last].lower() == wanted


@deviates("words:keywords_specific_position", **_HALVES)
def keywords_specific_position(text: Text, keyword: str, n: int, m: int) -> bool:
    """Count the Treebank tokens with a letter or digit."""
    sentence = nth(text.punkt_sentences, n, "words:keywords_specific_position: n")
    words = spoken(resources.sentence_tokens(sentence))
    if m < 1:
        raise wrong(f"words:keywords_specific_position: m is at least 1, not {m}.")
    return m <= len(words) and words[m - 1].lower() == keyword.strip().lower()


_LIST_NUMBERS = {
    "published": "takes the numbers of list items for sentences",
    "ours": "leaves them out",
    "report": "none found",
}


@deviates("sentence:keyword", **_LIST_NUMBERS)
def sentence_keyword(text: Text, word: str, N: int) -> bool:
    """Count sentences by Punkt."""
    sentence = nth(text.punkt_sentences, N, "sentence:keyword: N")
    return matching.published_contains_whole(word, sentence)


@deviates("words:last_first", **_PIECES)
def last_first(text: Text) -> bool:
    """Strip ASCII punctuation."""
    for one, after in pairwise(text.punkt_sentences):
        last, first = one.rstrip(EDGES).split(), after.lstrip(EDGES).split()
        if not last or not first or last[-1].lower() != first[0].lower():
            return False
    return True


@deviates("words:paragraph_last_first", **_PIECES, cheap=True)
def paragraph_last_first(text: Text) -> bool:
    """Strip ASCII punctuation."""
    paragraphs = (line.strip().lower().strip(EDGES).split() for line in text.raw_lines)
    return all(words[0] == words[-1] for words in paragraphs if words)


@deviates("sentence:increment", **_LIST_NUMBERS)
def increment(text: Text, small_n: int) -> bool:
    """Count what white space separates, without ASCII punctuation."""
    counts = [len(each.translate(NO_PUNCTUATION).split()) for each in text.punkt_sentences]
    return all(b == a + small_n for a, b in pairwise(counts))


@deviates("sentence:alliteration_increment", **_PIECES)
def alliteration_increment(text: Text) -> bool:
    """Strip ASCII punctuation off the words' beginnings."""
    words = (sentence.lower().split() for sentence in text.punkt_sentences)
    firsts = ([word[0] for chunk in chunks if (word := chunk.lstrip(EDGES))] for chunks in words)
    return all(a < b for a, b in pairwise(map(alliterating, firsts)))


@deviates("custom:sentence_alphabet", **_PIECES)
def sentence_alphabet(text: Text) -> bool:
    """Take each sentence's very first character."""
    firsts = [sentence.split(maxsplit=1)[0][0].lower() for sentence in text.punkt_sentences]
    return firsts == list(string.ascii_lowercase)


@deviates(
    "custom:european_capitals_sort",
    published="leaves Kyiv out, and takes no full stop at the end",
    ours="accepts the list with Kyiv, too",
    report="none found",
    cheap=True,
)
def european_capitals(text: Text) -> bool:
    """Compare with the published list."""
    named = [name.strip() for name in plain(text.raw).split(",")]
    return tuple(name for name in named if name) == CAPITALS


@deviates(
    "custom:date_format_list",
    published="accepts month 00, day 00 and 29 February of any year",
    ours="wants a date that there was",
    report="none found",
    cheap=True,
)
def date_list(text: Text) -> bool:
    """Accept no day over the month's most."""
    return all(is_date(date.strip(), published=True) for date in text.stripped.split(","))


@deviates(
    "format:newline",
    published="takes blanks on an empty line for a line, and a dash of another kind for a word",
    ours="counts lines with words",
    report="none found",
    cheap=True,
)
def newline(text: Text) -> bool:
    """Count lines and words without ASCII punctuation."""
    body = text.bare.strip()
    return sum(1 for line in body.split("\n") if line) == len(body.split())


@deviates(
    "format:line_indent",
    published="drops blank lines from the list it walks, and so keeps every other of several in a row; "
    "doesn't see tabs",
    ours="drops all of them, and sees tabs",
    report="https://github.com/scitix/sieval/pull/105",
    cheap=True,
)
def line_indent(text: Text) -> bool:
    """Walk the list: the first line equal to a blank one is removed, and the next is skipped."""
    places: dict[str, deque[int]] = defaultdict(deque)
    for number, line in enumerate(text.raw_lines):
        if not line.strip():
            places[line].append(number)
    gone, skipped = set(), False
    for line in text.raw_lines:
        if skipped or line.strip():
            skipped = False
        else:
            gone.add(places[line].popleft())
            skipped = True
    kept = (line for number, line in enumerate(text.raw_lines) if number not in gone)
    return all(a < b for a, b in pairwise(map(indent, kept)))


@deviates(
    "format:list",
    published="finds the sign also within words, as the hyphen of a compound",
    ours="wants it before an item",
    report="none found",
    cheap=True,
)
def separated_list(text: Text, sep: str) -> bool:
    """Count the sign."""
    return text.raw.count(sep) >= 2


_LETTERED = re.compile(r"\W*[aA]\W*[bB]\W*[cC]")


@deviates(
    "format:options",
    published='splits at the letters "or" within a word, and takes no line feed at the end',
    ours="splits at the word",
    report="none found",
    cheap=True,
)
def options(text: Text, options: str) -> bool:
    """Split at a slash, "or" or commas."""
    separator = "/" if "/" in options else "or" if "or" in options else ","
    choices = [choice.strip() for choice in options.split(separator)]
    if _LETTERED.match(options):
        return text.raw in choices
    answer = text.raw.strip(EDGES).lower()
    return any(choice.strip(EDGES).lower() == answer for choice in choices)


@deviates(
    "format:emoji",
    published="doesn't know flags and keycaps, and takes the numbers of list items for sentences",
    ours="knows emojis of several characters, and leaves the numbers out",
    report="none found",
)
def emoji(text: Text) -> bool:
    """Look at the last two characters, and at the first of the next sentence."""
    bodies = [sentence.translate(NO_PUNCTUATION).strip() for sentence in text.punkt_sentences]
    for number, body in enumerate(bodies):
        if not body:
            return False
        if not any(resources.is_emoji(sign) for sign in body[-2:]):
            after = bodies[number + 1] if number + 1 < len(bodies) else ""
            if not after or not resources.is_emoji(after[0]):
                return False
    return True


@deviates(
    "format:thesis",
    published="takes empty tags for a thesis, and closes one tag with the other",
    ours="wants words in it",
    report="none found",
    cheap=True,
)
def thesis(text: Text) -> bool:
    """Cut three characters off for the opening tag, whichever it is."""
    start = text.raw.find("<i>")
    start = start if start >= 0 else text.raw.find("<em>")
    if start < 0:
        return False
    body = text.raw[start:]
    end = body.find("</i>")
    end = end if end >= 0 else body.find("</em>")
    return end >= 0 and body[3:end].strip() != "" and body[end + 4 :].strip() != ""


@deviates(
    "format:sub-bullets",
    published="splits at every asterisk, so that **bold** refuses a list, and takes any hyphen for a "
    "sub-bullet and a text without bullets for a list",
    ours="reads Markdown's lists",
    report="https://github.com/LiveBench/LiveBench/issues/468",
    cheap=True,
)
def sub_bullets(text: Text) -> bool:
    """Find a - between each * and the next."""
    return all("-" in bullet for bullet in text.raw.split("*")[1:])


@deviates(
    "format:no_bullets_bullets",
    published="takes bold text for a bullet, and a blank line between bullets for text",
    ours="reads Markdown's lists",
    report="none found",
)
def no_bullets_bullets(text: Text) -> bool:
    """Accept nothing between the bullets or after them, not even a blank line."""
    sentences = bullets = 0
    before = True
    for line in text.raw_lines:
        if line.strip().startswith("*"):
            before = False
            if sentences < 2:
                return False
            bullets += 1
        elif not before:
            return False
        else:
            count = len(resources.sentences(line.strip()))
            sentences, before = sentences + count, count > 0
    return bullets >= 2


@deviates(
    "format:title_case",
    published='wants minor words capital, and refuses "Don\'t", "Cannot" and "Gonna", which it cuts in two',
    ours="lets minor words be small within a line, and takes contractions for one word",
    report="none found",
)
def title_case(text: Text) -> bool:
    """Look at the Treebank tokens."""
    return not any(map(_small_headed, text.treebank_tokens))


def _small_headed(word: str) -> bool:
    if not word[0].islower():
        return False
    rest = word[1:]
    return word[0].isalpha() and (not rest or rest.isupper() or rest.islower())


@deviates(
    "format:quote_unquote",
    published="doesn't see curly quotes: the line that should turn them into straight ones has lost them",
    ours="sees them",
    report="none found",
    cheap=True,
)
def quote_unquote(text: Text) -> bool:
    """Look at straight quotes alone."""
    return explained(text.raw)


@deviates(
    "format:quotes",
    published="doesn't see curly quotes, and takes apostrophes for quotes",
    ours="sees them, and leaves apostrophes out",
    report="none found",
    cheap=True,
)
def quotes(text: Text) -> bool:
    """Pair straight quotes and apostrophes."""
    open_: list[str] = []
    deepest = 0
    for sign in text.raw:
        if sign not in "\"'":
            continue
        if open_ and sign == open_[-1]:
            open_.pop()
            if deepest - len(open_) >= 3:
                return True
        else:
            open_.append(sign)
            deepest = max(deepest, len(open_))
    return False


@deviates(
    "repeat:repeat_span",
    published="counts characters where the prompt speaks of words",
    ours="counts words",
    report="https://github.com/allenai/IFBench/pull/34",
    cheap=True,
)
def repeat_span(text: Text, prompt_to_repeat: str, n_start: int, n_end: int) -> bool:
    """Compare characters, both ends included."""
    wanted = prompt_to_repeat[n_start : n_end + 1]
    return text.stripped.lower() == wanted.strip().lower()


@deviates(
    "repeat:repeat_change",
    published="also accepts the first word unchanged, if white space or case differs",
    ours="wants another word",
    report="none found",
    cheap=True,
)
def repeat_change(text: Text, prompt_to_repeat: str) -> bool:
    """Accept anything except the very same text."""
    if prompt_to_repeat == text.raw:
        return False
    return prompt_to_repeat.split()[1:] == text.chunks[1:]
