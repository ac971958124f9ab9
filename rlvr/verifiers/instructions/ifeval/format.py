"""IFEval's forms: bullets, highlights, sections, titles, JSON, how a response begins and ends."""

from __future__ import annotations

import json
import re
from functools import lru_cache

from rlvr.verifiers.instructions import markdown, segmentation
from rlvr.verifiers.instructions.registry import instruction
from rlvr.verifiers.instructions.text import ResponseText

OPTIONS = ("My answer is yes.", "My answer is no.", "My answer is maybe.")


@instruction(
    "detectable_content:number_placeholders",
    says="Use at least {num_placeholders} placeholders in square brackets, such as [address].",
    cheap=True,
)
def number_placeholders(text: ResponseText, num_placeholders: int) -> bool:
    """Count brackets with words in them, each within a line."""
    return sum(map(_placeholders, text.lines)) >= num_placeholders


_CHECK_BOX = re.compile(r"\s*(?:[-*+]|\d+[.)])\s+\[[ xX]\]")


def _placeholders(line: str) -> int:
    """Count them without a pattern, which looks for the end of the line at every unclosed bracket."""
    box = _CHECK_BOX.match(line)
    count, end = 0, box.end() if box else 0
    while (start := line.find("[", end)) >= 0 and (end := line.find("]", start) + 1) > 0:
        count += _is_placeholder(line, start, end)
    return count


def _is_placeholder(line: str, start: int, end: int) -> bool:
    """Return whether there is a word inside, and neither a link, a citation nor an index of code."""
    inside = line[start + 1 : end - 1]
    is_index = start > 0 and (line[start - 1].isalnum() or line[start - 1] in "_)")
    is_link = line[end : end + 1] == "("
    is_citation = inside.strip().isnumeric()
    return any(map(str.isalnum, inside)) and not (is_index or is_link or is_citation)


@instruction(
    "detectable_content:postscript",
    says="Add a postscript at the end, beginning with {postscript_marker}",
    cheap=True,
)
def postscript(text: ResponseText, postscript_marker: str) -> bool:
    """Find the marker, in any case, not as a part of another abbreviation, and a word after it."""
    body = text.normal
    marks = _postscript(segmentation.normal(postscript_marker.strip())).finditer(body)
    last = max((match.end() for match in marks), default=-1)
    return last >= 0 and bool(segmentation.words(body[last : last + 200]))


@lru_cache(maxsize=64)
def _postscript(marker: str) -> re.Pattern[str]:
    inside = {
        "P.S.": r"p\.\s?s\.",
        "P.P.S": r"p\.\s?p\.\s?s\b\.?",
    }.get(marker) or re.escape(marker)
    return re.compile(r"(?<![^\W_])(?<!\.)" + inside, re.IGNORECASE)


@instruction(
    "detectable_format:number_bullet_lists",
    says="Use exactly {num_bullets} bullet points, in lines that begin with * or -.",
    cheap=True,
)
def number_bullet_lists(text: ResponseText, num_bullets: int) -> bool:
    """Count items as CommonMark has them; those of sublists may be counted or not."""
    indents = [item.indent for item in markdown.bullets(text.lines)]
    outermost = indents.count(min(indents, default=0))
    return num_bullets in (len(indents), outermost)


@instruction(
    "detectable_format:constrained_response",
    says="Answer with one of these: " + " ".join(OPTIONS),
    cheap=True,
)
def constrained_response(text: ResponseText) -> bool:
    """Find one of the three sentences, and no other of them."""
    return sum(option in text.raw for option in OPTIONS) == 1


@instruction(
    "detectable_format:number_highlighted_sections",
    says="Highlight at least {num_highlights} sections in markdown, as in *highlighted section*.",
    cheap=True,
)
def number_highlighted_sections(text: ResponseText, num_highlights: int) -> bool:
    """Count spans of Markdown's emphasis within lines."""
    return markdown.emphases(text.lines) >= num_highlights


@instruction(
    "detectable_format:multiple_sections",
    says="Write {num_sections} sections, each beginning with {section_spliter} and its number.",
    cheap=True,
)
def multiple_sections(text: ResponseText, section_spliter: str, num_sections: int) -> bool:
    """Count the marks with a number behind them: at least so many."""
    mark = _section(segmentation.normal(section_spliter.strip()))
    return len(mark.findall(text.normal)) >= num_sections


@lru_cache(maxsize=1024)
def _section(mark: str) -> re.Pattern[str]:
    return re.compile(re.escape(mark) + r"\s?\d+")


@instruction("detectable_format:json_format", says="Make the whole output JSON.", cheap=True)
def json_format(text: ResponseText) -> bool:
    """Read it as JSON, in a fence or without; NaN and Infinity are none."""
    body = text.normal.strip()
    fenced = _JSON_FENCE.match(body)
    if fenced is not None:
        body = body[fenced.end() :].removesuffix(fenced[1])
    try:
        json.loads(body.strip(), parse_constant=_refuse)
    except (ValueError, RecursionError):
        return False
    return True


_JSON_FENCE = re.compile(r"(```|~~~)[ \t]*+(?:json[c5l]?)?\s*+", re.IGNORECASE)


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


@instruction(
    "detectable_format:title",
    says="Give it a title in double angular brackets, such as <<poem of joy>>.",
    cheap=True,
)
def title(text: ResponseText) -> bool:
    """Find `<<…>>` within a line with a word in it, and not the operators of a program."""
    return any(map(_titled, text.lines))


def _titled(line: str) -> bool:
    """Look for it without a pattern, which takes a line of `<` in quadratic time."""
    begin = 0
    while (close := line.find(">>", begin)) >= 0:
        start = line.rfind("<<", begin, close)
        if start >= 0 and any(map(str.isalnum, line[start + 2 : close])):
            before = line[begin:start]
            is_operand = before[-1:].isalnum() or before[-1:] in ("_", ")", "]")
            is_spaced = line[start + 2].isspace() and before.rstrip()[-1:].isalnum()
            if not is_operand and not is_spaced:
                return True
        begin = close + 2
    return False


@instruction(
    "combination:two_responses",
    says="Give two different responses, separated by six asterisks: ******.",
    cheap=True,
)
def two_responses(text: ResponseText) -> bool:
    """Find two that aren't blank and differ; nothing blank between."""
    parts = text.raw.split("******")
    filled = [part.strip() for part in parts if part.strip()]
    if any(not part.strip() for part in parts[1:-1]):
        return False
    return len(filled) == 2 and filled[0] != filled[1]


@instruction(
    "combination:repeat_prompt",
    says="First repeat the request word for word, then answer it.",
    cheap=True,
)
def repeat_prompt(text: ResponseText, prompt_to_repeat: str) -> bool:
    """Compare the beginning, in any case; the rest isn't looked at."""
    asked = segmentation.normal(prompt_to_repeat).strip().lower()
    return text.normal.strip().lower().startswith(asked)


@instruction("startend:end_checker", says="End with exactly this: {end_phrase}", cheap=True)
def end_checker(text: ResponseText, end_phrase: str) -> bool:
    """Compare the end, in any case; quotation marks and emphasis may close it."""
    phrase = segmentation.normal(end_phrase).strip().lower()
    bodies = (text.normal.strip(), text.normal.rstrip(_CLOSING))
    return any(body.lower().endswith(phrase) for body in bodies)


_CLOSING = ' \n\t"”»*_'
_PAIRS = {'"': '"', "“": "”", "„": "“”", "«": "»", "»": "«"}
_OPENS_AFTER = "([{—–-/"


@instruction(
    "startend:quotation", says="Put the whole response in double quotation marks.", cheap=True
)
def quotation(text: ResponseText) -> bool:
    """Find one pair of double quotation marks around everything, straight or typographic."""
    body = text.stripped
    if len(body) < 2 or body[-1] not in _PAIRS.get(body[0], ""):
        return False
    return not _closes_early(body)


def _closes_early(body: str) -> bool:
    """Return whether the quotation that the text begins with ends before the text does.

    A straight mark opens a quotation at the beginning of a word and closes one at its end; behind
    a digit it means inches.
    """
    first, last = body[0], body[-1]
    depth = 0
    for mark in re.finditer(f"[{first}{last}]", body[:-1]):
        place, sign = mark.start(), mark[0]
        if sign == first == last:
            before = body[place - 1] if place else " "
            if before.isdigit():
                continue
            depth += 1 if before.isspace() or before in _OPENS_AFTER else -1
        elif sign == first:
            depth += 1
        elif sign == last:
            depth -= 1
        if depth == 0:
            return True
    return False
