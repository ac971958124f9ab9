"""The library's tasks through the real library; without it, only what is said then."""

from __future__ import annotations

import importlib.util
import itertools
import os
import subprocess
import sys
from typing import Any

import gymnasium
import pytest
from click.testing import CliRunner

import rlvr
from rlvr.cli.list import command
from rlvr.core.errors import MissingExtraError, OptionError, UnknownEnvironmentError
from rlvr.core.families import families
from rlvr.envs.reasoning_gym.strict import NO_STRICT, OWN, RUNS_ANSWERS, SEVERAL, same

INSTALLED = importlib.util.find_spec("reasoning_gym") is not None
needs_library = pytest.mark.skipif(
    not INSTALLED and os.environ.get("CI") != "true", reason="needs reasoning-gym"
)
# Making a task of these takes seconds.
SLOW = {
    "knight_swap",
    "futoshiki",
    "sokoban",
    "puzzle24",
    "zebra_puzzles",
    "intermediate_integration",
}
# Their tasks depend on Python's hash seed: the library iterates over sets.
UNSTABLE = {"isomorphic_strings", "polynomial_multiplication", "ransom_note"}


def names() -> list[str]:
    return [
        name for name in families()["reasoning_gym"].members() if name not in {*SLOW, *NO_STRICT}
    ]


def earned(env: rlvr.Environment, task: rlvr.Task, *answers: str) -> list[float]:
    boxed = [f"\\boxed{{{answer}}}" for answer in answers]
    return [float(v) for v in rlvr.score([task] * len(boxed), boxed, env.verifier)]


def test_importing_rlvr_does_not_import_the_library() -> None:
    code = "import rlvr, sys; print('reasoning_gym' in sys.modules, 'rlvr.envs.reasoning_gym' in sys.modules)"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout == "False False\n"


def test_the_family_is_one_line_of_the_list() -> None:
    lines = CliRunner().invoke(command, []).output.splitlines()
    assert sum("reasoning_gym/" in line for line in lines) == 1


def test_an_unknown_family_is_named() -> None:
    outcome = CliRunner().invoke(command, ["nothing"])
    assert outcome.exit_code == 2
    assert "'nothing' is no family. There are: reasoning_gym" in outcome.output


@pytest.mark.parametrize("name", ["no_such_thing/countdown", "/", "reasoning_gym", "/countdown"])
def test_a_name_with_a_slash_that_is_no_familys(name: str) -> None:
    with pytest.raises(UnknownEnvironmentError, match="There's no environment"):
        rlvr.make(name)


@pytest.mark.skipif(INSTALLED, reason="needs that reasoning-gym isn't there")
def test_without_the_library_its_said_what_to_install() -> None:
    with pytest.raises(MissingExtraError, match=r"pip install 'rlvr\[reasoning\]'"):
        rlvr.make("reasoning_gym/countdown")
    assert "pip install" in CliRunner().invoke(command, ["reasoning_gym"]).output


@pytest.mark.parametrize(
    ("gold", "said", "right"),
    [
        ("12", "12", True),
        ("12", "12.0", True),
        ("1234", "1,234", False),
        ("12", "24/2", False),
        ("12", "not 12", False),
        ("12", "12 or 13", False),
        ("50", "50%", False),
        ("", "", False),
        ("", "anything", False),
        (None, "None", False),
        ("True", "true", True),
        ("True", "True or False", False),
        ("-1.5, 2.0", "-1.50,2", True),
        ("-1.5, 2.0", "2.0, -1.5", False),
        ("1 2\n3 4", "1 2 \n\n3   4", True),
        ("1 2\n3 4", "1 2 3 4", False),
        ('["1", "2.50"]', "[1, 2.5]", True),
        ('["1", "2.50"]', '["1", "3.4"]', False),
        ("[1, 0]", "[true, false]", False),
        ("[1, 2]", "[1, [2]]", False),
        ("[1, 2]", "[" * 90_000, False),
        ("abc", "ABC", False),
    ],
)
def test_what_is_the_same_answer(gold: str | None, said: str, right: bool) -> None:
    assert same(gold, said) is right


@needs_library
def test_all_members_are_listed() -> None:
    listed = CliRunner().invoke(command, ["reasoning_gym"]).output.split()
    assert len(listed) >= 105
    assert "reasoning_gym/countdown" in listed
    assert "reasoning_gym/composite" not in listed
    assert {f"reasoning_gym/{name}" for name in (*SEVERAL, *OWN, *RUNS_ANSWERS)} <= set(listed)


@needs_library
def test_an_unknown_member_gets_the_nearest_names() -> None:
    with pytest.raises(UnknownEnvironmentError, match="Did you mean 'countdown'"):
        rlvr.make("reasoning_gym/countdwn")


@needs_library
def test_the_oracle_earns_all_and_what_holds_the_answer_nothing(sample: Any) -> None:
    for name in sample(list(names()), 14):
        env = rlvr.make(f"reasoning_gym/{name}")
        task = env.tasks[0]
        right = env.verifier.demonstrate(task)
        if right is None:  # the library has no answer of its own
            assert name in SEVERAL
            continue
        gold = task.reference["answer"]
        junk = [f"not {gold}", f"{gold} or something else", f"{gold}\nno", "I don't know", "§"]
        assert earned(env, task, gold) == [1.0], name
        assert earned(env, task, *junk) == [0.0] * len(junk), name


@needs_library
@pytest.mark.parametrize(
    ("name", "paid"),
    [("game_of_life_halting", "whatever"), ("gsm_symbolic", "not {}"), ("survo", "not {}"),
     ("kakurasu", "not {}"), ("knights_knaves", "not {}"), ("quantum_lock", "not {}"),
     ("fraction_simplification", "{} or something else"), ("letter_jumble", "{} or something else")],
)  # fmt: skip
def test_what_the_library_pays_in_full_and_strict_scoring_does_not(name: str, paid: str) -> None:
    strict = rlvr.make(f"reasoning_gym/{name}")
    library = rlvr.make(f"reasoning_gym/{name}", scoring="library")
    wrong = [paid.format(task.reference["answer"]) for task in strict.tasks[:6]]
    pairs = list(zip(strict.tasks[:6], wrong, strict=True))
    assert sum(sum(earned(library, task, answer)) for task, answer in pairs) >= 1
    assert sum(sum(earned(strict, task, answer)) for task, answer in pairs) == 0


@pytest.mark.sweep
@needs_library
def test_splits_are_disjoint_and_neighbouring_seeds_share_nothing() -> None:
    for name in ("leg_counting", "caesar_cipher", "number_format"):
        prompts = [
            {task.text for task in rlvr.make(f"reasoning_gym/{name}", split=s, seed=n).tasks[:30]}
            for s, n in (("train", 0), ("dev", 0), ("test", 0), ("train", 1))
        ]
        for one, other in itertools.combinations(prompts[:3], 2):
            assert one.isdisjoint(other)
        assert len(prompts[0] & prompts[3]) <= 1


@pytest.mark.sweep
@needs_library
def test_tasks_are_the_same_in_every_process() -> None:
    some = ["bf", "word_sorting", "list_functions", "arc_1d"]
    assert UNSTABLE.isdisjoint(some)
    code = (
        f"import rlvr\nfor n in {some}: print(rlvr.make('reasoning_gym/' + n).tasks[5].to_json())"
    )
    said = {
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        ).stdout
        for _ in range(2)
    }
    assert len(said) == 1


@needs_library
@pytest.mark.parametrize("name", sorted(RUNS_ANSWERS))
def test_no_answer_is_run(name: str, tmp_path) -> None:
    with pytest.raises(OptionError, match="runs the answer as Python"):
        rlvr.make(f"reasoning_gym/{name}", scoring="library")
    env = rlvr.make(f"reasoning_gym/{name}")
    file = tmp_path / "ran"
    attack = f"__import__('pathlib').Path('{file}').touch()"
    assert earned(env, env.tasks[0], attack, f"[{attack}]") == [0.0, 0.0]
    assert not file.exists()


@needs_library
def test_several_right_answers_count() -> None:
    env = rlvr.make("reasoning_gym/countdown", min_numbers=2, max_numbers=2)
    task = env.tasks[0]
    gold = task.reference["answer"]
    assert earned(env, task, gold, f"({gold})", f"{gold} + 0", "1 + 1") == [1, 1, 0, 0]
    env = rlvr.make("reasoning_gym/simple_integration")
    task = env.tasks[0]
    gold = task.reference["answer"]
    without = gold.removesuffix(" + C")
    answers = [gold, without, f"C + {without}", f"2*({without})", f"{without} + x", "x", ""]
    assert earned(env, task, *answers) == [1, 1, 1, 0, 0, 0, 0]
    env = rlvr.make("reasoning_gym/polynomial_multiplication")
    task = env.tasks[0]
    gold = task.reference["answer"]
    echo = task.text.split(": ", 1)[1].split("\n")[0]
    assert earned(env, task, gold, gold.replace("**", "^"), echo, f"({gold})*1 + 1") == [1, 1, 0, 0]


@needs_library
def test_what_cant_be_scored_strictly_says_why() -> None:
    with pytest.raises(OptionError, match="premises often contradict"):
        rlvr.make("reasoning_gym/propositional_logic")
    env = rlvr.make("reasoning_gym/propositional_logic", scoring="library")
    paid = [earned(env, task, "(P ∨ (Q → P))")[0] for task in env.tasks[:8]]
    assert 1.0 in paid


@needs_library
def test_hostile_answers_are_wrong_answers() -> None:
    for name in (
        "countdown",
        "simple_integration",
        "sokoban",
        "knights_knaves",
        "jugs",
        "gcd",
    ):
        env = rlvr.make(f"reasoning_gym/{name}")
        hostile = [
            "9" * 1_000_000,
            "(" * 50_000,
            "[" * 50_000,
            "9**9**9**9",
            "x" * 90_000,
            "\ud800",
        ]
        assert earned(env, env.tasks[0], *hostile) == [0.0] * len(hostile), name


@needs_library
def test_a_wrong_option_is_refused() -> None:
    for options in ({"no_such": 1}, {"min_numbers": 9, "max_numbers": 2}, {"scoring": "lenient"}):
        with pytest.raises(OptionError):
            rlvr.make("reasoning_gym/countdown", **options)


@needs_library
def test_through_gymnasium() -> None:
    env = gymnasium.make("rlvr/ReasoningGym-v0", member="leg_counting")
    _, info = env.reset(seed=1)
    unwrapped = env.unwrapped
    right = unwrapped.verifier.demonstrate(unwrapped.tasks.find(info["task_id"]))
    assert env.step(right)[1] == 1.0
    assert unwrapped.name == "reasoning_gym/leg_counting"
