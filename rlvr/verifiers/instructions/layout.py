"""IFBench's forms: lines, lists, bullets, case, templates."""

from __future__ import annotations

import re
import string
from collections import defaultdict, deque
from itertools import pairwise

from rlvr.verifiers.instructions import resources
from rlvr.verifiers.instructions.registry import (
    deviates,
    instruction,
)
from rlvr.verifiers.instructions.text import EDGES, NO_PUNCTUATION, Text

_LETTERED = re.compile(r"\W*[aA]\W*[bB]\W*[cC]")
_MARKS = ("My Answer:", "My Conclusion:", "Future Outlook:")


@instruction("format:newline", says="Write each word on a new line.", cheap=True)
def newline(text: Text) -> bool:
    """As many lines as words; punctuation and empty lines aside."""
    body = text.bare.strip()
    return sum(1 for line in body.split("\n") if line) == len(body.split())


@instruction("format:line_indent", says="Indent each line more than the one before it.", cheap=True)
def line_indent(text: Text) -> bool:
    """By spaces; blank lines don't count."""
    return _stairs([line for line in text.lines if line.strip()])


@deviates(
    "format:line_indent",
    published="drops blank lines from the list it walks, and so keeps every other of several in a row",
    ours="drops all of them",
    report="https://github.com/scitix/sieval/pull/105",
)
def published_line_indent(text: Text) -> bool:
    """What is removed while the list is walked: the first that equals the line, and the next is skipped."""
    places: dict[str, deque[int]] = defaultdict(deque)
    for number, line in enumerate(text.lines):
        if not line.strip():
            places[line].append(number)
    gone, skipped = set(), False
    for line in text.lines:
        if skipped or line.strip():
            skipped = False
        else:
            gone.add(places[line].popleft())
            skipped = True
    return _stairs([line for number, line in enumerate(text.lines) if number not in gone])


def _stairs(lines: list[str]) -> bool:
    indents = [len(line) - len(line.lstrip(" ")) for line in lines]
    return all(a < b for a, b in pairwise(indents))


@instruction("format:no_whitespace", says="Use no white space.", cheap=True)
def no_whitespace(text: Text) -> bool:
    """Of any kind, also at the ends."""
    return text.chunks == [text.raw]


@instruction(
    "format:list", says="Write a list whose items begin with {sep} instead of bullets.", cheap=True
)
def separated_list(text: Text, sep: str) -> bool:
    """The sign is there twice."""
    return text.raw.count(sep) >= 2


@instruction(
    "format:options",
    says="Answer with one of these and nothing else: {options}",
    cheap=True,
)
def options(text: Text, options: str) -> bool:
    """In whatever case, punctuation at the ends aside; lettered options exactly."""
    separator = "/" if "/" in options else "or" if "or" in options else ","
    choices = [one.strip() for one in options.split(separator)]
    if _LETTERED.match(options):
        return text.raw in choices
    said = text.raw.strip(EDGES).lower()
    return any(one.strip(EDGES).lower() == said for one in choices)


@instruction("format:emoji", says="End every sentence with an emoji.")
def emoji(text: Text) -> bool:
    """One of its last two signs, or the first of the next sentence."""
    bodies = [one.translate(NO_PUNCTUATION).strip() for one in text.sentences]
    for number, body in enumerate(bodies):
        if not body:
            return False
        if not any(resources.is_emoji(sign) for sign in body[-2:]):
            after = bodies[number + 1] if number + 1 < len(bodies) else ""
            if not after or not resources.is_emoji(after[0]):
                return False
    return True


@instruction(
    "format:thesis",
    says="Begin each section with a thesis statement in italics, by HTML.",
    cheap=True,
)
def thesis(text: Text) -> bool:
    """`<i>` or `<em>` around something, and something after it."""
    start = text.raw.find("<i>")
    start = start if start >= 0 else text.raw.find("<em>")
    if start < 0:
        return False
    body = text.raw[start:]
    end = body.find("</i>")
    end = end if end >= 0 else body.find("</em>")
    return end >= 0 and body[3:end].strip() != "" and body[end + 4 :].strip() != ""


@instruction(
    "format:sub-bullets",
    says="Use bullets that begin with *, each with at least one sub-bullet that begins with -.",
    cheap=True,
)
def sub_bullets(text: Text) -> bool:
    """A - between each * and the next."""
    return all("-" in bullet for bullet in text.raw.split("*")[1:])


@instruction(
    "format:no_bullets_bullets",
    says="Write at least two sentences and after them at least two bullet points that begin with *.",
)
def no_bullets_bullets(text: Text) -> bool:
    """Nothing stands between the bullets or after them, not even a blank line."""
    sentences = bullets = 0
    before = True
    for line in text.lines:
        if line.strip().startswith("*"):
            before = False
            if sentences < 2:
                return False
            bullets += 1
        elif not before:
            return False
        else:
            found = len(resources.sentences(line.strip()))
            sentences, before = sentences + found, found > 0
    return bullets >= 2


@instruction("format:title_case", says="Write everything in title case.")
def title_case(text: Text) -> bool:
    """No token of letters is all small, nor small at its head and capital after it."""
    return not any(map(_small_headed, text.tokens))


def _small_headed(word: str) -> bool:
    if not word[0].islower():
        return False
    rest = word[1:]
    return word[0].isalpha() and (not rest or rest.isupper() or rest.islower())


@instruction(
    "format:output_template",
    says="Use this template: My Answer: [answer] My Conclusion: [conclusion] Future Outlook: [outlook]",
    cheap=True,
)
def output_template(text: Text) -> bool:
    """The three headings are there."""
    return all(mark in text.raw for mark in _MARKS)


_KEPT = string.digits + string.punctuation.replace('"', "")


@instruction(
    "format:quote_unquote",
    says="Follow every quoted phrase with an explanation that isn't quoted.",
    cheap=True,
)
def quote_unquote(text: Text) -> bool:
    """No two quotes touch, white space aside, and none ends the text; curly ones count too."""
    return _explained(text.raw.replace("“", '"').replace("”", '"'))


@deviates(
    "format:quote_unquote",
    published="doesn't see curly quotes: the line that should turn them into straight ones has lost them",
    ours="sees them",
    report="none found",
)
def published_quote_unquote(text: Text) -> bool:
    """Straight quotes alone."""
    return _explained(text.raw)


def _explained(text: str) -> bool:
    body = "".join(text.replace("'\"'", "").split())
    return '""' not in body and not body.strip(_KEPT).endswith('"')
