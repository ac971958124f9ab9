"""`rlvr kl`: curves from metrics, best-of-n, the published prompts, and two models compared for real."""

from __future__ import annotations

import itertools
import json
import math
import random
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from rlvr.core.errors import DataError, OptionError
from rlvr.training.kl.best_of_n import best_of_n, expected_best, kl_of_best_of_n
from rlvr.training.kl.curve import read_curve
from rlvr.training.kl.prompts import prompt_set

pytest.importorskip("torch")

CommandLine: TypeAlias = Any  # the fixture of tests/conftest.py


# Best-of-n


def test_the_expected_best_is_the_mean_over_all_subsets() -> None:
    rng = random.Random(0)
    for k in range(1, 7):
        rewards = [rng.choice([0.0, 0.25, 1.0, rng.random()]) for _ in range(k)]
        for n in range(1, k + 1):
            subsets = [max(some) for some in itertools.combinations(rewards, n)]
            assert expected_best(rewards, n) == pytest.approx(sum(subsets) / len(subsets))
    assert expected_best([0.0] * 500 + [1.0] * 12, 256) == pytest.approx(
        1 - math.comb(500, 256) / math.comb(512, 256)
    )
    for n in (0, 3):
        with pytest.raises(ValueError, match="the best of n needs n of the 2 samples"):
            expected_best([0.0, 1.0], n)


def test_the_bound_of_its_kl() -> None:
    assert kl_of_best_of_n(1) == 0
    assert kl_of_best_of_n(8) == pytest.approx(2.0794415 - 0.875)
    # Exact where no two samples are alike: the best of 2 of 3 equal outcomes has (1, 3, 5)/9.
    # Ties between equal draws make it smaller than the bound.
    exact = sum(p * math.log(3 * p) for p in (1 / 9, 3 / 9, 5 / 9))
    assert exact < kl_of_best_of_n(2)
    many = 2000
    exact = sum(
        p * math.log(many * p) for p in (((i + 1) ** 2 - i**2) / many**2 for i in range(many))
    )
    assert exact == pytest.approx(kl_of_best_of_n(2), rel=1e-3)


def rows(rewards: dict[str, list[float | None]], **more: Any) -> list[dict[str, Any]]:
    def verdict(reward: float | None) -> dict[str, Any]:
        return {"scored": reward is not None, "reward": reward}

    return [
        {"env": "e", "task": task, "sample": i, "verdict": verdict(reward), **more}
        for task, some in rewards.items()
        for i, reward in enumerate(some)
    ]


def test_the_curve_is_of_the_first_step_and_leaves_unscored_rows_out() -> None:
    first = rows({"a": [1.0, 0.0, 0.0, 0.0], "b": [0.0, 0.0, None, None]}, step=0)
    later = rows({"a": [1.0] * 8}, step=10)
    curve = best_of_n([*later, *first])
    assert [(p.n, p.tasks) for p in curve] == [(1, 2), (2, 2), (4, 1)]
    assert [p.score.value for p in curve] == pytest.approx([1 / 8, 1 / 4, 1.0])
    assert curve[2].kl == pytest.approx(math.log(4) - 0.75)


def test_without_several_scored_samples_there_is_no_curve() -> None:
    with pytest.raises(DataError, match="each has one: `rlvr eval ENV"):
        best_of_n(rows({"a": [1.0], "b": [0.0]}))
    with pytest.raises(DataError, match="no scored rollout"):
        best_of_n(rows({"a": [None, None]}))


# Curves


def run_of(path: Path, lines: list[dict[str, Any]], tail: str = "") -> Path:
    path.mkdir(parents=True)
    (path / "run.json").write_text(json.dumps({"kind": "train", "config": {"model": "start"}}))
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (path / "metrics.jsonl").write_text(text + tail)
    return path


def test_a_log_is_of_the_policy_before_its_step_and_a_measurement_of_that_after(
    tmp_path: Path,
) -> None:
    lines: list[dict[str, Any]] = [{"step": 0, "held_out_accuracy": 0.1}]
    for step in range(1, 4):
        lines.append({"step": step, "reward": step / 10, "kl/sequence/k1": float(step - 1)})
    lines.append({"step": 2, "held_out_accuracy": 0.5})
    lines.append({"step": 3, "held_out_accuracy": 0.6})
    run = run_of(tmp_path / "run", lines, tail='{"step": 9, "rew')
    points = read_curve(run).points
    assert [(p.step, p.kl, p.score) for p in points] == [(1, 0, 0.1), (2, 1, 0.2), (3, 2, 0.3)]
    points = read_curve(run, "held_out_accuracy").points
    # The last has no line behind it: it takes the KL from just before.
    assert [(p.step, p.kl, p.score) for p in points] == [(0, 0, 0.1), (2, 2, 0.5), (3, 2, 0.6)]


def test_an_older_runs_kl_is_turned_into_that_of_sequences(tmp_path: Path) -> None:
    line = {"step": 1, "reward": 0.5, "kl": 0.02, "completions/mean_length": 150.0}
    curve = read_curve(run_of(tmp_path / "run", [line, {"step": 2, "reward": None, "kl": None}]))
    assert curve.points[0].kl == pytest.approx(3.0)
    assert curve.source == "kl x completions/mean_length"


def test_what_cant_be_a_curve_says_why(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="There's no run in"):
        read_curve(tmp_path / "nowhere")
    run = run_of(tmp_path / "a", [{"step": 1, "reward": 0.5}])
    with pytest.raises(DataError, match="has no KL in its metrics"):
        read_curve(run)
    run = run_of(tmp_path / "b", [{"step": 1, "reward": 0.5, "kl/sequence/k1": 1.0}])
    with pytest.raises(DataError, match=r"has no 'rewards' in its metrics\. Did you mean 'reward'"):
        read_curve(run, "rewards")
    run = run_of(tmp_path / "c", [{"step": 9, "reward": 0.5}, {"step": 1, "kl/sequence/k1": 1.0}])
    with pytest.raises(DataError, match="no step has both a KL and 'reward'"):
        read_curve(run)


# Prompts


def test_the_published_prompts_are_as_published() -> None:
    ours = prompt_set()
    # Whoever changes a prompt makes a new version: figures under this digest are out there.
    assert (ours.name, ours.digest) == ("rlvr-1", "a6689199d445b907")
    assert len(ours.tasks) == len({task.id for task in ours.tasks}) == 64
    assert len({task.text for task in ours.tasks}) == 64
    counts = {domain: ours.domains.count(domain) for domain in ours.domains}
    assert counts == dict.fromkeys(counts, 8)
    assert len(counts) == 8


def test_prompts_of_your_own(tmp_path: Path) -> None:
    file = tmp_path / "mine.jsonl"
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}]
    file.write_text(json.dumps({"prompt": "One"}) + "\n\n" + json.dumps({"prompt": messages}))
    mine = prompt_set(file)
    assert mine.name == "mine.jsonl"
    assert [task.id for task in mine.tasks] == ["1", "3"]
    assert mine.tasks[1].prompt[0]["content"] == "Be brief."
    for text, says in (
        ("", "has no prompts"),
        ("{", "Line 1 of 'bad.jsonl' is no JSON"),
        ('{"prompt": "a"}\n{"text": "b"}', "Line 2 of 'bad.jsonl' has no prompt"),
        ('{"prompt": 7}', "Line 1 of 'bad.jsonl'"),
    ):
        bad = tmp_path / "bad.jsonl"
        bad.write_text(text)
        with pytest.raises(DataError, match=says):
            prompt_set(bad)
    with pytest.raises(DataError, match="can't be read: No such file"):
        prompt_set(tmp_path / "none.jsonl")


# Two models


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`start`, and `near` and `far`, which are it with more and more noise on its weights."""
    import torch

    from rlvr.training.quickstart.model import make_model, make_tokenizer

    folder = tmp_path_factory.mktemp("models")
    tokenizer = make_tokenizer()
    for name, noise in (("start", 0.0), ("near", 0.01), ("far", 0.05)):
        model = make_model(tokenizer, 0)
        model.config.max_position_embeddings = 1024  # one token per character: the prompts are long
        torch.manual_seed(1)
        with torch.no_grad():
            for weights in model.parameters():
                weights += noise * torch.randn_like(weights)
        model.save_pretrained(folder / name)
        tokenizer.save_pretrained(folder / name)
    return folder


def test_measured_as_by_hand(models: Path, tmp_path: Path) -> None:
    """Against the exact KL of the first token, over the whole vocabulary."""
    import torch

    from rlvr.policies.transformers import TransformersPolicy
    from rlvr.training.kl.measure import measure
    from rlvr.training.kl.prompts import MeasureConfig

    file = tmp_path / "sums.jsonl"
    prompts = ["1+2=", "33+44=", "5="]
    file.write_text("".join(json.dumps({"prompt": prompt}) + "\n" for prompt in prompts))
    moments = {name: [0.0, 0.0] for name in ("k1", "k2", "k3")}  # mean and variance over prompts
    for prompt in prompts:
        logps = []
        for name in ("far", "start"):
            policy = TransformersPolicy(str(models / name))
            ids = policy.tokenizer(f"<user>{prompt}<bot>", add_special_tokens=False)["input_ids"]
            with torch.no_grad():
                logits = (
                    policy.model(torch.tensor([ids], device=policy.model.device))
                    .logits[0, -1]
                    .cpu()
                )
            logps.append((logits.double() / 0.7).log_softmax(-1))
        p, ratio = logps[0].exp(), logps[0] - logps[1]
        for name, value in (
            ("k1", ratio),
            ("k2", ratio**2 / 2),
            ("k3", (-ratio).exp() - 1 + ratio),
        ):
            mean = float((p * value).sum())
            moments[name][0] += mean / 3
            moments[name][1] += (float((p * value**2).sum()) - mean**2) / 9
    assert moments["k1"][0] == pytest.approx(moments["k3"][0])
    assert moments["k1"][0] > 0.3
    config = MeasureConfig(samples=512, max_new_tokens=1, temperature=0.7, batch_size=100)
    found = measure(str(models / "far"), str(models / "start"), prompt_set(file), config)
    for name, (mean, variance) in moments.items():
        assert abs(found.token[name].value - mean) < 4 * math.sqrt(variance / 512)
        assert found.sequence[name].value == found.token[name].value  # one token each
    assert found.length == 1
    assert found.truncated > 0.9
    assert found.domains == {}


@pytest.mark.sweep
def test_the_further_model_is_further_and_the_same_seed_gives_the_same(models: Path) -> None:
    from rlvr.training.kl.measure import measure
    from rlvr.training.kl.prompts import MeasureConfig

    def kl(name: str, seed: int = 0) -> Any:
        config = MeasureConfig(samples=1, max_new_tokens=16, seed=seed)
        return measure(str(models / name), str(models / "start"), prompt_set(), config)

    none, near, far, again = kl("start"), kl("near"), kl("far"), kl("far")
    assert none.sequence["k1"].value == pytest.approx(0, abs=1e-6)
    assert near.sequence["k1"].low > 0
    assert far.sequence["k1"].low > near.sequence["k1"].high
    assert again == far
    assert kl("far", 1).sequence["k1"].value != far.sequence["k1"].value
    assert len(far.domains) == 8


def test_a_prompt_beyond_the_context_is_named(models: Path, tmp_path: Path) -> None:
    from rlvr.training.kl.measure import measure
    from rlvr.training.kl.prompts import MeasureConfig

    file = tmp_path / "long.jsonl"
    file.write_text("".join(json.dumps({"prompt": "1+" * n + "1="}) + "\n" for n in (1, 5000)))
    with pytest.raises(DataError, match=r"doesn't fit the model's context of .* Leave it out"):
        measure(str(models / "far"), str(models / "start"), prompt_set(file), MeasureConfig())


def test_models_of_different_vocabularies_have_no_kl(models: Path, tmp_path: Path) -> None:
    import shutil

    from rlvr.training.kl.measure import measure
    from rlvr.training.kl.prompts import MeasureConfig

    other = tmp_path / "other"
    shutil.copytree(models / "start", other)
    text = (other / "tokenizer.json").read_text()
    (other / "tokenizer.json").write_text(text.replace('"9":', '"nine":'))
    with pytest.raises(DataError, match="have different vocabularies"):
        measure(str(other), str(models / "start"), prompt_set(), MeasureConfig())
    with pytest.raises(OptionError, match="temperature is above 0"):
        MeasureConfig(temperature=0)


# The command


def trained(path: Path, models: Path, name: str) -> Path:
    lines = [
        {"step": s, "reward": s / 30, "kl/sequence/k1": s**2 / 100, "guards/x": None}
        for s in range(1, 31)
    ]
    run = run_of(path, lines)
    (run / "run.json").write_text(json.dumps({"config": {"model": str(models / "start")}}))
    (run / "model").symlink_to(models / name)
    return run


def test_two_runs_on_one_plot_and_compared(
    rlvr_cli: CommandLine, models: Path, tmp_path: Path
) -> None:
    for name in ("near", "far"):
        trained(tmp_path / name, models, name)
    best = run_of(tmp_path / "best", [])
    samples = rows({"a": [1.0, 0.0, 0.0, 0.0], "b": [0.0, 1.0, 0.0, None]})
    (best / "rollouts.jsonl").write_text("".join(json.dumps(row) + "\n" for row in samples))
    few = ("--samples", "1", "--max-new-tokens", "8")
    done = rlvr_cli("kl", "near", "far", "--measure", *few, "--best-of", "best", "-o", "to/kl.png")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "to" / "kl.png").read_bytes().startswith(b"\x89PNG")
    assert "near: reward 1.000 at step 30, KL 9 nats per sequence" in done.stdout
    assert done.stdout.count("on 64 prompts (rlvr-1, a6689199d445b907)") == 2
    reports = [json.loads((tmp_path / name / "kl.json").read_text()) for name in ("near", "far")]
    kls = [report["measured"]["sequence"]["k1"] for report in reports]
    assert kls[1]["low"] > kls[0]["high"]
    assert len(reports[0]["curve"]["points"]) == 30
    assert [point["n"] for point in reports[1]["best_of_n"]] == [1, 2, 4]
    # Without --measure what was measured stays; with other settings it isn't comparable.
    done = rlvr_cli("kl", "near", "--measure", "--samples", "2", "--max-new-tokens", "8")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "near" / "kl.png").is_file()
    done = rlvr_cli("kl", "near", "far")
    assert done.returncode == 0
    assert "measured with different samples" in done.stderr
    assert done.stdout.count("on 64 prompts") == 2


def test_a_mistake_is_one_line(rlvr_cli: CommandLine, models: Path, tmp_path: Path) -> None:
    trained(tmp_path / "run", models, "near")
    (tmp_path / "run" / "kl.json").write_text("{torn")
    assert rlvr_cli("kl", "run").returncode == 0
    (tmp_path / "run" / "model").unlink()
    for arguments, says in (
        (("nowhere",), "There's no run in 'nowhere'"),
        (("run", "--score", "rewrd"), "Did you mean 'reward'"),
        (("run", "--best-of", "nowhere"), "no scored rollout"),
        (("run", "--measure"), "has no final model yet; name one with --model"),
        (("run", "--model", "./nowhere"), "has no final model yet"),
        (("run", "--model", "./no", "--reference", "./no"), "There's no folder './no'"),
        (("run", "run", "--model", "x"), "--model and --reference are for one run"),
        (("run", "--temperature", "0"), "the temperature is above 0"),
    ):
        done = rlvr_cli("kl", *arguments)
        assert done.returncode == 2, arguments
        assert says in done.stderr
        assert "Traceback" not in done.stderr
