r"""False rewards and false refusals of `Math` on labelled answers, beside Math-Verify's.

    pip install 'math-verify[antlr4_13_2]==0.9.0'
    RLVR_DATA=… python benchmarks/math_accuracy.py [--write docs/math_accuracy.md] [--list] [--kinds]

Sets: every labelled set under RLVR_DATA, golds against themselves, rewritten and perturbed
(`rlvr.authoring.audit.truth.math_rewrites`), the constructed pairs of `tests/verifiers/math/pairs.jsonl`,
questions that say to rewrite their only formula, given that formula back, and answers that people
reported other graders to misjudge, by kind.
A false reward is a wrong answer that was paid, a false refusal a right one that wasn't.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import logging
import os
import random
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import rlvr
from rlvr.authoring.audit.truth.math_rewrites import perturbations, rewritings

HERE = Path(__file__).resolve().parent
DISPUTED = {
    6: "1.22 for 1,22: a decimal comma, or two numbers",
    30: "9+1 for 10: not worked out (the option `unevaluated` accepts it)",
    32: "9 on a line of its own inside \\(…\\) is labelled wrong",
    98: "x = 5+5+1 = 7 = 11 states two values",
    100: "x = 5+5+1 = 7 = 11 states two values",
    104: "x = 1/3 ≈ 1.3 states two values",
    114: "z = 3+3 = 2 states two values",
    126: "0.0833333333333333 for 1/12: rounded (the option `rounded` accepts it)",
    188: "√17 for 4.123105625617661: rounded (the option `rounded` accepts it)",
    218: "the gold's box is never closed",
    254: "f(y) for f(x): another name (the option `rename` accepts it)",
    264: "1 + 1/e for 1 - 1/e is labelled right",
}
"""Labels of Math-Verify's cases that aren't followed, and why; left out of both graders' counts."""


class Case(NamedTuple):
    """A response, whether it's right, the question and options if they matter, and its kind."""

    gold: str
    response: str
    right: bool
    question: str = ""
    options: str = ""  # as JSON
    kind: str = ""


@dataclass
class LabelledSet:
    """Responses with golds and labels, and what was left out."""

    name: str
    mode: str
    cases: list[Case] = field(default_factory=list)


Grader = Callable[[list[Case], str], list[bool]]


def ours(cases: list[Case], mode: str) -> list[bool]:
    """Judge cases by `Math`, each under its own options."""
    paid = [False] * len(cases)
    for options in {case.options: None for case in cases}:
        chosen: dict[str, Any] = {"mode": mode, **json.loads(options or "{}")}
        places = [at for at, case in enumerate(cases) if case.options == options]
        tasks = [rlvr.Task(cases[at].question, cases[at].gold, str(at)) for at in places]
        responses = [cases[at].response for at in places]
        verdicts = rlvr.score(tasks, responses, rlvr.Math(**chosen))
        stages.update(
            v.detail.get("stage", str(v.status)) if v.scored else "unscored" for v in verdicts
        )
        for at, verdict in zip(places, verdicts, strict=True):
            paid[at] = verdict.scored and verdict.reward == 1.0
    return paid


stages: Counter[str] = Counter()


def math_verify(cases: list[Case], mode: str) -> list[bool]:
    """Judge cases by Math-Verify's defaults; reported ones with their gold in a box, as its authors advise."""
    from math_verify import parse, verify

    logging.disable(logging.ERROR)
    judged = []
    for case in cases:
        if case.kind:
            said = f"\\boxed{{{case.gold}}}"
        else:
            said = case.gold if "$" in case.gold or "\\boxed" in case.gold else f"${case.gold}$"
        judged.append(verify(parse(said), parse(case.response)))
    return judged


def labelled_sets(data: Path, most: int) -> list[LabelledSet]:
    rng = random.Random(0)
    sets = [_gsm8k(data), _math_verify_cases(data)]
    math500 = json.loads((data / "math/MATH500_prime.json").read_text())["expected_answer"]
    train = json.loads((data / "math/rllm_train_math.json").read_text())
    golds = {
        "MATH-500": list(math500.values()),
        f"MATH train, {most} at random": rng.sample(
            [r["answer"] for r in train if r["answer"]], most
        ),
    }
    for name, answers in golds.items():
        itself = LabelledSet(f"{name}: golds against themselves", "boxed")
        rewritten = LabelledSet(f"{name}: rewritten", "boxed")
        perturbed = LabelledSet(f"{name}: perturbed", "boxed")
        for gold in answers:
            itself.cases.append(Case(gold, f"\\boxed{{{gold}}}", True))
            rewritten.cases += [Case(gold, f"\\boxed{{{w}}}", True) for _, w in rewritings(gold)]
            perturbed.cases += [
                Case(gold, f"\\boxed{{{w}}}", False) for _, w in perturbations(gold, rng)
            ]
        sets += [itself, rewritten, perturbed]
    pairs = LabelledSet("constructed pairs (hacks, near misses, equal forms)", "boxed")
    for line in (HERE.parent / "tests/verifiers/math/pairs.jsonl").read_text().splitlines():
        row = json.loads(line)
        pairs.cases.append(Case(row["gold"], row["response"], row["right"]))
    reported = reported_cases(data)
    return [*sets, pairs, *_with_questions(train), *([reported] if reported else [])]


def reported_cases(data: Path) -> LabelledSet | None:
    """Return the answers that people reported graders to misjudge, without those whose label is in doubt."""
    path = data / "public_reports/math_half.jsonl"
    if not path.exists():
        print(f"{path} isn't there: public reports are left out")
        return None
    found = LabelledSet("public reports against graders (half), undisputed labels", "boxed")
    for line in path.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        if not row.get("disputable"):
            options = json.dumps(row["options"]) if "options" in row else ""
            said = (row["reference"], row["response"], row["expect"], row.get("prompt", ""))
            found.cases.append(Case(*said, options, row["kind"]))
    return found


def _with_questions(train: list[dict[str, str]]) -> list[LabelledSet]:
    """Of questions that say to rewrite their only formula: it given back, and the gold in other words."""
    copied = LabelledSet('MATH train: the formula of "Simplify …", "Factor …" given back', "boxed")
    beside = LabelledSet("the same questions: golds in another notation", "boxed")
    for row in train:
        question, gold = row["problem"], row["answer"]
        formulas = _DOLLARS.findall(question)
        if not gold or len(formulas) != 1 or not _REWRITE.match(question):
            continue
        formula = formulas[0].strip("$ .,")
        if _bare(formula) != _bare(gold) and "=" not in formula:
            copied.cases.append(Case(gold, f"\\boxed{{{formula}}}", False, question))
            beside.cases += [
                Case(gold, f"\\boxed{{{w}}}", True, question)
                for name, w in [("itself", gold), *rewritings(gold)]
                if name not in _OTHER_FORMS
            ]
    return [copied, beside]


_DOLLARS = re.compile(r"\$\$[^$]+\$\$|\$[^$]+\$")
_REWRITE = re.compile(
    r"\s*(?:Completely |Fully )?(?:[Ss]implify|[Ff]actor|Expand|Express|Write|Rationalize|Convert|Compute|Evaluate)\b"
)
# Of these a question for a certain form may want none.
_OTHER_FORMS = {"doubled and halved", "7 added and taken off", "as a decimal", "as a fraction"}


def _bare(formula: str) -> str:
    return re.sub(r"\\[dt]frac", r"\\frac", re.sub(r"\s|\\left|\\right|\\!", "", formula))


def _gsm8k(data: Path) -> LabelledSet:
    found = LabelledSet("GSM8K: labelled model solutions", "flexible")
    for line in (data / "math/gsm8k_example_model_solutions.jsonl").read_text().splitlines():
        row = json.loads(line)
        gold = row["ground_truth"].rpartition("A:")[2].strip()
        for one in row.values():
            if isinstance(one, dict):
                found.cases.append(Case(gold, one["solution"], one["is_correct"]))
    return found


def _math_verify_cases(data: Path) -> LabelledSet:
    found = LabelledSet("Math-Verify's own cases (half), undisputed labels", "flexible")
    for line in (data / "math/mathverify_cases_half.jsonl").read_text().splitlines():
        row = json.loads(line)
        if row["id"] not in DISPUTED:
            found.cases.append(Case(row["gold"], row["pred"], row["expected"]))
    return found


def _counts(cases: Sequence[Case], paid: Sequence[bool]) -> tuple[int, int]:
    """Return the false rewards and the false refusals."""
    pairs = list(zip(cases, paid, strict=True))
    return (
        sum(given and not case.right for case, given in pairs),
        sum(case.right and not given for case, given in pairs),
    )


def _row(name: str, cases: Sequence[Case], judged: Sequence[Sequence[bool]]) -> str:
    right = sum(case.right for case in cases)
    cells = [name, right, len(cases) - right]
    for paid in judged:
        cells += _counts(cases, paid)
    return "| " + " | ".join(map(str, cells)) + " |"


def _by_kind(cases: list[Case], judged: list[list[bool]]) -> list[str]:
    """Return a row per kind, those that we misjudge most first."""
    rows = []
    for kind in sorted({case.kind for case in cases}):
        places = [at for at, case in enumerate(cases) if case.kind == kind]
        some = [cases[at] for at in places]
        parts = [[paid[at] for at in places] for paid in judged]
        rows.append((-sum(_counts(some, parts[0])), _row(kind, some, parts)))
    return [row for _, row in sorted(rows)]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--write", type=Path, help="Write the tables to this file.")
    parser.add_argument("--list", action="store_true", help="Print every case judged otherwise.")
    parser.add_argument("--kinds", action="store_true", help="Print the public reports by kind.")
    parser.add_argument("--only", default="", help="Judge only sets whose name contains this.")
    parser.add_argument("--alone", action="store_true", help="Judge without Math-Verify.")
    parser.add_argument(
        "--most", type=int, default=500, help="Answers taken from MATH train (default 500)."
    )
    args = parser.parse_args()
    graders: dict[str, Grader] = {"rlvr": ours, "Math-Verify": math_verify}
    if args.alone or importlib.util.find_spec("math_verify") is None:
        del graders["Math-Verify"]
        if not args.alone:
            print("math-verify isn't installed: pip install 'math-verify[antlr4_13_2]==0.9.0'")
    head = "| set | right | wrong |" + "".join(
        f" {g}: false rewards | false refusals |" for g in graders
    )
    rule = "|---|---|---|" + "---|---|" * len(graders)
    lines, kinds = [head, rule], [head.replace("set", "kind"), rule]
    print("\n".join(lines))
    for labelled in labelled_sets(Path(os.environ["RLVR_DATA"]), args.most):
        if args.only not in labelled.name:
            continue
        judged = [grader(labelled.cases, labelled.mode) for grader in graders.values()]
        lines.append(_row(labelled.name, labelled.cases, judged))
        print(lines[-1], flush=True)
        if labelled.cases and labelled.cases[0].kind:
            kinds += _by_kind(labelled.cases, judged)
        if args.list:
            for case, paid in zip(labelled.cases, judged[0], strict=True):
                if paid != case.right:
                    print(f"    {case.right}: {case.gold!r:.90} | {case.response!r:.120}")
    if args.kinds:
        print("\n" + "\n".join(kinds))
    total = sum(stages.values())
    shares = ", ".join(f"{stage} {100 * n / total:.1f}%" for stage, n in stages.most_common())
    print(f"decided by: {shares}")
    if args.write:
        disputed = "\n".join(f"- case {number}: {why}" for number, why in DISPUTED.items())
        args.write.write_text(
            "# Error rates of the math verifier\n\n"
            "Written by `python benchmarks/math_accuracy.py --write docs/math_accuracy.md`. Default options "
            "(mode `flexible` where the responses aren't boxed), Math-Verify 0.9.0.\n\n"
            + "\n".join(lines)
            + f"\n\nStage that decided, over all of these: {shares}.\n\n"
            "Golds rewritten and perturbed, and constructed pairs, show what their generators and authors thought of. The "
            "public reports weren't chosen by us: each follows a bug report against some grader, or the neighbourhood of a "
            "failure, so that rates over them say how a grader does on what is hard, not how often it errs. None of these "
            "counts bounds the errors on answers of another kind.\n\n"
            "## Public reports by kind\n\n" + "\n".join(kinds) + "\n\n"
            "Labels of Math-Verify's cases that aren't followed:\n\n" + disputed + "\n"
        )


if __name__ == "__main__":
    main()
