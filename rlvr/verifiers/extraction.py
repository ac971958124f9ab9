"""Where the answer is in a response.

Linear in the response's length and without recursion: it runs in the caller's thread on whatever
a model wrote.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Literal, NamedTuple, TypeAlias, get_args

Mode: TypeAlias = Literal["boxed", "flexible", "whole"]
MODES: tuple[str, ...] = get_args(Mode)


class Found(NamedTuple):
    """`answer` is None where none was found, and `reason` says why in words for a person."""

    answer: str | None
    reason: str = ""
    how: str = ""


def find_answer(
    response: str, mode: Mode = "boxed", accepts: Callable[[str], bool] | None = None
) -> Found:
    """The answer in `response`.

    Only what follows the last `</think>` counts, and nothing inside an unclosed `<think>`.

    - `boxed`: the last `\\boxed{…}`. Boxes joined by nothing but "and", "or" and commas are one list.
    - `flexible`: the first of: `\\boxed{}`, `####`, "the answer is", the last `$…$`, the last
      number (the order of Tülu 3, arXiv:2411.15124). A "final answer is" after the last box goes
      before the box.
    - `whole`: everything after the thinking part.

    Args:
        accepts: in flexible mode, whether a candidate is of the kind that's asked for (a number,
            say). It may look at the kind and never at the value. What it accepts is taken first;
            where it accepts nothing, the first candidate of all is.
    """
    text = after_thinking(response)
    if mode == "whole":
        stripped = text.strip()
        return Found(stripped or None, "" if stripped else "the response is empty", "whole")
    if mode == "boxed":
        boxes = _box_span(text)
        if boxes is not None:
            return _boxed(text, *boxes)
        where = " after </think>" if len(text) < len(response) else ""
        return Found(None, f"no \\boxed{{}}{where}")
    return _flexible(text, accepts)


def _flexible(text: str, accepts: Callable[[str], bool] | None) -> Found:
    boxes = _box_span(text)
    if boxes is not None:
        final = text.rfind("inal answer is")
        if final < boxes[1] or "\\boxed" in text[final:] or _stated(text[final - 1 :]) is None:
            return _boxed(text, *boxes)
    first: Found | None = None
    for how, search in (("####", _hashes), ("answer is", _stated)):
        said = search(text)
        if said is None:
            continue
        said = _affirmed(said)
        if said.startswith("not ") or _names_several(said, how):
            numbers: tuple[str | None, ...] = (said,)  # no number in it is the answer
        else:
            numbers = (_dollars(said), said, _number(said))
        for candidate in numbers:
            if candidate is not None and (candidate := candidate.strip()):
                if accepts is None or accepts(candidate):
                    return Found(candidate, "", how)
                first = first or Found(candidate, "", how)
        if len(numbers) == 1 and first is not None:
            return first
    for how, search in (("whole", _bare), ("$", _dollars), ("number", _number)):
        candidate = search(text)
        if candidate is not None and (candidate := candidate.strip()):
            if accepts is None or accepts(candidate):
                return Found(candidate, "", how)
            first = first or Found(candidate, "", how)
    return first or Found(None, "no answer in any of the known forms")


def after_thinking(response: str) -> str:
    """What follows the thinking part; the text before an unclosed `<think>` where there's one."""
    end = response.rfind("</think>")
    text = response[end + 8 :] if end >= 0 else response
    start = text.find("<think>")
    return text[:start] if start >= 0 else text


_BOX = r"\\(?:boxed|fbox)\s*\{"
_BRACES = re.compile(_BOX + r"|\\.|[{}]", re.DOTALL)
_PLAIN_BOX = re.compile(_BOX + r"\s*([^{}\\\s][^{}\\]*)\}")
_BOX_START = re.compile(_BOX)
# What may stand between two boxes that form one list.
_JOINT = re.compile(
    r"(?:[\s$,;&.*/|-]|\\[()\[\],;! \\]|\\q?quad(?![a-zA-Z])|\b(?:and|AND|or|OR)\b"
    r"|(?<=\n)(?:\d|\(?[a-zA-Z])[.)](?=[\s$*])"
    r"|\\text\s*\{[^{}]{0,40}\b(?:and|or)\b[^{}]{0,40}\}"
    r"|(?<=[\s$(])[a-zA-Z](?:_\{?\d\}?)?\s*=)*+"
)


_BARE_LENGTH = 80  # characters of a response that is nothing but its answer
_TWO_WORDS = re.compile(r"[A-Za-z]{2,}[ :]+[A-Za-z]{2,}|\$|\\\(|\\\[")


def _bare(text: str) -> str | None:
    """The response itself where it's nothing but an answer."""
    stripped = text.strip()
    if len(stripped) > _BARE_LENGTH or "\n" in stripped or _TWO_WORDS.search(stripped):
        return None
    return stripped


def _box_span(text: str) -> tuple[int, int] | None:
    """Where the first and the last box begin. Each sweep over a long response costs as much as the rest."""
    last, other = text.rfind("\\boxed"), text.rfind("\\fbox")
    starts = [text.find(name) for name, at in (("\\boxed", last), ("\\fbox", other)) if at >= 0]
    return (min(starts), max(last, other)) if starts else None


def _boxed(text: str, first: int, last: int) -> Found:
    if text[last - 1 : last] == "\\":  # escaped once too often on its way here
        text = text.replace("\\\\boxed", "\\boxed").replace("\\\\fbox", "\\fbox")
        return _boxed(text, *(_box_span(text) or (first, last)))
    if first == last and (plain := _PLAIN_BOX.match(text, first)):
        return Found(plain.group(1), "", "boxed")  # the only one, and nothing in it to take apart
    start = _BOX_START.search(text, first)
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
    if last > closed[-1][2]:
        return Found(None, "the last \\boxed is not followed by {…}")
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
    # What is said isn't taken along: "Final Answer: The final answer is 5" states it twice.
    r"(?:\banswer\b[* \t]*+(?:is|:|=)|^[* \t]*+A:)[\s:*]*+(?=[^\n])",
    re.IGNORECASE | re.MULTILINE,
)
_DELIMITERS = re.compile(r"\$\$|\$|\\[()\[\]]|\n")
_NUMBER = re.compile(
    r"(?<![A-Za-z\d])[-−+]?(?:\d{1,3}(?:,\d{3})++(?!\d)|\d++)(?:\.\d++)?(?:/\d++(?!\.\d))?(?![A-Za-z]*\d)"
    r"|(?<![A-Za-z\d.])[-−+]?\.\d++"
)
_SENTENCE_END = re.compile(r"[.!?](?=\s|$|\*)")


_DENIAL = re.compile(r"\bnot\b")
_CHOICE_OF_NUMBERS = re.compile(r"\b(?:or|either|between|maybe|perhaps)\b")


def _affirmed(said: str) -> str:
    """A statement up to what it denies behind a number: "6, not 5" says 6."""
    denial = _DENIAL.search(said)
    if denial is None or not _NUMBER.search(said, 0, denial.start()):
        return said
    head = said[: denial.start()].rstrip(" ,")
    return head.removesuffix(" but").removesuffix(" and").rstrip(" ,")


def _names_several(said: str, how: str) -> bool:
    """Whether a statement leaves open which of several numbers is meant."""
    if not _CHOICE_OF_NUMBERS.search(said) and (how != "####" or "=" in said):
        return False
    numbers = {found.group().replace(",", "") for found in _NUMBER.finditer(said)}
    return len(numbers) > 1


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
    line_end = text.find("\n", found.end())
    said = text[found.end() : line_end if line_end >= 0 else len(text)]
    end = _SENTENCE_END.search(said)
    return (said[: end.start()] if end else said).strip(" *")


def _dollars(text: str) -> str | None:
    """The last formula between dollars or LaTeX's brackets, with those joined to it: "$4$ or $5$".

    Money is none: "$5 and $6" holds no formula.
    """
    found: list[tuple[int, int]] = []
    opened: dict[str, int] = {}
    for match in _DELIMITERS.finditer(text):
        mark, begin, end = match.group(), match.start(), match.end()
        if mark == "\n":
            opened.pop("$", None)
        elif mark in ("\\(", "\\["):
            opened[mark] = end
        elif mark in ("\\)", "\\]"):
            start = opened.pop("\\(" if mark == "\\)" else "\\[", None)
            if start is not None:
                _join(text, found, start, begin)
        elif mark in opened and (mark == "$$" or _is_formula(text, opened[mark], begin)):
            _join(text, found, opened.pop(mark), begin)
        else:
            opened[mark] = end
    return ", ".join(text[start:end].strip() for start, end in found).strip(", ") or None


_FORMULA_JOINT = re.compile(r"[$)\]\\\s]*(?:(?:,|;|\bor\b|\band\b)[$(\[\\\s]*)+")


def _join(text: str, found: list[tuple[int, int]], start: int, end: int) -> None:
    """Put a formula behind those it's joined to; otherwise it's the first of a new list."""
    gap = text[found[-1][1] : start] if found else ""
    if len(gap) > 24 or len(found) > 64 or not _FORMULA_JOINT.fullmatch(gap):
        found.clear()
    found.append((start, end))


_PROSE = re.compile(r"<<|[a-z]{2,} [a-z]{2,}|[=+*/(-]\s*$")


def _is_formula(text: str, start: int, end: int) -> bool:
    """Whether what stands between two single dollars is a formula, and not prose between two prices."""
    if text[end + 1 : end + 2].isdigit():
        return False
    if text[start].isspace() or text[end - 1].isspace():
        return "\\" in text[start:end]
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
