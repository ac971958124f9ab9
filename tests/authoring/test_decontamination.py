"""What counts as the same prompt, on texts made by hand; and planted contamination, found."""

from __future__ import annotations

import itertools
import json
import random
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

import rlvr
from benchmarks.decontamination import RULES, paraphrase, problem
from rlvr.authoring.decontamination import Index, Instance, Options, decontaminate
from rlvr.authoring.decontamination.near import NearIndex, Sketch, banding
from rlvr.authoring.decontamination.text import masked, tokens
from rlvr.authoring.dedupe import dedupe
from rlvr.authoring.rows import RowSource, question_of
from rlvr.core.errors import MissingExtraError, OptionError
from rlvr.envs.data import read_file

QUESTION = (
    "Natalia sold clips to 48 of her friends in April, and then she sold half as many clips in May. "
    "How many clips did Natalia sell altogether in April and May?"
)


def index(*texts: str, **options: object) -> Index:
    instances = [Instance("eval", str(i), text) for i, text in enumerate(texts)]
    return Index(instances, Options(**options))  # type: ignore[arg-type]


def method(train: str, evaluation: str = QUESTION, **options: object) -> str | None:
    found = index(evaluation, **options).find([train])[0]
    return found[0].method if found else None


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Don’t stop!", "don't  STOP"),
        ("ＡＢＣ １２", "abc 12"),
        ("It costs $1,234.50.", "it costs 1234.50"),
        (r"$\left(\dfrac{1}{2}\right)\,x$", r"\( (\frac12) x \)".replace("12", "{1}{2}")),
        (r"3\times4 \leq 5", "3 * 4 ≤ 5"),
        (r"10,\!000 and 10{,}000", "10000 and 10,000"),
        ("x – 5", "x-5"),
        ("mother-in-law", "mother in law"),
        ("cafe\u0301", "caf\u00e9"),
        ("\ud800broken", "broken"),
    ],
)
def test_what_is_written_otherwise_is_the_same(one: str, other: str) -> None:
    assert tokens(one) == tokens(other) != []


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("2+3", "2-3"),
        ("x-5", "x+5"),
        ("2(3+4)", "(2)3+4"),
        ("48 clips", "49 clips"),
        ("1.5", "15"),
        ("1,234", "1, 234"),
        ("東京", "京東"),
    ],
)
def test_what_asks_something_else_is_not_the_same(one: str, other: str) -> None:
    assert tokens(one) != tokens(other)


@pytest.mark.parametrize("text", ["", " \n", "…!?", "\ud83d"])
def test_nothing_never_equals_nothing(text: str) -> None:
    assert tokens(text) == []
    assert index(text, QUESTION).find([text]) == [[]]


def test_numbers_and_letters_of_formulas_are_kept_apart() -> None:
    shown, kept = masked(tokens("Take three apples, a pear and f(x) = 2x + 1."))
    assert shown.count("0") == 3
    assert Counter(kept) == Counter(["3", "f", "x", "=", "2", "x", "+", "1"])


def test_each_method_finds_its_own() -> None:
    assert method(QUESTION) == "exact"
    assert method(QUESTION.upper().replace(",", " –").replace(".", "!")) == "normalised"
    longer = "Here is a task for you. " * 20 + QUESTION
    assert method(longer) == "ngram"
    assert method(longer, methods=["exact", "normalised"]) is None
    other_words = (
        "Ines sold clips to 48 of her pals in April; then she sold half as many in May. "
        "Altogether, how many clips did Ines sell?"
    )
    assert method(other_words) == "near"


def test_other_numbers_are_another_problem_unless_asked_for() -> None:
    other = QUESTION.replace("48", "72")
    methods = ["exact", "normalised", "near"]
    assert method(other, methods=methods) is None
    assert method(other, methods=[*methods, "template"]) == "template"


def test_the_share_of_an_instance_in_shared_ngrams() -> None:
    evaluation = " ".join(f"w{c}" for c in "abcdefghijklmnop")  # 16 tokens
    words = evaluation.split()
    half = " ".join(words[:8])
    nine = " ".join(words[:9])
    assert method(half, evaluation, methods=["ngram"]) is None  # 8 of 16: not more than a half
    found = index(evaluation, methods=["ngram"]).find([nine])[0]
    assert [(one.method, one.score) for one in found] == [("ngram", 9 / 16)]
    # Two n-grams that overlap count a token once; two apart count both.
    apart = " ".join([*words[:4], "x", *words[10:14]])
    found = index(evaluation, methods=["ngram"], n=4, overlap=0.4).find([apart])[0]
    assert [one.score for one in found] == [8 / 16]
    assert method(nine, evaluation, methods=["ngram"], overlap=0.6) is None
    assert method(words[0], words[0], methods=["ngram"]) is None  # shorter than an n-gram


def test_an_instruction_under_every_question_is_no_contamination() -> None:
    rng = random.Random(0)
    template = (
        "{}\n\nReason step by step, and put the final number in \\boxed{{}}, with no unit at all."
    )
    evaluation = [template.format(problem(rng)) for _ in range(50)]
    short = template.format("What is the capital of France?")
    assert index(*evaluation).find([short]) == [[]]
    planted = index(*evaluation).find([evaluation[7]])[0]
    assert [(one.instance, one.method) for one in planted] == [(7, "exact")]
    bare = evaluation[7].partition("\n")[0]
    assert [one.instance for one in index(*evaluation).find([bare])[0]] == [7]


def test_formulas_in_the_same_words_are_other_problems() -> None:
    assert method("Simplify $(-3-2i)-(1+4i)$.", "Simplify $(-k + 4) + (-2 + 3k)$.") is None


def test_what_is_similar_is_decided_exactly() -> None:
    one = Sketch.of(["to", "be", "or", "whether", "it's"])
    other = Sketch.of(["to", "be", "or", "whether", "she"])
    assert len(one.shingles) == 9
    assert {"to", "be", "to be", "be or"} <= one.shingles
    assert one.jaccard(other) == 7 / 11
    assert one.jaccard(Sketch.of([])) == Sketch.of([]).jaccard(Sketch.of([])) == 0
    near = NearIndex(7 / 11)
    near.add([one])
    unlike = Sketch.of(["to", "him", "who", "waits"])
    assert near.find([other, unlike, Sketch.of([])]) == [[(0, 7 / 11, True)], [], []]
    assert NearIndex(0.7).find([other]) == [[]]


def test_a_few_words_in_another_order_are_another_problem() -> None:
    template = "What is {}? Put the result in \\boxed{{}}."
    evaluation = [template.format(f"{i} - {i + 7}") for i in range(50)]
    swapped = [template.format(f"{i + 7} - {i}") for i in range(50)]
    assert index(*evaluation).find(swapped) == [[]] * 50


def test_without_rensa_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rensa", None)
    with pytest.raises(MissingExtraError, match=r"rlvr\[data\]"):
        index(QUESTION)
    assert method(QUESTION, methods=["exact", "normalised", "ngram"]) == "exact"


@pytest.mark.parametrize("threshold", [0.05, 0.2, 0.35, 0.5, 0.8, 0.95, 1.0])
def test_banding_misses_one_in_fifty_at_the_threshold(threshold: float) -> None:
    bands, rows = banding(threshold)
    assert bands * rows <= 512
    assert (1 - threshold**rows) ** bands <= 0.02
    # One row more would miss more, with all the hashes there are.
    more = rows + 1
    assert rows == 16 or (1 - threshold**more) ** (512 // more) > 0.02


@pytest.mark.parametrize("threshold", [0, -1, 1.1, float("nan")])
def test_a_threshold_is_a_similarity(threshold: float) -> None:
    with pytest.raises(OptionError, match=r"\(0, 1\]"):
        banding(threshold)


@pytest.mark.parametrize(
    "options",
    [{"methods": ["fuzzy"]}, {"methods": []}, {"n": 0}, {"overlap": 1.0}, {"overlap": -1}],
)
def test_wrong_options_are_said(options: dict[str, object]) -> None:
    with pytest.raises(OptionError):
        Options(**options)  # type: ignore[arg-type]


def test_planted_problems_are_found_and_others_are_not() -> None:
    rng = random.Random(5)
    evaluation = [problem(rng) for _ in range(400)]
    clean = [problem(rng) for _ in range(4000)]
    made = index(*evaluation)
    exact = made.find(evaluation)
    assert all(
        (i, "exact") in [(o.instance, o.method) for o in found] for i, found in enumerate(exact)
    )
    changed = [paraphrase(text, rng)[0] for text in evaluation]
    hits = sum(i in [one.instance for one in found] for i, found in enumerate(made.find(changed)))
    assert hits >= 0.95 * len(evaluation)
    assert sum(map(bool, made.find(clean))) <= 0.002 * len(clean)


def test_each_rule_of_paraphrase_changes_the_text() -> None:
    rng = random.Random(1)
    text = "Ana had 5 many red apples and lost them. Ben sold more of the rest in May. How many are left?"
    for name, rule in RULES.items():
        assert any(rule(text, rng) != text for _ in range(20)), name


def test_a_prompt_of_a_megabyte_is_judged_and_soon_done() -> None:
    made = index(QUESTION)
    huge = "word and another " * 60_000
    assert made.find([huge, huge + QUESTION]) == [[], made.find([huge + QUESTION])[0]]
    assert made.find([huge + QUESTION])[0][0].method == "ngram"


# ---------------------------------------------------------------- against an environment


def written(path: Path, rows: list[dict[str, Any]]) -> RowSource:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return RowSource(path)


@pytest.mark.parametrize(
    ("env", "count", "file", "column"),
    [
        ("gsm8k:test", 60, "math/gsm8k_test.jsonl", "question"),
        ("math500", 500, "math/MATH500_prime.json", "problem"),
    ],
)
def test_verbatim_questions_are_found_whatever_the_environment_asks_around_them(
    env: str, count: int, file: str, column: str, data: Path, tmp_path: Path
) -> None:
    rows = [{column: row[column]} for row in read_file(data / file)][-count:]
    clean = [{column: row["question"]} for row in read_file(data / "math/gsm8k_train.jsonl")][:50]
    options = Options(["exact"])
    report = decontaminate(written(tmp_path / "t.jsonl", rows + clean), [env], options=options)
    assert (report.removed, len(report.sets[env].matched)) == (count, count)


def test_rendered_prompts_are_found_too(data: Path, tmp_path: Path) -> None:
    prompts = [{"prompt": task.text} for task in rlvr.make("gsm8k", split="test").tasks][:40]
    train = written(tmp_path / "t.jsonl", prompts)
    options = Options(["exact"])
    assert decontaminate(train, ["gsm8k:test"], options=options).removed == 40
    questions = written(
        tmp_path / "eval.jsonl",
        [
            {"question": row["question"]}
            for row in itertools.islice(read_file(data / "math/gsm8k_test.jsonl"), 40)
        ],
    )
    assert questions.path is not None
    # An environment as TRAIN, against a file of questions.
    found = decontaminate(RowSource("gsm8k:test"), [str(questions.path)], options=options)
    assert found.removed == 40


@pytest.mark.parametrize(
    "around",
    ["{} Put it in \\boxed{{}}.", "Question: {}\nAnswer briefly.", "Be brief.\n{}", "{}\n\nThink."],
)
def test_the_text_that_all_prompts_share_is_no_question(around: str) -> None:
    questions = [f"How many apples are in {n} baskets of {n + 2}?" for n in range(30)]
    env = rlvr.SingleTurn(
        [rlvr.Task(around.format(question), "1") for question in questions], rlvr.Math()
    )
    found = question_of(env)
    assert {found(task) for task in env.tasks} == set(questions)


# ---------------------------------------------------------------- duplicates


def test_the_first_row_of_each_prompt_is_kept(tmp_path: Path) -> None:
    lines = (
        b'\xef\xbb\xbf{"question": "What is 2 + 3?", "n": 1}\n'
        b'{"question": "what is  2+3", "n": 2}\n\n{"n": 3}\n{"question": "What is 2 - 3?"}\n'
    )
    (tmp_path / "in.jsonl").write_bytes(lines)
    result = dedupe(RowSource(tmp_path / "in.jsonl"), tmp_path / "out.jsonl")
    assert (result.rows, result.removed, result.unread) == (4, 1, 1)
    assert result.examples == [(2, 1)]
    assert [number for number, _ in result.first_unread] == [4]
    kept = (tmp_path / "out.jsonl").read_bytes().splitlines()
    assert kept == [lines.splitlines()[0].removeprefix(b"\xef\xbb\xbf"), lines.splitlines()[4]]


def test_near_duplicates_are_one_prompt_if_their_numbers_agree(tmp_path: Path) -> None:
    text = "A farmer sells {} baskets of apples at the market and then {} more on the way home. {}"
    asked = ("How many baskets are sold?", "What is the number of baskets sold?")
    rows = [{"question": text.format(a, b, q)} for a, b in ((3, 4), (5, 6)) for q in asked]
    source = written(tmp_path / "in.jsonl", rows)
    assert dedupe(source).removed == 0
    assert dedupe(source, near=0.5).removed == 2
