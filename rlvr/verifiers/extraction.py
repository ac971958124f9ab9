"""Where the answer is in a response.

Linear in the response's length and without recursion: it runs in the caller's thread on whatever
a model wrote.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Literal, NamedTuple, TypeAlias, get_args

from rlvr.verifiers.statements import named_answer, stated

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
        if final < boxes[1] or "\\boxed" in text[final:] or stated(text[final - 1 :]) is None:
            return _boxed(text, *boxes)
    return Found(*named_answer(text, accepts))


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
# Several backslashes before a box. The lookbehind lets a run be tried once, not from each of its backslashes.
_ESCAPED_BOX = re.compile(r"(?<!\\)\\{2,}+(?=boxed|fbox)")
# What may stand between two boxes that form one list.
_JOINT = re.compile(
    r"(?:[\s$,;&.*/|-]|\\[()\[\],;! \\]|\\q?quad(?![a-zA-Z])|\b(?:and|AND|or|OR)\b"
    r"|(?<=\n)(?:\d|\(?[a-zA-Z])[.)](?=[\s$*])"
    r"|\\text\s*\{[^{}]{0,40}\b(?:and|or)\b[^{}]{0,40}\}"
    r"|(?<=[\s$(])[a-zA-Z](?:_\{?\d\}?)?\s*=)*+"
)


def _box_span(text: str) -> tuple[int, int] | None:
    """Where the first and the last box begin. Each sweep over a long response costs as much as the rest."""
    last, other = text.rfind("\\boxed"), text.rfind("\\fbox")
    starts = [text.find(name) for name, at in (("\\boxed", last), ("\\fbox", other)) if at >= 0]
    return (min(starts), max(last, other)) if starts else None


def _boxed(text: str, first: int, last: int) -> Found:
    if text[last - 1 : last] == "\\":  # escaped once too often on its way here, or many times
        text = _ESCAPED_BOX.sub(r"\\", text)
        first, last = _box_span(text) or (first, last)
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
