r"""Questions whose answers are found by searching, and proved by citing the passages that they rest on.

Generated ones need no data: `Find the river on which the town lies where the creator of The Silent Harbour was born.` Or any
file of questions with answers, and a corpus. The last message has the answer in a box, and ids in brackets::

    It's \boxed{Ane}. [3f09c1aa] [77d0e1b2] [90ab3c4d]

It is paid if the answer is right, every cited passage was retrieved in this episode, each fact's passage is cited, and no
others are.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any, Literal

from rlvr.core.environment import Environment
from rlvr.core.errors import CannotScore, DataError, OptionError
from rlvr.core.fixtures import Turn
from rlvr.core.registry import environment
from rlvr.core.task import Task
from rlvr.core.tasks import SPLITS, TaskSet, generated
from rlvr.core.tool_calls import written_call
from rlvr.core.verdict import Cause
from rlvr.envs.data import read_file
from rlvr.envs.fixtures import fixtures_of
from rlvr.envs.prompt import Prompt
from rlvr.envs.retrieval import Passage, PassageIndex
from rlvr.envs.search_qa.questions import LEVELS, question
from rlvr.envs.search_qa.world import index_of_world
from rlvr.envs.toolboxes.search import Search
from rlvr.envs.tools import ToolEnv, describe
from rlvr.verifiers.citations import Citations
from rlvr.verifiers.extraction import Mode
from rlvr.verifiers.short_answer import ShortAnswer, answers_of, plain_answer

PROMPT = Prompt(
    "{question}\n\nSearch for the facts that you need. Then answer in one message: put the answer alone in \\boxed{}, and "
    "after it, in square brackets, the ids of the passages that state the facts it rests on, of each fact's passage and of "
    "no others, like \\boxed{Paris} [a1b2c3d4] [0f9e8d7c].{tools}"
)
_LOOKED_AT = (
    20  # passages among which those with the answer are searched, if a row doesn't name them
)
_OTHERS = (
    3  # citations besides those that count, if nobody has said which passages an answer rests on
)


class SearchQA(ToolEnv):
    """Questions with a `Search` over a corpus; see the module.

    Attributes:
        search: the toolbox.
        mode: where the answer is looked for.
    """

    search: Search
    mode: Mode = "boxed"

    def demonstrate(self, task: Task) -> tuple[Turn, ...] | None:
        """Return the messages of an episode that searches, opens what the answer rests on, and answers."""
        answer = ShortAnswer(self.mode).demonstrate(task)
        if answer is None:
            return None
        index = self.search.index_of(task)
        asked = task.metadata.get("question") or task.text
        ids = [
            str(group[0] if isinstance(group, list) else group)
            for group in task.reference.get("support") or ()
        ]
        ids = ids or [hit.passage.id for hit in index.search(asked, 1)]
        looked_up = [written_call("open", id=id) for id in dict.fromkeys(ids)]
        opened = [
            "\n".join(["I open them.", *looked_up[i : i + 8]]) for i in range(0, len(looked_up), 8)
        ]
        cited = " ".join(f"[{id}]" for id in dict.fromkeys(ids))
        return (
            f"I search.\n{written_call('search', query=asked[:1000])}",
            *opened,
            f"{answer} {cited}",
        )


@environment("search_qa", gym_name="SearchQA")
def make(
    split: str = "train",
    level: int = 2,
    data: str | None = None,
    corpus: str | None = None,
    calls: Literal["text", "native"] = "text",
    max_turns: int = 8,
    results: int = 5,
    characters: int = 500,
    worlds: int = 200,
    size: int = 100_000,
    seed: int = 0,
    mode: Mode = "boxed",
    prompt: Prompt | str | dict[str, str] = PROMPT,
) -> Environment:
    """Make questions that are answered by searching a corpus, with citations.

    Args:
        split: train, dev or test; with a folder as `data`, the name of its file.
        level: 1 to 5, of generated questions: one to four facts, then two chains of two.
        data: a file of questions, or a folder of files `SPLIT.jsonl`: rows with `question`, `answers` (or `answer`), and
            perhaps `support`, the ids of the passages that the answer rests on, and `passages`, a corpus of the row's own.
        corpus: a file of passages, for questions without any of their own.
        calls: `text`: the prompt says how to call the tools. `native`: the model's server or its chat template does.
        max_turns: responses an episode may take, including the answer.
        results: the most passages per search.
        characters: of each passage's beginning in the results.
        worlds: the number of generated worlds of the split; each has a corpus of its own.
        size: the number of generated questions of the split.
        seed: of all generated questions of all splits.
        mode: where the answer is looked for.
        prompt: may use {question} and {tools}.
    """
    if level not in tuple(LEVELS):  # a tuple also answers for what can't be hashed
        raise OptionError(f"level is one of {', '.join(map(str, LEVELS))}, not {level!r}.")
    if type(worlds) is not int or worlds < 1:
        raise OptionError(f"worlds is a whole number from 1 on, not {worlds!r:.40}.")
    if corpus is not None and data is None:
        raise OptionError("A corpus needs questions: data=FILE.")
    source = corpus if corpus is not None else _own_index
    search = Search(source, results, characters)
    tools = f"\n\n{describe(search)}" if calls == "text" else ""
    template = Prompt.of(prompt)
    if data is not None:
        path = Path(data) / f"{split}.jsonl" if Path(data).is_dir() else Path(data)
        load = functools.partial(_questions, path, search, template, tools)
        tasks = TaskSet(load, "search_qa")
    else:
        if split not in tuple(SPLITS):
            raise OptionError(f"There's no split {split!r}. There are: {', '.join(SPLITS)}.")
        draw = functools.partial(
            question,
            prompt=template,
            level=LEVELS[int(level)],
            split=split,
            seed=seed,
            worlds=worlds,
            tools=tools,
        )
        tasks = generated(draw, split=split, size=size, seed=seed, name="search_qa")
    besides = 0 if data is None else _OTHERS
    verifier = Citations(path="retrieved", support="support", unneeded=besides) >> ShortAnswer(mode)
    fixtures = fixtures_of("search_qa", mode == "boxed" and max_turns > 3 and corpus is None)
    env = SearchQA(tasks, verifier, search, max_turns, calls=calls, fixtures=fixtures)
    env.search, env.mode = search, mode
    return env


def _own_index(task: Task) -> PassageIndex:
    """Return the index of a task's own corpus: that of its world, or of the passages in its row."""
    world = task.metadata.get("world")
    if isinstance(world, list | tuple):
        seed, split, number = world
        return index_of_world(int(seed), str(split), int(number))
    passages = task.metadata.get("passages")
    if not isinstance(passages, list):
        raise CannotScore(Cause.GOLD, "the task has no passages, and the environment no corpus")
    try:
        return PassageIndex.of(Passage.of(row, i) for i, row in enumerate(passages, 1))
    except DataError as error:
        raise CannotScore(Cause.GOLD, f"the task's passages: {error}") from None


def _questions(path: Path, search: Search, prompt: Prompt, tools: str) -> list[Task]:
    """Return the tasks of a file of questions. Raises `DataError` naming the row that is none."""
    if not path.is_file():
        raise DataError(f"There's no file of questions {str(path)!r}.")
    tasks = []
    for number, row in enumerate(read_file(path), 1):
        asked, answers = row.get("question"), row.get("answers", row.get("answer"))
        if not isinstance(asked, str) or answers is None:
            raise DataError(
                f"Row {number} of {path.name} has no question, or no answers: {', '.join(row)}."
            )
        answers = list(answers) if isinstance(answers, list | tuple) else [answers]
        metadata = {"question": asked, **{key: row[key] for key in ("passages",) if row.get(key)}}
        id = row.get("id")
        task = Task(
            prompt.render({"question": asked, "tools": tools}),
            {"answers": answers},
            f"{path.stem}-{number}" if id is None else str(id),
            metadata,
        )
        tasks.append(
            _with_support(task, search, row.get("support"), f"Row {number} of {path.name}")
        )
    if not tasks:
        raise DataError(f"There are no questions in {str(path)!r}.")
    return tasks


def _with_support(task: Task, search: Search, named: Any, where: str) -> Task:
    """Return the task with the passages that its answer rests on: those named, or any that has the answer in it."""
    try:
        index = search.index_of(task)
        answers = answers_of(task.reference)
    except CannotScore as error:
        raise DataError(f"{where}: {error}") from None
    support: list[list[str]]
    if named:
        support = [
            [str(id) for id in (item if isinstance(item, list) else [item])] for item in named
        ]
        missing = [id for group in support for id in group if index.passage(id) is None]
        if missing:
            raise DataError(
                f"{where} names the passage {missing[0]!r:.60}, which the corpus doesn't have."
            )
    else:
        words = [f" {plain_answer(answer)} " for answer in answers]
        hits = index.search(f"{task.metadata['question']} {' '.join(answers)}", _LOOKED_AT)
        stating = [
            hit.passage.id
            for hit in hits
            if any(
                answer in f" {plain_answer(f'{hit.passage.title} {hit.passage.text}')} "
                for answer in words
            )
        ]
        support = (
            [stating] if stating else []
        )  # "yes" is in none: then any retrieved passage counts
    reference = {**task.reference, **({"support": support} if support else {})}
    return Task(task.prompt, reference, task.id, task.metadata)
