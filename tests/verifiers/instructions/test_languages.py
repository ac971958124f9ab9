"""Language detection: langdetect's own answers, the same in every process."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from rlvr.verifiers.instructions import language_detection as languages
from rlvr.verifiers.instructions import resources

ODD = [
    "hello", "Hello World", "你好世界", "こんにちは世界", "О, да", "http://a.b/c x@y.zz hello there", "Ünïcödé",
    "THE WEATHER IS FINE", "a b c d", "Straße und Wörter", "ﬁne ŞŢ şţ", "یک متن کوتاه", "한국어 문장입니다",
    "Tiếng Việt có dấu", "mixed 中文 and English text here", "x" * 12_000,
]  # fmt: skip


def theirs(text: str, seed: int) -> dict[str, float] | None:
    import langdetect

    langdetect.DetectorFactory.seed = seed
    try:
        return {one.lang: one.prob for one in langdetect.detect_langs(text)}
    except langdetect.LangDetectException:
        return None


def ours(text: str, seed: int) -> dict[str, float] | None:
    grams = languages._grams(text)
    if not len(grams):
        return None
    found = languages._sample(grams, seed)
    codes = languages._profiles().codes
    return {code: float(p) for code, p in zip(codes, found, strict=True) if p > 0.1}


def test_one_sample_is_langdetects(data: Path) -> None:
    lines = (data / "ifeval/reference_verdicts_3models.jsonl").read_text().splitlines()[::16]
    texts = [json.loads(line)["response"] for line in lines]
    for number, text in enumerate(ODD + texts + [text.upper() for text in texts[:20]]):
        assert ours(text, number % 3) == pytest.approx(theirs(text, number % 3), abs=1e-6), text[
            :80
        ]


@pytest.mark.parametrize("text", ["", "1234", "...", "🙂", "http://a.b/c"])
def test_no_letters_no_language(text: str) -> None:
    assert resources.language_of(text) is None


def test_the_same_in_another_process() -> None:
    code = (
        "from rlvr.verifiers.instructions.resources import language_of\n"
        "print([language_of(text) for text in ('WHAT IS IT', 'О, да', 'hello', 'cycleenginecycles')])"
    )
    said = {
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120
        ).stdout
        for _ in range(2)
    }
    assert len(said) == 1


def test_pythons_own_generator_is_left_alone() -> None:
    import random

    random.seed(1)
    before = random.getstate()
    resources.language_of("a text of some words in English")
    assert random.getstate() == before
