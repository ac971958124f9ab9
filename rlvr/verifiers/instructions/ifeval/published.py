"""IFEval's checks as published, faults included, if ours differ: what `reference_bugs` brings back."""

from __future__ import annotations

import json
import re
import string

from rlvr.verifiers.instructions import resources
from rlvr.verifiers.instructions.ifeval.format import OPTIONS
from rlvr.verifiers.instructions.ifeval.keywords import letter_frequency
from rlvr.verifiers.instructions.ifeval.length import check_nth, filled
from rlvr.verifiers.instructions.kwargs import Relation, holds
from rlvr.verifiers.instructions.matching import published_count
from rlvr.verifiers.instructions.registry import Difference, deviates
from rlvr.verifiers.instructions.text import ResponseText

KEYWORD: Difference = {
    "published": "takes a keyword for a regular expression, and finds it within other words",
    "ours": "takes it for text, and finds it as a whole word or its plural",
    "report": "https://github.com/modelscope/evalscope/issues/1755",
}
UNDETECTED = "https://github.com/allenai/open-instruct/pull/1777"


@deviates("keywords:existence", **KEYWORD)
def existence(text: ResponseText, keywords: list[str]) -> bool:
    """Take them for patterns."""
    return all(published_count(word, text.raw) for word in keywords)


@deviates("keywords:frequency", **KEYWORD)
def frequency(text: ResponseText, keyword: str, frequency: int, relation: Relation) -> bool:
    """Take it for a pattern."""
    return holds(published_count(keyword.strip(), text.raw), relation, frequency)


@deviates(
    "keywords:forbidden_words",
    published="takes a keyword for a regular expression, and misses it between underscores",
    ours="takes it for text, and sees emphasis",
    report="none found",
)
def forbidden_words(text: ResponseText, forbidden_words: list[str]) -> bool:
    r"""Take them for patterns between `\b`s."""
    return not any(published_count(rf"\b{word}\b", text.raw) for word in forbidden_words)


@deviates(
    "keywords:letter_frequency",
    published="draws a random letter in place of one that isn't in a–z, such as # and !",
    ours="counts the sign itself",
    report="https://github.com/google-research/google-research/issues/3427",
    cheap=True,
)
def published_letter_frequency(
    text: ResponseText, letter: str, let_frequency: int, let_relation: Relation
) -> bool:
    """Draw nothing: for a sign, return what most of the letters that could be drawn would give."""
    sign = letter.strip().lower()
    if len(sign) == 1 and "a" <= sign <= "z":
        return holds(text.lower.count(sign), let_relation, let_frequency)
    letter_frequency(text, letter, let_frequency, let_relation)  # raises for several characters
    likely = [
        holds(text.lower.count(drawn), let_relation, let_frequency)
        for drawn in string.ascii_lowercase
    ]
    return 2 * sum(likely) > len(likely)


@deviates(
    "language:response_language",
    published="counts as followed if no language can be detected, knows `zh`, `nb` and `iw` under other "
    "codes alone, and fails every response for a code that it doesn't know",
    ours="counts as not followed, knows these codes, and gives no verdict on an unknown one",
    report=UNDETECTED,
)
def response_language(text: ResponseText, language: str) -> bool:
    """Accept also a text of no language that can be told."""
    return text.language in (language, None)


@deviates(
    "change_case:english_capital",
    published="asks for the language of a text in capitals, most of which langdetect skips, and counts "
    "as followed if it can't tell; langdetect can't tell short English",
    ours="knows English words, and asks for the language of the text in small letters",
    report="https://github.com/Mimino666/langdetect/issues/120",
)
def english_capital(text: ResponseText) -> bool:
    """Accept English, and no language that can be told."""
    return text.raw.isupper() and text.language in ("en", None)


@deviates(
    "change_case:english_lowercase",
    published="counts as followed if the language can't be detected; langdetect can't tell short English",
    ours="counts as not followed, and knows English words",
    report=UNDETECTED,
)
def english_lowercase(text: ResponseText) -> bool:
    """Accept English, and no language that can be told."""
    return text.raw.islower() and text.language in ("en", None)


# A token in capitals ends in one; and the tokenizer cuts "'Tis" after its T, "CAn't" before its n.
_CAPITAL_END = re.compile(r"[A-Z](?![a-z])|'T(?:is|was)|[A-Z]n'[tT]")


@deviates(
    "change_case:capital_word_frequency",
    published='takes "CANNOT" and "CAN\'T" for two words in capitals, and "I" and "A" for one each',
    ours="counts words of two letters or more",
    report="none found",
)
def capital_word_frequency(
    text: ResponseText, capital_frequency: int, capital_relation: Relation
) -> bool:
    """Count among the Treebank tokens."""
    likely = (
        sentence
        for sentence in text.punkt_sentences
        if not sentence.isascii() or _CAPITAL_END.search(sentence)
    )
    count = sum(
        token.isupper() for sentence in likely for token in resources.sentence_tokens(sentence)
    )
    return holds(count, capital_relation, capital_frequency)


@deviates(
    "punctuation:no_comma",
    published="looks for U+002C alone",
    ours="knows the commas of other scripts",
    report="none found",
    cheap=True,
)
def no_comma(text: ResponseText) -> bool:
    """Find no U+002C."""
    return "," not in text.raw


@deviates(
    "length_constraints:number_words",
    published=r'counts runs of letters: "don\'t" is two words, a Hindi word several, a Chinese clause one',
    ours="counts as word processors do",
    report="none found",
    cheap=True,
)
def number_words(text: ResponseText, num_words: int, relation: Relation) -> bool:
    r"""Count the matches of `\w+`."""
    return holds(len(text.word_runs), relation, num_words)


@deviates(
    "length_constraints:number_sentences",
    published="counts the numbers of list items, and knows no full stop but English's",
    ours="leaves such numbers and headings out, and knows those of other scripts",
    report="none found",
)
def number_sentences(text: ResponseText, num_sentences: int, relation: Relation) -> bool:
    """Count by Punkt."""
    return holds(len(text.punkt_sentences), relation, num_sentences)


STARS = re.compile(r"\s?\*\*\*\s?")


@deviates(
    "length_constraints:number_paragraphs",
    published="divides also within ***a bold italic*** word and at four stars",
    ours="does neither",
    report="none found",
    cheap=True,
)
def number_paragraphs(text: ResponseText, num_paragraphs: int) -> bool:
    """Divide at every three stars."""
    return filled(STARS.split(text.raw)) == num_paragraphs


@deviates(
    "length_constraints:nth_paragraph_first_word",
    published="leaves blank paragraphs out of the number, but not when it looks for the n-th; takes "
    "carriage returns and blanks for a paragraph, and a curly quote or a semicolon for part of the word",
    ours="leaves them out of both, and compares the word alone",
    report="https://github.com/scitix/sieval/pull/104",
    cheap=True,
)
def nth_paragraph_first_word(
    text: ResponseText, num_paragraphs: int, nth_paragraph: int, first_word: str
) -> bool:
    """Take the n-th of all, counted among those that aren't blank."""
    check_nth(num_paragraphs, nth_paragraph)
    every = text.raw.split("\n\n")
    count = sum(1 for paragraph in every if paragraph.strip())
    if count != num_paragraphs or not every[nth_paragraph - 1].strip():
        return False
    word = every[nth_paragraph - 1].split(maxsplit=1)[0].lstrip("'").lstrip('"')
    return re.split(r"[.,?!'\"]", word, maxsplit=1)[0].lower() == first_word.lower()


@deviates(
    "detectable_content:number_placeholders",
    published="counts [], check boxes, links, citations and indices of code",
    ours="wants a word in the brackets, and none of these",
    report="none found",
    cheap=True,
)
def number_placeholders(text: ResponseText, num_placeholders: int) -> bool:
    """Count every pair of brackets in a line."""
    return sum(map(_bracketed, text.raw_lines)) >= num_placeholders


def _bracketed(line: str) -> int:
    count = end = 0
    while (start := line.find("[", end)) >= 0 and (end := line.find("]", start) + 1) > 0:
        count += 1
    return count


_POSTSCRIPTS = {"P.P.S": re.compile(r"p\.\s?p\.\s?s"), "P.S.": re.compile(r"p\.\s?s\.")}


@deviates(
    "detectable_content:postscript",
    published='finds "P.S." in "U.P.S." and without a text behind it, and takes a marker other than P.S. '
    "and P.P.S for a regular expression",
    ours="wants the marker by itself and a word after it, and takes it for text",
    report="none found",
)
def postscript(text: ResponseText, postscript_marker: str) -> bool:
    """Find the marker anywhere."""
    marker = postscript_marker.strip()
    if marker in _POSTSCRIPTS:
        return _POSTSCRIPTS[marker].search(text.lower) is not None
    return published_count(marker.lower(), text.lower) > 0


@deviates(
    "detectable_format:number_bullet_lists",
    published="counts rules, rulers of tables, italics, negative numbers and signatures as bullets",
    ours="wants a mark, white space and a text",
    report="none found",
    cheap=True,
)
def number_bullet_lists(text: ResponseText, num_bullets: int) -> bool:
    """Count lines that begin with a single * or with -."""
    dashed = sum(1 for line in text.raw_lines if line.lstrip()[:1] == "-")
    return _starred(text.raw_lines) + dashed == num_bullets


def _starred(lines: list[str]) -> int:
    """Count lines with a * that no other follows; one that holds nothing else takes the next with it."""
    count, taken = 0, False
    for number, line in enumerate(lines):
        body = line.lstrip()
        if taken or body[:1] != "*":
            taken = False
        elif len(body) > 1:
            count += body[1] != "*"
        elif number + 1 < len(lines):
            count, taken = count + 1, True
    return count


@deviates(
    "detectable_format:constrained_response",
    published="accepts several of the options at once",
    ours="wants one",
    report="none found",
    cheap=True,
)
def constrained_response(text: ResponseText) -> bool:
    """Find any option."""
    return any(option in text.raw for option in OPTIONS)


_HIGHLIGHT = re.compile(r"\*([^\n*]*)\*")
_DOUBLE_HIGHLIGHT = re.compile(r"\*\*([^\n*]*)\*\*")


@deviates(
    "detectable_format:number_highlighted_sections",
    published="pairs all asterisks of a line: multiplications and footnotes are highlights, *one* in a "
    "starred bullet is none, and ***one*** is two",
    ours="reads Markdown",
    report="none found",
    cheap=True,
)
def number_highlighted_sections(text: ResponseText, num_highlights: int) -> bool:
    """Count spans between asterisks, and between double ones, that aren't blank."""
    if text.raw.count("*") < 2 * min(num_highlights, 1):
        return False
    count = 0
    for pattern in (_HIGHLIGHT, _DOUBLE_HIGHLIGHT):
        count += sum(1 for inside in pattern.findall(text.raw) if inside.strip())
    return count >= num_highlights


@deviates(
    "detectable_format:multiple_sections",
    published="takes the mark for a regular expression",
    ours="takes it for text",
    report="none found",
)
def multiple_sections(text: ResponseText, section_spliter: str, num_sections: int) -> bool:
    """Take the mark for a pattern."""
    return published_count(rf"(?-i:{section_spliter.strip()})\s?\d+", text.raw) >= num_sections


@deviates(
    "detectable_format:json_format",
    published="accepts NaN and Infinity, and knows no fence but ```json",
    ours="refuses them, and knows fences with a space, of tildes, and of jsonc",
    report="none found",
    cheap=True,
)
def json_format(text: ResponseText) -> bool:
    """Accept what Python's reader takes."""
    body = text.stripped
    for fence in ("```json", "```Json", "```JSON", "```"):
        body = body.removeprefix(fence)
    try:
        json.loads(body.removesuffix("```").strip())
    except (ValueError, RecursionError):
        return False
    return True


@deviates(
    "detectable_format:title",
    published="takes the shifts of a program for a title",
    ours="doesn't",
    report="none found",
    cheap=True,
)
def title(text: ResponseText) -> bool:
    """Find `<<…>>` within a line, not blank."""
    return any(map(_titled, text.raw_lines))


def _titled(line: str) -> bool:
    start, end = line.find("<<"), line.rfind(">>")
    if start < 0 or end < start + 3:
        return False
    return bool(line[start : end + 2].lstrip("<").rstrip(">").strip())


@deviates(
    "combination:repeat_prompt",
    published="takes a curly apostrophe or a carriage return for another text",
    ours="takes it for the same",
    report="none found",
    cheap=True,
)
def repeat_prompt(text: ResponseText, prompt_to_repeat: str) -> bool:
    """Compare character by character, in any case."""
    return text.stripped.lower().startswith(prompt_to_repeat.strip().lower())


@deviates(
    "startend:end_checker",
    published="sees no end before a curly quote or closing emphasis, nor with a curly apostrophe in it",
    ours="does",
    report="none found",
    cheap=True,
)
def end_checker(text: ResponseText, end_phrase: str) -> bool:
    """Leave straight double quotes aside."""
    return text.stripped.strip('"').lower().endswith(end_phrase.strip().lower())


@deviates(
    "startend:quotation",
    published="knows straight quotation marks alone, and looks at the first and the last character",
    ours="knows typographic ones, and wants one pair around everything",
    report="none found",
    cheap=True,
)
def quotation(text: ResponseText) -> bool:
    """Look at the first and the last character."""
    body = text.stripped
    return len(body) > 1 and body[0] == body[-1] == '"'
