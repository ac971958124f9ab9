"""Self-play: a policy that plays against copies of itself for 40 steps beats its start.

    python benchmarks/self_play.py [--seeds 0] [--steps 40] [--games 200]

The game is connect three on 3 rows and 4 columns, by the rules and the driver of `connect_four`. A small model learns to say
cells, any of them; then it plays itself: the other seat is a copy of its weights, which is brought up to date every five
steps. Printed: the games that the trained model wins, draws and loses against its start, both seats equally often, and those
that were lost by an illegal move. The bar: it wins more than half of them.
"""

from __future__ import annotations

import argparse
import copy
import random
import tempfile
import time
from collections import Counter
from typing import Any

import rlvr
from rlvr.envs.games.connect_four import ConnectFour
from rlvr.policies.transformers import TransformersPolicy
from rlvr.training.quickstart.additions import quiet
from rlvr.training.quickstart.model import make_model, make_tokenizer

ROWS, COLUMNS, CONNECT = 3, 4, 3
EPISODES, GROUP, REFRESH = 64, 8, 5


class TinyConnect(ConnectFour):
    """Connect three, whose prompts and moves are few characters: a move is a column's number."""

    def rules(self, seat: int) -> str:
        """Return nothing: the model knows no words."""
        return ""

    def view(self, seat: int) -> str:
        """Return a digit per cell: 1 for the seat's own discs and 2 for the other's, column by column."""
        cells = [(c, r) for c in range(self.board.columns) for r in range(self.board.rows)]
        own, other = self.discs[seat], self.discs[1 - seat]
        bits = [self.board.bit(c, r) for c, r in cells]
        return "".join("1" if own & bit else "2" if other & bit else "0" for bit in bits)

    def play(self, move: str) -> str:
        """Drop a disc into the column of that number."""
        drops = {str(column): column for column, _ in self.board.drops(self.taken)}
        if move not in drops:
            raise rlvr.games.IllegalMoveError("no")
        super().play(self.cell(drops[move]))
        return move

    def moves(self) -> list[str]:
        """Return the columns that aren't full."""
        return [str(column) for column, _ in sorted(self.board.drops(self.taken))]


class TinySeats(rlvr.games.TwoSeats):
    """The game with messages that are views alone."""

    def begin(self, task: rlvr.Task) -> Any:
        """Make an episode whose replies are the view."""
        episode = super().begin(task)
        episode.turn_text = lambda before: (
            None if episode.is_over else episode.game.view(episode.seat)
        )
        return episode


def openings(seed: str, count: int) -> list[rlvr.Task]:
    """Return tasks from openings of up to three moves, each once per seat; the policy is the one to move."""
    tasks = []
    for number in range(count):
        rng = random.Random(f"{seed}-{number // 2}")
        base = {"rows": ROWS, "columns": COLUMNS, "connect": CONNECT}
        seat = number % 2
        while True:
            game, played = TinyConnect({**base, "turn": 0}), []
            for _ in range(2 * rng.randrange(2) + seat):
                played.append(game.cell(int(rng.choice(game.moves()))))
                ConnectFour.play(game, played[-1])
            if not game.over:
                break
        setup = {**base, "cells": played}
        name = game.seats[seat]
        tasks.append(
            rlvr.Task(
                game.view(seat), {"seat": name}, f"{seed}-{number}", {"game": setup, "seat": name}
            )
        )
    return tasks


def game_of(setup: dict[str, Any]) -> TinyConnect:
    """Return a game after its opening."""
    game = TinyConnect(setup)
    for cell in setup["cells"]:
        ConnectFour.play(game, cell)
    return game


class Copy:
    """The opponent: a copy of the model's weights, whose prompts are views like the policy's."""

    name = "copy"

    def __init__(self, model: Any, tokenizer: Any, batch_size: int = EPISODES) -> None:
        self.model = copy.deepcopy(model).eval()
        self.inner = TransformersPolicy(
            self.model, tokenizer, max_new_tokens=2, temperature=1.0, batch_size=batch_size
        )

    def refresh(self, model: Any) -> None:
        """Take the model's present weights."""
        self.model.load_state_dict(model.state_dict())

    def respond(self, requests: Any) -> Any:
        """Answer the last view alone, as in the policy's first turn."""
        from rlvr.policies.base import Request

        views = [
            Request(
                ({"role": "user", "content": r.prompt[-1]["content"].split("\n")[-3]},),
                r.task,
                r.seed,
            )
            for r in requests
        ]
        return self.inner.respond(views)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--games", type=int, default=200)
    options = parser.parse_args()
    met = True
    for seed in options.seeds:
        began = time.perf_counter()
        line, wins = played_itself(seed, options.steps, options.games)
        met = met and wins > options.games / 2
        print(f"seed {seed}: {line} ({time.perf_counter() - began:.0f} s)", flush=True)
    raise SystemExit(not met)


def taught_columns(seed: int) -> tuple[Any, Any]:
    """Return a model that answers any view with a column and the end, and its tokenizer."""
    import torch

    rng = random.Random(seed)
    tokenizer = make_tokenizer()
    model = make_model(tokenizer, seed)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    for _ in range(80):
        texts = []
        for _ in range(32):
            turns = []
            for _ in range(4):
                view = "".join(rng.choice("0012") for _ in range(ROWS * COLUMNS))
                turns.append({"role": "user", "content": view})
                turns.append({"role": "assistant", "content": str(rng.randrange(COLUMNS))})
            texts.append(tokenizer.apply_chat_template(turns, tokenize=False))
        batch = tokenizer(texts, return_tensors="pt", add_special_tokens=False)
        loss = model(**batch, labels=batch["input_ids"]).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return model, tokenizer


def played_itself(seed: int, steps: int, games: int) -> tuple[str, int]:
    """Train by self-play, and return a line on the games against the start, and the number of wins."""
    with quiet(), tempfile.TemporaryDirectory() as folder:
        import trl
        from transformers.trainer_callback import PrinterCallback, TrainerCallback

        from rlvr.training.turns import ReturnsFromTurns

        model, tokenizer = taught_columns(seed)
        start = Copy(model, tokenizer)
        opponent = Copy(model, tokenizer)
        settings: dict[str, Any] = {"retries": 0, "mode": "whole", "max_turns": 6}
        env = TinySeats(openings(f"train-{seed}", 1000), game_of, opponent, name="tiny", **settings)

        class Refresh(TrainerCallback):
            """Brings the opponent's weights up to date."""

            def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
                if state.global_step % REFRESH == 0:
                    opponent.refresh(kwargs["model"])

        kind: Any = type("TurnGRPOTrainer", (ReturnsFromTurns, trl.GRPOTrainer), {})
        arguments = trl.GRPOConfig(
            output_dir=folder, use_cpu=True, bf16=False, max_steps=steps, seed=seed,
            per_device_train_batch_size=EPISODES, max_completion_length=120, num_generations=GROUP,
            learning_rate=1e-3, lr_scheduler_type="constant_with_warmup", warmup_steps=2, report_to=[],
            save_strategy="no", logging_steps=steps, disable_tqdm=True,
        )  # fmt: skip
        trainer = kind(
            model=model, args=arguments, train_dataset=rlvr.trl.dataset(env),
            reward_funcs=rlvr.trl.reward(env), rollout_func=rlvr.trl.rollout(env),
            processing_class=tokenizer, callbacks=[Refresh()],
        )  # fmt: skip
        trainer.remove_callback(PrinterCallback)
        trainer.train()
        against = TinySeats(openings("held-out", games), game_of, start, name="tiny", **settings)
        policy = TransformersPolicy(
            model, tokenizer, max_new_tokens=2, temperature=1.0, batch_size=EPISODES
        )
        report = rlvr.evaluate(against, policy, run=f"{folder}/run")
        assert not report.unscored
        from rlvr.runs.run import read_rollouts

        rows = list(read_rollouts(f"{folder}/run"))
    ends = Counter(row["verdict"]["reward"] for row in rows)
    forfeits = Counter(
        row["verdict"]["reward"] for row in rows if "forfeited" in row["verdict"]["feedback"]
    )
    line = (
        f"of {len(rows)} games against its start {ends[1.0]} won, {ends[0.5]} drawn, {ends[0.0]} lost; by illegal moves "
        f"{forfeits[1.0]} won and {forfeits[0.0]} lost"
    )
    return line, ends[1.0]


if __name__ == "__main__":
    main()
