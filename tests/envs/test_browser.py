"""`browser`: paid if exactly what was asked for has changed in the application, and nothing else."""

from __future__ import annotations

import asyncio
import copy
import json
import os
import pickle
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rlvr
from rlvr import Scored, Unscored
from rlvr.core.errors import OptionError
from rlvr.core.transcript import Transcript
from rlvr.envs.browser import PROMPT, SITE, application
from rlvr.envs.browser.families import BROWSER_FAMILIES
from rlvr.envs.browser.verifier import SiteState
from rlvr.envs.browser.walk import Walk
from rlvr.sandboxes import browsers
from rlvr.sandboxes.browsers import BrowserJail
from tests.sandboxes.test_browsers import processes_of

Sample = Any


@pytest.fixture
def chromium() -> None:
    if reason := browsers.why_not():
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)


def call(tool: str, **arguments: Any) -> str:
    return f"<tool_call>{json.dumps({'name': tool, 'arguments': arguments})}</tool_call>"


def drawn(family: str, level: int, seed: int) -> rlvr.Task:
    draft = BROWSER_FAMILIES[family](np.random.default_rng(seed), level)
    return draft.task(PROMPT, family, level, "")


def played(env: rlvr.Environment, task: rlvr.Task, *messages: Any) -> tuple[rlvr.Verdict, str]:
    """Play an episode; return its verdict, and all that the model has read."""

    async def play() -> tuple[rlvr.Verdict, str]:
        async with env.episode(task) as episode:
            for message in messages:
                if not episode.over:
                    await episode.respond(message)
            return await episode.verdict(), "\n".join(str(m["content"]) for m in episode.messages)

    return asyncio.run(play())


def judged(task: rlvr.Task, state: Any) -> rlvr.Verdict:
    transcript = Transcript((*task.prompt, {"role": "assistant", "content": "done"}), outcome=state)
    return SiteState().verify(task, transcript)


def right_state(task: rlvr.Task) -> dict[str, Any]:
    """Return the state after the reference's steps."""
    walk = Walk(task.metadata["site"])
    for step in task.reference["steps"]:
        walk.take(step)
    return application.final(walk.state)


CASES = [(family, level) for family in BROWSER_FAMILIES for level in (1, 2, 3)]


@pytest.mark.sweep(gate=1)
@pytest.mark.parametrize(("family", "level"), CASES)
@pytest.mark.usefixtures("chromium")
def test_the_oracle_earns_full_reward(family: str, level: int) -> None:
    """In the real browser, whose elements have the numbers that the walk has found."""
    env = rlvr.make("browser", family=family, level=level)
    for task in env.tasks[:1]:
        turns = env.demonstrate(task)
        assert turns is not None
        assert len(turns) <= env.max_turns
        verdict, text = played(env, task, *turns)
        assert isinstance(verdict, Scored)
        assert (verdict.reward, verdict.status) == (1.0, "correct")
        assert "error:" not in text


@pytest.mark.parametrize("family", BROWSER_FAMILIES)
def test_the_steps_lead_to_the_reference_and_nothing_less_does(family: str, sample: Sample) -> None:
    for seed in sample(range(30), 2):
        for level in (1, 2, 3):
            task = drawn(family, level, seed)
            assert task == drawn(family, level, seed)
            assert judged(task, right_state(task)).reward == 1.0
            assert judged(task, application.final(task.metadata["site"])).reward == 0.0
            assert json.loads(json.dumps(task.metadata)) == task.metadata


@pytest.mark.parametrize("family", BROWSER_FAMILIES)
def test_each_other_change_is_paid_nothing(family: str) -> None:
    task = drawn(family, 2, 1)
    right = right_state(task)
    for table, rows in right["tables"].items():
        for change in ("drop", "add", "edit"):
            state = copy.deepcopy(right)
            changed = state["tables"][table]
            if not rows and change != "add":
                continue
            if change == "drop":
                changed.pop()
            elif change == "add":
                changed.append({**(rows[0] if rows else {}), "id": 9999})
            else:
                name = next(key for key in rows[-1] if key != "id")
                changed[-1][name] = f"{changed[-1][name]}."
            assert judged(task, state).reward == 0.0


def test_rows_are_compared_by_what_they_hold() -> None:
    site = {
        "app": {},
        "tables": {"rows": [{"id": 1, "n": 1, "on": False}, {"id": 2, "n": 2, "on": False}]},
    }
    reference = {
        "changed": {"rows": {"1": {"on": True}}},
        "removed": {"rows": [2]},
        "added": {"rows": [{"n": 3, "on": False}, {"n": 3, "on": False}, {"n": 4, "on": False}]},
    }
    task = rlvr.Task("do it", reference, metadata={"site": site})
    first = {"id": 1, "n": 1, "on": True}
    new = [
        {"id": 7, "n": 4, "on": False},
        {"id": 8, "n": 3, "on": False},
        {"id": 3, "n": 3, "on": False},
    ]

    def reward(*rows: dict[str, Any]) -> float:
        return judged(task, {"tables": {"rows": list(rows)}}).reward

    assert reward(first, *new) == 1.0
    assert reward(*new, first) == 1.0  # in any order, under any id
    assert reward(first, *new[:2]) == 0.0  # one of two alike
    assert reward({**first, "on": 1}, *new) == 0.0  # 1 isn't true
    assert reward({**first, "n": "1"}, *new) == 0.0
    assert reward(first, {"id": 2, "n": 2, "on": False}, *new) == 0.0  # not removed
    assert reward({**first, "more": 1}, *new) == 0.0
    assert judged(task, {"tables": {"rows": [first, *new], "other": [{"id": 1}]}}).reward == 0.0
    for outcome in ("nothing", {"tables": 1}, {"tables": {"rows": [1]}}, {}):
        assert judged(task, outcome).scored is False
    assert judged(task, None).scored is False
    with pytest.raises(rlvr.CannotScore):
        judged(rlvr.Task("do it", {}, metadata={"site": site}), {"tables": {}})


def test_a_site_that_was_never_used_needs_no_browser(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> Any:
        raise AssertionError("a browser was started")

    monkeypatch.setattr(BrowserJail, "launch", refuse)
    env = rlvr.make("browser")
    verdict, text = played(
        env,
        env.tasks[0],
        "\n".join(
            [
                call("goto", path="https://example.com/"),
                call("goto", path="//example.com"),
                call("goto", path="file:///etc/passwd"),
                call("goto", path="javascript:1"),
                call("goto", path="/\\example.com"),
                call("goto", path="/\ud800"),
                call("click", element=0),
                call("click", element=-(10**4000)),
                call("type", element=1, text="x" * 4001),
                call("press", key="F12"),
                call("press", key="Control+L"),
            ]
        ),
        "done",
    )
    assert isinstance(verdict, Scored)
    assert verdict.reward == 0.0
    assert text.count("error:") == 11


@pytest.mark.usefixtures("chromium")
def test_no_response_is_a_fault_or_a_reward() -> None:
    env = rlvr.make("browser", family="wiki", max_turns=60)
    task = env.tasks[0]
    note = "<script>location='/t/pages/1/delete'</script><img src=x onerror=alert(1)>{id}%s\0\u202e"
    hostile = [
        call("goto", path="/t/pages/new"),
        call("type", element=3, text=note) + call("type", element=4, text=note * 40),
        call("click", element=5),
        call("read"),
        *(
            call("goto", path=path)
            for path in (
                "/t/pages/99999999999999",
                "/t/none",
                "/t/pages/1/do/x",
                "/t/pages?page=-1",
            )
        ),
        call("goto", path="/t/pages?q=%ff%00&page=9999999999999999999999999"),
        *(call("click", element=n) for n in (1, 2, 3, 10**6)),
        *(call("press", key=key) for key in ("Tab", "Enter", "Space", "Backspace", "Escape")),
        "\n".join(call("back") for _ in range(16)),
        call("read", part=7)
        + call("select", element=1, option=note)
        + call("type", element=1, text="\ud800"),
    ]
    verdict, text = played(env, task, *hostile, "done")
    assert isinstance(verdict, Scored), verdict
    assert verdict.reward == 0.0
    assert "<script>location=" in text  # shown as text
    assert verdict.detail["collateral"] == 1  # the new page, and no page was deleted


@pytest.mark.usefixtures("chromium")
def test_a_dead_browser_is_nobodys_wrong_answer() -> None:
    env = rlvr.make("browser", family="todo")

    async def play() -> rlvr.Verdict:
        async with env.episode(env.tasks[0]) as episode:
            await episode.respond(call("goto", path="/"))
            (jail,) = [jail for jail in browsers._jails if not jail._closed]
            for pid, line in processes_of(jail).items():
                if "--remote-debugging-pipe" in line:
                    os.kill(pid, signal.SIGKILL)
            await episode.respond(call("goto", path="/"))
            return await episode.verdict()

    if browsers.why_not("bubblewrap"):
        pytest.skip("needs bubblewrap")
    verdict = asyncio.run(play())
    assert isinstance(verdict, Unscored)
    assert verdict.cause == "sandbox"
    assert all(jail._closed for jail in browsers._jails)


@pytest.mark.usefixtures("chromium")
def test_a_cancelled_start_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    env = rlvr.make("browser", family="todo")
    jails: list[BrowserJail] = []
    launch = BrowserJail.launch.__func__  # type: ignore[attr-defined]

    def launched(cls: type[BrowserJail], *arguments: Any, **options: Any) -> BrowserJail:
        jails.append(launch(cls, *arguments, **options))
        return jails[-1]

    monkeypatch.setattr(BrowserJail, "launch", classmethod(launched))

    async def play() -> None:
        async with env.episode(env.tasks[0]) as episode:
            turn = asyncio.ensure_future(episode.respond(call("goto", path="/")))
            await asyncio.sleep(0)
            turn.cancel()
            with pytest.raises(asyncio.CancelledError):
                await turn

    asyncio.run(play())
    from rlvr.envs.toolboxes import browser

    for work in ("start", "act"):
        browser._pool(work).shutdown(wait=True)
    browser._threads.clear()
    assert all(jail._closed for jail in jails)


def test_options_are_checked(tmp_path: Path) -> None:
    for options in ({"family": "shops"}, {"level": 4}, {"memory_mb": 1}, {"level": "x"}):
        with pytest.raises(OptionError):
            rlvr.make("browser", **options)
    with pytest.raises(OptionError, match="can't be read"):
        rlvr.tools.Browser(tmp_path / "none.py")
    broken = tmp_path / "broken.py"
    broken.write_text("def answer(:")
    with pytest.raises(OptionError, match="can't be read"):
        rlvr.tools.Browser(broken)
    env = rlvr.make("browser", calls="native")
    assert {schema["function"]["name"] for schema in env.tool_schemas or ()} == {
        "goto", "click", "type", "select", "press", "back", "read", "finish",
    }  # fmt: skip
    again = pickle.loads(pickle.dumps(env))
    assert again.tasks[3] == env.tasks[3]
    assert list(again.tools) == list(env.tools)


def test_the_site_needs_the_standard_library_alone() -> None:
    assert "rlvr" not in [
        line.split()[1].partition(".")[0]
        for line in SITE.read_text().splitlines()
        if line.startswith(("import ", "from "))
    ]


def test_no_task_is_in_two_splits() -> None:
    sets = [rlvr.make("browser", split=split).tasks for split in ("train", "dev", "test")]
    prompts = [{tasks[i].text for i in range(60)} for tasks in sets]
    assert len(set.union(*prompts)) == sum(map(len, prompts))
