from __future__ import annotations

import json
from pathlib import Path

import pytest

import rlvr
from rlvr import Prompt
from rlvr.core.errors import DataError, OptionError

FIELDS = {"question": "2+2?", "level": 3}


def user(template: str) -> str:
    (message,) = Prompt(template).render(FIELDS)
    assert message["role"] == "user"
    return message["content"]


def test_fields_are_filled_in() -> None:
    assert user("Level {level}: {question} ({question})") == "Level 3: 2+2? (2+2?)"


def test_a_system_message_comes_first_and_has_fields_too() -> None:
    assert Prompt("{question}", system="Level {level}.").render(FIELDS) == [
        {"role": "system", "content": "Level 3."},
        {"role": "user", "content": "2+2?"},
    ]


@pytest.mark.parametrize(
    "latex",
    [
        r"\boxed{}",
        r"\boxed{answer}",
        r"\frac{a}{b}",
        r"\text{x}{y}{z}",
        "{ question }",
        "{0}",
        "{}",
        "{{}}",
        "100% {question!r}",
        '{"user": 1}',
    ],
)
def test_latex_and_other_braces_stand_as_they_are(latex: str) -> None:
    assert user(latex) == latex


@pytest.mark.parametrize("before", ["\\n", "\\boxed", "}", "{", "x"])
def test_a_field_is_filled_in_wherever_it_stands(before: str) -> None:
    assert user(before + "{question}") == before + "2+2?"


def test_nothing_in_a_field_is_read_as_a_template() -> None:
    (message,) = Prompt("{question}").render({"question": "{level} {question} \\1", "level": 3})
    assert message["content"] == "{level} {question} \\1"


@pytest.mark.parametrize("template", ["{answer}", "Q: {answer} ", "{Question}", "\\ {answer}"])
def test_a_field_that_is_not_there_is_named(template: str) -> None:
    with pytest.raises(OptionError, match=r"has \{\w+\}, but a problem here has only: question"):
        user(template)


def test_every_form_an_option_may_have(tmp_path: Path) -> None:
    file = tmp_path / "prompt.json"
    file.write_text(json.dumps({"user": "{question}", "system": "Be brief."}))
    whole = Prompt("{question}", "Be brief.")
    assert Prompt.of(whole) is whole
    assert Prompt.of("{question}") == Prompt("{question}")
    assert Prompt.of({"user": "{question}"}) == Prompt("{question}")
    assert Prompt.of({"user": "{question}", "system": "Be brief."}) == whole
    assert Prompt.of(str(file)) == whole


@pytest.mark.parametrize(
    "given",
    [
        5,
        None,
        ["{question}"],
        {},
        {"system": "Be brief."},
        {"user": "x", "assistant": "y"},
        {"user": 5},
        {"user": "x", "system": ["y"]},
    ],
)
def test_what_is_no_template_is_refused(given: object) -> None:
    with pytest.raises(OptionError, match="prompt"):
        Prompt.of(given)  # type: ignore[arg-type]


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nowhere\.json.*can't be read"):
        Prompt.of(str(tmp_path / "nowhere.json"))
    (tmp_path / "bad.json").write_text("{")
    with pytest.raises(DataError, match=r"bad\.json.*can't be read"):
        Prompt.of(str(tmp_path / "bad.json"))
    (tmp_path / "list.json").write_text("[]")
    with pytest.raises(OptionError, match='has "user"'):
        Prompt.of(str(tmp_path / "list.json"))


def test_an_environment_takes_its_prompt_as_data() -> None:
    prompt = {"system": "Only a number.", "user": "{compact}="}
    env = rlvr.make("arithmetic", prompt=prompt, digits=1, operators="+")
    text, info = env.reset(seed=0)
    assert info["messages"][0] == {"role": "system", "content": "Only a number."}
    assert text.endswith("=")
    assert " + " not in info["messages"][1]["content"]
