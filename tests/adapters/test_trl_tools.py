"""TRL's `environment_factory`: tools that the chat template calls, in a real `GRPOTrainer`."""

from __future__ import annotations

import asyncio
import copy
import json
from pathlib import Path
from typing import Any

import pytest

import rlvr
from rlvr import CannotScore, Cause, Unscored
from rlvr.core.errors import DataError, OptionError
from rlvr.core.task import Task
from rlvr.envs.tools import ToolEnv
from rlvr.runs.rollouts import Rollout

torch = pytest.importorskip("torch")
trl = pytest.importorskip("trl")

from transformers import LlamaConfig, LlamaForCausalLM  # noqa: E402

from tests.policies.families import tokenizer_of  # noqa: E402


class Vault:
    """Has a number in it, and can be out of order."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._opened = 0

    def open(self, times: int) -> str:
        """What is in it.

        Args:
            times: how often to turn the key.
        """
        self._opened += times
        if self._task.id == "broken":
            raise CannotScore(Cause.SANDBOX, "the vault is jammed")
        return f"{self._task.reference}, opened {self._opened} times"


@rlvr.verifier(mode="whole")
def same(task: rlvr.Task, answer: str) -> bool:
    return answer == task.reference


def vaults(*ids: str) -> ToolEnv:
    tasks = [Task("What is in the vault?", str(100 + i), id) for i, id in enumerate(ids)]
    return ToolEnv(rlvr.TaskSet(tasks, "vaults"), same, Vault)


class Scripted(trl.GRPOTrainer):  # type: ignore[misc]
    """A trainer whose model has learned to open the vault: it reads the tokens and writes tokens."""

    def _generate_single_turn(self, prompts: list[list[int]], *rest: Any, **options: Any) -> Any:
        return [self._tokenizer.encode(self.say(ids)) for ids in prompts], None

    def say(self, ids: list[int]) -> str:
        shown = self._tokenizer.decode(ids)
        self.seen.append(shown)
        if "opened 1 times" in shown:
            return shown.split(", opened")[0][-3:] + "<|im_end|>"
        if "tool_response" in shown.split("assistant")[-2]:
            return "no idea<|im_end|>"
        made = {"name": "open", "arguments": {"times": 1}}
        return f"<tool_call>\n{json.dumps(made)}\n</tool_call><|im_end|>"


def trained(tmp_path: Path, env: Any, book: list[Rollout], **options: Any) -> Any:
    tokenizer = copy.deepcopy(tokenizer_of("qwen3"))  # one for all tests
    tokenizer.add_special_tokens({"pad_token": "<|endoftext|>"})
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=16, intermediate_size=32, num_hidden_layers=1,
        num_attention_heads=2, max_position_embeddings=4096, eos_token_id=tokenizer.eos_token_id,
    )  # fmt: skip
    settings = trl.GRPOConfig(
        output_dir=str(tmp_path), use_cpu=True, bf16=False, max_steps=2, num_generations=2,
        per_device_train_batch_size=4, max_completion_length=600, beta=0.0, logging_steps=1,
        save_strategy="no", report_to=[], disable_tqdm=True, shuffle_dataset=False,
    )  # fmt: skip
    trainer = Scripted(
        model=LlamaForCausalLM(config),
        args=settings,
        train_dataset=rlvr.trl.dataset(env),
        reward_funcs=rlvr.trl.reward(env, record=book.extend),
        environment_factory=rlvr.trl.environment_factory(env),
        processing_class=tokenizer,
        **options,
    )
    trainer.seen = []
    trainer.train()
    return trainer


def test_tools_are_called_and_the_last_message_is_judged(tmp_path: Path) -> None:
    book: list[Rollout] = []
    env = vaults("first", "broken")
    trainer = trained(tmp_path, env, book)
    assert len(book) == 8
    for one in book:
        (called,) = one.messages[1]["tool_calls"]
        assert called["function"]["name"] == "open"
        assert one.messages[2]["role"] == "tool"
        if one.task.id == "broken":
            assert one.verdict == Unscored(Cause.SANDBOX, "the vault is jammed")
            continue
        # An instance is used again and again, and each time with a fresh vault.
        assert one.messages[2]["content"] == f"{one.task.reference}, opened 1 times"
        assert one.messages[3] == {"role": "assistant", "content": one.task.reference}
        assert one.verdict is not None
        assert one.verdict.scored
        assert one.verdict.reward == 1.0
    # What the model sees of a tool is its docstring and its types.
    assert "How often to turn the key" in trainer.seen[0] or "how often to turn" in trainer.seen[0]
    assert '"type": "integer"' in trainer.seen[0]
    steps = [row for row in trainer.state.log_history if "reward" in row]
    assert all(row["reward"] == 1.0 and row["rlvr/unscored/sandbox"] == 0.5 for row in steps)
    assert all(row["tools/call_frequency"] == 1.0 for row in steps)


def test_environments_with_tools_and_without_in_one_run(tmp_path: Path) -> None:
    book: list[Rollout] = []
    plain = rlvr.SingleTurn(rlvr.TaskSet([Task("What now?", "no idea", "p")], "plain"), same)
    mixture = {"vaults": vaults("first"), "plain": plain}
    rows = rlvr.trl.dataset(mixture)
    assert sorted(rows["environment"]) == ["plain", "vaults"]
    trainer = trained(tmp_path, mixture, book)
    assert {one.env for one in book} == {"vaults", "plain"}
    shown = [text for text in trainer.seen if "What now?" in text]
    assert shown
    assert not any("how often to turn" in text for text in shown)
    assert all(one.verdict and one.verdict.scored for one in book)


def test_a_broken_toolbox_is_nobodys_wrong_answer() -> None:
    class Never(Vault):
        def __init__(self, task: Task) -> None:
            raise RuntimeError("no vault today")

    env = ToolEnv(vaults("first").tasks, same, Never)
    factory = rlvr.trl.environment_factory(env)
    assert not isinstance(factory, dict)
    tools: Any = factory()
    row = rlvr.trl.dataset(env)[0]
    tools.reset(**row)
    assert tools.open(times=1) == "error: the tools are out of order"
    (reward,) = asyncio.run(
        rlvr.trl.reward(env)(
            completions=["100"], environments=[tools], rlvr_task=[row["rlvr_task"]]
        )
    )
    assert reward is None


def test_sub_agents_are_recorded_with_the_rollout() -> None:
    env = rlvr.make("ledgers", level=1, calls="native", size=4)
    assert isinstance(env, ToolEnv)
    factory = rlvr.trl.environment_factory(env)
    assert not isinstance(factory, dict)
    tools: Any = factory()
    row = rlvr.trl.dataset(env)[0]
    tools.reset(**row)
    task = env.tasks[0]
    towns = list(task.metadata["ledgers"])
    tools.delegate(tasks=[f"Add up the {task.metadata['item']}s of {town}." for town in towns])
    book: list[Rollout] = []
    asyncio.run(
        rlvr.trl.reward(env, record=book.extend)(
            completions=[f"\\boxed{{{task.reference}}}"],
            environments=[tools],
            rlvr_task=[row["rlvr_task"]],
        )
    )
    (rollout,) = book
    assert [child.role for child in rollout.children] == ["sub-agent"] * len(towns)
    assert sum(int(child.messages[-1]["content"]) for child in rollout.children) == int(
        task.reference
    )


@pytest.mark.parametrize("arguments", [{}, {"times": "1"}, {"other": 1}, {"times": 1, "self": 2}])
def test_other_arguments_are_an_error_for_the_model(arguments: Any) -> None:
    factory = rlvr.trl.environment_factory(vaults("first"))
    assert not isinstance(factory, dict)
    tools: Any = factory()
    tools.reset(**rlvr.trl.dataset(vaults("first"))[0])
    assert tools.open(**arguments).startswith("error: ")
    assert tools.open(times=1) == "100, opened 1 times"


def test_several_turns_without_tools_need_a_rollout() -> None:
    env = rlvr.MultiTurn(vaults("first").tasks, same)
    with pytest.raises(OptionError, match=r"no tools: give GRPOTrainer rollout_func"):
        rlvr.trl.environment_factory(env)
    columns = {"rlvr_task": rlvr.trl.dataset(env)["rlvr_task"]}
    with pytest.raises(DataError, match=r"rollout_func=rlvr.trl.rollout\(env\) too.*RLOOTrainer"):
        asyncio.run(rlvr.trl.reward(env)(completions=["1"], **columns))
