"""Find the answer in a response.

Linear in the response's length and without recursion: it runs in the caller's thread on whatever
a model wrote.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Literal, NamedTuple, TypeAlias, get_args

from rlvr.core.thinking import after_thinking
from rlvr.verifiers.statements import closing, named_answer, stated

Mode: TypeAlias = Literal["boxed", "flexible", "minerva", "whole"]
MODES: tuple[str, ...] = get_args(Mode)


class Found(NamedTuple):
    """`answer` is None where none was found, and `reason` says why in words for a person."""

    answer: str | None
    reason: str = ""
    how: str = ""


def in_form(answer: str, mode: Mode) -> str:
    r"""Return a response that gives an answer in the form which a mode asks for; a box for `flexible`."""
    if mode == "whole":
        return answer
    if mode == "minerva":
        return f"{_MINERVA} ${answer}$. I hope it is correct."
    return f"\\boxed{{{answer}}}"


def find_answer(
    response: str,
    mode: Mode = "boxed",
    accepts: Callable[[str], bool] | None = None,
    parts: Callable[[], int] | None = None,
) -> Found:
    """Return the answer in `response`.

    Only what follows the thinking part counts; see `after_thinking`.

    - `boxed`: the last `\\boxed{…}`. Boxes joined by nothing but "and", "or" and commas are one list.
      An empty box and a `\\boxed` in prose are no boxes, unless the text ends with one that has begun.
    - `flexible`: the first of: `\\boxed{}`, then inside the last `<answer>…</answer>` if there is one:
      `####`, "the answer is", the last `$…$`, the last value in plain text
      (the order of Tülu 3, arXiv:2411.15124). A "final answer is" after the last box goes
      before the box.
    - `minerva`: what stands in "Final Answer: The final answer is … . I hope it is correct.", the first time, on one
      line (Lewkowycz et al., arXiv:2206.14858; `get_unnormalized_answer` of lm-evaluation-harness's `minerva_math`).
      Dollars around all of it are left out.
    - `whole`: everything after the thinking part.

    Args:
        accepts: in flexible mode, whether a candidate is of the kind that's asked for (a number,
            say). It may look at the kind and never at the value. What it accepts is taken first;
            if it accepts nothing, the first candidate of all is.
        parts: the number of values that the reference lists. If there are as many boxes, each behind
            a part's label of its own ("(a)", "(b)"), they are one list, and `how` is "parts".
    """
    text = after_thinking(response)
    if mode == "whole":
        stripped = text.strip()
        return Found(stripped or None, "" if stripped else "the response is empty", "whole")
    if mode == "minerva":
        return _minerva(text)
    boxed, fboxed = text.rfind("\\boxed"), text.rfind("\\fbox")
    if boxed >= 0 or fboxed >= 0:
        if mode == "boxed":
            return _boxed(text, boxed, fboxed, parts)
        final = text.rfind("inal answer is")
        if final < max(boxed, fboxed) or stated(text[final - 1 :]) is None:
            extracted = _boxed(text, boxed, fboxed, parts)
            if extracted.reason != NO_BOX:
                return extracted
    elif mode == "boxed":
        where = " after </think>" if len(text) < len(response) else ""
        return Found(None, f"no \\boxed{{}}{where}")
    return Found(*named_answer(_tagged(text[-_FLEXIBLE_LENGTH:]), accepts))


_MINERVA = "Final Answer: The final answer is"
_MINERVA_END = re.compile(r"(.*?). I hope it is correct.")


def _minerva(text: str) -> Found:
    """Return the answer in Minerva's closing sentence.

    The harness appends the sentence's end to every response, so that one that stops just before it counts.
    """
    text += "I hope it is correct."
    start = text.find(_MINERVA)
    while start >= 0:
        start += len(_MINERVA)
        line = text.find("\n", start)
        end = _MINERVA_END.match(text, start, line if line >= 0 else len(text))
        if end is None:
            # What a line's first mention has no end for, its later ones have none for.
            start = text.find(_MINERVA, line) if line >= 0 else -1
            continue
        answer = end[1].strip()
        inner = answer[1:-1].strip()
        if len(answer) > 1 and answer[0] == answer[-1] == "$" and "$" not in inner:
            answer = inner
        return Found(answer or None, "" if answer else "the final answer is empty", "minerva")
    return Found(None, f"no {_MINERVA!r} with its end on the same line")


_FLEXIBLE_LENGTH = 200_000  # characters at the end of a response without a box that are looked at


def _tagged(text: str) -> str:
    """Return what the last `<answer>…</answer>` holds; all of the text if there is none."""
    end = text.rfind("</answer>")
    start = text.rfind("<answer>", 0, max(end, 0))
    return (text[start + 8 : end].strip() if start >= 0 else "") or text


NO_BOX = "\\boxed is not followed by {…}"
_MENTIONS = 10_000  # mentions of `\\boxed`, from the end, among which the last box is searched
_REACH = 40_000
"""Characters before and after the last box that are searched. No answer of half that length is read."""

_NAME = re.compile(r"\\(?:boxed|fbox)")
_OPEN = r"\\(?:boxed|fbox)\s*+\{"
# TeX boxes the next token if no brace follows. A letter must be the last one of its formula or line:
# "The result is in \boxed as requested" boxes nothing.
_BARE = (
    r"\\(?:boxed|fbox)[ \t]*+(?:(?P<number>[-−+]?(?:\d{1,3}(?:,\d{3})++|\d++)(?:\.\d++)?(?:/\d++)?)(?=[\s$.,;:!?)*%]|\\[^a-zA-Z]|\Z)"
    r"|(?P<letter>[a-zA-Z])(?=[.*]{0,4}[ \t]*+(?:\$|\\[)\]]|\n|\Z))"
    r"|(?P<command>\\(?!boxed|fbox|begin|end|left|right)[a-zA-Z]++))"
)
_BOX_START = re.compile(f"{_OPEN}|{_BARE}")
# Spaces and dots are no content.
_EMPTY = r"(?:[\s.…~]|\\[,;:! ]|\\(?:q?quad|[lc]?dots)(?![a-zA-Z]))*+"
_NOTHING = re.compile(_EMPTY)
_EMPTY_BOX = re.compile(_OPEN + _EMPTY + r"\}")
_TOKENS = re.compile(f"{_OPEN}|{_BARE}|\\\\.|[{{}}]", re.DOTALL)
_OPENED = re.compile(_OPEN)
# Several backslashes before a box. By the lookbehind a run is tried once, not from each of its backslashes.
_ESCAPED_BOX = re.compile(r"(?<!\\)\\{2,}+(?=boxed|fbox)")
# An argument of a command in a box without braces.
_ARGUMENT_LENGTH = 300
_ARGUMENT = re.compile(r"\[[^\[\]{}]{0,20}\]|(?P<open>\{)|\d")
# Text that may be between two boxes of one list.
_JOINT = re.compile(
    r"(?:[\s$,;&.*/|-]|\\[()\[\],;! \\]|\\q?quad(?![a-zA-Z])|\b(?:and|AND|or|OR)\b"
    r"|(?<=\n)(?:\d|\(?[a-zA-Z])[.)](?=[\s$*])"
    r"|\\text\s*\{[^{}]{0,40}\b(?:and|or)\b[^{}]{0,40}\}"
    r"|(?<=[\s$(])[a-zA-Z](?:_\{?\d\}?)?\s*=)*+"
)


_EQUATED = re.compile(r"[\s$&]*+=[\s$&]*+")  # two boxes with "=" between them are one equation


class _Box(NamedTuple):
    """Positions in the text: of the box, of its content's start and end, and of the text after the box."""

    start: int
    content: int
    end: int
    behind: int


def _boxed(text: str, boxed: int, fboxed: int, parts: Callable[[], int] | None) -> Found:
    if fboxed < 0 and text.find("\\boxed") == boxed and (opened := _OPENED.match(text, boxed)):
        behind = text[opened.end() - 1 : boxed + _REACH]
        end = closing(behind, 0)
        if end >= 0 and not _NOTHING.fullmatch(behind, 1, end):  # the only box
            return _in_parts(behind[1:end].strip(), parts)
    last = _last_box(text, boxed, fboxed)
    if isinstance(last, Found):
        return last
    begin = max(0, last - _REACH)
    text = text[begin : last + _REACH]
    if "\\\\" in text:  # escaped several times on its way here
        text = _ESCAPED_BOX.sub(r"\\", text)
    first = _NAME.search(text)
    assert first is not None
    boxes = _closed_boxes(text, first.start())
    if not boxes:
        return Found(None, "the last \\boxed{ is never closed")
    group = [boxes[-1]]
    joint = (
        _EQUATED
        if len(boxes) > 1 and _EQUATED.fullmatch(text, boxes[-2].behind, boxes[-1].start)
        else _JOINT
    )
    for box in reversed(boxes[:-1]):
        if len(group) == 64 or not joint.fullmatch(text, box.behind, group[-1].start):
            break
        group.append(box)
    answers = [text[box.content : box.end].strip() for box in reversed(group)]
    if len(boxes) > 1 and parts is not None:
        # Numbers before boxes with nothing else between them count the values of one list.
        styles = "ai" if len(answers) > 1 else "ai1"
        if parts() == len(boxes) and any(_are_labelled(text, boxes, style) for style in styles):
            values = [text[box.content : box.end].strip() for box in boxes]
            return Found(", ".join(values), "", "parts")
    if len(answers) > 1:
        return Found((" = " if joint is _EQUATED else ", ").join(answers), "", "boxed")
    return _in_parts(answers[0], parts)


def _last_box(text: str, boxed: int, fboxed: int) -> int | Found:
    """Return the position of the last box with content, or the reason why there is none.

    `boxed` and `fboxed` are the positions of the last `\\boxed` and `\\fbox`, or -1.
    """
    name = _NAME.match(text, max(boxed, fboxed))
    if name is None or not text[name.end() :].strip():
        return Found(None, "the last \\boxed is not followed by {…}")
    reason = NO_BOX
    for _ in range(_MENTIONS):
        if (at := max(boxed, fboxed)) < 0:
            break
        if _EMPTY_BOX.match(text, at):
            reason = "the last \\boxed{} is empty"
        elif _BOX_START.match(text, at):
            return at
        if at == boxed:
            boxed = text.rfind("\\boxed", 0, at)
        else:
            fboxed = text.rfind("\\fbox", 0, at)
    return Found(None, reason)


def _closed_boxes(text: str, start: int) -> list[_Box]:
    """Return the outermost boxes with content, in order; none if the last one is never closed."""
    open_braces: list[tuple[int, int, bool]] = []  # its position, its content's, and True for a box
    closed: list[_Box] = []
    for token in _TOKENS.finditer(text, start):
        word, kind = token.group(), token.lastgroup
        if kind is not None:
            end = _arguments_end(text, token.end()) if kind == "command" else token.end()
            closed.append(_Box(token.start(), token.start(kind), end, end))
        elif word == "}":
            if open_braces:
                opening, content, is_box = open_braces.pop()
                if is_box:
                    while closed and closed[-1].start > opening:
                        closed.pop()
                    closed.append(_Box(opening, content, token.start(), token.end()))
        elif word[-1] == "{" and word != "\\{":
            open_braces.append((token.start(), token.end(), len(word) > 1))
    closed = [box for box in closed if not _NOTHING.fullmatch(text, box.content, box.end)]
    unclosed = max((opening for opening, _, is_box in open_braces if is_box), default=-1)
    return [] if closed and unclosed > closed[-1].start else closed


def _arguments_end(text: str, start: int) -> int:
    """Return the end of a command's arguments in a box without braces: `\\frac{1}{2}`, `\\frac12`."""
    end = start
    for _ in range(3):
        argument = _ARGUMENT.match(text, end)
        if argument is None:
            break
        end = argument.end()
        if argument.group("open"):
            close = closing(text[end - 1 : end + _ARGUMENT_LENGTH], 0)
            if close < 0:
                break
            end += close
    return end


# A part's label: "(a)", "b)", "ii." and "2." at the start of a line or a sentence, and "Part (a)" anywhere.
_LABEL = re.compile(
    r"(?:^|[.!?:;,}$\n])[\s*_>#$-]{0,12}\(?([a-zA-Z]|[ivxIVX]{2,5}|\d{1,2})(?:\)|\.(?!\d))"
    r"|\b(?:[Pp]art|[Qq]uestion|[Pp]roblem)\s{0,2}\(?([a-zA-Z]|[ivxIVX]{2,5}|\d{1,2})\b",
)
_INNER_LABEL = re.compile(
    r"(?:\\(?:text|mathrm|textbf|mathbf)\s*+\{\s*+)?(?:[Pp]art\s{1,2})?\(([a-z]|[ivx]{2,5}|\d{1,2})\)\s*+:?\s*+\}?"
)
_BETWEEN = ("\\quad", "\\qquad", "\\\\", "\\,", "\\;", "\\ ", "and", "\\text{and}", "\\text{ and }")
_ROMAN = ("i", "ii", "iii", "iv", "v", "vi", "vii", "viii", "ix", "x")


def _place(label: str) -> tuple[int, ...]:
    """Return a label's possible places in a sequence: "i" is the first of i, ii, iii and the ninth letter."""
    label = label.lower()
    if label.isdigit():
        return (int(label),)
    roman = (_ROMAN.index(label) + 1,) if label in _ROMAN else ()
    return (*roman, ord(label) - ord("a") + 1) if len(label) == 1 else roman


def _style(label: str, place: int) -> str:
    return "1" if label.isdigit() else "i" if _ROMAN[place - 1 : place] == (label.lower(),) else "a"


def _are_labelled(text: str, boxes: list[_Box], style: str) -> bool:
    """Return True if each box follows its own part label, and the labels count up from the first."""
    begin = 0
    for place, box in enumerate(boxes, 1):
        counted = 0
        for label in _LABEL.finditer(text, begin, box.start):
            word = label[1] or label[2]
            for position in _place(word):
                if _style(word, position) == style:
                    counted = position
        if counted != place:
            return False
        begin = box.end
    return True


def _in_parts(answer: str, parts: Callable[[], int] | None) -> Found:
    """Return the answer; if its values have part labels, they are a list in that order."""
    if (
        parts is not None
        and "(" in answer
        and (values := labelled_values(answer))
        and parts() == len(values)
    ):
        return Found(", ".join(values), "", "parts")
    return Found(answer, "", "boxed")


def labelled_values(answer: str) -> list[str]:
    r"""Return the values of "(a) 5, (b) 7" and `\text{(i) } 5 \quad \text{(ii) } 7`; none if labels don't count up."""
    if _INNER_LABEL.match(answer) is None:
        return []
    labels = list(_INNER_LABEL.finditer(answer))
    for style in ("a", "i", "1"):
        if 2 <= len(labels) <= 20 and all(
            any(place == at and _style(label[1], at) == style for place in _place(label[1]))
            for at, label in enumerate(labels, 1)
        ):
            ends = [label.start() for label in labels[1:]] + [len(answer)]
            pairs = zip(labels, ends, strict=True)
            values = [_without_end(answer[label.end() : end]) for label, end in pairs]
            return values if all(values) else []
    return []


def _without_end(value: str) -> str:
    """Return a value without the separators around it."""
    for _ in range(6):
        value = value.strip(" \n\t,;:$")
        for mark in _BETWEEN:
            value = value.removesuffix(mark)
    return value.strip(" \n\t,;:$")
