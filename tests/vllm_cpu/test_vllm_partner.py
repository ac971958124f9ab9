"""A partner behind a real vLLM server that is killed in the middle: the episodes under way are all that it may cost."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

import rlvr
from rlvr.partners import Partner
from rlvr.policies import Generation, Request
from rlvr.runs.run import read_rollouts
from tests.vllm_cpu.conftest import NAME, Server, free_port, serve, stop

EPISODES, TURNS, KILLED_AT = 200, 3, (60, 140)


class Sums(rlvr.Episode):
    """Asks the partner for a sum after each message, and ends after some."""

    partner: Partner
    under_way: set[str] = set()

    async def open(self) -> None:
        self.under_way.add(self.task.id)
        await self.partner.open()
        self.talk = self.partner.talk(self)

    async def reply(self, message: Any) -> Any:
        if len(self.conversation) >= 2 * TURNS:
            return None
        generation = await self.talk.ask(f"{len(self.conversation)}+1=")
        return generation.text or "?"

    async def close(self) -> None:
        self.under_way.discard(self.task.id)


class Steady:
    """Says the same, for many episodes at a time, and kills the server after some of them."""

    name = "steady"
    concurrency = 8

    def __init__(self, server: Server, model: Path, log: Path) -> None:
        self.server, self.model, self.log = server, model, log
        self.begun = 0
        self.under_way: set[str] = set()
        self.restarting: list[threading.Thread] = []

    async def generate(self, request: Request, n: int = 1) -> list[Generation]:
        if len(request.prompt) == 1:
            self.begun += 1
            if self.begun in KILLED_AT:
                self.under_way |= Sums.under_way
                self.server.process.kill()
                self.server.process.wait()
                self.restarting.append(threading.Thread(target=self._restart))
                self.restarting[-1].start()
        return [Generation("yes")] * n

    def _restart(self) -> None:
        port = int(self.server.url.rsplit(":", 1)[1])
        self.server = serve(self.model, self.log, port=port)


@pytest.mark.sweep(gate=0)
def test_a_server_that_is_killed_twice_costs_the_episodes_under_way_at_most(
    warmed: Path, tmp_path: Path
) -> None:
    log = tmp_path / "vllm.log"
    steady = Steady(serve(warmed, log, port=free_port()), warmed, log)
    try:
        # A restart takes minutes on a machine with much else to do.
        options = {"model": NAME, "base_url": steady.server.base_url, "patience_s": 1800.0}
        Sums.partner = Partner(options, "calculator")
        tasks = [rlvr.Task("Begin.", "yes", id=str(n)) for n in range(EPISODES)]
        env = rlvr.MultiTurn(tasks, _yes, Sums, max_turns=TURNS + 1, deadline_s=3600.0)
        rlvr.evaluate(env, steady, run=tmp_path / "run")
    finally:
        for thread in steady.restarting:
            thread.join()
        stop(steady.server)
    assert len(steady.restarting) == len(KILLED_AT)
    rows = list(read_rollouts(tmp_path / "run"))
    assert sorted(row["task"] for row in rows) == sorted(task.id for task in tasks)
    lost = [row for row in rows if not row["verdict"]["scored"]]
    assert {row["task"] for row in lost} <= steady.under_way
    assert {row["verdict"]["cause"] for row in lost} <= {"partner"}
    for row in rows:
        if row["verdict"]["scored"]:
            assert row["verdict"]["reward"] == 1.0
            assert len(row["children"][0]["messages"]) == 2 * (TURNS - 1)
            assert row["children"][0]["tokens"]["completion"] > 0


@rlvr.verifier(mode="whole")
def _yes(task: rlvr.Task, answer: str) -> bool:
    return answer == task.reference
