"""Prompts with worked examples: drawn from train, or published."""

from __future__ import annotations

import ast
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

import rlvr
from rlvr.core.errors import DataError, OptionError
from rlvr.envs.shots import GSM8K_FORMATS, MATH_FORMATS, prompting_of, worked
from rlvr.verifiers.math.question import asked

# lm-evaluation-harness 0.4.13's gsm8k_cot: its templates, and how its `fewshot_context` joins them.
COT_QUESTION = "Q: {{question}}\nA:"
COT_TARGET = "{{answer.split('####')[-1].strip() if answer is defined else target}}"
FIVE_QUESTION, FIVE_TARGET = "Question: {{question}}\nAnswer:", "{{answer}}"
TARGET_DELIMITER, FEWSHOT_DELIMITER = " ", "\n\n"
# SHA-256 of json.dumps([[question, target], …]) of the samples in its gsm8k-cot.yaml and minerva_math/utils.py.
COT_SAMPLES = "8891624983ad7951"
MINERVA_SAMPLES = "fd92c7e5c11c8ff7"


def harness(question: str, target: str, shots: list[dict[str, str]], row: dict[str, str]) -> str:
    from jinja2 import BaseLoader, Environment, StrictUndefined

    jinja = Environment(loader=BaseLoader(), undefined=StrictUndefined, keep_trailing_newline=True)

    def render(template: str, fields: dict[str, str]) -> str:
        return jinja.from_string(template).render(**fields)

    examples = [
        render(question, shot) + TARGET_DELIMITER + render(target, shot) + FEWSHOT_DELIMITER
        for shot in shots
    ]
    return "".join(examples) + render(question, row)


def rows(data: Path, split: str) -> list[dict[str, str]]:
    lines = (data / f"math/gsm8k_{split}.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


@pytest.fixture(autouse=True)
def _data(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RLVR_DATA", str(data))


def digest(samples: Any) -> str:
    return hashlib.sha256(json.dumps([list(pair) for pair in samples]).encode()).hexdigest()[:16]


def test_the_eight_shot_prompt_of_gsm8k_is_the_published_one(data: Path) -> None:
    examples = GSM8K_FORMATS["gsm8k_cot"].examples
    assert digest(examples) == COT_SAMPLES
    shots = [{"question": question, "target": target} for question, target in examples]
    env = rlvr.make("gsm8k", split="test", prompt="gsm8k_cot")
    test = rows(data, "test")
    for i in range(100):
        (message,) = env.tasks[i].prompt
        assert message["content"] == harness(COT_QUESTION, COT_TARGET, shots, test[i])
    assert env.verifier.mode == "flexible"
    assert prompting_of(env).stop == ("Q:", "</s>", "<|im_end|>")


def test_the_five_shot_prompt_of_gsm8k_is_the_published_one(data: Path) -> None:
    env = rlvr.make("gsm8k", split="test", prompt="gsm8k_5shot", shots_seed=3)
    train, test = rows(data, "train"), rows(data, "test")
    drawn = [int(name.removeprefix("train-")) for name in prompting_of_loaded(env)["examples"]]
    assert len(set(drawn)) == 5
    shots = [train[i] for i in drawn]
    same = sum(
        env.tasks[i].text == harness(FIVE_QUESTION, FIVE_TARGET, shots, test[i]) for i in range(100)
    )
    assert same == 100


def prompting_of_loaded(env: rlvr.Environment) -> dict[str, Any]:
    assert len(env.tasks)
    prompting = prompting_of(env)
    assert prompting is not None
    return prompting.to_json()


def test_minervas_prompt_is_the_published_one() -> None:
    examples = MATH_FORMATS["minerva_math"].examples
    assert digest(examples) == MINERVA_SAMPLES
    env = rlvr.make("math500", prompt="minerva_math")
    template = "Problem:\n{{problem}}\n\nSolution:"
    shots = [{"problem": problem, "solution": solution} for problem, solution in examples]
    for task in list(env.tasks)[:100]:
        row = {"problem": asked(task)}
        assert task.text == harness(template, "{{solution}}", shots, row)
    assert env.verifier.mode == "minerva"


@pytest.mark.sweep
def test_the_examples_are_those_of_the_installed_harness() -> None:
    import lm_eval
    import yaml

    tasks = Path(lm_eval.__file__).parent / "tasks"
    task = yaml.safe_load((tasks / "gsm8k/gsm8k-cot.yaml").read_text())
    assert task["doc_to_text"] == COT_QUESTION
    assert task["doc_to_target"] == COT_TARGET
    assert tuple(task["generation_kwargs"]["until"]) == GSM8K_FORMATS["gsm8k_cot"].stop
    samples = [(one["question"], one["target"]) for one in task["fewshot_config"]["samples"]]
    assert tuple(samples) == GSM8K_FORMATS["gsm8k_cot"].examples
    module = ast.parse((tasks / "minerva_math/utils.py").read_text())
    (function,) = (f for f in module.body if getattr(f, "name", "") == "list_fewshot_samples")
    samples = ast.literal_eval(function.body[-1].value)  # type: ignore[attr-defined]
    pairs = tuple((one["problem"], one["solution"]) for one in samples)
    assert pairs == MATH_FORMATS["minerva_math"].examples


def test_examples_are_turns_that_end_as_the_prompt_asks() -> None:
    env = rlvr.make("gsm8k", split="test", shots=3)
    task = env.tasks[0]
    assert [m["role"] for m in task.prompt] == ["user", "assistant"] * 3 + ["user"]
    assert all("\\boxed{" in m["content"] for m in task.prompt[1::2])
    assert not any("<<" in m["content"] or "####" in m["content"] for m in task.prompt)
    train = {t.text: t.reference for t in rlvr.make("gsm8k", split="train").tasks}
    for example, answer in zip(task.prompt[:-1:2], task.prompt[1::2], strict=True):
        shown = rlvr.Task(example["content"], train[example["content"]])
        assert rlvr.score([shown], [answer["content"]], env.verifier)[0].reward == 1.0


def test_a_seed_draws_the_same_examples_and_another_others() -> None:
    def first(seed: int) -> Any:
        return rlvr.make("gsm8k", split="test", shots=4, shots_seed=seed).tasks[5].prompt

    assert first(0) == first(0)
    assert first(0) != first(1)


@pytest.mark.sweep(gate=1)
@pytest.mark.parametrize("form", ["turns", "text"])
def test_no_task_of_train_is_its_own_example(form: str) -> None:
    env = rlvr.make("gsm8k", split="train", shots=4, shots_as=form)
    drawn = prompting_of_loaded(env)["examples"]
    for name in drawn:
        task = env.tasks.find(name)
        question = asked(task)
        whole = "\n".join(message["content"] for message in task.prompt)
        assert whole.count(question.partition("\n")[0]) == 1


def test_near_duplicates_of_a_task_are_no_examples_for_it(tmp_path: Path) -> None:
    near = [f"Ann has {i} red apples and eats {i} of them, how many has she" for i in range(2, 9)]
    train = [*near, "Bob walks to town", "Cats sleep all day long"]
    (tmp_path / "math").mkdir()
    lines = [json.dumps({"question": q, "answer": f"so.\n#### {i}"}) for i, q in enumerate(train)]
    (tmp_path / "math/gsm8k_train.jsonl").write_text("\n".join(lines))
    (tmp_path / "math/gsm8k_test.jsonl").write_text(lines[0].replace("has 2", "has 77"))
    two = rlvr.make("gsm8k", split="test", data=str(tmp_path), shots=2)
    shown = {m["content"].partition("\n")[0] for m in two.tasks[0].prompt[:-1:2]}
    assert shown == set(train[7:])
    three = rlvr.make("gsm8k", split="test", data=str(tmp_path), shots=3)
    with pytest.raises(DataError, match="fewer shots"):
        len(three.tasks)
    with pytest.raises(OptionError, match="9 problems to draw 10"):
        len(rlvr.make("gsm8k", split="test", data=str(tmp_path), shots=10).tasks)


def test_a_file_of_tasks_takes_its_examples_from_train(data: Path, tmp_path: Path) -> None:
    file = tmp_path / "mine.jsonl"
    file.write_text(json.dumps({"question": "How many?", "answer": "2\n#### 2"}))
    env = rlvr.make("gsm8k", data=str(file), shots=2)
    assert len(env.tasks) == 1
    assert all(name.startswith("train-") for name in prompting_of_loaded(env)["examples"])


def test_the_verdict_does_not_see_the_examples() -> None:
    """An answer that only repeats what an example says isn't an echo of this task's question."""
    env = rlvr.make("math500", shots=4, shots_as="text")
    plain = rlvr.make("math500")
    for task, own in zip(env.tasks[:40], plain.tasks[:40], strict=True):
        assert asked(task) in own.text
        assert own.text.startswith(asked(task))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"shots": -1}, "whole number"),
        ({"shots": True}, "whole number"),
        ({"shots": 9, "prompt": "gsm8k_cot"}, "has 8 examples"),
        ({"shots_as": "list"}, "'turns' or 'text'"),
        ({"prompt": "gsm8k_cott"}, "gsm8k_cot, gsm8k_5shot"),
    ],
)
def test_wrong_options_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        rlvr.make("gsm8k", **options)


def test_an_environment_without_a_train_split_draws_none() -> None:
    with pytest.raises(OptionError):
        rlvr.make("aime", shots=2)


@pytest.mark.parametrize("mode", ["boxed", "flexible", "minerva", "whole"])
def test_an_example_s_answer_is_found_in_its_mode(mode: Any) -> None:
    task = rlvr.Task("?", "12")
    (verdict,) = rlvr.score([task], [worked("6 and 6.", "12", mode)], rlvr.Math(mode))
    assert verdict.reward == 1.0


def test_a_policy_that_would_run_on_is_refused() -> None:
    class Base:
        name, stop = "base", ()

        def respond(self, requests: Any) -> list[str]:
            raise AssertionError("it was asked")

    env = rlvr.make("gsm8k", split="test", prompt="gsm8k_cot")
    with pytest.raises(OptionError, match="stop="):
        rlvr.evaluate(env, Base(), limit=1)
