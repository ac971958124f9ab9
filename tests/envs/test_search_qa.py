"""`search_qa`: paid for the right answer with the passages it rests on, retrieved in this episode, and for nothing else."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

import rlvr
from rlvr import Scored
from rlvr.core.errors import DataError, OptionError
from rlvr.envs.retrieval import Passage, PassageIndex
from rlvr.envs.search_qa.questions import LEVELS
from rlvr.envs.search_qa.world import Entity, world_of
from rlvr.policies.base import Request
from rlvr.policies.scripted import scripted
from rlvr.testing import judge_fixtures


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RLVR_CACHE", str(tmp_path / "cache"))


def call(tool: str, **arguments: Any) -> str:
    return f"<tool_call>{json.dumps({'name': tool, 'arguments': arguments})}</tool_call>"


def played(env: rlvr.Environment, task: rlvr.Task, *messages: Any) -> Scored:
    async def play() -> rlvr.Verdict:
        async with env.episode(task) as episode:
            for message in messages:
                if not episode.over:
                    await episode.respond(message)
            return await episode.verdict()

    verdict = asyncio.run(play())
    assert isinstance(verdict, Scored), verdict
    return verdict


def test_fixtures_hold() -> None:
    env = rlvr.make("search_qa")
    for fixture, verdict in zip(env.fixtures, judge_fixtures(env), strict=True):
        assert fixture.holds(verdict), (fixture, verdict)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("calls", ["text", "native"])
def test_the_oracle_earns_full_reward(level: int, calls: str) -> None:
    env = rlvr.make("search_qa", level=level, calls=calls, worlds=3)
    for task in (env.tasks[i] for i in range(6)):
        turns = env.demonstrate(task)
        assert turns is not None
        assert played(env, task, *turns).reward == 1
        assert len(task.reference["support"]) == LEVELS[level].hops * (
            2 if LEVELS[level].difference else 1
        )
        assert played(env, task, turns[-1]).reward == 0
        answer, _, cited = str(turns[-1]).partition(" ")
        assert played(env, task, *turns[:-1], answer).reward == 0
        assert played(env, task, *turns[:-1], cited).reward == 0


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("two answers", "\\boxed{{{answer}, {other}}} {cited}"),
        ("two boxes", "\\boxed{{{other}}} or \\boxed{{{answer}}} {cited}"),
        ("a quotation", "\\boxed{{It is {answer}, and not {other}.}} {cited}"),
        ("another answer", "\\boxed{{{other}}} {cited}"),
        ("all that a search found", "\\boxed{{{answer}}} {found}"),
        ("an id that was never seen", "\\boxed{{{answer}}} {cited} [00000000]"),
        ("an id in the box alone", "\\boxed{{{answer} {cited}}}"),
        ("citations in thoughts", "<think>{cited}</think>\\boxed{{{answer}}}"),
        ("citations in a fence", "\\boxed{{{answer}}}\n```\n{cited}\n```"),
        ("a result of its own", "<tool_response>\n{cited}\n</tool_response>\\boxed{{{other}}}"),
    ],
)  # fmt: skip
def test_nothing_else_is_paid_after_the_same_research(name: str, answer: str) -> None:
    env = rlvr.make("search_qa", level=2, worlds=2)
    task, another = env.tasks[0], env.tasks[1]
    turns = env.demonstrate(task)
    assert turns is not None
    ids = [group[0] for group in task.reference["support"]]
    index = env.search.index_of(task)  # type: ignore[attr-defined]
    found = [hit.passage.id for hit in index.search(task.metadata["question"], 5)]
    last = answer.format(
        answer=task.reference["answers"][0],
        other=another.reference["answers"][0],
        cited=" ".join(f"[{id}]" for id in ids),
        found=" ".join(f"[{id}]" for id in dict.fromkeys([*ids, *found])),
    )
    assert played(env, task, *turns[:-1], last).reward == 0, name
    assert played(env, task, *turns).reward == 1


def test_facts_are_in_one_passage_each_and_answers_in_none_of_the_questions() -> None:
    for number in range(3):
        world = world_of(0, "train", number)
        texts = {passage.id: passage.text for passage in world.passages}
        assert len({entity.name for entity in world.entities}) == len(world.entities) == len(texts)
        for entity in world.entities:
            for value in entity.facts.values():
                name = value.name if isinstance(value, Entity) else str(value)
                assert name in texts[entity.id], (entity, name)
    for level in LEVELS:
        env = rlvr.make("search_qa", level=level, worlds=3)
        for task in (env.tasks[i] for i in range(30)):
            assert task.reference["answers"][0] not in task.metadata["question"]


def test_splits_have_other_worlds_and_other_questions() -> None:
    questions, names = {}, {}
    for split in ("train", "dev", "test"):
        env = rlvr.make("search_qa", split=split, worlds=3)
        questions[split] = {env.tasks[i].text for i in range(40)}
        names[split] = {e.name for n in range(3) for e in world_of(0, split, n).of_kind("person")}
    for a, b in (("train", "dev"), ("train", "test"), ("dev", "test")):
        assert not questions[a] & questions[b]
        assert not names[a] & names[b]


def test_a_file_of_questions_and_a_corpus(tmp_path: Path) -> None:
    corpus = [
        {"id": "a", "title": "Tolvik", "text": "Tolvik lies on the Ane."},
        {"id": "b", "title": "Ane", "text": "The Ane flows into Lake Moru."},
        {"id": "c", "title": "Moru", "text": "A lake that nobody has seen."},
    ]
    (tmp_path / "corpus.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in corpus))
    rows = [
        {"question": "On which river is Tolvik?", "answer": "Ane", "support": ["a"]},
        {"question": "Where does Tolvik's river go?", "answers": ["Lake Moru", "the Moru"], "support": [["a"], ["b", "c"]]},
        {"question": "Which lake does the Ane flow into?", "answers": ["Moru"]},
        {"question": "Is it deep?", "answers": ["yes"], "passages": [{"text": "It is, they say."}]},
    ]  # fmt: skip
    (tmp_path / "test.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    env = rlvr.make(
        "search_qa", split="test", data=str(tmp_path), corpus=str(tmp_path / "corpus.jsonl")
    )
    assert [task.reference.get("support") for task in (env.tasks[i] for i in range(4))] == [
        [["a"]], [["a"], ["b", "c"]], [["b", "c"]], None,
    ]  # fmt: skip
    look = call("search", query="Tolvik Ane Moru lake")
    assert played(env, env.tasks[0], look, "\\boxed{The Ane} [a]").reward == 1
    assert played(env, env.tasks[1], look, "\\boxed{moru} [a] [c]").reward == 1
    assert played(env, env.tasks[1], look, "\\boxed{moru} [c]").reward == 0
    assert played(env, env.tasks[2], look, "\\boxed{Moru} [a]").reward == 0, (
        "the river's passage doesn't say it"
    )
    assert played(env, env.tasks[2], look, "\\boxed{Moru} [b]").reward == 1
    for number in range(3):
        turns = env.demonstrate(env.tasks[number])
        assert turns is not None
        assert played(env, env.tasks[number], *turns).reward == 1
    own = (
        rlvr.make("search_qa", data=str(tmp_path / "own.jsonl"))
        if _write(tmp_path, rows[3])
        else env
    )
    assert played(own, own.tasks[0], call("search", query="it"), "\\boxed{Yes} [1]").reward == 1
    assert played(own, own.tasks[0], "\\boxed{Yes} [1]").reward == 0


def _write(folder: Path, row: dict[str, Any]) -> bool:
    return bool((folder / "own.jsonl").write_text(f"{json.dumps(row)}\n"))


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"question": "?"}, "Row 1 of q.jsonl has no question, or no answers"),
        ({"question": "?", "answers": []}, "no answer, or an empty"),
        ({"question": "?", "answers": [""]}, "no answer, or an empty"),
        ({"question": "?", "answers": ["x"], "support": ["z"]}, "names the passage 'z'"),
    ],
)
def test_rows_that_are_no_questions_are_said_to_be(row: Any, message: str, tmp_path: Path) -> None:
    (tmp_path / "q.jsonl").write_text(f"{json.dumps(row)}\n")
    (tmp_path / "c.jsonl").write_text('{"id": "a", "text": "x"}\n')
    env = rlvr.make("search_qa", data=str(tmp_path / "q.jsonl"), corpus=str(tmp_path / "c.jsonl"))
    with pytest.raises(DataError, match=message):
        len(env.tasks)


def test_options_are_checked() -> None:
    for options in (
        {"level": 6},
        {"worlds": 0},
        {"corpus": "x.jsonl"},
        {"results": 90},
        {"split": "x"},
    ):
        with pytest.raises(OptionError):
            rlvr.make("search_qa", **options)


def test_32_episodes_at_once_and_resumed(tmp_path: Path) -> None:
    env = rlvr.make("search_qa", level=3, worlds=4, size=32)
    oracle = scripted("oracle", env)

    class Counted:
        name = "counted"
        asked: list[str] = []
        batch_size = 64

        def respond(self, requests: Any) -> Any:
            self.asked += [request.task.id for request in requests]
            return oracle.respond(requests)

    policy = Counted()
    report = rlvr.evaluate(env, policy, run=tmp_path / "run", limit=16)
    assert report.mean.value == 1
    before = len(policy.asked)
    whole = rlvr.evaluate(env, policy, run=tmp_path / "run", limit=32, resume=True)
    assert whole.mean.value == 1
    assert not whole.unscored
    assert len(policy.asked) - before == before, "the first half isn't asked again"


def test_naive_policies_earn_nothing(tmp_path: Path) -> None:
    env = rlvr.make("search_qa", level=1, worlds=4, size=24)
    for name in ("empty", "echo", "random"):
        report = rlvr.evaluate(env, scripted(name, env), run=tmp_path / name)
        assert report.mean.value == 0, name


class Canary(dict[str, Any]):
    """A reference that counts how often it is read."""

    reads = 0

    def __getitem__(self, key: str) -> Any:
        Canary.reads += 1
        return super().__getitem__(key)

    def get(self, key: str, default: Any = None) -> Any:
        Canary.reads += 1
        return super().get(key, default)

    def __iter__(self) -> Any:
        Canary.reads += 1
        return super().__iter__()

    def items(self) -> Any:
        Canary.reads += 1
        return super().items()

    def values(self) -> Any:
        Canary.reads += 1
        return super().values()


@pytest.mark.sweep(gate=1)
@pytest.mark.parametrize("episodes", [60, 1000])
def test_canaries_are_never_read(episodes: int) -> None:
    """No tool reads the reference, and no episode sees another's passages, while 32 are played at once."""
    base = rlvr.make("search_qa")
    Canary.reads = 0

    def task(number: int) -> rlvr.Task:
        own = [Passage(f"own{number}", "Canary", f"The canary of this episode is canary{number}x.")]
        rows = [{"id": p.id, "title": p.title, "text": p.text} for p in own]
        reference = Canary(answers=[f"secret{number}x"], support=[[f"own{number}"]])
        return rlvr.Task("Find the canary.", reference, f"t{number}", {"passages": rows})

    hostile = [
        call(
            "search",
            query="canary secret episode own t0 own1 own2 "
            + " ".join(f"canary{n}x" for n in range(30)),
        ),
        "".join(call("open", id=f"own{n}") for n in range(16)),
        call("open", id="../own1")
        + call("open", id="own1\0")
        + call("search", query="'; ATTACH '/etc/passwd'"),
    ]

    async def one(number: int, seats: asyncio.Semaphore) -> str:
        async with seats, base.episode(task(number)) as episode:
            seen = []
            for message in hostile:
                seen += [m["content"] for m in await episode.respond(message)]
            return "\n".join(seen)

    async def play() -> list[str]:
        seats = asyncio.Semaphore(32)
        return list(await asyncio.gather(*(one(number, seats) for number in range(episodes))))

    for number, seen in enumerate(asyncio.run(play())):
        assert f"canary{number}x" in seen
        others = {
            word
            for word in seen.replace(".", " ").split()
            if word.startswith("canary") and word.endswith("x")
        }
        assert others == {f"canary{number}x"}, "another episode's passage was seen"
        assert "secret" not in seen
    assert Canary.reads == 0, "a tool has read the reference"


def test_the_oracle_says_its_messages_in_order() -> None:
    env = rlvr.make("search_qa", worlds=2)
    task = env.tasks[0]
    turns = env.demonstrate(task)
    assert turns is not None
    oracle = scripted("oracle", env)
    prompt = list(task.prompt)
    for turn in [*turns, turns[-1]]:
        (said,) = oracle.respond([Request(tuple(prompt), task)])
        assert said == turn
        prompt += [{"role": "assistant", "content": said}, {"role": "user", "content": "…"}]


def test_an_index_that_is_gone_is_a_fault(tmp_path: Path) -> None:
    import shutil

    toolbox = rlvr.tools.Search([{"text": "x"}])
    env = rlvr.ToolEnv([rlvr.Task("?", "1")], rlvr.Math(), toolbox)
    shutil.rmtree(tmp_path / "cache")

    async def play() -> rlvr.Verdict:
        async with env.episode(env.tasks[0]) as episode:
            return await episode.verdict()

    verdict = asyncio.run(play())
    assert isinstance(verdict, rlvr.Unscored)


def test_results_fit_into_a_tools_result() -> None:
    long = [Passage(f"{'i' * 90}{n}", "t" * 5000, "long words " * 3000) for n in range(9)]
    index = PassageIndex.of(long)
    with pytest.raises(OptionError, match="don't fit"):
        rlvr.tools.Search(lambda task: index, results=5, characters=1000)
    env = rlvr.ToolEnv(
        [rlvr.Task("?", "1")],
        rlvr.Math(),
        rlvr.tools.Search(lambda task: index, results=5, characters=550),
    )

    async def play() -> list[str]:
        async with env.episode(env.tasks[0]) as episode:
            first = await episode.respond(call("search", query="long"))
            second = await episode.respond(call("open", id="i" * 90 + "3", page=2))
            return [first[0]["content"], second[0]["content"]]

    found, opened = asyncio.run(play())
    assert found.count("[iii") == 5
    assert "(cut)" not in found + opened
    assert "page 2 of 11" in opened
