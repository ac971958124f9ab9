"""IFBench's forms: lines, lists, bullets, case, quotes, templates."""

from __future__ import annotations

import re
import string
from itertools import pairwise

from rlvr.verifiers.instructions import markdown, resources, segmentation
from rlvr.verifiers.instructions.registry import instruction
from rlvr.verifiers.instructions.text import EDGES, ResponseText


@instruction("format:newline", says="Write each word on a new line.", cheap=True)
def newline(text: ResponseText) -> bool:
    """Find one word in each line; lines without words don't count."""
    counts = [sum(any(map(str.isalnum, chunk)) for chunk in line.split()) for line in text.lines]
    return max(counts) == 1


@instruction("format:line_indent", says="Indent each line more than the one before it.", cheap=True)
def line_indent(text: ResponseText) -> bool:
    """Compare widths, a tab being eight spaces; blank lines don't count."""
    indents = [indent(line.expandtabs()) for line in text.lines if line.strip()]
    return all(a < b for a, b in pairwise(indents))


def indent(line: str) -> int:
    """Return how many spaces a line begins with."""
    return len(line) - len(line.lstrip(" "))


@instruction("format:no_whitespace", says="Use no white space.", cheap=True)
def no_whitespace(text: ResponseText) -> bool:
    """Find none of any kind, also at the ends."""
    return text.chunks == [text.raw]


@instruction(
    "format:list", says="Write a list whose items begin with {sep} instead of bullets.", cheap=True
)
def separated_list(text: ResponseText, sep: str) -> bool:
    """Find the sign twice, not within or behind a word."""
    body, mark, count, end = text.normal, segmentation.normal(sep), 0, 0
    while (start := body.find(mark, end)) >= 0:
        end = start + len(mark)
        before, after = body[max(start - 1, 0) : start], body[end : end + 1]
        # "---" is a rule: three signs in a row are no three items.
        alone = before != mark and after != mark
        count += alone and not before.isalnum()
    return count >= 2


_LETTERED = re.compile(r"\W*[aA]\W*[bB]\W*[cC]")
_LETTERED_OPTION = re.compile(r"\(?[a-zA-Z][).:]")
_OR = re.compile(r"(?<!\s)\s++or\s+|,\s*+or\s+", re.IGNORECASE)


@instruction(
    "format:options",
    says="Answer with one of these and nothing else: {options}",
    cheap=True,
)
def options(text: ResponseText, options: str) -> bool:
    """Compare in any case, punctuation at the ends aside; lettered options need their letter."""
    asked, answer = segmentation.normal(options), text.normal.strip()
    choices = [choice.strip() for choice in _choices(asked)]
    if _LETTERED_OPTION.match(asked.strip()) or _LETTERED.match(asked):
        letters = [mark[0] for choice in choices if (mark := _LETTERED_OPTION.match(choice))]
        return answer in choices or answer in letters
    bare = answer.strip(_AROUND).lower()
    return any(choice.strip(_AROUND).lower() == bare for choice in choices)


_AROUND = EDGES + "“”‘’«»…\n"


def _choices(options: str) -> list[str]:
    """Return the options: between slashes, around the word "or", or between commas."""
    if "/" in options:
        return options.split("/")
    choices = _OR.split(options)
    if len(choices) > 1 and "," in choices[0]:
        return [*choices[0].split(","), *choices]
    return choices if len(choices) > 1 else options.split(",")


@instruction("format:emoji", says="End every sentence with an emoji.")
def emoji(text: ResponseText) -> bool:
    """Find one before or behind each sentence's last mark; flags, keycaps and families are emojis."""
    pieces = text.sentence_pieces
    judged = 0
    for number, piece in enumerate(pieces):
        if not any(map(str.isalpha, piece)):
            continue  # an emoji behind a full stop, or a keycap, is a piece of its own
        judged += 1
        following = pieces[number + 1] if number + 1 < len(pieces) else ""
        if not resources.ends_with_emoji(piece) and not resources.begins_with_emoji(following):
            return False
    return judged > 0


_ITALICS = re.compile(
    r"<(?:(i|em)(?:\s[^<>]{0,200})?|(\w{1,20})\s[^<>]{0,200}font-style:\s?italic[^<>]{0,200})>",
    re.IGNORECASE,
)
_TAG = re.compile(r"<[^<>]{0,200}>")


@instruction(
    "format:thesis",
    says="Begin each section with a thesis statement in italics, by HTML.",
    cheap=True,
)
def thesis(text: ResponseText) -> bool:
    """Find a closed `<i>`, `<em>` or italic style around words, and words after it."""
    body = text.normal
    end = 0
    while (opening := _ITALICS.search(body, end)) is not None:
        tag = re.compile(rf"</{opening[1] or opening[2]}\s?>", re.IGNORECASE)
        closing = tag.search(body, opening.end())
        if closing is None:
            return False
        end = closing.end()
        if any(map(str.isalnum, _TAG.sub("", body[opening.end() : closing.start()]))):
            return any(map(str.isalnum, _TAG.sub("", body[end:])))
    return False


@instruction(
    "format:sub-bullets",
    says="Use bullets that begin with *, each with at least one sub-bullet that begins with -.",
    cheap=True,
)
def sub_bullets(text: ResponseText) -> bool:
    """Find an item of - between each item of * and the next, and at least one item of *."""
    items = markdown.bullets(text.lines)
    marks = "".join(item.mark for item in items if any(map(str.isalnum, item.text)))
    groups = marks.split("*")[1:]
    return bool(groups) and all("-" in group for group in groups)


@instruction(
    "format:no_bullets_bullets",
    says="Write at least two sentences and after them at least two bullet points that begin with *.",
)
def no_bullets_bullets(text: ResponseText) -> bool:
    """Nothing but blank lines is between the bullets or after them."""
    lines = [line for line in text.lines if line.strip()]
    items = [markdown.bullet(line) for line in lines]
    starred = [item is not None and item.mark == "*" for item in items]
    first = starred.index(True) if True in starred else len(lines)
    before = ResponseText("\n".join(lines[:first]))
    return all(starred[first:]) and len(starred) - first >= 2 and len(before.sentences) >= 2


@instruction("format:title_case", says="Write everything in title case.", cheap=True)
def title_case(text: ResponseText) -> bool:
    """Words begin with a capital, except minor ones within a line; units and addresses are as they are."""
    return bool(text.words) and all(map(_in_title_case, text.lines))


_MINOR = frozenset(
    [
        "a",
        "an",
        "the",
        "and",
        "but",
        "or",
        "nor",
        "for",
        "so",
        "yet",
        "as",
        "at",
        "by",
        "in",
        "of",
        "off",
        "on",
        "out",
        "per",
        "to",
        "up",
        "via",
        "vs",
        "with",
        "from",
        "into",
        "onto",
        "over",
        "than",
        "upon",
        "if",
        "once",
        "down",
        "near",
        "past",
    ]
)
_UNIT = re.compile(
    r"(?<=\d)\s?(?:[kcmµn]?m|[kmµ]?g|m?l|km/h|mph|lbs?|oz|ft|in|mi|yd|h|hrs?|m?s|min|[kmg]?hz|[kmgt]b"
    r"|k?w|k?v|px|pt|x|[ap]m|st|nd|rd|th)\b(?!')"
)


def _is_address(chunk: str) -> bool:
    return "://" in chunk or "@" in chunk or chunk.startswith("www.")


def _in_title_case(line: str) -> bool:
    line = " ".join(chunk for chunk in line.split() if not _is_address(chunk))
    words = segmentation.words(_UNIT.sub(" ", line) if any(map(str.isdigit, line)) else line)
    return not any(
        _small_headed(word) and (place == 0 or word not in _MINOR)
        for place, word in enumerate(words)
    )


def _small_headed(word: str) -> bool:
    """Return whether a word begins with a small letter: "iPhone" is a name of its own."""
    if not word[0].islower():
        return False
    rest = word[1:]
    return not rest or rest.isupper() or rest.islower()


_MARKS = ("My Answer:", "My Conclusion:", "Future Outlook:")


@instruction(
    "format:output_template",
    says="Use this template: My Answer: [answer] My Conclusion: [conclusion] Future Outlook: [outlook]",
    cheap=True,
)
def output_template(text: ResponseText) -> bool:
    """Find the three headings."""
    return all(mark in text.raw for mark in _MARKS)


_KEPT = string.digits + string.punctuation.replace('"', "")


@instruction(
    "format:quote_unquote",
    says="Follow every quoted phrase with an explanation that isn't quoted.",
    cheap=True,
)
def quote_unquote(text: ResponseText) -> bool:
    """No two quotes touch, white space aside, and none ends the text; curly ones count too."""
    return explained(text.normal.replace("“", '"').replace("”", '"'))


def explained(text: str) -> bool:
    """Return whether straight quotes neither touch nor end the text."""
    body = "".join(text.replace("'\"'", "").split())
    return '""' not in body and not body.strip(_KEPT).endswith('"')


_CLOSES = {")": "(", "]": "[", "}": "{"}
_BRACKET = re.compile(r"[()\[\]{}]")


@instruction(
    "format:parentheses",
    says="Nest parentheses, [brackets and {{braces}}] at least five deep.",
    cheap=True,
)
def parentheses(text: ResponseText) -> bool:
    """Count the groups that are nested five deep; a bracket of another kind starts all over."""
    open_: list[str] = []
    deepest = 0
    for sign in _BRACKET.findall(text.raw):
        if sign in "([{":
            open_.append(sign)
            deepest = max(deepest, len(open_))
        elif open_ and open_[-1] == _CLOSES[sign]:
            open_.pop()
            if deepest >= 5:
                return True
        else:
            open_, deepest = [], 0
    return False


_APOSTROPHE = re.compile(r"(?<=[^\W_])['’](?=[^\W_])")
_CURLY = {"“": ('"', True), "”": ('"', False), "‘": ("'", True), "’": ("'", False)}


@instruction(
    "format:quotes",
    says="Put quotes within quotes within quotes, double and single in turn, at least three deep.",
    cheap=True,
)
def quotes(text: ResponseText) -> bool:
    """Quotes three deep are all closed, straight or curly; an apostrophe within a word is none."""
    open_: list[str] = []
    deepest = 0
    for sign in re.findall("['\"“”‘’]", _APOSTROPHE.sub("", text.raw)):
        kind, opens = _CURLY.get(sign, (sign, not (open_ and open_[-1] == sign)))
        if opens:
            open_.append(kind)
            in_turn = len(open_) < 2 or open_[-2] != kind
            deepest = max(deepest, len(open_)) if in_turn else deepest
        elif open_ and open_[-1] == kind:
            open_.pop()
            if deepest - len(open_) >= 3:
                return True
    return False
