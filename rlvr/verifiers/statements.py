"""The answer in a response without a box: a statement of it, the last formula, the last number.

A number is only ever taken on its own. If several are together and no reading of them all is
known, none is taken.
"""

from __future__ import annotations

import re
from collections.abc import Callable


def named_answer(text: str, accepts: Callable[[str], bool] | None) -> tuple[str | None, str, str]:
    """Return the answer, why there's none, and how it was found; `accepts` as in `find_answer`."""

    def fits(candidate: str) -> bool:
        return accepts is None or accepts(candidate)

    for how, search in (("####", _hashes), ("answer is", stated)):
        said = search(text)
        if said is None or not (said := _affirmed(said).strip()):
            continue
        for candidate in _within(said, how):
            if fits(candidate):
                return candidate, "", how
        return said, "", how
    bare = _bare(text)
    if bare and fits(bare):
        return bare, "", "whole"
    formula, start, end = _dollars(text)
    plain, *_ = _plain_formula(text[end:])
    if plain and any(map(str.isdigit, plain)) and fits(plain):
        return plain, "", "formula"
    if formula and fits(formula):
        return formula, "", "$"
    # Not the last number of a formula that was passed over: that is one of several in it.
    rest = f"{text[:start]} {text[end:]}" if formula else text
    plain, start, end = _plain_formula(rest)
    if plain and fits(plain):
        return plain, "", "formula"
    if plain:
        rest = f"{rest[:start]} {rest[end:]}"
    formula = formula or plain
    if bare and len(_numbers(bare)) > 1:
        return bare, "", "whole"
    number = _number(rest)
    if number is not None and fits(number):
        return number, "", "number"
    first = formula or bare or number
    return first, "" if first else "no answer in any of the known forms", "$"


def _within(said: str, how: str) -> list[str]:
    """Return the meanings that a statement may have: its formula, all of it, its first clause, its one number."""
    if said.startswith("not ") or _names_several(said, how):
        return [said]
    formula = _dollars(said)[0]
    clause = _CLAUSE.split(said, maxsplit=1)[0].strip()
    candidates = [formula, said, clause]
    for part in (said, clause):
        if len(_numbers(part)) == 1:
            candidates.append(_number(part))
    return [candidate for candidate in candidates if candidate]


def _numbers(text: str) -> set[str]:
    """Return the different numbers in a text."""
    return {found.group().replace(",", "") for found in _NUMBER.finditer(text)}


# Possessive quantifiers (`*+`) where two repeats could share their text: no backtracking, linear.
_HASHES = re.compile(r"####[ \t]*+([^\n]+)")
_STATED = re.compile(
    # What is said isn't taken along: "Final Answer: The final answer is 5" states it twice.
    r"(?:\banswer\b[* \t]*+(?:is|:|=)|\b(?:option|choice) is\b|^[* \t]*+A:)[\s:*]*+(?=[^\n])",
    re.IGNORECASE | re.MULTILINE,
)
_DELIMITERS = re.compile(r"\$\$|\$|\\[()\[\]]|\n")
_NUMBER = re.compile(
    r"(?<![\w:.])\d{1,2}:[0-5]\d(?::[0-5]\d)?(?![\w:])|"  # a time of day is one, too
    # Behind a digit and a comma no group of thousands begins: a chain that ends badly is read once.
    r"(?<![A-Za-z\d])[-−+]?(?:(?<!\d,)\d{1,3}(?:,\d{3})++(?!\d)|\d++)(?:\.\d++)?(?:/\d++(?!\.\d))?"
    r"(?![A-Za-z]*\d)"
    r"|(?<![A-Za-z\d.])[-−+]?\.\d++"
)
_CLAUSE = re.compile(r"\b(?:because|since|as|which|where|given|so)\b")
_SENTENCE_END = re.compile(r"[.!?](?=\s|$|\*)")


_DENIAL = re.compile(r"\bnot\b")
_CHOICE_OF_NUMBERS = re.compile(r"\b(?:or|either|between|maybe|perhaps)\b")


def _affirmed(said: str) -> str:
    """Return a statement up to the denial behind a number: "6, not 5" says 6."""
    denial = _DENIAL.search(said)
    if denial is None or not _NUMBER.search(said, 0, denial.start()):
        return said
    head = said[: denial.start()].rstrip(" ,")
    return head.removesuffix(" but").removesuffix(" and").rstrip(" ,")


def _names_several(said: str, how: str) -> bool:
    """Return whether a statement leaves open which of several numbers is meant."""
    if not _CHOICE_OF_NUMBERS.search(said) and (how != "####" or "=" in said):
        return False
    return len(_numbers(said)) > 1


def _hashes(text: str) -> str | None:
    found = None
    for found in _HASHES.finditer(text):  # noqa: B007  (the last one)
        pass
    return found.group(1) if found else None


def stated(text: str) -> str | None:
    """Return the words behind the last "the answer is", up to the end of the sentence; None without one."""
    found = None
    for found in _STATED.finditer(text):  # noqa: B007
        pass
    if found is None:
        return None
    line_end = text.find("\n", found.end())
    said = text[found.end() : line_end if line_end >= 0 else len(text)]
    end = _SENTENCE_END.search(said)
    return (said[: end.start()] if end else said).strip(" *")


def _dollars(text: str) -> tuple[str | None, int, int]:
    """Return the last formula between dollars or LaTeX's brackets, with those joined to it: "$4$ or $5$".

    Money is none: "$5 and $6" holds no formula. The result is the formula, its start and its end.
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
    if not found:
        return None, 0, 0
    formula = ", ".join(text[start:end].strip() for start, end in found).strip(", ")
    return formula or None, found[0][0], found[-1][1]


_FORMULA_JOINT = re.compile(r"[$)\]\\\s]*(?:(?:,|;|\bor\b|\band\b)[$(\[\\\s]*)+")


def _join(text: str, found: list[tuple[int, int]], start: int, end: int) -> None:
    """Put a formula behind those it's joined to; otherwise it's the first of a new list."""
    gap = text[found[-1][1] : start] if found else ""
    if len(gap) > 24 or len(found) > 64 or not _FORMULA_JOINT.fullmatch(gap):
        found.clear()
    found.append((start, end))


_PROSE = re.compile(r"<<|[a-z]{2} [a-z]{2}|[=+*/(-]\s*+$")


def _is_formula(text: str, start: int, end: int) -> bool:
    """Return whether the text between two single dollars is a formula, and not prose between two prices."""
    if text[end + 1 : end + 2].isdigit():
        return False
    if text[start].isspace() or text[end - 1].isspace():
        return "\\" in text[start:end]
    return not (text[start].isdigit() and _PROSE.search(text, start, end))


# Before a number: it's one of two.
_ONE_OF_TWO = re.compile(r"\d\S{0,3} {1,3}or {1,3}[$\\(]{0,3}\Z")


def _number(text: str) -> str | None:
    """Return the last number; none if it's joined to another one by "or"."""
    found = None
    for found in _NUMBER.finditer(text):  # noqa: B007
        pass
    if found is None:
        return None
    if _ONE_OF_TWO.search(text, max(0, found.start() - 40), found.start()):
        return None
    number = found.group()
    # "7-3": the sign belongs to a number only where nothing stands before it
    if number[0] in "-−+" and found.start() > 0 and text[found.start() - 1].isalnum():
        number = number[1:]
    return number


# A formula in plain text: commands with their braces, numbers, signs, and letters that are alone.
MATH_RUN = re.compile(
    r"(?:\\(?:text|textbf|mathrm|mathbf|operatorname|begin|end)\s{0,2}\{[^{}\n]{0,60}\}|\\(?!boxed|fbox)[a-zA-Z]++\*?|\\[^a-zA-Z\s]"
    r"|(?<![a-zA-Z])(?<![a-zA-Z]['’])(?:[a-zA-Z]|and|or|sin|cos|tan|log|ln|sqrt|pi|gcd|lcm)(?![a-zA-Z])|\d++(?:[.,]\d++)*+|[.]\d++|[.]{3}"
    r"|[-−+*/^_=<>!:;,&'~|{}()\[\]√π·×÷±°²³≤≥∞∪]|[ \t])++"
)
_MARKED = re.compile(r"\\[a-zA-Z{]|[\^{√π]")
_ENDS = " \t.,:;?*=&~"
_JOINTS = ("and ", "or ", "a ", "A ", "I ")
_OPERATORS = "-−+*/^_=<>"


def _plain_formula(text: str) -> tuple[str | None, int, int]:
    """Return the last formula that is written without dollars, its start and its end; none if a number follows it."""
    if not any(mark in text for mark in "\\^{√π"):  # as in most texts
        return None, 0, 0
    last = None
    for found in MATH_RUN.finditer(text):
        if _MARKED.search(text, found.start(), found.end()):
            last = found
    if last is None or _NUMBER.search(text, last.end()):
        return None, 0, 0
    formula = _trimmed(last.group())
    return formula or None, last.start(), last.end()


def _trimmed(run: str) -> str:
    """Return a run without the punctuation, articles, conjunctions and brackets of the sentence around it."""
    for _ in range(6):
        before, run = run, run.strip(_ENDS)
        for word in _JOINTS:
            if run.startswith(word) and run[len(word) :].lstrip()[:1] not in _OPERATORS:
                run = run[len(word) :]
            end = f" {word[:-1]}"
            if run.endswith(end) and run[: -len(end)].rstrip()[-1:] not in _OPERATORS:
                run = run[: -len(end)]
        for opening, closing_ in (("([", ")]"), ("{", "}")):
            surplus = sum(run.count(c) for c in closing_) - sum(run.count(c) for c in opening)
            if surplus > 0 and run[-1] in closing_:
                run = run[:-1]
            elif surplus < 0 and run[0] in opening:
                run = run[1:]
        if run == before:
            break
    return run


_BARE_LENGTH = 80  # characters of a response that is nothing but its answer
# Two words side by side, the last with its article, or a word that only sentences have.
_SENTENCE = re.compile(
    r"[A-Za-z]{2}[ :]++[A-Za-z]{2}|\$|\\\(|\\\[|[\w}] an? [a-z]{2}"
    r"|(?<![a-zA-Z\\])(?:is|are|was|it|it's|we|so|thus|hence|gets?)(?![a-zA-Z])",
    re.IGNORECASE,
)


def _bare(text: str) -> str | None:
    """Return the response itself if it's nothing but an answer."""
    stripped = text.strip()
    if len(stripped) > _BARE_LENGTH or "\n" in stripped or _SENTENCE.search(stripped):
        return None
    return stripped


_BRACE = re.compile(r"\\.|[{}]", re.DOTALL)


def closing(text: str, opening: int) -> int:
    """Return where the brace at `opening` is closed, or -1."""
    depth = 0
    for mark in _BRACE.finditer(text, opening):
        if mark.group() == "{":
            depth += 1
        elif mark.group() == "}":
            depth -= 1
            if depth == 0:
                return mark.start()
    return -1
