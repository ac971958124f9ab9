r"""A question's formulas, and which of them it asks to work out or to rewrite.

"Simplify $\sqrt8$" asks for another form of √8. "A square has side $\sqrt8$; find …" states √8, and what is found may
be √8 again. A sentence asks for a formula that is the object of its asking word (what, find, simplify …), and states
one that a condition holds (if, let, with, whose …) or that no asking word governs.
"""

from __future__ import annotations

import contextlib
import re
from enum import Enum
from functools import lru_cache
from typing import NamedTuple

from rlvr.core.task import Task
from rlvr.verifiers.math.answer import readings
from rlvr.verifiers.math.clean import clean
from rlvr.verifiers.math.tree import Call, Group, Num, Relation, Tree, children
from rlvr.verifiers.math.vocabulary import Unreadable
from rlvr.verifiers.math.written import shape
from rlvr.verifiers.statements import MATH_RUN

_QUESTION_LENGTH = 8000  # characters of a question that are looked at, from its end
_FORMULA_LENGTH = 300
_FORMULAS = 40

_FORMULA = re.compile(  # lengths: many that are opened and never closed must cost little
    r"\$\$(.+?)\$\$|\$(.+?)\$|\\\[(.{1,400}?)\\\]|\\\((.{1,400}?)\\\)"
    r"|\\begin\{align\*?\}(.{1,2000}?)\\end",
    re.DOTALL,
)
_ALIGNED = 5  # its group with several lines
# In a question without any of these marks every run of letters that stand alone, numbers and signs is one.
_SIGN = re.compile(r"[-+*/^√·×÷²³\\]|sqrt|sin|cos|tan|log|ln")
_EDGES = " \t.,;:!?"
# Figures and programs aren't formulas, and money isn't between dollars.
_NO_FORMULA = re.compile(r"\[asy\].{0,6000}?\[/asy\]|```.{0,6000}?```|\\\$", re.DOTALL)


def asked(task: Task) -> str:
    """Return the last message of the user: earlier examples and turns aren't this task's question.

    If that message holds worked examples too, the question alone is in the metadata (`rlvr.envs.shots`).
    """
    message = next((m["content"] for m in reversed(task.prompt) if m["role"] == "user"), "")
    question = task.metadata.get("question")
    if isinstance(question, str) and question and question in message:
        message = question
    return message[-_QUESTION_LENGTH:]


@lru_cache(maxsize=512)
def stated(question: str) -> tuple[tuple[Tree, Tree], ...]:
    """Return the expressions and relations that a question asks to work out or to rewrite, each with its shape."""
    pairs = [
        (tree, formula)
        for formula in _formulas(question)[-_FORMULAS:]
        for tree in _read(formula.text)
    ]
    wanted = [tree for tree, formula in pairs if _is_asked(tree, formula.role)]
    names = {formula.text.strip(_EDGES) for tree, formula in pairs if tree in wanted}
    shapes = {shape(tree) for tree in wanted if not isinstance(tree, Num)}
    for tree, formula in pairs:  # "If x = √8, what is x?" asks for √8
        if isinstance(tree, Relation) and (
            shapes & set(map(shape, tree.sides)) or formula.text.partition("=")[0].strip() in names
        ):
            wanted.append(tree)
    if not wanted:
        cue = _cue_alone(question)
        wanted = [
            tree for tree, formula in pairs if cue or (cue is None and formula.role is Role.NONE)
        ]
    forms = {shape(part): part for tree in wanted for part in _parts(tree)}
    return tuple((tree, form) for form, tree in forms.items())


def _is_asked(tree: Tree, role: Role) -> bool:
    return role is Role.FORM or (role is Role.VALUE and not isinstance(tree, Relation))


def _read(formula: str) -> list[Tree]:
    with contextlib.suppress(Unreadable, RecursionError):
        bare = formula.rstrip(" .?_").removesuffix("=")  # "√8 = ?"
        text = clean(bare) if len(formula) <= _FORMULA_LENGTH else ""
        return [reading.value for reading in readings(text)] if text else []
    return []


def formulas(question: str) -> list[str]:
    """Return what is between dollars or LaTeX's brackets, else what looks like a formula."""
    return [formula.text for formula in _formulas(question)]


class Role(Enum):
    """Names what a question does with a formula."""

    FORM = "asks for another form of it"
    VALUE = "asks for its value"
    GIVEN = "states it as a condition"
    NONE = "states it"


class _Formula(NamedTuple):
    text: str
    role: Role


def _formulas(question: str) -> list[_Formula]:
    question = _NO_FORMULA.sub(" ", question[-_QUESTION_LENGTH:])
    formulas: list[_Formula] = []
    reader = _Sentences()
    end = 0
    for match in _FORMULA.finditer(question):
        reader.read(question[end : match.start()])
        end = match.end()
        aligned = match.group(_ALIGNED)
        texts = [match[match.lastindex or 0]]
        if aligned:
            lines = aligned.replace("&", "").split("\\\\")
            texts = [*lines, " ".join(lines)]
        role = reader.role()
        formulas += [_Formula(text, role) for text in texts]
        reader.read(texts[-1].rstrip()[-1:] + " ")
    if formulas:
        return formulas
    for match in MATH_RUN.finditer(question):
        text = match.group().strip(_EDGES)
        if _SIGN.search(text) and not text.isalpha():
            reader.read(question[end : match.start()])
            end = match.start() + len(match.group().rstrip(_EDGES))
            formulas.append(_Formula(text, reader.role()))
    return formulas


_FORM_WORDS = re.compile(
    r"simplif(?:y|ying)|factor(?:i[sz])?(?:e|ing)?|expand(?:ing)?|express(?:ing)?|(?:re)?writ(?:e|ing)|convert(?:ing)?|reduc(?:e|ing)"
    r"|rationali[sz](?:e|ing)|put|turn|change|transform(?:ing)?|combin(?:e|ing)|condens(?:e|ing)|multiply(?:ing)?|divid(?:e|ing)"
    r"|add(?:ing)?|subtract(?:ing)?|evaluat(?:e|ing)|solv(?:e|ing)|round(?:ing)?|approximat(?:e|ing)"
)
_VALUE_WORDS = re.compile(
    r"what(?:'?s)?|find|determine|compute|calculate|give|state|obtain|how|work"
)
_GIVEN_WORDS = re.compile(
    r"if|given|let|where|when(?:ever)?|suppose|assum(?:e|ing)|since|because|such|that|with|whose|who|which|at|from|for|ha(?:s|ve|ving)"
    r"|satisf(?:y|ies|ying)|consider"
)
# Nouns for a formula itself, and words between its asking word and it. Another noun says what the formula measures:
# "a square of side √8".
_NOUNS = re.compile(
    r"expression|values?|product|sum|difference|quotient|ratio|numbers?|fraction|decimal|percent(?:age)?|determinant|matri(?:x|ces)"
    r"|integral|limit|logarithm|root|radical|power|result|quantity|polynomial|quadratic|trinomial|binomial|cubic|term|surd|series"
    r"|function|following|exactly|equals?|equivalent|calculator|is|are|be|of|the|to|by|and|or|plus|minus|times|you|we|does|do|out|for"
)
_WORDS = re.compile(r"[A-Za-z]+(?:'[a-z]+)?|[.!?;](?=\s|\Z)|\n[ \t]*\n|[:,?]")
# "Simplify your answer" and "Solve the problem" say how to answer, not what is asked.
_MANNER = re.compile(
    r"(?:\s{1,4}(?:your|the|this|following|all|any|each|my|our|final|math|as)){0,6}\s{1,4}(?:answers?|results?|responses?|problems?|questions?|solutions?|exercises?|tasks?)\b(?!\s+of\b)"
)


class _Sentences:
    """Reads a question's words between its formulas, and knows what the sentence does with the next one."""

    def __init__(self) -> None:
        self._cue = self._state = self._carried = Role.NONE
        self._cue_word = ""
        self._last = ""  # the word before
        self._words = 0  # in this sentence
        self._has_object = False  # the sentence's asking word has words or a formula behind it

    def read(self, text: str) -> None:
        """Read words up to the next formula."""
        for match in _WORDS.finditer(text):
            word = match.group().lower()
            if word[0] in ".!?;\n":
                carried = Role.NONE if self._last == "$" else self._cue
                self._carried = carried if self._words else self._carried
                self._cue = self._state = Role.NONE
                self._words, self._last, self._has_object = 0, "", False
            elif word == ":":
                self._state, self._last = self._cue, ""
            elif word == ",":
                if not self._has_object and self._last != self._cue_word:
                    self._state = self._cue
                self._last = ""
            else:
                self._word(word, text, match.end())

    def _word(self, word: str, text: str, end: int) -> None:
        before, self._last = self._last, word
        self._words += 1
        for words, role in ((_FORM_WORDS, Role.FORM), (_VALUE_WORDS, Role.VALUE)):
            if words.fullmatch(word) and not _MANNER.match(text, end):
                self._cue = self._state = role
                self._cue_word, self._has_object = word, False
                return
        if word == "for" and before in ("expression", "form", "formula", "value"):
            return
        if _GIVEN_WORDS.fullmatch(word):
            self._state = Role.GIVEN
        elif word in ("equals", "equal", "equivalent"):  # "the fraction that equals 0.4"
            self._state = self._cue
        elif self._state is not Role.GIVEN:
            self._has_object = True

    def role(self) -> Role:
        """Return what the sentence does with the formula that comes next."""
        role = self._state
        if not self._words and role is Role.NONE:
            role = self._carried
        if role is Role.VALUE:
            if self._last in ("", self._cue_word):
                role = Role.FORM
            elif self._last != "$" and not _NOUNS.fullmatch(self._last):
                role = Role.GIVEN
        if self._state is not Role.GIVEN:
            self._has_object = True
        self._last = "$"
        return role


_ALONE = re.compile(
    r"\b(?:[Ss]implify|[Ff]actor(?:i[sz]e)?|[Ee]xpand|[Ee]xpress|(?:[Rr]e)?[Ww]rite|[Cc]onvert|[Rr]educe|[Rr]ationali[sz]e|[Ee]valuate|[Cc]ompute|[Cc]alculate)"
    r"(?: and [a-z]+| completely| fully)?(?: (?:it|this|that|them|these|each|both)\b(?! [a-z]+ (?:of|whose))| the (?:[a-z]+ )?expression\b|\s*[.!?:]|\s*\Z)"
    r"|\b(?:is|are|be) (?:completely |fully )?(?:simplified|factor(?:i[sz])?ed|expanded|(?:re)?written|expressed|rationali[sz]ed|evaluated|converted|reduced)\b"
    r"|\b(?:is|equals?|to) what\b|\b(?:value|form|result) of (?:it|this|that|the (?:[a-z]+ )?expression)\b|\bits (?:[a-z]+ )?(?:value|form)\b|\b(?:[Ww]hat|[Hh]ow much) (?:is|does) (?:it|this|that)\b"
)


def _cue_alone(question: str) -> bool | None:
    """Say if a question asks for what it stated before ("Factor it."); None if it asks for nothing at all."""
    text = _FORMULA.sub("$", question)
    if _ALONE.search(text):
        return True
    words = re.findall(r"[A-Za-z']+", _MANNER_OF.sub(" ", text).lower())
    asks = any(_FORM_WORDS.fullmatch(word) or _VALUE_WORDS.fullmatch(word) for word in words)
    return False if asks else None


_MANNER_OF = re.compile(rf"(?<![A-Za-z])[A-Za-z]++{_MANNER.pattern}")


def _parts(tree: Tree) -> list[Tree]:
    """Return a formula's expressions and relations: it, the sides of a relation, the values of a list."""
    if isinstance(tree, Relation):
        return [tree, *(inner for part in children(tree) for inner in _parts(part))]
    if isinstance(tree, Group) and tree.kind == "":
        return [inner for part in children(tree) for inner in _parts(part)]
    return [tree] if isinstance(tree, Call | Num) else []
