"""The answer in a response without a box: a statement of it, the last formula, the last number.

A number is an answer only if it is alone. Of several numbers that can't be read together, none is the answer.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator


def named_answer(text: str, accepts: Callable[[str], bool] | None) -> tuple[str | None, str, str]:
    """Return the answer, the reason if there's none, and how it was found; `accepts` is as in `find_answer`."""

    def fits(candidate: str) -> bool:
        return accepts is None or accepts(candidate)

    for how, search in (("####", _hashes), ("answer is", stated)):
        statement = search(text)
        if statement is None or not (statement := _affirmed(statement).strip()):
            continue
        for candidate in _within(statement, how):
            if fits(candidate):
                return candidate, "", how
        return statement, "", how
    bare = _bare(text)
    if bare and fits(bare):
        return bare, "", "whole"
    formula, start, end = _dollars(text)
    plain, *_ = _plain_formula(text[end:])
    if plain and any(map(str.isdigit, plain)) and fits(plain):
        return plain, "", "formula"
    if formula and fits(formula):
        return formula, "", "$"
    # The last number of a formula that wasn't accepted is one of several in it, and no answer.
    remaining = f"{text[:start]} {text[end:]}" if formula else text
    plain, start, end = _plain_formula(remaining)
    if plain and fits(plain):
        return plain, "", "formula"
    if plain:
        remaining = f"{remaining[:start]} {remaining[end:]}"
    formula = formula or plain
    if bare and len(_numbers(bare)) > 1:
        return bare, "", "whole"
    number = _number(remaining)
    if number is not None and fits(number):
        return number, "", "number"
    first = formula or bare or number
    return first, "" if first else "no answer in any of the known forms", "$"


def _within(statement: str, how: str) -> Iterator[str]:
    """Yield the possible answers in a statement: its formula, all of it, its first clause, its only number."""
    if statement.startswith("not ") or _names_several(statement, how):
        yield statement
        return
    formula = _dollars(statement)[0]
    if formula:
        yield formula
    yield statement
    clause = _CLAUSE.split(statement, maxsplit=1)[0].strip()
    if clause:
        yield clause
    for part in (statement, clause):
        if len(_numbers(part)) == 1 and (number := _number(part)):
            yield number


def _numbers(text: str) -> set[str]:
    """Return the different numbers in a text."""
    return {match.group().replace(",", "") for match in _NUMBER.finditer(text)}


# Possessive quantifiers (`*+`) where two repeats could share their text: no backtracking, linear.
_HASHES = re.compile(r"####[ \t]*+([^\n]+)")
_STATED = re.compile(
    # The statement isn't part of the match: "Final Answer: The final answer is 5" states it twice.
    r"(?:\banswer\b[* \t]*+(?:is|:|=)|\b(?:option|choice) is\b|^[* \t]*+A:)[\s:*]*+(?=[^\n])",
    re.IGNORECASE | re.MULTILINE,
)
_DELIMITERS = re.compile(r"\$\$|\$|\\[()\[\]]|\n")
_NUMBER = re.compile(
    r"(?<![\w:.])\d{1,2}:[0-5]\d(?::[0-5]\d)?(?![\w:])|"  # a time of day is one, too
    # After a digit and a comma no group of thousands begins: a chain that ends badly is read once.
    r"(?<![A-Za-z\d])[-−+]?(?:(?<!\d,)\d{1,3}(?:,\d{3})++(?!\d)|\d++)(?:\.\d++)?(?:/\d++(?!\.\d))?"
    r"(?![A-Za-z]*\d)"
    r"|(?<![A-Za-z\d.])[-−+]?\.\d++"
)
_CLAUSE = re.compile(r"\b(?:because|since|as|which|where|given|so)\b")
_SENTENCE_END = re.compile(r"[.!?](?=\s|$|\*)")


_DENIAL = re.compile(r"\bnot\b")
_CHOICE_OF_NUMBERS = re.compile(r"\b(?:or|either|between|maybe|perhaps)\b")


def _affirmed(statement: str) -> str:
    """Return a statement up to the denial after a number: "6, not 5" says 6."""
    denial = _DENIAL.search(statement)
    if denial is None or not _NUMBER.search(statement, 0, denial.start()):
        return statement
    head = statement[: denial.start()].rstrip(" ,")
    return head.removesuffix(" but").removesuffix(" and").rstrip(" ,")


def _names_several(statement: str, how: str) -> bool:
    """Return True if a statement leaves open which of several numbers is meant."""
    if not _CHOICE_OF_NUMBERS.search(statement) and (how != "####" or "=" in statement):
        return False
    return len(_numbers(statement)) > 1


def _hashes(text: str) -> str | None:
    match = None
    for match in _HASHES.finditer(text):  # noqa: B007  (the last one)
        pass
    return match.group(1) if match else None


def stated(text: str) -> str | None:
    """Return the words after the last "the answer is", up to the end of the sentence; None if there is none."""
    match = None
    for match in _STATED.finditer(text):  # noqa: B007
        pass
    if match is None:
        return None
    line_end = text.find("\n", match.end())
    statement = text[match.end() : line_end if line_end >= 0 else len(text)]
    end = _SENTENCE_END.search(statement)
    return (statement[: end.start()] if end else statement).strip(" *")


def _dollars(text: str) -> tuple[str | None, int, int]:
    """Return the last formula between dollars or LaTeX's brackets, with those joined to it: "$4$ or $5$".

    Amounts of money are no formulas ("$5 and $6"). The result is the formula, its start and its end.
    """
    formulas: list[tuple[int, int]] = []
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
                _join(text, formulas, start, begin)
        elif mark in opened and (mark == "$$" or _is_formula(text, opened[mark], begin)):
            _join(text, formulas, opened.pop(mark), begin)
        else:
            opened[mark] = end
    if not formulas:
        return None, 0, 0
    formula = ", ".join(text[start:end].strip() for start, end in formulas).strip(", ")
    return formula or None, formulas[0][0], formulas[-1][1]


_FORMULA_JOINT = re.compile(r"[$)\]\\\s]*(?:(?:,|;|\bor\b|\band\b)[$(\[\\\s]*)+")


def _join(text: str, formulas: list[tuple[int, int]], start: int, end: int) -> None:
    """Append a formula to those that it is joined to, or begin a new list with it."""
    gap = text[formulas[-1][1] : start] if formulas else ""
    if len(gap) > 24 or len(formulas) > 64 or not _FORMULA_JOINT.fullmatch(gap):
        formulas.clear()
    formulas.append((start, end))


_PROSE = re.compile(r"<<|[a-z]{2} [a-z]{2}|[=+*/(-]\s*+$")


def _is_formula(text: str, start: int, end: int) -> bool:
    """Return True if the text between two single dollars is a formula, and not prose between two prices."""
    if text[end + 1 : end + 2].isdigit():
        return False
    if text[start].isspace() or text[end - 1].isspace():
        return "\\" in text[start:end]
    return not (text[start].isdigit() and _PROSE.search(text, start, end))


# The text before a number that is one of two.
_ONE_OF_TWO = re.compile(r"\d\S{0,3} {1,3}or {1,3}[$\\(]{0,3}\Z")


def _number(text: str) -> str | None:
    """Return the last number; None if it is joined to another one by "or"."""
    match = None
    for match in _NUMBER.finditer(text):  # noqa: B007
        pass
    if match is None:
        return None
    if _ONE_OF_TWO.search(text, max(0, match.start() - 40), match.start()):
        return None
    number = match.group()
    # The sign of "7-3" is an operator: a sign belongs to a number only if no letter or digit is before it.
    if number[0] in "-−+" and match.start() > 0 and text[match.start() - 1].isalnum():
        number = number[1:]
    return number


# A formula in plain text: commands with their braces, numbers, signs, and single letters.
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
    """Return the last formula that is written without dollars, its start and its end; None if a number follows it."""
    if not any(mark in text for mark in "\\^{√π"):  # most texts have none
        return None, 0, 0
    last = None
    for match in MATH_RUN.finditer(text):
        if _MARKED.search(text, match.start(), match.end()):
            last = match
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


_BARE_LENGTH = 80  # most characters of a response that consists of its answer alone
# Two words side by side, an article before a word, or a word that only sentences have.
_SENTENCE = re.compile(
    r"[A-Za-z]{2}[ :]++[A-Za-z]{2}|\$|\\\(|\\\[|[\w}] an? [a-z]{2}"
    r"|(?<![a-zA-Z\\])(?:is|are|was|it|it's|we|so|thus|hence|gets?)(?![a-zA-Z])",
    re.IGNORECASE,
)


def _bare(text: str) -> str | None:
    """Return the response itself if it consists of an answer alone."""
    stripped = text.strip()
    if len(stripped) > _BARE_LENGTH or "\n" in stripped or _SENTENCE.search(stripped):
        return None
    return stripped


_BRACE = re.compile(r"\\.|[{}]", re.DOTALL)


def closing(text: str, opening: int) -> int:
    """Return the position of the brace that closes the one at `opening`, or -1."""
    depth = 0
    for mark in _BRACE.finditer(text, opening):
        if mark.group() == "{":
            depth += 1
        elif mark.group() == "}":
            depth -= 1
            if depth == 0:
                return mark.start()
    return -1
