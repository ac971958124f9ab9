"""`rlvr train`: whole runs on a small model, by each trainer, killed, resumed, stopped, shared out."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

import rlvr
from rlvr.authoring.difficulty import Difficulty
from rlvr.core.errors import DataError, OptionError
from rlvr.runs.run import Run, about, read_rollouts
from rlvr.training.config import Source, TrainConfig
from rlvr.training.guards import GuardConfig
from tests.training.broken_verifier import Broken

pytest.importorskip("trl")
from rlvr.training.recorder import rewind
from rlvr.training.train import TrainOutcome, train

ADDITIONS = {"digits": 3, "terms": 2, "operators": "+", "prompt": "{compact}="}
SHORT: dict[str, Any] = {
    "steps": 3, "batch": 16, "group": 4, "max_tokens": 24, "measure_every": 2, "save_every": 2,
    "learning_rate": 1e-3,
}  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Any:
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def additions(split: str = "train", limit: int | None = None) -> Source:
    return Source("arithmetic", split=split, options=ADDITIONS, limit=limit)


@rlvr.verifier(mode="whole", inline=True)
def ends_in_even(task: rlvr.Task, answer: str) -> float:
    """Reward an answer that a random model gives now and then."""
    return float(answer[-1:] in "02468")


def easy(count: int = 40, name: str = "easy", verifier: Any = ends_in_even) -> rlvr.SingleTurn:
    tasks = [rlvr.Task(f"{i}+{i}=", str(2 * i), f"{name}-{i}") for i in range(count)]
    return rlvr.SingleTurn(rlvr.TaskSet(tasks, name), verifier)


def steps(path: Path, part: str = "train") -> dict[int, list[tuple[str, int]]]:
    """Return the tasks and samples of each training (or measurement) step."""
    found: dict[int, list[tuple[str, int]]] = {}
    for row in read_rollouts(path):
        if row["part"] == part:
            found.setdefault(row["step"], []).append((row["task"], row["sample"]))
    return found


def metrics(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (path / "metrics.jsonl").read_text().splitlines()]


def check_whole(outcome: TrainOutcome, config: TrainConfig) -> None:
    path = outcome.run
    trained = steps(path)
    assert sorted(trained) == list(range(1, config.steps + 1))
    for rows in trained.values():
        assert len(rows) == config.batch
        groups = Counter(task for task, _ in rows)
        assert set(groups.values()) == {config.group}
        assert len(set(rows)) == len(rows)
    curve = [row for row in metrics(path) if "reward" in row]
    assert [row["step"] for row in curve] == list(range(1, config.steps + 1))
    for row in curve:
        assert "kl/sequence/k3" in row
        assert "rlvr/unscored" in row
    assert outcome.stopped is None
    assert "finished" in about(path)
    from transformers import AutoModelForCausalLM, AutoTokenizer

    loaded = AutoModelForCausalLM.from_pretrained(path / "model")
    AutoTokenizer.from_pretrained(path / "model")
    start = AutoModelForCausalLM.from_pretrained(config.model)
    weights = dict(start.named_parameters())
    assert {name for name, _ in loaded.named_parameters()} == set(weights)
    moved = [(w - weights[name]).abs().max().item() for name, w in loaded.named_parameters()]
    assert max(moved) > 0


@pytest.mark.parametrize("trainer", ["grpo", "rloo", "ppo"])
def test_each_trainer(trainer: Any, model: str, tmp_path: Path, rlvr_cli: Any) -> None:
    group = 1 if trainer == "ppo" else 4
    held_out = additions("test", 20)
    given = SHORT | {"group": group}
    config = TrainConfig(model, easy(), trainer=trainer, held_out=held_out, **given)
    outcome = train(config, tmp_path / "run")
    check_whole(outcome, config)
    assert {step: len(rows) for step, rows in steps(outcome.run, "held-out").items()} == {
        0: 20, 2: 20, 3: 20
    }  # fmt: skip
    (report,) = outcome.after
    assert (report.env, report.tasks) == ("arithmetic", 20)
    done = rlvr_cli("view", outcome.run, "--no-open")
    assert done.returncode == 0, done.stderr
    assert (outcome.run / "report.html").stat().st_size > 10_000
    assert (outcome.run / "plot.png").exists()


def test_adapters_are_trained_and_merged(model: str, tmp_path: Path) -> None:
    config = TrainConfig(model, easy(), lora=4, **SHORT)
    outcome = train(config, tmp_path / "run")
    check_whole(outcome, config)
    assert not (outcome.run / "model" / "adapter_config.json").exists()
    checkpoint = outcome.run / "checkpoints" / "checkpoint-2"
    assert (checkpoint / "adapter_config.json").exists()


def test_a_mixture_is_shared_out_by_weight(model: str, tmp_path: Path) -> None:
    sources = [Source("a", 3.0, env=easy(12, "a")), Source("b", 1.0, env=easy(50, "b"))]
    config = TrainConfig(model, sources, **SHORT | {"steps": 4})
    outcome = train(config, tmp_path / "run")
    check_whole(outcome, config)
    rows = [row for row in read_rollouts(outcome.run) if row["part"] == "train"]
    assert Counter(row["env"] for row in rows) == {"a": 48, "b": 16}
    assert {row["task"].split("-")[0] for row in rows if row["env"] == "a"} == {"a"}
    # Twelve prompts of twelve tasks: each once.
    assert len({row["task"] for row in rows if row["env"] == "a"}) == 12
    assert "rlvr/a/unscored" in metrics(outcome.run)[0]


@pytest.mark.sweep(gate=1)
@pytest.mark.parametrize("count", [3, 10])
def test_no_task_is_left_out_of_a_set_that_batches_do_not_divide(
    model: str, tmp_path: Path, count: int
) -> None:
    config = TrainConfig(model, Source(env=easy(count)), **SHORT | {"steps": 5})
    outcome = train(config, tmp_path / "run")
    assert outcome.step == 5
    seen = Counter(task for rows in steps(outcome.run).values() for task, _ in rows)
    assert len(seen) == count
    assert max(seen.values()) - min(seen.values()) <= 4  # a group


def test_a_sorted_data_set_is_shuffled_and_only_by_the_seed(model: str, tmp_path: Path) -> None:
    orders = []
    for i, seed in enumerate((0, 0, 1)):
        config = TrainConfig(model, easy(), **SHORT | {"seed": seed, "steps": 2})
        path = train(config, tmp_path / str(i)).run
        orders.append([task for rows in steps(path).values() for task, n in rows if n == 0])
    assert orders[0] == orders[1] != orders[2]
    assert orders[0] != sorted(orders[0], key=lambda id: int(id.split("-")[1]))


def test_a_curriculum_gives_the_order(model: str, tmp_path: Path) -> None:
    env = easy(12)
    rates = {f"easy-{i}": i / 11 for i in range(12)}
    file = tmp_path / "difficulties.jsonl"
    rows = [Difficulty(task, 11, round(rate * 11)) for task, rate in rates.items()]
    file.write_text("".join(json.dumps(row.to_json(4)) + "\n" for row in rows))
    source = Source(env=env, difficulties=str(file))
    outcome = train(TrainConfig(model, source, **SHORT), tmp_path / "run")
    order = [task for rows in steps(outcome.run).values() for task, sample in rows if sample == 0]
    assert order == sorted(rates, key=lambda id: -rates[id])


class Twice(rlvr.MultiTurn):
    def reply(self, task: rlvr.Task, messages: list[dict[str, str]]) -> str | None:
        return None if len(messages) > 3 else "1+1="


def test_several_turns(model: str, tmp_path: Path) -> None:
    env = Twice(easy().tasks, ends_in_even, max_turns=2, name="twice")
    config = TrainConfig(model, env, **SHORT | {"max_tokens": 40, "steps": 2})
    outcome = train(config, tmp_path / "run")
    check_whole(outcome, config)
    turns = Counter(
        sum(message["role"] == "assistant" for message in row["messages"])
        for row in read_rollouts(outcome.run)
    )
    assert turns[2] > 0
    assert "rlvr/turns" in metrics(outcome.run)[0]
    with pytest.raises(OptionError, match="RLOOTrainer plays no episodes in several turns"):
        train(TrainConfig(model, env, trainer="rloo", **SHORT), tmp_path / "other")
    assert not (tmp_path / "other").exists()


# accelerate's own `launch --cpu` starts one process.
IN_TWO_PROCESSES = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]  # fmt: skip
COMMAND = [
    sys.executable, "-m", "rlvr", "train", "arithmetic", "--steps", "8", "--batch", "16", "--group", "4",
    "--max-tokens", "24", "--learning-rate", "1e-3", "--save-every", "2", "--measure-every", "4",
    "--held-out-limit", "8", "--beta", "0.01",
    *(f"--env={name}={value}" for name, value in ADDITIONS.items()),
]  # fmt: skip


def run_command(*arguments: str, check: int = 0, **more: str) -> subprocess.CompletedProcess[str]:
    environ = os.environ | {"OMP_NUM_THREADS": "1"} | more
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=900, env=environ)
    assert done.returncode == check, done.stderr[-3000:]
    return done


@pytest.mark.sweep
def test_killed_in_the_middle_and_resumed_it_is_the_uninterrupted_run(
    model: str, tmp_path: Path
) -> None:
    whole, torn = tmp_path / "whole", tmp_path / "torn"
    run_command(*COMMAND, "--model", model, "--run", str(whole))
    for already in (3, 6):
        again = ["--resume"] if already > 3 else []
        command = [*COMMAND, "--model", model] if not again else [*COMMAND[:4]]
        process = subprocess.Popen(
            [*command, "--run", str(torn), *again],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=os.environ | {"OMP_NUM_THREADS": "1"},
        )  # fmt: skip
        deadline = time.monotonic() + 300
        while time.monotonic() < deadline and process.poll() is None:
            if torn.exists() and max(steps(torn), default=0) >= already:
                break
            time.sleep(0.01)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        assert max(steps(torn)) < 8
    # As a kill in the middle of saving leaves it:
    (torn / "checkpoints" / "checkpoint-8").mkdir()
    run_command(*COMMAND[:4], "--run", str(torn), "--resume")
    assert steps(torn) == steps(whole)
    assert steps(torn, "held-out") == steps(whole, "held-out")
    same = ("reward", "loss", "kl/sequence/k3", "entropy", "rlvr/math", "held_out_accuracy")
    for one, other in zip(metrics(whole), metrics(torn), strict=True):
        assert {name: one.get(name) for name in same} == pytest.approx(
            {name: other.get(name) for name in same}, abs=1e-5, nan_ok=True
        )
    texts = [[row["messages"] for row in read_rollouts(path)] for path in (whole, torn)]
    assert texts[0] == texts[1]


@pytest.mark.sweep
def test_two_processes_share_a_batch(model: str, tmp_path: Path) -> None:
    arguments = [one for one in COMMAND[3:] if one != "8"]
    arguments.insert(arguments.index("--steps") + 1, "3")
    arguments[arguments.index("--held-out-limit") + 1 : arguments.index("--held-out-limit") + 1] = [
        "9"
    ]
    run = tmp_path / "run"
    arguments += ["--model", model, "--run", str(run)]
    run_command(*IN_TWO_PROCESSES, "-m", "--", "rlvr", *arguments, CUDA_VISIBLE_DEVICES="")
    assert {step: len(rows) for step, rows in steps(run).items()} == {1: 16, 2: 16, 3: 16}
    for rows in steps(run).values():
        assert set(Counter(task for task, _ in rows).values()) == {4}
    assert {step: len(rows) for step, rows in steps(run, "held-out").items()} == {0: 9, 3: 9}
    assert [row["step"] for row in metrics(run) if "reward" in row] == [1, 2, 3]
    assert "finished" in about(run)


def test_a_broken_sandbox_stops_the_run_and_is_named(model: str, tmp_path: Path) -> None:
    config = TrainConfig(model, easy(verifier=Broken()), **SHORT | {"steps": 20})
    outcome = train(config, tmp_path / "run")
    assert outcome.stopped is not None
    assert "sandbox" in outcome.stopped
    assert outcome.step < 20
    rows = list(read_rollouts(outcome.run))
    assert {row["verdict"]["cause"] for row in rows} == {"sandbox"}
    assert json.loads((outcome.run / "report.json").read_text())["stopped"] == outcome.stopped
    off = GuardConfig(unscored=False)
    config = TrainConfig(model, easy(verifier=Broken()), guards=off, **SHORT)
    outcome = train(config, tmp_path / "off")
    assert (outcome.step, outcome.stopped) == (3, None)
    from transformers import AutoModelForCausalLM

    first, last = (AutoModelForCausalLM.from_pretrained(p) for p in (model, outcome.run / "model"))
    for a, b in zip(first.parameters(), last.parameters(), strict=True):
        assert (a == b).all()  # nothing was learned from nothing


def test_a_kl_budget_stops_the_run(model: str, tmp_path: Path) -> None:
    given = SHORT | {"steps": 30, "learning_rate": 1e-2}
    config = TrainConfig(model, easy(), kl_budget=0.5, **given)
    outcome = train(config, tmp_path / "run")
    assert outcome.stopped is not None
    assert "KL budget is spent" in outcome.stopped
    assert outcome.step < 30


def test_steps_that_share_a_batch_are_logged_and_a_stop_waits_for_their_end(
    model: str, tmp_path: Path
) -> None:
    given = SHORT | {"steps": 4, "trl": {"num_iterations": 2}}
    outcome = train(TrainConfig(model, easy(), **given), tmp_path / "run")
    assert [row["step"] for row in metrics(outcome.run)] == [1, 2, 3, 4]
    assert sorted(steps(outcome.run)) == [1, 3]
    given |= {"steps": 20}
    outcome = train(TrainConfig(model, easy(verifier=Broken()), **given), tmp_path / "stopped")
    assert outcome.stopped is not None
    assert outcome.step % 2 == 0
    assert outcome.step < 20
    with pytest.raises(OptionError, match="save_every is a multiple of 2"):
        train(TrainConfig(model, easy(), **given | {"save_every": 3}), tmp_path / "odd")


def test_a_run_is_rewound_to_its_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def written() -> tuple[list[tuple[Any, ...]], list[int]]:
        with Run.create(None, "train", {}) as run:
            for step in range(4):
                if step % 2 == 0:
                    run.rollout({"part": "held-out", "step": step})
                    run.metrics(step=step, held_out_accuracy=0.5)
                if step:
                    run.rollout({"part": "train", "step": step})
                    run.metrics(step=step, loss=1.0)
        rewind(run.path, at, whole)
        rows = [(row["part"], row["step"]) for row in read_rollouts(run.path)]
        return rows, [row["step"] for row in metrics(run.path)]

    monkeypatch.chdir(tmp_path)
    at, whole = -1, False  # a kill before the first checkpoint
    assert written() == ([], [])
    at = 2
    before = [("held-out", 0), ("train", 1)]
    assert written() == ([*before, ("held-out", 2), ("train", 2)], [0, 1, 2, 2])
    whole = True  # only the last measurement is missing, or half of it is there
    assert written() == ([*before, ("train", 2)], [0, 1, 2])


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"trainer": "dpo"}, "trainer is one of grpo, rloo, ppo, not 'dpo'"),
        ({"batch": 10}, "A batch of 10 completions can't be groups of 4"),
        ({"group": 1}, "grpo compares the completions of a prompt"),
        ({"steps": 0}, "steps is at least 1"),
        ({"vllm": "server"}, "needs the server's base_url"),
        ({"environments": []}, "Training needs an environment"),
        ({"environments": 3}, "its name, itself or a Source"),
    ],
)
def test_what_can_t_be_is_told(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(OptionError, match=re.escape(said)):
        TrainConfig(**{"model": "m", "environments": "arithmetic", **SHORT, **changes})


def test_what_trl_won_t_have_is_told_before_a_run_is_made(model: str, tmp_path: Path) -> None:
    for trl, said in (
        ({"bets": 1}, "no argument 'bets'"),
        ({"loss_type": "x"}, "Unknown loss type: x"),
        ({"loss_typ": "x"}, "no argument"),
    ):
        with pytest.raises((OptionError, ValueError), match=said):
            train(TrainConfig(model, easy(), trl=trl, **SHORT), tmp_path / "run")
    with pytest.raises(OptionError, match=r"divided among 1 processes in micro-batches of 5"):
        train(TrainConfig(model, easy(), micro_batch=5, **SHORT), tmp_path / "run")
    with pytest.raises(OptionError, match="vllm='colocate' needs a GPU"):
        train(TrainConfig(model, easy(), vllm="colocate", **SHORT), tmp_path / "run")
    assert not (tmp_path / "run").exists()
    with pytest.raises(DataError, match="There's no folder"):
        train(TrainConfig(str(tmp_path / "none"), easy(), **SHORT), tmp_path / "run")


def test_a_config_file(tmp_path: Path, rlvr_cli: Any) -> None:
    file = tmp_path / "c.toml"
    file.write_text(
        """
        model = "m"
        steps = 7
        trl = {epsilon = 0.3}
        guards = {entropy = false}
        held_out = {name = "gsm8k", split = "test", limit = 5}
        [[environment]]
        name = "gsm8k"
        weight = 2.0
        split = "train"
        [[environment]]
        name = "arithmetic"
        options = {level = 3}
        """
    )
    config = TrainConfig.read(file, steps=9)
    assert (config.steps, config.trl, config.guards.entropy) == (9, {"epsilon": 0.3}, False)
    assert [(s.name, s.weight) for s in config.environments] == [
        ("gsm8k", 2.0),
        ("arithmetic", 1.0),
    ]
    assert config.held_out == (Source("gsm8k", split="test", limit=5),)
    assert TrainConfig.from_json(json.loads(json.dumps(config.to_json()))) == config
    file.write_text("model = 'm'\nenvironments = 'gsm8k'\nstep = 3\n")
    done = rlvr_cli("train", "--config", file)
    assert done.returncode == 2
    assert "no option 'step'" in done.stderr
    file.write_text("model = ")
    assert "can't be read" in rlvr_cli("train", "--config", file).stderr


def test_flags_add_to_a_file_s_tables(tmp_path: Path) -> None:
    from rlvr.cli.train import _config, command

    file = tmp_path / "c.toml"
    file.write_text(
        "model = 'm'\ntrl = {epsilon_high = 0.28}\nguards = {unscored_limit = 0.6}\n"
        "held_out = {name = 'arithmetic', split = 'test', limit = 5}\nenvironments = 'gsm8k'\n"
    )

    def configured(*arguments: str, wants: bool = False) -> TrainConfig:
        context = command.make_context("train", ["--config", str(file), *arguments])
        flags = context.params
        given = {n: v for n, v in flags.items() if v is not None and v != () and v is not False}
        return _config(given, flags, wants)

    config = configured("--trl", "epsilon=0.1", "--without-guard", "entropy")
    assert config.trl == {"epsilon_high": 0.28, "epsilon": 0.1}
    assert (config.guards.unscored_limit, config.guards.entropy) == (0.6, False)
    assert config.held_out == (Source("arithmetic", split="test", limit=5),)
    assert configured("--held-out-limit", "0").held_out is None
    assert configured("arithmetic").held_out == config.held_out
    other = configured("--held-out", "arithmetic", "--held-out-split", "train", wants=True)
    assert other.held_out == (Source("arithmetic", split="train", limit=128),)


def test_flags_that_don_t_go_together(rlvr_cli: Any, tmp_path: Path) -> None:
    file = tmp_path / "c.toml"
    file.write_text("model = 'm'\nenvironments = 'gsm8k'\n")
    for arguments, said in (
        (["arithmetic"], "Name a --model"),
        ([], "Name an ENV"),
        (["quickstart", "--model", "m"], "--seed, --warmup-steps, --steps and --run alone"),
        (["--resume"], "name it"),
        (["--resume", "--run", "x", "--steps", "3"], "leave the other flags out"),
        (["arithmetic", "--model", "m", "--without-guard", "everything"], "no guard 'everything'"),
        (["--resume", "--run", "nowhere"], "no run in"),
        (["gsm8k", "--model", "m", "--data", __file__], "would be those that are trained on"),
        (["--config", str(file), "--split", "train"], "of ENV: name it"),
    ):
        done = rlvr_cli("train", *arguments)
        assert done.returncode == 2, done
        assert said in done.stderr


def test_the_line_for_several_gpus(rlvr_cli: Any) -> None:
    done = rlvr_cli("train", "gsm8k", "--model", "m", "--launch", "8", "--run", "a b")
    line = "accelerate launch --num_processes 8 -m rlvr train gsm8k --model m --run 'a b'"
    assert done.stdout.strip() == line


@pytest.mark.sweep(gate=1)
@pytest.mark.parametrize("trainer", ["grpo", "ppo"])
def test_a_tokenizer_may_pad_on_the_right_or_with_its_end_token(
    trainer: str, model: str, tmp_path: Path
) -> None:
    """Neither the training rollouts nor the held-out ones depend on it."""
    from transformers import AutoTokenizer

    from rlvr.training.quickstart.model import make_model

    easy_and_long = [rlvr.Task(f"{'1+' * (i % 7)}{i}=", str(i), f"t{i}") for i in range(24)]
    env = rlvr.SingleTurn(rlvr.TaskSet(easy_and_long, "lengths"), ends_in_even)
    found = {}
    for kind in ("left", "right", "no pad token"):
        folder = tmp_path / kind
        tokenizer = AutoTokenizer.from_pretrained(model)
        tokenizer.padding_side = "left" if kind == "left" else "right"
        if kind == "no pad token":
            tokenizer.pad_token = None
        make_model(AutoTokenizer.from_pretrained(model), 0).save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        options = SHORT | {"steps": 2, "batch": 8, "save_every": 2, "max_tokens": 12}
        config = TrainConfig(str(folder), env, trainer=trainer, held_out=env, **options)
        run = train(config, tmp_path / f"{kind}-run").run
        found[kind] = {
            (row["part"], row["step"], row["task"], row["sample"]): row["messages"][-1]["content"]
            for row in read_rollouts(run)
        }
    assert found["right"] == found["left"]
    assert found["no pad token"] == found["left"]
    assert len(found["left"]) == 2 * 8 + 2 * 24
