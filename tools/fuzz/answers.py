"""Answers to mathematics by grammar, against golds of every kind and under every option of `Math`.

A case is a gold, a response to it and the options. The response's answer is the gold reworded, another gold of its kind
or of any kind, or a meaningless formula; it is in a box, in a sentence, in labelled parts or alone. Each case must get
a verdict, and none may block the caller's thread; see `judge`.
"""

from __future__ import annotations

import random
import re
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import rlvr
from rlvr.core.errors import OptionError
from tools.fuzz.rules import MOST_S, ORDINARY, Finding
from tools.fuzz.subjects import Subject, options_of
from tools.fuzz.texts import a_formula

OVER = "over its limit"

BATCH = 250
"""Cases that are judged under the same options."""

# @n is a number, @d digits, @e an expression, @v a variable, @w a word, @u a unit.
KINDS: dict[str, tuple[str, ...]] = {
    "number": ("@n", "-@n", "\\frac{@n}{@n}", "@n/@n", "@n.@n", "@n\\frac{@n}{@n}", "0.\\overline{@n}", "0.(@n)", "@n\\%", "\\$@n", "@n,000", "@n{,}000"),
    "large number": ("@d!", "@d^{@d}", "2024!-@d", "\\binom{@d}{@d}", "@d \\times 10^{@d}", "@de@d", "@d!!", "2^{1000}+@d", "\\lfloor @e \\rfloor"),
    "real": ("@n\\sqrt{@n}", "\\sqrt[@n]{@n}", "\\frac{@n\\pi}{@n}", "e^{@n}", "\\ln @n", "\\log_{@n} @n", "\\sin @n^\\circ", "\\arctan \\frac{@n}{@n}", "@n \\pm \\sqrt{@n}", "\\max(@n, \\sqrt{@n})"),
    "complex": ("@n+@ni", "@n e^{i\\pi/@n}", "\\overline{@n-@ni}", "|@n+@ni|", "\\operatorname{cis} @n^\\circ", "i^{@n}"),
    "expression": ("@e", "@v^@n+@n@v", "(@v-@n)(@v+@n)", "\\frac{@v+@n}{@v-@n}", "|@v-@n|", "@n@v+C", "\\sum_{k=1}^{@v} k^@n", "@d!", "\\sqrt{@v^2}", "\\int_0^@n @v d@v"),
    "list": ("@n, @n", "@n, @n, @e", "@v=@n, @v=@n", "@e \\text{ or } @e", "@n \\text{ and } @n", "\\text{Alice: }@n, \\text{Bob: }@n", "\\text{(a) } @n, \\text{(b) } @n", "@n; @n", "1, 2, \\ldots, @n"),
    "tuple": ("(@n, @n)", "\\langle @n, @e \\rangle", "((@n,@n),(@n,@n))", "(@n,@n), (@n,@n)", "@n\\mathbf{i}-@n\\mathbf{j}", "[@n, @n)", "]@n, @n[", "(@n, \\infty)"),
    "set": ("\\{@n, @n\\}", "\\emptyset", "[@n,@n] \\cup (@n, \\infty)", "\\mathbb{R} \\setminus \\{@n\\}", "\\{@v : @v > @n\\}", "\\{@v | @n < @v \\le @n\\}", "@v \\in [@n, @n]", "\\{@n\\} \\cap \\mathbb{Z}", "\\text{all real numbers except } @n"),
    "relation": ("@v = @e", "@v < @n", "@n < @v \\le @n", "@v > @n \\text{ and } @v \\le @n", "@v + @n@v \\ge @n", "f(@v) = @e", "f'(@n) = @n", "P(A|B) = @n", "@v \\ne @n", "@v \\equiv @n \\pmod{@n}", "y = @e, @v > @n", "@v^2 + y^2 = @n"),
    "piecewise": ("\\begin{cases} @e & @v \\ge @n \\\\ @n & @v < @n \\end{cases}", "\\left\\{\\begin{array}{l} @v=@n \\\\ y=@n \\end{array}\\right.", "\\begin{cases} @e, & @v > @n \\\\ @n, & \\text{otherwise} \\end{cases}"),
    "matrix": ("\\begin{pmatrix} @n & @e \\\\ @n & @n \\end{pmatrix}", "\\begin{bmatrix} @n \\\\ @n \\end{bmatrix}", "\\begin{vmatrix} @n & @n \\\\ @n & @e \\end{vmatrix}", "A = \\begin{pmatrix} @n & @n \\end{pmatrix}^T"),
    "words": ("\\text{@w}", "@w", "\\text{@w @w}", "@n \\text{ @w}", "\\text{the @w of } @n", "\\text{@w } @v", "\\text{no solution}", "\\text{@w and @w}", "@w @w"),
    "choice": ("A", "(B)", "\\text{(C)}", "C: @n", "ACD", "\\text{D. @w}", "B, D", "IV"),
    "unit": ("@n \\text{ @u}", "@n @u", "@n\\,\\mathrm{@u}", "@n \\text{ @u}^2", "@n \\text{ h } @n \\text{ min}", "@n^\\circ @n'", "@n \\frac{\\text{@u}}{\\text{@u}}", "@n \\text{ @u/@u}", "\\text{@u}"),
    "notation": ("@n:@n", "@n:30 \\text{ p.m.}", "101_{@n}", "2A_{16}", "March @n", "@n千克", "√@n", "@v²", "λ", "½", "@n to @n", "@n、@n", "无解", "\\dot{@n}", "{@n \\choose @n}", "０．@n"),
}  # fmt: skip

_NUMBERS = (
    "0", "1", "2", "3", "5", "7", "12", "20", "57", "100", "360", "2024", "0.5", ".25", "1/2", "\\frac12", "\\sqrt2", "\\pi", "i", "e", "-1", "-4", "\\infty", "10^{9}", "999999", "01",
)  # fmt: skip
_VARIABLES = ("x", "y", "n", "k", "a", "\\theta", "x_1", "C", "z", "t")
_WORDS = (
    "odd", "even", "prime", "east", "decrease", "red", "Yes", "no", "chickens", "rabbits", "multiples", "up to", "monotone", "converges", "twelve", "one hundred", "triangle", "otherwise", "甲", "none",
)  # fmt: skip
_UNITS = (
    "cm", "m", "s", "ms", "kg", "J", "N", "Pa", "kPa", "Hz", "miles", "dollars", "cents", "days", "degrees", "km/h", "m s^{-1}", "square units", "eV", "liters", "%", "C", "in", "apples",
)  # fmt: skip


def a_gold(rng: random.Random, kind: str = "") -> str:
    """Return a gold of a kind, or of any kind."""
    return _filled(rng, rng.choice(KINDS[kind or rng.choice(list(KINDS))]))


_DIGITS = ("0", "1", "2", "3", "4", "5", "7", "8", "12", "20", "57", "100")
_EXPRESSIONS = (
    "x^@d+@n", "@n\\sqrt{@d}", "\\frac{@n}{@d}", "\\frac{x-@n}{y}", "\\sin @v", "@n@v", "e^{-@v}", "\\ln(@v+@d)", "(@v+@n)^@d", "@v@v", "\\sqrt{@v}", "|@v|", "@v", "@n\\pi", "2^@v",
)  # fmt: skip
_POOLS = {"d": _DIGITS, "n": _NUMBERS, "v": _VARIABLES, "w": _WORDS, "u": _UNITS}
_SLOT = re.compile(r"@([dnevwu])")


def _filled(rng: random.Random, template: str) -> str:
    def slot(match: re.Match[str]) -> str:
        if match[1] == "e":
            return _filled(rng, rng.choice(_EXPRESSIONS))
        return rng.choice(_POOLS[match[1]])

    return _SLOT.sub(slot, template)


_PIECE = re.compile(r"\\[a-zA-Z]+|\d+|[a-zA-Z]+|.", re.DOTALL)
_REPLACED = ("", "", "+", "-", "=", ",", "^", "_", "{", "}", "(", ")", "\\", "\\\\", "\\text{", "\\pm ", "!", "%", "'", "\\approx ", ":", "|", " or ", "^\\circ", "i", "0", "\\max(i,\\sqrt2)")  # fmt: skip


def _reworded(rng: random.Random, gold: str) -> str:
    """Return a gold with some pieces changed, swapped, doubled or removed."""
    pieces = _PIECE.findall(gold) or ["1"]
    for _ in range(rng.choice((0, 1, 1, 2, 4))):
        at, other = rng.randrange(len(pieces)), rng.randrange(len(pieces))
        action = rng.randrange(4)
        if action == 0:
            pieces[at], pieces[other] = pieces[other], pieces[at]
        elif action == 1:
            pieces[at] = rng.choice(_REPLACED)
        elif action == 2:
            pieces[at] = rng.choice(rng.choice((_NUMBERS, _VARIABLES, _WORDS, _UNITS)))
        else:
            pieces[at] *= 2
    return "".join(pieces)


_SENTENCES = (
    "@", "@", "Therefore it is @.", "We get $@$.", "<think>@</think> @", "#### @", "The answer is @.", "\\boxed{1} or rather @", "@ \\approx 3.14", "= @ = @", "So @ because @.",
    "(a) @\n(b) @", "Part (i): @. Part (ii): @.", "@ and @", "@, @, @", "<answer>@</answer>", "@ \\boxed{}", "@ as \\boxed says", "\\[@\\]", "\\(@\\) \\quad \\(@\\)", "**@**", "@\\\\@",
)  # fmt: skip


def a_response(rng: random.Random, gold: str, kind: str) -> str:
    """Return a response to a gold of a kind: its answer somewhere in a sentence, boxed or not."""
    chance = rng.random()
    if chance < 0.45:
        answer = _reworded(rng, gold)
    elif chance < 0.65:
        answer = a_gold(rng, kind)
    elif chance < 0.8:
        answer = a_gold(rng)
    else:
        answer = a_formula(rng, rng.choice((1, 2, 2, 3)))
    if rng.random() < 0.05:
        answer = f"{answer} = {_reworded(rng, answer)}"
    box = rng.choice(("\\boxed{@}",) * 8 + ("@", "$@$", "\\boxed @", "\\fbox{@}", "\\\\boxed{@}", "\\boxed{\\text{(a) }@, \\text{(b) }@}"))  # fmt: skip
    return rng.choice(_SENTENCES).replace("@", box.replace("@", answer))


@dataclass
class Judged:
    """Counts of what was judged, and the cases that break a rule."""

    cases: int = 0
    statuses: Counter[str] = field(default_factory=Counter)
    findings: list[Finding] = field(default_factory=list)


def judge(count: int, seed: int, until: float = float("inf")) -> Iterator[Judged]:
    """Judge cases in batches, until there were `count` or the time is up; yield the counts after each batch."""
    judged, options = Judged(), options_of(rlvr.Math)
    while judged.cases < count and time.monotonic() < until:
        rng = random.Random(f"{seed}/{judged.cases}")
        verifier, options_set = _verifier(rng, options)
        kinds = [rng.choice(list(KINDS)) for _ in range(min(BATCH, count - judged.cases))]
        golds = [a_gold(rng, kind) for kind in kinds]
        texts = [a_response(rng, *case) for case in zip(golds, kinds, strict=True)]
        tasks = [rlvr.Task(f"Simplify ${a_gold(rng)}$.", gold) for gold in golds]
        for task, text, verdict in zip(
            tasks, texts, _verdicts(verifier, tasks, texts), strict=True
        ):
            fault = verdict if isinstance(verdict, str) else _broken(verifier, task, text, verdict)
            if fault:
                subject = Subject("Math", verifier, task, (), options=options_set)
                judged.findings.append(Finding(subject, text, fault))
            elif isinstance(verdict, rlvr.Scored):
                judged.statuses[verdict.status.value] += 1
        judged.cases += len(kinds)
        yield judged


def _verifier(
    rng: random.Random, options: dict[str, tuple[Any, ...]]
) -> tuple[rlvr.Math, dict[str, Any]]:
    options_set = {
        name: rng.choice(values) for name, values in options.items() if rng.random() < 0.3
    }
    try:
        return rlvr.Math().configure(**options_set), options_set
    except OptionError:  # not together
        return rlvr.Math(), {}


def _verdicts(
    verifier: rlvr.Math, tasks: Sequence[rlvr.Task], texts: Sequence[str]
) -> list[rlvr.Verdict | str]:
    """Return the verdicts of `settle`, or of a worker for cases that it leaves open.

    A case that breaks a rule has a text in place of its verdict.
    """
    verdicts = [_settled(verifier, task, text) for task, text in zip(tasks, texts, strict=True)]
    unsettled = [at for at, verdict in enumerate(verdicts) if verdict is None]
    scored = rlvr.score([tasks[at] for at in unsettled], [texts[at] for at in unsettled], verifier)
    for at, verdict in zip(unsettled, scored, strict=True):
        verdicts[at] = verdict
    return [verdict for verdict in verdicts if verdict is not None]


def _settled(verifier: rlvr.Math, task: rlvr.Task, text: str) -> rlvr.Verdict | str | None:
    for _ in range(3):  # a garbage collection or a cold cache isn't to blame three times
        start = time.thread_time()
        try:
            verdict = verifier.settle(task, text)
        except Exception as error:
            return f"settle raised {type(error).__name__}: {error!s:.200}"
        spent = time.thread_time() - start
        if spent <= MOST_S:
            return verdict
    return f"settle took {spent:.2f} s of the caller's processor time"


def _broken(verifier: rlvr.Math, task: rlvr.Task, text: str, verdict: rlvr.Verdict) -> str:
    """Return the rule that a verdict breaks; "" if it breaks none."""
    if not isinstance(verdict, rlvr.Scored) and verdict.cause is rlvr.Cause.TIMEOUT:
        (verdict,) = rlvr.score([task], [text], verifier, limit_s=60.0)  # an overloaded machine
    if not isinstance(verdict, rlvr.Scored):
        (ordinary,) = rlvr.score([task], [ORDINARY], verifier)
        return f"no verdict: {verdict.cause}: {verdict.message}" if ordinary.scored else ""
    if "raised" in verdict.detail:
        return f"raised {verdict.detail['raised']}"
    return OVER if verdict.status is rlvr.Status.LIMIT else ""
