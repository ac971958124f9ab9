"""Where the answer is in a response.

Linear in the response's length and without recursion: it runs in the caller's thread on whatever
a model wrote.
"""

from __future__ import annotations

import re
from typing import Literal, NamedTuple, TypeAlias, get_args

Mode: TypeAlias = Literal["boxed", "flexible", "whole"]
MODES: tuple[str, ...] = get_args(Mode)


class Found(NamedTuple):
    """`answer` is None where none was found, and `reason` says why in words for a person."""

    answer: str | None
    reason: str = ""
    how: str = ""


def find_answer(response: str, mode: Mode = "boxed") -> Found:
    """The answer in `response`.

    Only what follows the last `</think>` counts, and nothing inside an unclosed `<think>`.

    - `boxed`: the last `\\boxed{…}`. Boxes joined by nothing but "and", "or" and commas are one list.
    - `flexible`: the first of: `\\boxed{}`, `####`, "the answer is", the last `$…$`, the last
      number (the order of Tülu 3, arXiv:2411.15124).
    - `whole`: everything after the thinking part.
    """
    text = after_thinking(response)
    if mode == "whole":
        stripped = text.strip()
        return Found(stripped or None, "" if stripped else "the response is empty", "whole")
    if "\\boxed" in text or "\\fbox" in text:
        return _boxed(text)
    if mode == "boxed":
        where = " after </think>" if len(text) < len(response) else ""
        return Found(None, f"no \\boxed{{}}{where}")
    for how, search in (
        ("####", _hashes),
        ("answer is", _stated),
        ("$", _dollars),
        ("number", _number),
    ):
        answer = search(text)
        if answer is not None and answer.strip():
            return Found(answer.strip(), "", how)
    return Found(None, "no answer in any of the known forms")


def after_thinking(response: str) -> str:
    """What follows the thinking part; the text before an unclosed `<think>` where there's one."""
    end = response.rfind("</think>")
    text = response[end + 8 :] if end >= 0 else response
    start = text.find("<think>")
    return text[:start] if start >= 0 else text


_BOX = r"\\(?:boxed|fbox)\s*\{"
_BRACES = re.compile(_BOX + r"|\\.|[{}]", re.DOTALL)
_BOX_START = re.compile(_BOX)
# What may stand between two boxes that form one list.
_JOINT = re.compile(
    r"(?:[\s$,;&.]|\\[()\[\]]|\\(?:quad|qquad|text\s*\{\s*(?:and|or)\s*\})|\band\b|\bor\b)*"
)


def _boxed(text: str) -> Found:
    start = _BOX_START.search(text)
    if start is None:
        return Found(None, "\\boxed is not followed by {…}")
    open_: list[tuple[int, int, bool]] = []  # where it began, where its content begins, is it a box
    closed: list[
        tuple[int, int, int]
    ] = []  # outermost boxes so far: began, content, end of content
    for token in _BRACES.finditer(text, start.start()):
        word = token.group()
        if word == "}":
            if open_:
                began, content, is_box = open_.pop()
                if is_box:
                    while closed and closed[-1][0] > began:
                        closed.pop()
                    closed.append((began, content, token.start()))
        elif word[-1] == "{" and word != "\\{":
            open_.append((token.start(), token.end(), len(word) > 1))
    last_unclosed = max((began for began, _, is_box in open_ if is_box), default=-1)
    if not closed or last_unclosed > closed[-1][0]:
        return Found(None, "the last \\boxed{ is never closed")
    group = [closed[-1]]
    for box in reversed(closed[:-1]):
        gap = _JOINT.match(text, box[2] + 1)
        if gap is None or gap.end() != group[-1][0] or len(group) == 64:
            break
        group.append(box)
    answers = [text[content:end].strip() for _, content, end in reversed(group)]
    if not any(answers):
        return Found(None, "the last \\boxed{} is empty")
    return Found(", ".join(answers), "", "boxed")


# Possessive quantifiers (`*+`) where two repeats could share their text: no backtracking, linear.
_HASHES = re.compile(r"####[ \t]*+([^\n]+)")
_STATED = re.compile(
    r"(?:\banswer\b[* \t]*+(?:is|:|=)|^[* \t]*+A:)[\s:*]*+([^\n]+)", re.IGNORECASE | re.MULTILINE
)
_DELIMITERS = re.compile(r"\$\$|\$|\\[()\[\]]|\n")
_NUMBER = re.compile(
    r"[-−+]?(?:\d{1,3}(?:,\d{3})++(?!\d)|\d++)(?:\.\d++)?(?:/\d++(?!\.\d))?|[-−+]?\.\d++"
)
_SENTENCE_END = re.compile(r"[.!?](?=\s|$|\*)")


def _hashes(text: str) -> str | None:
    found = None
    for found in _HASHES.finditer(text):  # noqa: B007  (the last one)
        pass
    return found.group(1) if found else None


def _stated(text: str) -> str | None:
    found = None
    for found in _STATED.finditer(text):  # noqa: B007
        pass
    if found is None:
        return None
    said = found.group(1)
    formula = _dollars(said)
    if formula is not None:
        return formula
    end = _SENTENCE_END.search(said)
    return (said[: end.start()] if end else said).strip(" *")


def _dollars(text: str) -> str | None:
    """The last formula between dollars or LaTeX's brackets. Money is none: "$5 and $6" holds no formula."""
    found: tuple[int, int] | None = None
    opened: dict[str, int] = {}
    for match in _DELIMITERS.finditer(text):
        mark, begin, end = match.group(), match.start(), match.end()
        if mark == "\n":
            opened.pop("$", None)
        elif mark in ("\\(", "\\["):
            opened[mark] = end
        elif mark in ("\\)", "\\]"):
            start = opened.pop("\\(" if mark == "\\)" else "\\[", None)
            found = (start, begin) if start is not None else found
        elif mark in opened and (mark == "$$" or _is_formula(text, opened[mark], begin)):
            found = (opened.pop(mark), begin)
        elif mark == "$$" or not text[end : end + 1].isspace():
            opened[mark] = end
    return text[found[0] : found[1]].strip() or None if found else None


_PROSE = re.compile(r"<<|[a-z]{2,} [a-z]{2,}|[=+*/(-]\s*$")


def _is_formula(text: str, start: int, end: int) -> bool:
    """Whether what stands between two single dollars is a formula, and not prose between two prices."""
    if text[end - 1].isspace() or text[end + 1 : end + 2].isdigit():
        return False
    return not (text[start].isdigit() and _PROSE.search(text, start, end))


def _number(text: str) -> str | None:
    found = None
    for found in _NUMBER.finditer(text):  # noqa: B007
        pass
    if found is None:
        return None
    number = found.group()
    # "7-3": the sign belongs to a number only where nothing stands before it
    if number[0] in "-−+" and found.start() > 0 and text[found.start() - 1].isalnum():
        number = number[1:]
    return number
