"""Phrases that mean a set: "no real solutions", "does not exist", "all real numbers except 2"."""

from __future__ import annotations

import re
from collections.abc import Sequence

from rlvr.verifiers.math.tree import Sym, Tree, Word
from rlvr.verifiers.math.vocabulary import words_of

_NEGATIONS = words_of("no not none without doesn don isn aren cannot")
_THINGS = words_of(
    "solution solutions root roots zero zeros value values number numbers integer integers pair pairs "
    "triple triples tuple tuples function functions point points x y z n"
)
"""Things that an answer consists of: "no" before one of them means the empty set."""

_PLACES = words_of(
    "limit derivative integral inverse maximum minimum sum equation equations system"
)
_SAYING = words_of(
    "there is are exist exists existing has have having does do it its the this that these given such a an any at "
    "all t real in for of to many possible satisfying satisfy satisfies which"
)
_EXISTENCE = words_of("exist exists")
_ENDLESS = words_of("infinite infinitely")

_QUANTIFIERS = words_of("all any every the set of x is in each")
_KINDS = {"real": "R", "reals": "R", "integer": "Z", "integers": "Z", "natural": "N", "naturals": "N",
          "rational": "Q", "rationals": "Q", "complex": "C"}  # fmt: skip
_SIGNS = {
    "positive": "+",
    "negative": "-",
    "nonnegative": "0+",
    "nonpositive": "0-",
    "nonzero": "*",
}
_PLURAL = words_of("numbers reals integers naturals rationals all any every")

_SPOKEN = re.compile(r"\\(?:text|textrm|textbf|mathrm|mbox)\s*+\{([^{}]*)\}")
_EXCEPT = re.compile(
    r"\b(?:except(?: for)?|excluding|other than|but(?: not)?|besides|apart from|not equal to|different from)\b"
)
_COMPARED = re.compile(
    r"\b(?:(greater|larger|more|bigger|less|smaller) than( or equal to)?|at (least|most))\b"
)
_JOINT = re.compile(r"(?:,\s*)?\b(?:and|or)\b|,")
_LONGEST = 300  # characters
_LETTER = re.compile(
    r"(?:\b(?:for|when|where|the value)\b\s*)?(?:\b[a-z]\s*(?:=|\\ne(?![a-z]))\s*)?"
)


_NARROWER = words_of("integer rational natural positive negative prime whole")
_SOLUTIONS = words_of("solution solutions root roots zero zeros")


def meaning(words: Sequence[str]) -> Tree | None:
    """Return the meaning of lower-case words: a set, "does not exist" or "infinitely many"; None for other words."""
    present = frozenset(words)
    negations = sum(word in _NEGATIONS for word in words)
    if words in (["dne"], ["limit", "dne"]):
        return Word("does not exist")
    if (
        present <= {"empty", "null", "set", "the"}
        and present & {"empty", "null"}
        and "set" in present
    ):
        return Sym("empty")
    is_known_phrase = present <= _NEGATIONS | _THINGS | _PLACES | _SAYING | _ENDLESS
    if present & _NARROWER and present & _SOLUTIONS:
        return None  # there may be other solutions than integers
    if is_known_phrase and negations == 1 and not present & _ENDLESS:
        if present & (_THINGS | {"none"}):
            return Sym("empty")
        return Word("does not exist") if present & _EXISTENCE else None
    if is_known_phrase and not negations and present & _ENDLESS and present & (_THINGS | {"many"}):
        return Word("infinitely many")
    return None if _PLURAL.isdisjoint(words) else set_of_numbers(words)


def set_of_numbers(words: Sequence[str]) -> Sym | None:
    """Return the set that "all positive integers" or "positive integer" names."""
    joined = " ".join(words).replace("non ", "non").split()
    kinds = {_KINDS[word] for word in joined if word in _KINDS}
    signs = [_SIGNS[word] for word in joined if word in _SIGNS]
    other_words = {word for word in joined if word not in _KINDS and word not in _SIGNS}
    if not other_words <= _QUANTIFIERS | {"numbers", "number"} or len(kinds) > 1 or len(signs) > 1:
        return None
    if not (kinds or other_words & {"numbers", "number"}):
        return None
    return Sym(f"bb:{''.join(kinds) or 'R'}{''.join(signs)}")


_MARKS = {"+": "_{>0}", "-": "_{<0}", "0+": "_{\\ge 0}", "0-": "_{\\le 0}", "*": "^*", "": ""}
_HINT = re.compile(r"excep|exclu|than\b|\bbut\b|besides|apart|equal|different|\bat [lm]|out of")
_OUT_OF = re.compile(
    r"(?<=\d)\s*(?:\\(?:text|textrm|mathrm|mbox)\s*+\{\s*)?\bout of(?: every\b)?\s*\}?\s*(?=\d+$)"
)
_REALS = re.compile(r"(?:[a-z]\s*\\in\s*)?\\mathbb\s*(?:\{\s*R\s*\}|R)\s*,?")
_SIGN_OF = {"greater": ">", "larger": ">", "more": ">", "bigger": ">", "less": "<", "smaller": "<",
            "least": "\\ge", "most": "\\le"}  # fmt: skip


def in_symbols(text: str) -> str:
    r"""Return "all real numbers except 2" as `\mathbb{R} \setminus \{2\}`, "2 out of 5" as 2/5; other text as it is."""
    if len(text) > _LONGEST or not _HINT.search(text):
        return text
    if "out" in text:
        return _OUT_OF.sub("/", text)
    plain = _SPOKEN.sub(r" \1 ", text)
    parted = _EXCEPT.search(plain) or _COMPARED.search(plain)
    if parted is None:
        return text
    before = plain[: parted.start()].strip(" ,")
    remainder = re.sub(r"\bzero\b", "0", plain[parted.end() :].strip(" .,"))
    if not remainder:
        return text
    numbers = _numbers_before(before)
    if numbers is None:
        return _set_without(before, remainder) or text if parted.re is _EXCEPT else text
    within = f"\\mathbb{{{numbers.name[3]}}}{_MARKS[numbers.name[4:]]}"
    if parted.re is _COMPARED:
        greater, equal, bound = parted.groups()
        sign = _SIGN_OF[bound or greater]
        sign = {">": "\\ge", "<": "\\le"}[sign] if equal else sign
        return f"\\{{x \\in {within} \\mid x {sign} {remainder}\\}}"
    return f"{within} \\setminus {_removed(remainder)}"


def _removed(values_text: str) -> str:
    values = _JOINT.sub(",", _LETTER.sub("", values_text)).strip()
    return values if values.startswith("\\{") else f"\\{{{values}\\}}"


def _set_without(before: str, remainder: str) -> str | None:
    """Return an interval or a chain of inequalities "except 1"; None for anything else."""
    if re.search(r"(?<![a-zA-Z\\])[a-zA-Z]{2}", before):
        return None
    if before.endswith((")", "]", "\\}")):
        return f"{before} \\setminus {_removed(remainder)}"
    bounded = re.search(r"(?<![a-zA-Z\\])[a-z](?![a-zA-Z])", before)
    if bounded is None or not re.search(r"[<>]|\\[lg]e(?![a-z])", before):
        return None
    return f"{before}, {bounded.group()} \\ne {_JOINT.sub(',', _LETTER.sub('', remainder))}"


def _numbers_before(text: str) -> Sym | None:
    """Return the set before "except": in words, as R in symbols, or "all x"."""
    if _REALS.fullmatch(text):
        return Sym("bb:R")
    words = [word for word in re.findall(r"[a-z]+", text.lower()) if word != "values"]
    if "\\" in text:
        return None
    return set_of_numbers(words) or (Sym("bb:R") if {"all", "x"} == {*words} - {"of"} else None)
