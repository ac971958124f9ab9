"""Train on each environment for agents for 20 steps, on the CPU, with a small model made on the spot.

    python benchmarks/agent_training.py [--steps 20] [math_python code_agent search_qa terminal support …]

The model has memorised the messages of right episodes of a few tasks, and wrong ones, so that there is a reward to learn
from. Printed per environment: the steps, the share of unscored rollouts, the mean reward of the first and the last five
steps, and the most turns. It fails if a step is missing, a rollout is unscored, or no weight has moved.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import rlvr
from rlvr.runs.run import read_rollouts

sys.path.insert(0, str(Path(__file__).parents[1]))  # for recipes

ENVIRONMENTS: dict[str, dict[str, Any]] = {
    "math_python": {"source": "arithmetic", "max_turns": 3},
    "code_agent": {"source": "mbpp", "max_turns": 3},
    "search_qa": {"level": 1, "max_turns": 4},
    "connect_four": {"level": 1, "retries": 0},
    "negotiation": {"level": 1, "retries": 0},
    "terminal": {"family": "fix_script", "max_turns": 3},
    "support": {"level": 1, "max_turns": 4},
    "ledgers": {"level": 1, "max_turns": 3},
    "ledgers (self)": {"level": 1, "max_turns": 3, "agents": "self"},
    "browser": {"family": "permissions", "max_turns": 4},
}
TASKS, BATCH, GROUP = 4, 16, 8


async def right_messages(env: rlvr.Environment, task: rlvr.Task) -> list[tuple[list[Any], str]]:
    """Play a right episode, and return what comes before each message of the model, and the message."""
    turns = env.demonstrate(task)
    assert turns
    examples = []
    async with env.episode(task) as episode:
        for turn in turns:
            if episode.over:
                break
            assert isinstance(turn, str)
            examples.append((list(episode.messages), turn))
            await episode.respond(turn)
    return examples


async def trained(name: str, options: dict[str, Any], steps: int, folder: Path) -> str:
    """Make a model, train it, and return a line about it."""
    from recipes._text_model import make_text_model, make_text_tokenizer, memorise
    from rlvr.policies.template import Template

    name = name.removesuffix(" (self)")  # the sub-agents are the policy's own
    env = rlvr.make(name, **options)
    tasks = list(env.tasks[:TASKS])
    examples = [example for task in tasks for example in await right_messages(env, task)]
    wrong = [(prompt, "\\boxed{none}") for prompt, _ in examples]
    texts = [m["content"] for prompt, _ in examples for m in prompt] + [
        turn for _, turn in examples
    ]
    tokenizer = make_text_tokenizer(texts)
    model = make_text_model(tokenizer, positions=8192)
    memorise(model, tokenizer, [*examples, *examples, *wrong], steps=120, batch_size=8)
    model.save_pretrained(folder / "model")
    tokenizer.save_pretrained(folder / "model")
    prompts = [len(Template(tokenizer).prompt(prompt)) for prompt, _ in examples]
    turns = [len(tokenizer(turn)["input_ids"]) for _, turn in examples]
    longest = max(prompts) + max(turns) - min(prompts)  # with what the environment says in between
    config = rlvr.TrainConfig(
        str(folder / "model"),
        rlvr.Source(name, options=options, limit=TASKS),
        steps=steps,
        batch=BATCH,
        group=GROUP,
        max_tokens=2 * longest,
        learning_rate=1e-4,
        measure_every=steps,
        save_every=1000,
        held_out=rlvr.Source(name, options=options, limit=TASKS),
    )
    began = time.perf_counter()
    outcome = await asyncio.to_thread(rlvr.train, config, folder / "run")
    took = time.perf_counter() - began
    rows = [row for row in read_rollouts(outcome.run) if row["part"] == "train"]
    unscored = [row["verdict"] for row in rows if not row["verdict"]["scored"]]
    if outcome.step != steps or unscored:
        raise SystemExit(
            f"{name}: {outcome.step} of {steps} steps ({outcome.stopped}), unscored: {unscored[:2]}"
        )
    weights = dict(type(model).from_pretrained(outcome.run / "model").named_parameters())
    if all(bool((w == weights[key]).all()) for key, w in model.named_parameters()):
        raise SystemExit(f"{name}: no weight was moved")
    rewards = [row["verdict"]["reward"] for row in rows]
    part = 5 * BATCH
    first, last = statistics.fmean(rewards[:part]), statistics.fmean(rewards[-part:])
    turns = max(sum(m["role"] == "assistant" for m in row["messages"]) for row in rows)
    return (
        f"{name}: {outcome.step} steps, {len(rows)} rollouts, none unscored, reward {first:.2f} → {last:.2f}, "
        f"up to {turns} turns ({took:.0f} s)"
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("environments", nargs="*", help="default: all")
    parser.add_argument("--steps", type=int, default=20)
    arguments = parser.parse_args()
    os.environ["HF_HUB_OFFLINE"] = "1"
    os.environ["CUDA_VISIBLE_DEVICES"] = ""
    for name in arguments.environments or ENVIRONMENTS:
        with tempfile.TemporaryDirectory(prefix="rlvr-agents-") as folder:
            line = asyncio.run(trained(name, ENVIRONMENTS[name], arguments.steps, Path(folder)))
        print(line, flush=True)


if __name__ == "__main__":
    main()
