"""Every instruction: a text that follows it, one that just misses it, and what holds for any text."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from examples import EXAMPLES, Example
from hypothesis import given
from hypothesis import strategies as st
from neighbours import NEIGHBOURS, Neighbour

from rlvr.core.errors import CannotScore
from rlvr.verifiers.instructions import registry
from rlvr.verifiers.instructions.text import ResponseText
from rlvr.verifiers.instructions.verifier import judge

pytestmark = pytest.mark.usefixtures("nltk_data")
named = pytest.mark.parametrize("example", EXAMPLES, ids=lambda one: one.id)
TEXTS = st.text(
    st.sampled_from("aAbz eE.,!?;:*-_#[](){}<>\"'“”\n\t019 日ö🙂/") | st.characters(), max_size=60
)


def test_every_instruction_has_an_example(data: Path) -> None:
    known = {check.id for check in registry.checks() if check not in registry.added()}
    assert {example.id for example in EXAMPLES} == known
    published = json.loads((data / "ifeval/instruction_ids.json").read_text())
    assert known == {id for ids in published.values() for id in ids}


def test_the_kwargs_are_the_published_ones(data: Path) -> None:
    published = json.loads((data / "ifeval/instruction_ids.json").read_text())
    for ids in published.values():
        for id, what in ids.items():
            assert set(registry.find(id).kwargs) == set(what["kwargs"]), id


@named
def test_a_text_that_follows(example: Example) -> None:
    assert judge(example.follows, example.id, **example.kwargs)


@named
def test_a_text_that_just_misses(example: Example) -> None:
    assert not judge(example.misses, example.id, **example.kwargs)


@pytest.mark.parametrize("neighbour", NEIGHBOURS, ids=lambda neighbour: neighbour[0])
def test_a_careful_reader_agrees(neighbour: Neighbour) -> None:
    id, kwargs, response, follows = neighbour
    assert judge(response, id, **kwargs) is follows


@pytest.mark.parametrize(
    ("code", "follows"), [("zh", True), ("zh-CN", True), ("zh-Hant", False), ("en", False)]
)
def test_codes_of_languages(code: str, follows: bool) -> None:
    text = "灯塔高高地立在海边，夜里为船只照亮前方的路。"
    assert judge(text, "language:response_language", language=code) is follows


@pytest.mark.parametrize("code", ["xx", "German", "tlh"])
def test_a_code_that_no_detector_knows_is_the_references_fault(code: str) -> None:
    with pytest.raises(CannotScore, match="no detector knows the language code"):
        judge("Der Leuchtturm steht am Meer.", "language:response_language", language=code)


@named
def test_what_is_asked_names_each_kwarg(example: Example) -> None:
    check = registry.find(example.id)
    said = check.sentence(check.bound(example.kwargs))
    assert (
        said.endswith((".", "…", ".)"))
        or "{" not in check.says
        or said[-1].isalnum()
        or said[-1] in ")?"
    )
    for name, value in example.kwargs.items():
        if name in check.says and not isinstance(value, list | float):
            assert str(value) in said


@pytest.mark.sweep(gate=28)
@named
@given(raw=TEXTS)
def test_any_text_has_an_answer_and_always_the_same(example: Example, raw: str) -> None:
    check = registry.find(example.id)
    kwargs = check.bound(example.kwargs)
    functions = [check.function] + ([check.deviation.function] if check.deviation else [])
    for function in functions:
        if raw.strip():
            said = function(ResponseText(raw), **kwargs)
            assert type(said) is bool
            assert function(ResponseText(raw), **kwargs) is said
