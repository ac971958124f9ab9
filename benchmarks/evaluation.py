"""How much an evaluation adds to the requests it makes.

    python benchmarks/evaluation.py [--requests 20000]

1. A stub server of fixed latency answers GSM8K questions: `rlvr.evaluate` with 64 requests under way, judging
   each answer and writing the run, against the bare client with as many requests and nothing else. In one
   process each, taking turns; the figure is the ratio of throughputs, median over rounds.
2. 10,000 saved rollouts of GSM8K judged again, without a cache: seconds.
3. The peak memory of an evaluation of 100,000 rollouts over that of 10,000.

Reads GSM8K from RLVR_DATA.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import rlvr
from rlvr.evaluation.evaluate import evaluate
from rlvr.evaluation.rescore import rescore
from rlvr.policies.base import Request
from rlvr.policies.openai import OpenAIPolicy
from rlvr.runs.rollouts import Rollout
from rlvr.runs.run import Run, read_rollouts

CONCURRENCY = 64


def serve(port: Any, latency_s: float) -> None:
    """Answers every question with its length boxed, after some text, `latency_s` later."""
    filler = "First we look at what is given, and then we add it up step by step. " * 8

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await reader.readline():
                length = 0
                while (header := await reader.readline()).strip():
                    if header.lower().startswith(b"content-length:"):
                        length = int(header.split(b":")[1])
                body = json.loads(await reader.readexactly(length)) if length else {}
                if body:
                    await asyncio.sleep(latency_s)
                    text = f"{filler}\\boxed{{{len(body['messages'][-1]['content'])}}}"
                    choice = {"index": 0, "message": {"content": text}, "finish_reason": "stop"}
                    answer: dict[str, Any] = {
                        "choices": [choice],
                        "usage": {"prompt_tokens": 90, "completion_tokens": 140},
                    }
                else:
                    answer = {"data": [{"id": "stub"}]}
                data = json.dumps(answer).encode()
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(data) + data)
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def main() -> None:
        server = await asyncio.start_server(handle, "127.0.0.1", 0)
        port.value = server.sockets[0].getsockname()[1]
        await server.serve_forever()

    asyncio.run(main())


def tasks(count: int) -> rlvr.SingleTurn:
    """So many GSM8K questions: the test split's again and again, each time as other tasks."""
    env = rlvr.make("gsm8k", split="test")
    own = env.tasks
    rows = [
        rlvr.Task(own[i % len(own)].prompt, own[i % len(own)].reference, str(i))
        for i in range(count)
    ]
    return rlvr.SingleTurn(rlvr.TaskSet(rows, "gsm8k"), env.verifier)


def bare(url: str, env: rlvr.SingleTurn) -> float:
    """Return the requests per second of the client alone."""

    async def go() -> float:
        policy = OpenAIPolicy("stub", url, concurrency=CONCURRENCY)
        await policy.start()
        waiting = iter(env.tasks)

        async def worker() -> None:
            for task in waiting:
                await policy.generate(Request.of(task))

        began = time.perf_counter()
        await asyncio.gather(*(worker() for _ in range(CONCURRENCY)))
        rate = len(env.tasks) / (time.perf_counter() - began)
        await policy.aclose()
        return rate

    return asyncio.run(go())


def whole(url: str, env: rlvr.SingleTurn, folder: Path) -> float:
    """Rollouts a second of an evaluation."""
    policy = OpenAIPolicy("stub", url, concurrency=CONCURRENCY)
    with Run.create(folder, "eval", {}) as run:
        began = time.perf_counter()
        report = evaluate(env, policy, run=run)
        rate = report.rollouts / (time.perf_counter() - began)
    assert report.scored == len(env.tasks)
    return rate


def throughput(requests: int, rounds: int) -> None:
    env = tasks(requests)
    for latency_s in (0.2, 0.8):
        port = multiprocessing.Value("i", 0)
        server = multiprocessing.Process(target=serve, args=(port, latency_s), daemon=True)
        server.start()
        while not port.value:
            time.sleep(0.01)
        url = f"http://127.0.0.1:{port.value}/v1"
        ratios, rates = [], []
        with tempfile.TemporaryDirectory() as folder:
            whole(url, tasks(500), Path(folder, "warm"))
            for i in range(rounds):
                alone = bare(url, env)
                rates.append(whole(url, env, Path(folder, str(i))))
                ratios.append(rates[-1] / alone)
        server.kill()
        most = CONCURRENCY / latency_s
        print(
            f"latency {latency_s * 1000:.0f} ms, {CONCURRENCY} requests: {statistics.median(rates):.0f}/s of "
            f"{most:.0f}/s possible; over the bare client {statistics.median(ratios):.3f} "
            f"({min(ratios):.3f}–{max(ratios):.3f})"
        )


def rescoring(count: int) -> None:
    source = Path(os.environ["RLVR_DATA"], "math", "gsm8k_example_model_solutions.jsonl")
    solutions = [json.loads(line) for line in source.read_text().splitlines()]
    env = rlvr.make("gsm8k", split="test")
    by_question = {task.text.split("\n\nReason step")[0]: task for task in env.tasks}
    answers = [
        (by_question[row["question"]], row[key]["solution"])
        for row in solutions
        for key in row
        if isinstance(row[key], dict) and row["question"] in by_question
    ]
    with tempfile.TemporaryDirectory() as folder:
        with Run.create(Path(folder, "run"), "eval", {}) as run:
            for i in range(count):
                task, text = answers[i % len(answers)]
                # Each another text, so that none is found in memory.
                said = f"Attempt {i}. {text}\n\\boxed{{{text.split()[-1]}}}"
                rollout = Rollout("gsm8k", None, task, i, [dict(m) for m in task.prompt])
                rollout.messages.append({"role": "assistant", "content": said})
                rollout.verdict = rlvr.score([task], [said], env.verifier)[0]
                run.rollout(rollout.to_json())
        began = time.perf_counter()
        found = list(rescore(env, map(Rollout.from_json, read_rollouts(run.path))))
        seconds = time.perf_counter() - began
    assert len(found) == count
    assert not any(one.change for one in found)
    print(f"{count:,} saved rollouts judged again in {seconds:.2f} s")


MEMORY = """
import resource, sys, tempfile
import rlvr
from rlvr.evaluation.evaluate import evaluate
from rlvr.runs.run import Run
class Says:
    name = "says"
    def respond(self, requests):
        return [f"{'so ' * 200}\\\\boxed{{{r.seed}}}" for r in requests]
env = rlvr.make("arithmetic", split="test", size=int(sys.argv[1]) // 4)
with tempfile.TemporaryDirectory() as folder, Run.create(folder + "/r", "eval", {}) as run:
    report = evaluate(env, Says(), k=4, run=run)
assert report.rollouts == int(sys.argv[1])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def memory() -> None:
    peaks = []
    for count in (10_000, 100_000):
        done = subprocess.run(
            [sys.executable, "-c", MEMORY, str(count)], capture_output=True, text=True, check=True
        )
        peaks.append(int(done.stdout) / 1024)
    print(
        f"peak memory of 10,000 rollouts {peaks[0]:.0f} MB, of 100,000 {peaks[1]:.0f} MB: "
        f"{(peaks[1] - peaks[0]) * 1e6 / 90_000:.0f} bytes a rollout more"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--requests", type=int, default=4000)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    throughput(arguments.requests, arguments.rounds)
    rescoring(10_000)
    memory()
