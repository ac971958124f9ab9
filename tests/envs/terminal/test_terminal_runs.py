"""Many episodes at once, runs that are resumed, and episodes that are broken off."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import rlvr
from rlvr.core.environment import judged_alone
from rlvr.core.errors import SandboxError
from rlvr.core.live_episode import LiveEpisode
from rlvr.core.verdict import Cause, Scored, Unscored
from rlvr.envs.terminal import naive
from rlvr.policies.base import Request
from rlvr.runs.run import read_rollouts
from rlvr.sandboxes import workspace_jails
from rlvr.sandboxes.workspace import Workspace


def test_thirty_two_episodes_are_played_at_once_and_a_run_is_resumed(tmp_path: Path) -> None:
    env = rlvr.make("terminal", split="test")
    first = rlvr.evaluate(env, "oracle", limit=8, run=tmp_path / "run")
    assert (first.mean.value, first.scored) == (1.0, 8)
    again = rlvr.evaluate(
        env, "oracle", limit=32, concurrency=32, run=tmp_path / "run", resume=True
    )
    assert (again.mean.value, again.scored) == (1.0, 32)
    rollouts = list(read_rollouts(tmp_path / "run"))
    assert len({row["task"] for row in rollouts}) == len(rollouts) == 32


@pytest.mark.sweep
def test_a_lazy_policy_earns_nothing() -> None:
    class Lazy:
        def respond(self, requests: list[Request]) -> list[str]:
            return [naive(request.task) for request in requests]

    report = rlvr.evaluate(rlvr.make("terminal", split="test"), Lazy(), limit=30)
    assert report.scored == 30
    assert report.mean.value <= 0.05  # a guess among a hundred may be right once


@pytest.mark.parametrize("calls", ["text", "native"])
def test_both_forms_of_calls_have_the_same_verdict(calls: str) -> None:
    env = rlvr.make("terminal", family="merge_jsonl", calls=calls)
    task = env.tasks[0]
    episode = env.episode(task)
    episode.begin_open().result()
    try:
        for command in task.reference["solution"]:
            function = {"name": "shell", "arguments": json.dumps({"command": command})}
            said = {"tool_calls": [{"id": "1", "type": "function", "function": function}]}
            episode.begin_respond(said).result()
        episode.begin_respond("Done.").result()
        assert episode.over
        verdict = _verdict(env, episode)
    finally:
        episode.begin_close().result()
    assert isinstance(verdict, Scored)
    assert verdict.reward == 1.0
    assert ("tool_call" in task.text) == (calls == "text")


def test_an_episode_s_workspace_is_closed_whatever_happens() -> None:
    env = rlvr.make("terminal", family="find_file")
    for ending in ("over", "broken off", "never said"):
        episode = env.episode(env.tasks[0])
        episode.begin_open().result()
        assert sum(len(jail.numbers) for jail in workspace_jails.jails._jails) == 1
        if ending == "over":
            episode.begin_respond("done").result()
            episode.begin_end().result()
        elif ending == "broken off":
            episode.begin_respond('<tool_call>\n{"name": "shell", "arguments": {"command": "ls"}}\n</tool_call>').result()  # fmt: skip
        episode.begin_close().result()
        assert sum(len(jail.numbers) for jail in workspace_jails.jails._jails) == 0


def test_a_workspace_that_can_not_be_had_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    async def refused(*_: object, **__: object) -> Workspace:
        raise SandboxError("there's none")

    env = rlvr.make("terminal", family="find_file")
    monkeypatch.setattr(Workspace, "open", refused)
    verdict = judged_alone(env, env.tasks[0], "done")
    assert isinstance(verdict, Unscored)
    assert verdict.cause is Cause.SANDBOX


def test_an_outcome_that_is_none_is_a_fault() -> None:
    env = rlvr.make("terminal", family="find_file")
    verdicts = rlvr.score(
        [env.tasks[0]] * 2, ["done", env.verifier.demonstrate(env.tasks[0]) or ""], env.verifier
    )
    for verdict in verdicts:
        assert isinstance(verdict, Unscored)
        assert verdict.cause is Cause.INTERNAL


def _verdict(env: rlvr.Environment, episode: LiveEpisode) -> rlvr.Verdict:
    ended = episode.begin_end().result()
    assert not isinstance(ended, Unscored), ended
    (verdict,) = rlvr.score([episode.task], [ended], env.verifier)
    return verdict
