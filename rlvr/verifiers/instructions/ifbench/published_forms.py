"""IFBench's forms and single questions as published, faults included, if ours differ: what `reference_bugs` brings back."""

from __future__ import annotations

import re
from collections import defaultdict, deque
from itertools import pairwise

from rlvr.verifiers.instructions import resources
from rlvr.verifiers.instructions.ifbench.custom import CAPITALS, is_date, plain
from rlvr.verifiers.instructions.ifbench.layout import explained, indent
from rlvr.verifiers.instructions.registry import deviates
from rlvr.verifiers.instructions.text import EDGES, NO_PUNCTUATION, ResponseText


@deviates(
    "custom:european_capitals_sort",
    published="leaves Kyiv out, and takes no full stop at the end",
    ours="accepts the list with Kyiv, too",
    report="none found",
    cheap=True,
)
def european_capitals(text: ResponseText) -> bool:
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
def date_list(text: ResponseText) -> bool:
    """Accept no day over the month's most."""
    return all(is_date(date.strip(), published=True) for date in text.stripped.split(","))


@deviates(
    "format:newline",
    published="takes blanks on an empty line for a line, and a dash of another kind for a word",
    ours="counts lines with words",
    report="none found",
    cheap=True,
)
def newline(text: ResponseText) -> bool:
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
def line_indent(text: ResponseText) -> bool:
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
def separated_list(text: ResponseText, sep: str) -> bool:
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
def options(text: ResponseText, options: str) -> bool:
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
def emoji(text: ResponseText) -> bool:
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
def thesis(text: ResponseText) -> bool:
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
def sub_bullets(text: ResponseText) -> bool:
    """Find a - between each * and the next."""
    return all("-" in bullet for bullet in text.raw.split("*")[1:])


@deviates(
    "format:no_bullets_bullets",
    published="takes bold text for a bullet, and a blank line between bullets for text",
    ours="reads Markdown's lists",
    report="none found",
)
def no_bullets_bullets(text: ResponseText) -> bool:
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
def title_case(text: ResponseText) -> bool:
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
def quote_unquote(text: ResponseText) -> bool:
    """Look at straight quotes alone."""
    return explained(text.raw)


@deviates(
    "format:quotes",
    published="doesn't see curly quotes, and takes apostrophes for quotes",
    ours="sees them, and leaves apostrophes out",
    report="none found",
    cheap=True,
)
def quotes(text: ResponseText) -> bool:
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
def repeat_span(text: ResponseText, prompt_to_repeat: str, n_start: int, n_end: int) -> bool:
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
def repeat_change(text: ResponseText, prompt_to_repeat: str) -> bool:
    """Accept anything except the very same text."""
    if prompt_to_repeat == text.raw:
        return False
    return prompt_to_repeat.split()[1:] == text.chunks[1:]
