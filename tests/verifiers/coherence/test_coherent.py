"""The guard: texts pass, filler doesn't."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

import rlvr
from rlvr.core.errors import OptionError
from rlvr.verifiers.coherence import measures
from tests.tiers import Sample

PROMPT = "Write a short story about a lighthouse keeper who finds a letter in a bottle."
STORY = (
    "The keeper had lived on the rock for eleven years. Every evening he climbed the stairs, lit the "
    "lamp and wrote a line in the log. One morning in March the sea had left a bottle at his door. In "
    "it was a letter, dry as the day it was folded, and it was addressed to him. He read it twice and "
    "then sat down on the wet stones. His sister, whom he had thought dead, was alive and on her way. "
    "She asked only one thing of him: that the light would burn on the night of the storm. He looked "
    "at the sky, which was clear, and went inside to fill the tank. When the wind came up from the "
    "west he was ready, and he didn't leave the lamp until the dawn."
)
LOREM = (
    "Lorem ipsum dolor sit amet, consectetur adipiscing elit, sed do eiusmod tempor incididunt. "
)
SHUFFLED = random.Random(0).sample(STORY.split(), len(STORY.split()))
REFERENCE = {
    "instruction_id_list": ["keywords:existence", "detectable_format:title"],
    "kwargs": [{"keywords": ["lantern", "storm"]}, {}],
}


def coherent(response: str, level: str = "lenient", reference: object = None) -> rlvr.Scored:
    (found,) = rlvr.score([rlvr.Task(PROMPT, reference, "t")], [response], rlvr.Coherent(level))  # type: ignore[arg-type]
    assert isinstance(found, rlvr.Scored)
    return found


@pytest.mark.parametrize("level", ["lenient", "strict"])
@pytest.mark.parametrize(
    "text", [STORY, STORY.upper(), STORY.replace(". ", ".\n\n* "), "26", "A black hole.", "<think>x</think>Yes.",
             "灯台守は岩の上に十一年間住んでいた。毎晩、彼は階段を上り、ランプに火をつけ、日誌に一行書いた。",
             '```json\n{"name": "Slate", "colour": "grey"}\n```'],
)  # fmt: skip
def test_a_text_passes(text: str, level: str) -> None:
    assert float(coherent(text, level)) == 1.0


@pytest.mark.parametrize("level", ["lenient", "strict"])
@pytest.mark.parametrize(
    "text", ["", " ", "<think>" + STORY, ".", "...!?", "word " * 700, "word. " * 20, PROMPT, f"*{PROMPT}*",
             " ".join(w for word in STORY.split() for w in (word, "λόγος"))],
)  # fmt: skip
def test_filler_never_passes(text: str, level: str) -> None:
    found = coherent(text, level)
    assert float(found) == 0.0
    assert found.feedback


@pytest.mark.parametrize(
    "text", [LOREM * 12, (STORY[:300] + "\n\n") * 8, "lantern harbor keeper letter bottle storm " * 20,
             " ".join(f"w{n}" for n in range(300)), " ".join(SHUFFLED), PROMPT[:50] + "."],
)  # fmt: skip
def test_what_strict_refuses(text: str) -> None:
    assert float(coherent(text, "strict")) == 0.0


def test_words_of_the_instructions_alone_are_no_answer() -> None:
    assert float(coherent("<<lantern>> storm", reference=REFERENCE)) == 0.0
    assert float(coherent("<<The lantern>> storm", reference=REFERENCE)) == 1.0


def test_who_is_asked_for_the_prompt_may_give_it_back() -> None:
    asked = {
        "instruction_id_list": ["combination:repeat_prompt"],
        "kwargs": [{"prompt_to_repeat": PROMPT}],
    }
    assert float(coherent(f"{PROMPT} {PROMPT}", "lenient", asked)) == 1.0


def test_it_is_a_gate() -> None:
    gate = rlvr.Coherent("strict") >> rlvr.Instructions()
    asked = rlvr.Task(
        PROMPT, {"instruction_id_list": ["punctuation:no_comma"], "kwargs": [{}]}, "t"
    )
    good, filler = rlvr.score([asked] * 2, [STORY.replace(",", ""), "word " * 50], gate)
    assert (float(good), float(filler)) == (1.0, 0.0)
    assert "over and over" in filler.feedback or "one word" in filler.feedback


def test_levels() -> None:
    with pytest.raises(OptionError, match="level is one of lenient, strict"):
        rlvr.Coherent("lax")  # type: ignore[arg-type]


def test_a_megabyte_is_judged() -> None:
    for repeat in ("a", " ", "a ", ".", "\n", "the of ", "日"):
        found = coherent("x" + repeat * (1_000_000 // len(repeat)) + "x", "strict")
        assert found.status is not rlvr.Status.LIMIT


def test_stored_responses_pass(data: Path, sample: Sample) -> None:
    rows = [
        json.loads(line) for line in (data / "ifeval/input_data.jsonl").read_text().splitlines()
    ]
    sets = {"GPT-4": "google_reference_responses", "three": "reference_verdicts_3models"}
    passed, count = {"lenient": 0, "strict": 0}, 0
    for name, file in sets.items():
        lines = (data / f"ifeval/{file}.jsonl").read_text().splitlines()
        numbered = sample([(n, json.loads(line)) for n, line in enumerate(lines)], 400)
        tasks = [rlvr.Task(rows[n % 541]["prompt"], rows[n % 541], str(n)) for n, _ in numbered]
        responses = [stored["response"] for _, stored in numbered]
        for level in passed:
            found = sum(map(float, rlvr.score(tasks, responses, rlvr.Coherent(level))))  # type: ignore[arg-type]
            passed[level] += int(found)
            assert name != "GPT-4" or found >= 0.995 * len(numbered)
        count += len(numbered)
    assert passed["lenient"] >= 0.995 * count


def test_measures_by_hand() -> None:
    words = measures.words_of("One two, one TWO one two one two one two one two")
    assert measures.commonest(words) == 0.5
    assert measures.repetition(words) == pytest.approx(1 - 2 / 9)
    assert measures.variety(words) == pytest.approx(2 / 12**0.5)
    assert measures.substance("a. b") == pytest.approx(2 / 3)
    assert measures.unbroken("one two three. four") == 3
    assert measures.own_words(words, frozenset(["one"])) == 1
    assert measures.foreign("a" * 30 + "б" * 10) == 0.25
    assert measures.foreign("日本語とひらがな" * 8) == 0.0
