"""IFEval's marks and forms: bullets, highlights, sections, titles, JSON, how a response begins and ends."""

from __future__ import annotations

import json
import re
from functools import lru_cache

from rlvr.verifiers.instructions.matching import published_count
from rlvr.verifiers.instructions.registry import (
    deviates,
    instruction,
)
from rlvr.verifiers.instructions.text import Text

OPTIONS = ("My answer is yes.", "My answer is no.", "My answer is maybe.")
_HIGHLIGHT = re.compile(r"\*([^\n*]*)\*")
_DOUBLE_HIGHLIGHT = re.compile(r"\*\*([^\n*]*)\*\*")
_POSTSCRIPTS = {"P.P.S": re.compile(r"p\.\s?p\.\s?s"), "P.S.": re.compile(r"p\.\s?s\.")}


@instruction(
    "detectable_content:number_placeholders",
    says="Use at least {num_placeholders} placeholders in square brackets, such as [address].",
    cheap=True,
)
def number_placeholders(text: Text, num_placeholders: int) -> bool:
    """Each within a line."""
    return sum(map(_bracketed, text.lines)) >= num_placeholders


def _bracketed(line: str) -> int:
    """By hand: the pattern for it looks for the end of the line at every unclosed bracket."""
    count = end = 0
    while (start := line.find("[", end)) >= 0 and (end := line.find("]", start) + 1) > 0:
        count += 1
    return count


@instruction(
    "detectable_content:postscript",
    says="Add a postscript at the end, beginning with {postscript_marker}",
    cheap=True,
)
def postscript(text: Text, postscript_marker: str) -> bool:
    """The marker is there, in whatever case; "P.P.S" and "P.S." also with spaces in them."""
    marker = postscript_marker.strip()
    if marker in _POSTSCRIPTS:
        return _POSTSCRIPTS[marker].search(text.lower) is not None
    return marker.lower() in text.lower


@deviates(
    "detectable_content:postscript",
    published="takes a marker other than P.S. and P.P.S for a regular expression",
    ours="takes it for text",
    report="none found",
)
def published_postscript(text: Text, postscript_marker: str) -> bool:
    """As a pattern."""
    marker = postscript_marker.strip()
    if marker in _POSTSCRIPTS:
        return postscript(text, marker)
    return published_count(marker.lower(), text.lower) > 0


@instruction(
    "detectable_format:number_bullet_lists",
    says="Use exactly {num_bullets} bullet points, in lines that begin with * or -.",
    cheap=True,
)
def number_bullet_lists(text: Text, num_bullets: int) -> bool:
    """Lines that begin with a single * or with -."""
    return (
        _starred(text.lines) + sum(1 for ln in text.lines if ln.lstrip()[:1] == "-") == num_bullets
    )


def _starred(lines: list[str]) -> int:
    """Lines with a * that no other follows; one that holds nothing else takes the next with it."""
    count, taken = 0, False
    for number, line in enumerate(lines):
        found = line.lstrip()
        if taken or found[:1] != "*":
            taken = False
        elif len(found) > 1:
            count += found[1] != "*"
        elif number + 1 < len(lines):
            count, taken = count + 1, True
    return count


@instruction(
    "detectable_format:constrained_response",
    says="Answer with one of these: " + " ".join(OPTIONS),
    cheap=True,
)
def constrained_response(text: Text) -> bool:
    """One of the three sentences is there."""
    return any(option in text.raw for option in OPTIONS)


@instruction(
    "detectable_format:number_highlighted_sections",
    says="Highlight at least {num_highlights} sections in markdown, as in *highlighted section*.",
    cheap=True,
)
def number_highlighted_sections(text: Text, num_highlights: int) -> bool:
    """Spans between asterisks, and between double ones, that aren't blank."""
    if text.raw.count("*") < 2 * min(num_highlights, 1):
        return False
    count = 0
    for pattern in (_HIGHLIGHT, _DOUBLE_HIGHLIGHT):
        count += sum(1 for inside in pattern.findall(text.raw) if inside.strip())
    return count >= num_highlights


@instruction(
    "detectable_format:multiple_sections",
    says="Write {num_sections} sections, each beginning with {section_spliter} and its number.",
    cheap=True,
)
def multiple_sections(text: Text, section_spliter: str, num_sections: int) -> bool:
    """At least so many."""
    return len(_section(section_spliter.strip()).findall(text.raw)) >= num_sections


@lru_cache(maxsize=1024)
def _section(mark: str) -> re.Pattern[str]:
    return re.compile(re.escape(mark) + r"\s?\d+")


@deviates(
    "detectable_format:multiple_sections",
    published="takes the mark for a regular expression",
    ours="takes it for text",
    report="none found",
)
def published_multiple_sections(text: Text, section_spliter: str, num_sections: int) -> bool:
    """As a pattern."""
    return published_count(rf"(?-i:{section_spliter.strip()})\s?\d+", text.raw) >= num_sections


@instruction("detectable_format:json_format", says="Make the whole output JSON.", cheap=True)
def json_format(text: Text) -> bool:
    """Anything that Python's reader takes, also in a fence of backticks."""
    body = text.stripped
    for fence in ("```json", "```Json", "```JSON", "```"):
        body = body.removeprefix(fence)
    try:
        json.loads(body.removesuffix("```").strip())
    except (ValueError, RecursionError):
        return False
    return True


@instruction(
    "detectable_format:title",
    says="Give it a title in double angular brackets, such as <<poem of joy>>.",
    cheap=True,
)
def title(text: Text) -> bool:
    """`<<…>>` within a line, not blank."""
    return any(map(_titled, text.lines))


def _titled(line: str) -> bool:
    """By hand: the pattern for it takes a line of `<` in quadratic time."""
    start, end = line.find("<<"), line.rfind(">>")
    if start < 0 or end < start + 3:
        return False
    return bool(line[start : end + 2].lstrip("<").rstrip(">").strip())
