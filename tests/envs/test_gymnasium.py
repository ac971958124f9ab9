"""Every registered environment is a Gymnasium environment, by Gymnasium's own checks."""

from __future__ import annotations

import json
import math
import warnings
from collections.abc import Iterator
from pathlib import Path

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

import rlvr
from rlvr.core.spaces import Text
from rlvr.envs.tools import ToolEnv

NAMES = [spec.name for spec in rlvr.environments()]
IDS = [spec.gym_id for spec in rlvr.environments()]


AIME = [{"problem": f"Find {n}.", "answer": str(n)} for n in range(1, 31)]
CODE = [
    {
        "problem": f"Add {n} to a number.",
        "tests": [{"input": "1", "output": str(n + 1)}],
        "solution": f"print(int(input()) + {n})",
    }
    for n in range(30)
]


BIRD = [
    {
        "question": f"How many, and {n}?",
        "SQL": f"SELECT count(*) + {n} FROM wine",
        "db_id": "wine_1",
    }
    for n in range(30)
]


@pytest.fixture(autouse=True)
def _on_local_data(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The data sets there are, and problems of our own for those that only the Hub has."""
    for name in ("math", "code"):
        (tmp_path / name).mkdir()
        for file in (data / name).iterdir():
            if file.name != "rllm_test_codeforces.json":  # it has no solutions
                (tmp_path / name / file.name).symlink_to(file)
    (tmp_path / "code/rllm_test_codeforces.json").write_text(json.dumps(CODE))
    for name in ("ifeval", "ifbench"):
        (tmp_path / name).symlink_to(data / name)
    (tmp_path / "sql").mkdir()
    for part in ("databases", "queries.jsonl"):
        (tmp_path / "sql" / part).symlink_to(data / "sql" / part)
    (tmp_path / "sql/bird_mini_dev.jsonl").write_text(
        "".join(json.dumps(row) + "\n" for row in BIRD)
    )
    for year in (2024, 2025):
        own = tmp_path / f"math/aime_{year}.jsonl"
        if not own.exists():
            own.write_text("".join(json.dumps(row) + "\n" for row in AIME))
    monkeypatch.setenv("RLVR_DATA", str(tmp_path))


def _seeds(id: str, wanted: int) -> list[int]:
    """Seeds whose first task has an answer that its verifier can show: not all instructions have."""
    env = rlvr.make(id)
    found = []
    for seed in range(100):
        _, info = env.reset(seed=seed)
        turns = env.demonstrate(env.tasks.find(info["task_id"]))
        if turns is not None and len(turns) == 1:
            found.append(seed)
        if len(found) == wanted:
            return found
    pytest.skip(f"{id}: no single message is a right answer; test_search_qa plays its episodes")


@pytest.fixture
def strict() -> Iterator[None]:
    """Gymnasium's warnings are errors."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


@pytest.mark.sweep(gate=8)
@pytest.mark.parametrize("id", IDS)
def test_gymnasiums_checker_has_nothing_to_say(id: str, strict: None) -> None:
    env = gymnasium.make(id, render_mode="ansi", disable_env_checker=True)
    check_env(env.unwrapped)


@pytest.mark.sweep(gate=8)
@pytest.mark.parametrize("id", IDS)
def test_an_episode_through_gymnasiums_wrappers(id: str, strict: None) -> None:
    env = gymnasium.make(id, render_mode="ansi")
    prompt, info = env.reset(seed=_seeds(id, 1)[0])
    assert isinstance(prompt, str)
    assert info["messages"][-1]["content"] in prompt
    unwrapped = env.unwrapped
    assert isinstance(unwrapped, rlvr.Environment)
    task = unwrapped.tasks.find(info["task_id"])
    right = unwrapped.verifier.demonstrate(task)
    assert right is not None
    observation, reward, terminated, truncated, info = env.step(right)
    assert (observation, reward, terminated, truncated) == ("", 1.0, True, False)
    assert info["verdict"].status == "correct"
    assert {"role": "assistant", "content": right} in info["messages"]
    rendered = env.render()
    assert isinstance(rendered, str)
    assert right in rendered
    assert prompt in rendered


@pytest.mark.sweep(gate=5)
@pytest.mark.parametrize("id", IDS)
@pytest.mark.parametrize("mode", ["sync", "async"])
def test_vectors_of_environments(id: str, mode: str) -> None:
    envs = gymnasium.make_vec(id, num_envs=2, vectorization_mode=mode)
    try:
        seeds = _seeds(id, 2)
        prompts, infos = envs.reset(seed=seeds)
        alone = [rlvr.make(id) for _ in range(2)]
        expected = [env.reset(seed=seed)[0] for seed, env in zip(seeds, alone, strict=True)]
        assert list(prompts) == expected
        task = alone[0].tasks.find(infos["task_id"][0])
        right = alone[0].verifier.demonstrate(task)
        _, rewards, terminated, truncated, infos = envs.step((right, "no idea"))
        assert list(rewards) == [1.0, 0.0]
        # Where there are several turns, a wrong answer isn't the end; with tools, it's still the answer.
        ends = alone[0].max_turns == 1 or isinstance(alone[0], ToolEnv)
        assert list(terminated) == [True, ends]
        assert not any(truncated)
        assert infos["verdict"][0].status == "correct"
        if alone[0].max_turns == 1:
            # Where anything that is said is an answer, it's a wrong one.
            assert infos["verdict"][1].status in ("unparsable", "incorrect")
    finally:
        envs.close()


@pytest.mark.sweep(gate=9)
@pytest.mark.parametrize("name", NAMES)
def test_a_seed_gives_the_same_episodes(name: str) -> None:
    def episodes(seed: int) -> list[str]:
        env = rlvr.make(name)
        first = env.reset(seed=seed)[0]
        return [first] + [env.reset()[0] for _ in range(5)]

    assert episodes(7) == episodes(7)
    assert episodes(7) != episodes(8)
    assert len(set(episodes(7))) > 1


@pytest.mark.parametrize("name", NAMES)
def test_a_reset_touches_no_random_state_but_its_own(name: str) -> None:
    np.random.seed(3)
    before = np.random.random(3)
    np.random.seed(3)
    rlvr.make(name).reset(seed=11)
    assert list(np.random.random(3)) == list(before)


@pytest.mark.parametrize("name", NAMES)
def test_observations_and_actions_are_text(name: str) -> None:
    env = rlvr.make(name)
    assert env.observation_space == env.action_space == Text()
    prompt, _ = env.reset(seed=0)
    assert prompt in env.observation_space
    observation, reward, *_ = env.step(env.action_space.sample())
    assert observation in env.observation_space
    assert not math.isnan(reward)
