"""KL measured in real GRPO and RLOO runs of a small model that is paid for writing ones."""

from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
trl = pytest.importorskip("trl")

from transformers import PrinterCallback  # noqa: E402

from rlvr.core.errors import OptionError  # noqa: E402
from rlvr.training.kl.budget import KLBudget, Spent, next_beta  # noqa: E402
from rlvr.training.kl.trainer import KLConfig, MeasuresKL  # noqa: E402
from rlvr.training.quickstart.model import make_model, make_tokenizer  # noqa: E402

TOKENIZER = make_tokenizer()
ALL = KLConfig(completions=32)


class GRPO(MeasuresKL, trl.GRPOTrainer):
    """As the documentation has it."""


class RLOO(MeasuresKL, trl.RLOOTrainer):
    """As the documentation has it."""


def ones(completions: Any, **_: Any) -> list[float]:
    return [c[0]["content"].count("1") / 8 for c in completions]


def trainer(
    folder: Path, kind: Any = GRPO, model: Any = None, reward: Any = ones, **options: Any
) -> Any:
    import datasets

    if model is None:
        model = make_model(TOKENIZER, 0)
        model.save_pretrained(folder / "start")
        model.config._name_or_path = str(folder / "start")  # where TRL loads its reference from
    settings = {
        "output_dir": str(folder / "out"),
        "use_cpu": True,
        "bf16": False,
        "gradient_checkpointing": False,
        "max_steps": 3,
        "per_device_train_batch_size": 32,
        "num_generations": 8,
        "max_completion_length": 8,
        "learning_rate": 3e-3,
        "lr_scheduler_type": "constant",
        "beta": 0.0,
        "logging_steps": 1,
        "save_strategy": "no",
        "report_to": [],
        "disable_tqdm": True,
    }
    arguments = trl.RLOOConfig if issubclass(kind, trl.RLOOTrainer) else trl.GRPOConfig
    rows = [{"prompt": [{"role": "user", "content": f"{a}+1="}]} for a in range(100, 164)]
    made = kind(
        model=model,
        args=arguments(**(settings | options)),
        train_dataset=datasets.Dataset.from_list(rows),
        reward_funcs=reward,
        processing_class=TOKENIZER,
    )
    made.remove_callback(PrinterCallback)
    return made


def logged(made: Any, name: str) -> list[Any]:
    return [row.get(name) for row in made.state.log_history if "reward" in row]


def test_without_beta_it_is_measured_against_the_model_as_it_was(tmp_path: Path) -> None:
    by_hand = []

    class Checked(GRPO):
        def _kl_sums(self, batch: dict[str, Any]) -> Any:
            sums = super()._kl_sums(batch)
            ids = torch.cat([batch["prompt_ids"], batch["completion_ids"]], 1)
            attention = torch.cat([batch["prompt_mask"], batch["completion_mask"]], 1)
            length = batch["completion_ids"].size(1)

            def plain(model: Any) -> Any:
                with torch.no_grad():
                    logits = model(input_ids=ids, attention_mask=attention).logits
                found = logits[:, :-1].log_softmax(-1).gather(2, ids[:, 1:, None])[..., 0]
                return found[:, -length:]

            ratio = (plain(self.model) - plain(start)) * batch["completion_mask"]
            by_hand.append(float(ratio.sum(1).mean()))
            return sums

    made = trainer(tmp_path, Checked)
    start = make_model(TOKENIZER, 0)
    made.measure_kl(ALL)
    made.train()
    kl = logged(made, "kl/sequence/k1")
    assert kl == pytest.approx(by_hand, abs=1e-4)
    assert logged(made, "kl/k3")[0] == pytest.approx(0, abs=1e-6)
    assert logged(made, "kl/k3")[1] > 1e-3
    assert kl[2] > 0.05
    assert all(error > 0 for error in logged(made, "kl/sequence/k3_error")[1:])
    assert made.beta == 0
    assert "kl" not in made.state.log_history[0]  # TRL itself has none


def test_with_beta_k3_is_what_grpo_has(tmp_path: Path) -> None:
    made = trainer(tmp_path, beta=0.001)
    made.measure_kl(ALL)
    made.train()
    assert made._kl_reference is None  # TRL's is used
    assert logged(made, "kl/k3") == pytest.approx(logged(made, "kl"), rel=1e-3, abs=1e-6)


def test_with_beta_k1_is_what_rloo_has(tmp_path: Path) -> None:
    made = trainer(tmp_path, RLOO, beta=0.001)
    made.measure_kl(ALL)
    made.train()
    assert logged(made, "kl/k1") == pytest.approx(logged(made, "kl"), rel=1e-3, abs=1e-6)
    assert logged(made, "kl/k1")[2] > 1e-3


def test_rloo_without_beta(tmp_path: Path) -> None:
    made = trainer(tmp_path, RLOO)
    made.measure_kl(KLConfig(every=2))
    made.train()
    first, second, third = logged(made, "kl/k3")
    assert first == pytest.approx(0, abs=1e-6)
    assert second is None  # every other step
    assert third > 1e-3


def test_with_adapters_the_reference_is_the_model_without_them(tmp_path: Path) -> None:
    peft = pytest.importorskip("peft")
    adapter = peft.LoraConfig(r=4, target_modules=["q_proj", "v_proj"], lora_dropout=0.5)
    made = trainer(tmp_path, model=peft.get_peft_model(make_model(TOKENIZER, 0), adapter),
                   learning_rate=3e-2)  # fmt: skip
    made.measure_kl(ALL)
    made.train()
    assert made._kl_reference is None
    kl = logged(made, "kl/k3")
    assert kl[0] == pytest.approx(0, abs=1e-6)  # for all its dropout
    assert kl[2] > 1e-4
    assert made.model.active_adapter == "default"


def test_dropout_is_no_distance(tmp_path: Path) -> None:
    model = make_model(TOKENIZER, 0)
    for layer in model.model.layers:
        layer.self_attn.attention_dropout = 0.5
    made = trainer(tmp_path, model=model, max_steps=1)
    made.measure_kl(ALL)
    made.train()
    assert logged(made, "kl/k3") == pytest.approx([0], abs=1e-6)


def test_an_environments_tokens_do_not_count(tmp_path: Path) -> None:
    class Masked(trl.GRPOTrainer):
        """As multi-turn rollouts and PPO have it: a mask of what the policy wrote."""

        def _generate_and_score_completions(self, inputs: Any) -> Any:
            batch = super()._generate_and_score_completions(inputs)
            batch["tool_mask"] = torch.zeros_like(batch["completion_mask"])
            batch["tool_mask"][: len(inputs) // 2, :3] = 1
            return batch

    class Measured(MeasuresKL, Masked):
        def _kl_sums(self, batch: dict[str, Any]) -> Any:
            sums.append(super()._kl_sums(batch))
            return sums[-1]

    sums: list[Any] = []
    made = trainer(tmp_path, Measured, max_steps=2)
    made.measure_kl(ALL)
    made.train()
    assert sums[1][:16, 3].max() == 3
    assert sums[1][16:].abs().sum() == 0
    kl = float(sums[1][:16, 0].mean())  # rows without a token are no sequences
    assert logged(made, "kl/sequence/k1")[1] == pytest.approx(kl)


def test_rollouts_without_a_reward_count(tmp_path: Path) -> None:
    made = trainer(tmp_path, reward=lambda completions, **_: [None] * len(completions), max_steps=2)
    made.measure_kl(ALL)
    made.train()
    assert logged(made, "reward") == [None, None]
    assert logged(made, "kl/k3") == pytest.approx([0, 0], abs=1e-5)


def test_a_method_of_the_trainer_as_a_hook_stays_the_trainers(tmp_path: Path) -> None:
    class Hooked(GRPO):
        def keep(self, module: Any, inputs: Any, output: Any) -> None:
            seen.append(module)

    seen: list[Any] = []
    made = trainer(tmp_path, Hooked, max_steps=1)
    made.model.model.register_forward_hook(made.keep)
    made.measure_kl(ALL)
    made.train()
    assert made._kl_reference is not None
    assert {id(module) for module in seen} == {id(made.model.model)}
    shared = {id(p) for p in made.model.parameters()} & {
        id(p) for p in made._kl_reference.parameters()
    }
    assert shared == set()
    assert not any(p.requires_grad for p in made._kl_reference.parameters())


# The budget


def test_a_spent_budget_stops_the_run_after_a_checkpoint(tmp_path: Path) -> None:
    told: list[str] = []
    made = trainer(tmp_path, max_steps=40, learning_rate=5e-4)
    made.measure_kl(KLConfig(budget=KLBudget(0.5)), tell=told.append)
    made.train()
    steps = made.state.global_step
    assert 2 <= steps < 40
    assert (tmp_path / "out" / f"checkpoint-{steps}" / "model.safetensors").is_file()
    assert len(told) == 1
    assert "the KL budget is spent" in told[0]
    assert "of 0.5" in told[0]
    kl, error = (logged(made, f"kl/sequence/k1{end}") for end in ("", "_error"))
    over = [k - 2 * e > 0.5 for k, e in zip(kl[1:], error[1:], strict=True)]
    assert over == [*[False] * (steps - 2), True]


@pytest.mark.sweep
def test_raised_beta_holds_the_run_near_its_budget(tmp_path: Path) -> None:
    free = trainer(tmp_path / "free", max_steps=40, learning_rate=3e-4)
    free.measure_kl(ALL)
    free.train()
    held = trainer(tmp_path / "held", max_steps=40, learning_rate=3e-4)
    # Everything happens in tens of steps here, so that the controller has to be quick as well.
    budget = KLBudget(1.0, "raise_beta", gain=2.0, first_beta=0.05)
    held.measure_kl(KLConfig(completions=32, budget=budget))
    assert held.ref_model is not None  # TRL made none
    held.train()
    betas = logged(held, "kl/beta")
    assert betas[0] == 1e-6
    assert max(betas) > 0.1
    assert any(after < before for before, after in pairwise(betas))  # and down again
    assert logged(held, "kl")[0] is not None  # the penalty is in the loss from the first step on
    spent = [sum(logged(run, "kl/sequence/k1")[-10:]) / 10 for run in (free, held)]
    assert spent[0] > 8
    assert 0.2 < spent[1] < 4


def test_beta_is_raised_from_0_with_adapters_and_batches_that_serve_two_steps(
    tmp_path: Path,
) -> None:
    peft = pytest.importorskip("peft")
    adapter = peft.LoraConfig(r=4, target_modules=["q_proj", "v_proj"])
    made = trainer(tmp_path, model=peft.get_peft_model(make_model(TOKENIZER, 0), adapter),
                   learning_rate=3e-2, max_steps=6, steps_per_generation=2)  # fmt: skip
    made.measure_kl(KLConfig(budget=KLBudget(0.01, "raise_beta")))
    made.train()
    betas = logged(made, "kl/beta")
    # Six steps are three batches: no new batch, no new measurement.
    assert betas == pytest.approx([1e-6, 0.005 * 1.1, 0.005 * 1.1**2])
    assert len([row["kl"] for row in made.state.log_history if "kl" in row]) == 6


def test_a_resumed_run_goes_on_with_its_beta(tmp_path: Path) -> None:
    made = trainer(tmp_path, beta=0.01)
    history = [{"step": 1, "kl/beta": 0.02}, {"step": 2, "kl/beta": 0.3}, {"held_out_accuracy": 1}]
    made.measure_kl(KLConfig(budget=KLBudget(100.0, "raise_beta")), history)
    assert made.beta == 0.3
    made.train()
    assert logged(made, "kl/beta")[-1] < 0.3  # within the budget: on its way back to 0.01


def test_the_controller_by_hand() -> None:
    budget = KLBudget(10.0, "raise_beta", gain=0.1)
    # Ziegler et al.: β(1 + K·e), e clipped to ±0.2.
    assert next_beta(budget, 0.1, 11.0, 0.0) == pytest.approx(0.1 * (1 + 0.1 * 0.1))
    assert next_beta(budget, 0.1, 99.0, 0.0) == pytest.approx(0.1 * 1.02)
    assert next_beta(budget, 0.1, 9.0, 0.0) == pytest.approx(0.1 * 0.99)
    assert next_beta(budget, 0.1, 0.0, 0.0) == pytest.approx(0.1 * 0.98)
    assert next_beta(budget, 1e-6, 11.0, 0.0) == pytest.approx(0.005 * 1.01)
    assert next_beta(budget, 1e-6, 5.0, 0.0) == 1e-6
    assert next_beta(budget, 1.0, 99.0, 0.0) == 1.0
    assert next_beta(budget, 0.05, 0.0, 0.05) == 0.05  # not below what was asked for
    assert next_beta(budget, 2.0, 99.0, 2.0) == 2.0  # nor is it cut to a bound below that


def test_it_is_spent_when_five_together_are_over_or_one_is_beyond_doubt() -> None:
    spent = Spent(KLBudget(1.0))
    for kl in (1.1, math.nan, 1.1, math.inf, 1.1, 1.1):
        spent.add(kl, 0.1)
        assert not spent.over
    spent.add(1.1, 0.1)
    assert spent.over
    at_once = Spent(KLBudget(1.0))
    at_once.add(1.3, 0.1)
    assert at_once.over
    assert not Spent(KLBudget(1.0)).over


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"limit": 0}, "limit is in nats and above 0, not 0"),
        ({"limit": math.nan}, "limit is in nats"),
        ({"limit": 1, "action": "halt"}, "action is one of stop, raise_beta, not 'halt'"),
        ({"limit": 1, "gain": 0}, "gain is above 0"),
        ({"limit": 1, "least_beta": 0}, "beta's bounds have an order"),
        ({"limit": 1, "most_beta": 0.001}, "beta's bounds have an order"),
    ],
)
def test_a_budget_that_cant_be_is_refused(options: dict[str, Any], says: str) -> None:
    with pytest.raises(OptionError, match=says):
        KLBudget(**options)


@pytest.mark.parametrize("options", [{"every": 0}, {"completions": 1}])
def test_a_measurement_that_cant_be_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(OptionError, match="every is at least 1 step"):
        KLConfig(**options)
