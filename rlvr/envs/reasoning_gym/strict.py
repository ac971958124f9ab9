r"""Strict scoring of reasoning-gym's tasks: 1 for a right answer, 0 for any other.

The library's own scorers (0.1.25) can't be a reward as they stand. The default one pays
len(answer) / len(text) for any text that contains the answer; some pay in full for text around the
answer, for numbers that aren't near enough, or for any text at all; and nine run the answer as
Python. `docs/puzzles.md` lists them.

So an answer counts where it's the reference itself, except for spacing and the way a number is
written. Only of the data sets in `SEVERAL`, whose tasks have several right answers, is the library
asked too: in a worker that can be killed, and only its full score counts. Those in `OWN` have several
as well, and scorers that can't be asked: the checks here stand in for them.
"""

from __future__ import annotations

import json
import re
from typing import Any, Literal, TypeAlias, get_args

from rlvr.core.blame import working_on
from rlvr.core.errors import OptionError
from rlvr.core.task import Task
from rlvr.core.verdict import Cause, Scored, Status, Unscored, Verdict, correct, refused, status_of
from rlvr.core.verifier import Verifier
from rlvr.envs.puzzles.countdown import judge as countdown
from rlvr.verifiers.extraction import MODES, Mode, find_answer, in_form
from rlvr.verifiers.math.clean import clean
from rlvr.verifiers.math.numbers import read_number
from rlvr.verifiers.math.reader import read
from rlvr.verifiers.math.tree import Call, Tree, nodes, symbols
from rlvr.verifiers.math.vocabulary import Unreadable

Scoring: TypeAlias = Literal["strict", "library"]
RUNS_ANSWERS = frozenset(
    [
        "binary_matrix",
        "countdown",
        "intermediate_integration",
        "n_queens",
        "polynomial_multiplication",
        "puzzle24",
        "simple_integration",
        "spiral_matrix",
        "string_insertion",
    ]
)
"""Data sets whose own scorer hands the answer to `eval` or to SymPy's `parse_expr`."""

NO_STRICT = {
    "propositional_logic": "its premises often contradict each other, so that anything follows",
}
"""Data sets whose tasks can't be scored strictly, and why."""

_ANY = re.compile(r".*", re.DOTALL)
SEVERAL = {
    "boxnet": _ANY,
    "complex_arithmetic": re.compile(r"[-+\d.\sij*]*"),
    "cryptarithm": re.compile(r"\s*[A-Z]\s*=\s*\d\s*(,\s*[A-Z]\s*=\s*\d\s*)*"),
    "graph_color": _ANY,
    "group_anagrams": _ANY,
    "jugs": _ANY,
    "knight_swap": _ANY,
    "knights_knaves": re.compile(r"\w+ is an? \w+((, and |, | and )\w+ is an? \w+)*\.?"),
    "palindrome_generation": re.compile(r"\w+"),
    "palindrome_partitioning": _ANY,
    "power_function": re.compile(r"[-+]?\d+(\.\d*)?(e[-+]?\d+)?", re.IGNORECASE),
    "quantum_lock": re.compile(r"[ABC](\s*(→|->|,)\s*[ABC])*"),
    "rubiks_cube": re.compile(r"[UDLRFBMESxyzw2'\s]+"),
    "rush_hour": re.compile(r"[A-Z+\-\d\s]+"),
    "shortest_path": re.compile(r"(up|down|left|right)(\s+(up|down|left|right))*"),
    "sokoban": re.compile(r"[UDLR]+"),
    "tower_of_hanoi": _ANY,
    "word_ladder": re.compile(r"[A-Z]+(,[A-Z]+)*"),
}
"""Data sets whose tasks have several right answers, and the form that such an answer has: what stands
around it is read over by some scorers."""
OWN = frozenset(RUNS_ANSWERS - {"binary_matrix", "spiral_matrix", "string_insertion"})
_MAX_LENGTH = 100_000


class ReasoningGym(Verifier):
    """Scores the answers to one data set's tasks; see the module.

    Args:
        dataset: the library's name for it.
        config: its options, as JSON.
        mode: where the answer is.
        scoring: `strict`, or `library` for what its own scorer gives.
    """

    name = "reasoning_gym"
    worker_imports = ("sympy",)
    limit_s = 30.0  # the first in a worker imports the library; some entries take seconds to make
    options = ("mode", "scoring")

    def __init__(
        self, dataset: str, config: str = "{}", mode: Mode = "boxed", scoring: Scoring = "strict"
    ) -> None:
        self.dataset = dataset
        self.config = config
        self.mode = mode
        self.scoring = scoring
        self.check_options()

    def check_options(self) -> None:
        """Raise `OptionError` if `mode` or `scoring` is invalid."""
        if self.mode not in MODES:
            raise OptionError(f"mode is one of {', '.join(MODES)}, not {self.mode!r}.")
        if self.scoring not in get_args(Scoring):
            raise OptionError(
                f"scoring is one of {', '.join(get_args(Scoring))}, not {self.scoring!r}."
            )

    def settle(self, task: Task, response: str) -> Verdict | None:
        """Judge by the text if there's only one right answer."""
        extracted = find_answer(response, self.mode)
        if extracted.answer is None:
            return refused(self.name, Status.UNPARSABLE, extracted.reason)
        if self.scoring == "library":
            return None
        if len(extracted.answer) > _MAX_LENGTH:
            return self._wrong("the answer is too long")
        if same(task.reference["answer"], extracted.answer):
            return correct(self.name, "", answer=extracted.answer[:500])
        if self.dataset in OWN or self.dataset in SEVERAL:
            return None
        return self._wrong(f"{extracted.answer[:80]!r} isn't the answer")

    def verify(self, task: Task, response: str) -> Verdict:
        """Judge any response."""
        settled = self.settle(task, response)
        if settled is not None:
            return settled
        answer = find_answer(response, self.mode).answer
        assert answer is not None
        if self.scoring == "strict" and self.dataset == "polynomial_multiplication":
            right = _multiplies(answer, task.reference["answer"])
            return correct(self.name) if right else self._wrong("it isn't the product")
        from rlvr.envs.reasoning_gym import entry

        working_on("reference")
        dataset, sample = entry(self.dataset, self.config, task.reference["seed"])
        if sample["answer"] != task.reference["answer"]:
            return Unscored(
                Cause.GOLD, "reasoning-gym makes another task of this seed: was it updated?"
            )
        working_on("response")
        if self.scoring == "library":
            reward = min(1.0, max(0.0, _score(dataset, answer, sample)))
            return Scored(reward, status_of(reward), {self.name: reward})
        if self.dataset in OWN:
            right = _own(self.dataset, sample, answer)
        else:
            form = SEVERAL[self.dataset]
            right = form.fullmatch(answer) is not None and _score(dataset, answer, sample) == 1.0
        return correct(self.name) if right else self._wrong("it isn't a right answer")

    def demonstrate(self, task: Task) -> str | None:
        """Return the library's own answer, if it has one."""
        answer = task.reference["answer"]
        if answer is None:
            return None
        return in_form(str(answer), self.mode)

    def _wrong(self, why: str) -> Scored:
        return refused(self.name, Status.INCORRECT, why)


def _score(dataset: Any, answer: str, sample: dict[str, Any]) -> float:
    """Return the library's score; 0 if its scorer raises, as several do on text that they can't read."""
    try:
        return float(dataset.score_answer(answer, sample))
    except Exception:
        return 0.0


def same(gold: Any, answer: str) -> bool:
    """Tell whether `answer` equals `gold`, except for spacing, case of a truth value, and notation of numbers."""
    if not isinstance(gold, str):
        return False
    wanted, actual = _lines(gold), _lines(answer)
    if wanted == actual:
        return bool(wanted)  # empty never equals empty
    if gold.strip().casefold() in ("true", "false", "yes", "no"):
        return gold.strip().casefold() == answer.strip().casefold()
    if gold.lstrip()[:1] in ("[", "{"):
        return _same_json(gold, answer)
    ours, theirs = gold.split(","), answer.split(",")
    return len(ours) == len(theirs) and all(map(_same_number, ours, theirs))


def _lines(text: str) -> list[str]:
    return [" ".join(line.split()) for line in text.splitlines() if not line.isspace() and line]


def _same_number(gold: str, answer: str) -> bool:
    a, b = gold.strip(), answer.strip()
    if len(b) > 100 or (mine := read_number(a)) is None or (other := read_number(b)) is None:
        return False
    return not mine.percent and not other.percent and other.worked_out and mine.value == other.value


def _same_json(gold: str, answer: str) -> bool:
    try:
        ours, theirs = json.loads(gold), json.loads(answer)
        if json.dumps(ours) == json.dumps(theirs):
            return True
    except (ValueError, RecursionError):
        return False
    if not isinstance(ours, list) or not isinstance(theirs, list) or len(ours) != len(theirs):
        return False
    return all(
        isinstance(b, str | int | float)
        and not isinstance(b, bool)
        and _same_number(str(a), str(b)[:101])
        for a, b in zip(ours, theirs, strict=True)
    )


def _own(name: str, sample: dict[str, Any], answer: str) -> bool:
    """Return the check that replaces a scorer that would execute the answer."""
    about = sample["metadata"]
    if name in ("countdown", "puzzle24"):
        reference = {"numbers": sorted(about["numbers"]), "target": about.get("target", 24)}
        return countdown(Task("", reference, ""), answer).reward == 1.0
    if name == "n_queens":
        return any(
            _lines(answer) == [" ".join(row) for row in board] for board in about["solutions"]
        )
    try:
        return _is_integral(read(clean(answer)), about)
    except Unreadable:
        return False


_ELEMENTARY = frozenset(
    [
        "add",
        "neg",
        "mul",
        "div",
        "pow",
        "root",
        "sin",
        "cos",
        "tan",
        "exp",
        "ln",
        "log",
        "asin",
        "acos",
        "atan",
        "arcsin",
        "arccos",
        "arctan",
        "sec",
        "csc",
        "cot",
        "sinh",
        "cosh",
        "tanh",
        "abs",
    ]
)


def _is_integral(tree: Tree, about: dict[str, Any]) -> bool:
    """Tell whether its derivative is the integrand. It must not be an integral itself."""
    import sympy

    from rlvr.verifiers.math.symbolic import to_sympy

    calls = {node.name for node in nodes(tree) if isinstance(node, Call)}
    if not calls <= _ELEMENTARY or not symbols(tree) <= {about["variable"], "C"}:
        return False  # words after the answer would be constants
    try:
        variable = to_sympy(read(about["variable"]))
        derivative = sympy.diff(to_sympy(tree), variable)
        integrand = to_sympy(read(clean(str(about["integrand"]))))
        return bool(sympy.simplify(derivative - integrand) == 0)
    except (MemoryError, RecursionError):
        raise
    except Exception:  # `NotSymbolic`, and what SymPy raises on what it can't work on
        return False


def _multiplies(answer: str, gold: str) -> bool:
    """Tell whether an answer equals the product and has been multiplied out: no product or power in it contains a sum."""
    import sympy

    from rlvr.verifiers.math.symbolic import to_sympy

    try:
        tree = read(clean(answer))
        for node in nodes(tree):
            if isinstance(node, Call) and node.name in ("mul", "pow", "div") and _has_sum(node):
                return False
        return bool(sympy.expand(to_sympy(tree) - to_sympy(read(clean(gold)))) == 0)
    except (MemoryError, RecursionError):
        raise
    except Exception:  # as above
        return False


def _has_sum(tree: Tree) -> bool:
    return any(isinstance(node, Call) and node.name == "add" for node in nodes(tree))
