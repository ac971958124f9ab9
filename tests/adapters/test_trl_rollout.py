"""TRL's `rollout_func`: conversations played token by token by a real `GRPOTrainer`."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest
from rollout_case import (
    Asks,
    Book,
    Raises,
    Watched,
    digits,
    logprobs_of,
    replayed,
    rows_of,
    tasks,
)

import rlvr
from rlvr import Cause, Unscored
from rlvr.core.errors import DataError, OptionError
from rlvr.core.task import Message
from rlvr.partners import Partner

torch = pytest.importorskip("torch")
trl = pytest.importorskip("trl")

from rlvr.training.quickstart.model import make_model, make_tokenizer  # noqa: E402


@pytest.fixture
def train(tmp_path: Path) -> Callable[..., Any]:
    def run(
        env: Any, rollout: Any = None, record: Any = None, model: Any = None, **options: Any
    ) -> Any:
        tokenizer = make_tokenizer()
        settings = {
            "output_dir": str(tmp_path),
            "use_cpu": True,
            "bf16": False,
            "max_steps": 1,
            "per_device_train_batch_size": 8,
            "num_generations": 4,
            "max_completion_length": 60,
            "learning_rate": 1e-3,
            "beta": 0.0,
            "logging_steps": 1,
            "save_strategy": "no",
            "report_to": [],
            "disable_tqdm": True,
            "seed": 0,
        } | options
        trainer = Watched(
            model=model or make_model(tokenizer, seed=0),
            args=trl.GRPOConfig(**settings),
            train_dataset=rlvr.trl.dataset(env),
            reward_funcs=rlvr.trl.reward(env, record=record),
            rollout_func=rollout or rlvr.trl.rollout(env),
            processing_class=tokenizer,
        )
        trainer.generated, trainer.lost = [], []
        return trainer

    return run


def test_tokens_go_in_and_out_as_they_are(train: Callable[..., Any]) -> None:
    env = Asks(tasks("asks"), digits)
    book = Book()
    trainer = train(env, record=book, max_steps=2, per_device_train_batch_size=16)
    tokenizer = trainer.processing_class
    trainer.train()
    rows = rows_of(trainer)
    assert len(rows) == len(book) == 32
    assert book.batches == [16, 16]
    for row in rows:
        replayed(trainer, row)
    assert {sum(m["role"] == "assistant" for m in one.messages) for one in book} == {1, 2, 3}
    # The same conversations, seen from both sides; the loss gets them shuffled.
    for one in book:
        asked = [m["content"] for m in one.messages[1:] if m["role"] == "user"]
        texts = [m["content"] for m in one.messages if m["role"] == "assistant"]
        matching = [row for row in rows if _views(tokenizer, row) == (texts, asked)]
        assert matching, one.messages
        assert one.completion_tokens in {sum(mask) for _, _, mask in matching}
        assert one.prompt_tokens is not None
        assert (one.prompt_tokens > 6) == (len(texts) > 1)
        assert one.generate_s > 0
    assert [one.sample for one in book] == [0, 1, 2, 3] * 8
    assert len({one.task.id for one in book}) == 4  # though their prompts are the same
    steps = [row for row in trainer.state.log_history if "reward" in row]
    assert len(steps) == 2
    for step, batch in zip(steps, (book[:16], book[16:]), strict=True):
        scored = [one.verdict.reward for one in batch if one.verdict and one.verdict.scored]
        assert 0 < len(scored) < 16
        assert step["reward"] == pytest.approx(sum(scored) / len(scored))
        assert step["rlvr/unscored/judge"] == pytest.approx(1 - len(scored) / 16)
        assert step["rlvr/turns"] == pytest.approx(
            sum(m["role"] == "assistant" for one in batch for m in one.messages) / 16
        )


def _views(tokenizer: Any, row: tuple[list[int], list[int], list[int]]) -> Any:
    """A row's texts: what the model said, and what it was told."""
    said, told = [], []
    _, ids, mask = row
    start = 0
    for i in range(1, len(ids) + 1):
        if i == len(ids) or mask[i] != mask[start]:
            text = tokenizer.decode(ids[start:i], skip_special_tokens=True)
            (said if mask[start] else told).append(text)
            start = i
    return said, told


def test_logprobs_stand_beside_their_tokens(train: Callable[..., Any]) -> None:
    env = Asks(tasks("asks"), digits)
    rollout = rlvr.trl.rollout(env)
    kept: list[dict[str, Any]] = []

    def keep(prompts: Any, trainer: Any) -> Any:
        kept.append(rollout(prompts, trainer))
        output = kept[-1]
        # Before the update: by the whole trajectory at once, not turn by turn.
        output["again"] = [
            logprobs_of(trainer, p, c)
            for p, c in zip(output["prompt_ids"], output["completion_ids"], strict=True)
        ]
        return output

    trainer = train(env, keep)
    trainer.logprobs = True
    trainer.train()
    compared = 0
    for output in kept:
        columns = (output[k] for k in ("completion_ids", "env_mask", "logprobs", "again"))
        for ids, mask, logprobs, again in zip(*columns, strict=True):
            assert len(ids) == len(mask) == len(logprobs)
            for m, one, other in zip(mask, logprobs, again, strict=True):
                assert one == pytest.approx(other, abs=1e-4) if m else one == 0.0
                compared += m
    assert compared > 50


def test_without_logprobs_there_are_none(train: Callable[..., Any]) -> None:
    env = Asks(tasks("asks"), digits)
    trainer = train(env)
    prompts = [row["prompt"] for row in rlvr.trl.dataset(env)]
    assert rlvr.trl.rollout(env)(prompts, trainer)["logprobs"] is None


def test_a_batch_in_chunks_is_the_same_batch(train: Callable[..., Any]) -> None:
    env = Asks(tasks("asks", 6), digits)
    prompts = [row["prompt"] for row in rlvr.trl.dataset(env)]
    trainer = train(env)
    trainer.generation_config.do_sample = False
    whole = rlvr.trl.rollout(env)(prompts, trainer)
    parts = rlvr.trl.rollout(env, chunks=4)(prompts, trainer)
    assert parts["completion_ids"] == whole["completion_ids"]
    assert parts["env_mask"] == whole["env_mask"]
    assert [e.task.id for e in parts["rlvr_episode"]] == [f"asks{i}" for i in range(6)]


def test_a_mixture_judges_each_row_by_its_own(train: Callable[..., Any]) -> None:
    @rlvr.verifier(mode="whole")
    def nothing(task: rlvr.Task, answer: str) -> float:
        return 0.0

    asks, plain = Asks(tasks("a"), digits), rlvr.SingleTurn(tasks("p"), nothing)
    mixture = rlvr.trl.Mixture({"talk": asks, "plain": plain}, {"talk": 3, "plain": 1})
    book = Book()
    trainer = train(mixture, record=book, per_device_train_batch_size=20)
    assert sorted(trainer.train_dataset["rlvr_env"]) == ["plain"] + ["talk"] * 4
    trainer.train()
    assert {one.env for one in book} == {"talk", "plain"}
    for one in book:
        assert one.task.id[0] == one.env[0].replace("t", "a")
        assert one.verdict is not None
        if one.env == "plain":
            assert one.verdict.scored
            assert one.verdict.components == {"nothing": 0.0}
            assert len(one.messages) == 2
    last = [row for row in trainer.state.log_history if "reward" in row][-1]
    assert last["rlvr/plain/nothing"] == 0.0
    assert last["rlvr/talk/unscored"] > 0 == last["rlvr/plain/unscored"]


def test_a_reply_that_raises_costs_its_own_row_alone(train: Callable[..., Any]) -> None:
    env = Raises(tasks("raises"), digits)
    book = Book()
    trainer = train(env, record=book, per_device_train_batch_size=16)
    trainer.train()
    causes = {one.verdict.cause for one in book if isinstance(one.verdict, Unscored)}
    assert causes == {Cause.SANDBOX, Cause.JUDGE}
    away = [one for one in book if getattr(one.verdict, "cause", None) is Cause.SANDBOX]
    assert all(one.messages[-1]["role"] == "assistant" for one in away)
    assert trainer.state.global_step == 1
    unscored = torch.cat([b["advantages"] for b in trainer.lost]) == 0
    assert int(unscored.sum()) >= sum(isinstance(one.verdict, Unscored) for one in book)
    assert all(value.isfinite().all() for value in trainer.model.state_dict().values())


def test_a_reply_of_another_type_is_the_environments_fault(train: Callable[..., Any]) -> None:
    class Numbers(rlvr.MultiTurn):
        def reply(self, task: rlvr.Task, messages: list[Message]) -> Any:
            return 7

    env = Numbers(tasks("n"), digits)
    played = rlvr.trl.rollout(env)([rlvr.trl.dataset(env)[0]["prompt"]] * 8, train(env))
    ended = [episode for episode in played["rlvr_episode"] if episode.stop != "length"]
    assert ended
    for episode in ended:
        verdict = episode.verdict
        verdict = verdict.result() if isinstance(verdict, Future) else verdict
        assert verdict.cause is Cause.INTERNAL
        assert verdict.message == "the reply of n is a int: return a str, an rlvr.Reply or None"


def test_an_environment_without_a_reply_ends_the_training(train: Callable[..., Any]) -> None:
    env = rlvr.MultiTurn(tasks("none"), digits)
    with pytest.raises(NotImplementedError, match="needs a reply"):
        train(env).train()


@pytest.mark.parametrize("mask_cut", [False, True])
def test_what_would_overflow_is_cut_and_judged(train: Callable[..., Any], mask_cut: bool) -> None:
    class Talks(rlvr.MultiTurn):
        def reply(self, task: rlvr.Task, messages: list[Message]) -> str | None:
            return "1" * 30

    @rlvr.verifier(mode="whole")
    def any_answer(task: rlvr.Task, answer: str) -> float:
        return 1.0

    env = Talks(tasks("talks"), any_answer)
    book = Book()
    trainer = train(env, record=book, max_completion_length=40, mask_truncated_completions=mask_cut)
    trainer.train()
    assert all(len(ids) <= 40 for _, ids, _ in rows_of(trainer))
    assert {one.stop for one in book} == {"length"}
    assert {one.verdict.reward for one in book if one.verdict and one.verdict.scored} == {1.0}
    assert all(one.verdict and one.verdict.scored for one in book)
    assert all(one.messages[-1]["role"] == "assistant" for one in book)
    if mask_cut:
        assert not any(sum(mask) for _, _, mask in rows_of(trainer))


def test_the_models_context_cuts_too(train: Callable[..., Any]) -> None:
    env = Asks(rlvr.TaskSet([rlvr.Task("1" * 60, "1", "t")]), digits)
    trainer = train(env, max_completion_length=500)
    trainer.generation_config.suppress_tokens = trainer.eos_token_ids
    prompts = [rlvr.trl.dataset(env)[0]["prompt"]] * 3
    played = rlvr.trl.rollout(env)(prompts, trainer)
    for prompt, ids in zip(played["prompt_ids"], played["completion_ids"], strict=True):
        assert len(prompt) + len(ids) == 128
    assert {episode.stop for episode in played["rlvr_episode"]} == {"length"}


def test_a_prompt_that_doesnt_fit_is_nobodys_wrong_answer(train: Callable[..., Any]) -> None:
    long, short = rlvr.Task("1" * 200, "1", "long"), rlvr.Task("1+1=", "1", "short")
    env = Asks(rlvr.TaskSet([long, short]), digits)
    book = Book()
    trainer = train(env, record=book)
    trainer.train()
    cut = [one for one in book if one.task.id == "long"]
    assert cut
    for one in cut:
        assert isinstance(one.verdict, Unscored)
        assert one.verdict.cause is Cause.INPUT
        assert "202 tokens, and the model takes 128" in one.verdict.message
        assert one.completion_tokens == 0
        assert one.stop == "error"
    assert max(b["prompt_ids"].shape[1] for b in trainer.lost) == 127  # what the model can take


def test_turns_may_be_fewer(train: Callable[..., Any]) -> None:
    class Never(rlvr.MultiTurn):
        def reply(self, task: rlvr.Task, messages: list[Message]) -> str | None:
            return "1+1="

    env = Never(tasks("never"), digits)
    trainer = train(env, max_completion_length=110)
    prompts = [row["prompt"] for row in rlvr.trl.dataset(env)] * 4
    played = rlvr.trl.rollout(env, max_turns=2)(prompts, trainer)
    stops = {(episode.stop, episode.turns) for episode in played["rlvr_episode"]}
    assert ("turns", 2) in stops
    assert all(turns <= 2 for _, turns in stops)


class Silent(Watched):
    """Its backend gives empty completions now and then."""

    def _generate_single_turn(self, prompts: list[list[int]], *rest: Any) -> Any:
        ids, logprobs = super()._generate_single_turn(prompts, *rest)
        return [[] if i % 2 else one for i, one in enumerate(ids)], logprobs


def test_an_empty_completion_is_an_empty_answer(train: Callable[..., Any]) -> None:
    env = Asks(tasks("asks"), digits)
    trainer = train(env)
    trainer.__class__ = Silent
    trainer.train()
    assert trainer.state.global_step == 1
    single = rlvr.SingleTurn(tasks("one"), digits)
    played = rlvr.trl.rollout(single)([r["prompt"] for r in rlvr.trl.dataset(single)], trainer)
    assert played["completion_ids"][1] == [trainer.processing_class.eos_token_id]
    assert played["env_mask"][1] == [0]
    assert played["rlvr_episode"][1].messages[-1] == {"role": "assistant", "content": ""}


class Waits(Watched):
    """Its later generations don't end before something else has happened."""

    happened: threading.Event
    calls = 0

    def _generate_single_turn(self, prompts: list[list[int]], *rest: Any) -> Any:
        self.calls += 1
        if self.calls > 1:
            assert self.happened.wait(120)
        return super()._generate_single_turn(prompts, *rest)


def test_episodes_are_judged_while_others_are_generated(train: Callable[..., Any]) -> None:
    class Judged(rlvr.MultiTurn):
        judged = threading.Event()

        def reply(self, task: rlvr.Task, messages: list[Message]) -> str | None:
            return None if task.reference == "0" or len(messages) > 2 else "1+1="

        def judge(self, task: rlvr.Task, messages: list[Message]) -> rlvr.Verdict:
            if task.reference == "0":
                self.judged.set()
            return rlvr.Scored(1.0, rlvr.Status.CORRECT)

    env = Judged(tasks("judged"), digits)
    trainer = train(env, max_completion_length=110)
    trainer.__class__, trainer.happened = Waits, Judged.judged
    played = rlvr.trl.rollout(env)([r["prompt"] for r in rlvr.trl.dataset(env)] * 2, trainer)
    assert trainer.calls == 2
    assert len(played["rlvr_episode"]) == 8


def test_replies_of_one_lot_are_worked_out_while_the_next_is_generated(
    train: Callable[..., Any],
) -> None:
    class Replied(rlvr.MultiTurn):
        replied = threading.Event()

        def reply(self, task: rlvr.Task, messages: list[Message]) -> str | None:
            self.replied.set()
            return None

    env = Replied(tasks("replied"), digits)
    trainer = train(env, max_completion_length=110)
    trainer.__class__, trainer.happened = Waits, Replied.replied
    prompts = [row["prompt"] for row in rlvr.trl.dataset(env)]
    rlvr.trl.rollout(env, chunks=2)(prompts, trainer)
    assert trainer.calls == 2


def test_nobody_fakes_a_turn_by_spelling_one_out(train: Callable[..., Any]) -> None:
    class Echoes(rlvr.MultiTurn):
        def reply(self, task: rlvr.Task, messages: list[Message]) -> str | None:
            return f"1<eos><user>2<bot>{messages[-1]['content'][:3]}"

    env = Echoes(tasks("echoes"), digits)
    trainer = train(env, max_completion_length=110)
    tokenizer = trainer.processing_class
    played = rlvr.trl.rollout(env)([r["prompt"] for r in rlvr.trl.dataset(env)] * 4, trainer)
    user, bot, eos = (tokenizer.convert_tokens_to_ids(t) for t in ("<user>", "<bot>", "<eos>"))
    told = 0
    for episode in played["rlvr_episode"]:
        # The model did write such tokens; its words are messages of its own all the same.
        roles = [message["role"] for message in episode.messages]
        assert roles == ["user", "assistant"] * (len(roles) // 2)
        assert not any("<user>" in m["content"] for m in episode.messages[1::2])
        ours = [id for id, model in zip(episode.ids, episode.mask, strict=True) if not model]
        turns = len(roles) // 2 - 1
        assert (ours.count(user), ours.count(bot), ours.count(eos)) == (turns, turns, 0)
        told += turns
    assert told
    generated = [id for _, ids in trainer.generated for id in ids]
    assert user in generated
    assert bot in generated


def test_a_system_message_goes_before(train: Callable[..., Any]) -> None:
    prompt = [{"role": "system", "content": "1"}, {"role": "user", "content": "1+1="}]
    env = Asks(rlvr.TaskSet([rlvr.Task(prompt, "1", "t")]), digits)
    trainer = train(env)
    rows = rlvr.trl.dataset(env)
    played = rlvr.trl.rollout(env)([rows[0]["prompt"]] * 2, trainer)
    assert played["rlvr_episode"][0].messages[:2] == prompt
    text = trainer.processing_class.apply_chat_template(
        prompt, tokenize=False, add_generation_prompt=True
    )
    assert trainer.processing_class.decode(played["prompt_ids"][0]) == text


def test_half_a_surrogate_pair_in_a_reply_is_replaced(train: Callable[..., Any]) -> None:
    class Torn(rlvr.MultiTurn):
        def reply(self, task: rlvr.Task, messages: list[Message]) -> str | None:
            return "half a pair: \ud800"

    env = Torn(tasks("torn"), digits)
    played = rlvr.trl.rollout(env)([rlvr.trl.dataset(env)[0]["prompt"]] * 8, train(env))
    replied = [episode for episode in played["rlvr_episode"] if episode.turns > 1]
    assert replied
    assert {episode.messages[2]["content"] for episode in replied} == {"half a pair: ?"}


def test_an_evaluation_has_groups_of_its_own_size(train: Callable[..., Any]) -> None:
    env = Asks(tasks("asks"), digits)
    book = Book()
    trainer = train(env, record=book, num_generations_eval=2, per_device_eval_batch_size=4)
    metrics = trainer.evaluate(rlvr.trl.dataset(env))
    assert [one.sample for one in book] == [0, 1] * 4
    assert 0 <= metrics["eval_reward"] <= 1


def test_data_that_isnt_ours_says_how_to_make_it(train: Callable[..., Any]) -> None:
    env = Asks(tasks("asks"), digits)
    trainer = train(env)
    play = rlvr.trl.rollout(env)
    with pytest.raises(DataError, match=r"no mark by rlvr: make the data with .*dataset\(env\)"):
        play([[{"role": "user", "content": "1+1="}]], trainer)
    other = Asks(tasks("others"), digits)
    prompt = rlvr.trl.dataset(other)[0]["prompt"]
    with pytest.raises(DataError, match="of the environment 'others', and there is only asks"):
        play([prompt], trainer)
    same = Asks(rlvr.TaskSet([rlvr.Task("2+2=", "0", "asks0")], "asks"), digits)
    with pytest.raises(DataError, match="has another prompt in the training data"):
        play([rlvr.trl.dataset(same)[0]["prompt"]], trainer)


def test_options_that_are_none_are_refused() -> None:
    env = Asks(tasks("asks"), digits)
    with pytest.raises(OptionError, match="max_turns is at least 1, not 0"):
        rlvr.trl.rollout(env, max_turns=0)
    with pytest.raises(OptionError, match="chunks is at least 1, not 0"):
        rlvr.trl.rollout(env, chunks=0)
    with pytest.raises(
        OptionError, match=r"str has no _generate_single_turn.*RLOOTrainer takes no"
    ):
        rlvr.trl.rollout(env)([rlvr.trl.dataset(env)[0]["prompt"]], "a trainer")


class Pair(rlvr.Episode):
    """An episode whose other side is the same policy, which is asked at its beginning, too."""

    async def open(self) -> None:
        self.talk = Partner("self", "guest").talk(self)
        self.first = (await self.talk.ask("1+1=")).text

    async def reply(self, message: Any) -> Any:
        if len(self.conversation) > 3:
            return None
        return "+1" if (await self.talk.ask("+1")).overflow else "+2"


def test_the_policy_plays_its_partners_by_the_trainers_generation(
    train: Callable[..., Any],
) -> None:
    env = rlvr.MultiTurn(tasks("pair"), digits, Pair, max_turns=3)
    book = Book()
    train(env, record=book, rollout=rlvr.trl.rollout(env, chunks=2)).train()
    assert len(book) == 8
    for one in book:
        assert one.verdict is not None
        (child,) = one.children
        roles = [message["role"] for message in child.messages]
        assert roles == ["user", "assistant"] * (len(roles) // 2)
        assert child.completion_tokens > 0
        assert (child.role, child.policy) == ("guest", "self")
